"""A fork server that is started before its server: taken where it loads what is wanted, ended where not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from asr_trio.errors import ConfigError
from asr_trio.recognizer import control, ipc, launch
from asr_trio.settings import ModelSettings, RecognizerSettings

SETTINGS = RecognizerSettings(models={"general": ModelSettings(engine="fake")})
OTHER = RecognizerSettings(models={"other": ModelSettings(engine="fake")}, default_model="other")


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split())


@pytest.fixture
def fork_servers() -> Callable[[], int]:
    before = children()
    return lambda: len(children() - before)


def test_who_wants_the_same_models_takes_it_and_finds_it_loading(fork_servers: Callable[[], int]) -> None:
    with launch.ahead(lambda: SETTINGS):
        taken = launch.start(SETTINGS)
        assert fork_servers() == 1
    try:
        assert taken.settings == SETTINGS
        reader: ipc.FrameReader[control.FromForkServer] = ipc.FrameReader(control.FromForkServer)
        assert reader.feed(taken.control.recv(4096)) == [control.Ready()]
    finally:
        taken.end()
    assert fork_servers() == 0


def test_who_wants_other_models_gets_one_of_its_own(fork_servers: Callable[[], int]) -> None:
    with launch.ahead(lambda: OTHER):
        taken = launch.start(SETTINGS)
        assert fork_servers() == 1
    assert taken.settings == SETTINGS
    taken.end()
    assert fork_servers() == 0


def test_one_that_nobody_took_ends(fork_servers: Callable[[], int]) -> None:
    with launch.ahead(lambda: SETTINGS):
        assert fork_servers() == 1
    assert fork_servers() == 0


def test_wrong_settings_leave_nothing_behind(fork_servers: Callable[[], int]) -> None:
    def read() -> RecognizerSettings:
        raise ConfigError("wrong")

    with pytest.raises(ConfigError, match="wrong"), launch.ahead(read):
        pytest.fail("not reached")
    assert fork_servers() == 0
