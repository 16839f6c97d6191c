from __future__ import annotations

from contextlib import ExitStack

import pytest

from asr_trio.errors import BusyError
from asr_trio.server.shares import Shares


def test_no_more_than_all_is_held_and_everything_comes_back():
    shares = Shares(10.0, each=None, name="room")
    with shares.hold(6.0, "ann"):
        with pytest.raises(BusyError, match="all room is taken"), shares.hold(4.1, "bob"):
            pass
        with shares.hold(4.0, "bob"):
            assert shares.used == 10.0
    assert shares.used == 0.0


def test_a_party_has_its_share_and_leaves_the_rest_to_others():
    shares = Shares(1.0, each=0.3, name="room")
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(shares.hold(0.1, "ann"))
        with pytest.raises(BusyError, match="one user or address"), shares.hold(0.1, "ann"):
            pass
        for _ in range(3):
            held.enter_context(shares.hold(0.1, "bob"))
    with shares.hold(0.1, "ann"):
        assert shares.used == 0.1


def test_one_thing_is_possible_whatever_it_costs():
    shares = Shares(1.0, each=0.5, name="room")
    with shares.hold(50.0, "ann"):
        pass
    with shares.hold(0.2, "bob"), shares.hold(0.7, "ann"):
        pass
