from __future__ import annotations

import trio
import trio.testing

from asr_trio.server.fair import FairLimiter


async def test_a_party_that_asks_for_everything_leaves_the_others_their_share(autojump_clock):
    limiter = FairLimiter(2, places_each=1)
    order = []

    async def work(party):
        async with limiter.place(party):
            order.append(party)
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(work, "greedy")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(work, "honest")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(work, "other")
        await trio.testing.wait_all_tasks_blocked()
        assert order == ["greedy", "honest"]
    assert order[2:4] in (["greedy", "other"], ["other", "greedy"])
    assert trio.current_time() == 5


async def test_who_gives_up_waiting_or_working_leaves_nothing_behind(autojump_clock):
    limiter = FairLimiter(1, places_each=1)
    async with limiter.place("first"):
        with trio.move_on_after(1):
            async with limiter.place("second"):
                raise AssertionError
    with trio.move_on_after(1):
        async with limiter.place("second"):
            await trio.sleep_forever()
    async with limiter.place("third"):
        assert not limiter._waiting
        assert set(limiter._held) == {"third"}
