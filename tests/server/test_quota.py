"""Shared licences against a real Redis, started for these tests on a Unix socket."""

from __future__ import annotations

import gc
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from asr_trio.errors import LicenseError
from asr_trio.settings import QuotaSettings

quota = pytest.importorskip("asr_trio.server.quota", reason="the extra 'redis' is not installed")

START_DEADLINE_S = 10


class Redis:
    """A Redis server that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        arguments = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"eady to accept connections" in line:
                return
        pytest.fail("redis-server did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=START_DEADLINE_S)
            self._process = None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = Redis(tmp_path)
    server.start()
    with warnings.catch_warnings():
        # coredis leaves the memory streams of a lost connection to the garbage collector, which anyio remarks on.
        warnings.filterwarnings("ignore", message="Unclosed <MemoryObject", category=ResourceWarning)
        yield server
        gc.collect()
    server.stop()


def settings(redis: Redis, **changes: object) -> QuotaSettings:
    values: dict[str, object] = {
        "redis_url": redis.url,
        "sessions": 3,
        "lease_s": 0.6,
        "renew_s": 0.1,
        "answer_timeout_s": 0.5,
    }
    return QuotaSettings.model_validate(values | changes)


async def acquire_many(node: object, count: int) -> list[str]:
    leases = []
    for _ in range(count):
        try:
            leases.append(await node.acquire())
        except LicenseError:
            break
    return leases


async def test_two_nodes_never_hold_more_than_the_limit_together(redis: Redis) -> None:
    one, two = quota.SharedQuota(settings(redis, sessions=10)), quota.SharedQuota(settings(redis, sessions=10))
    held: list[str] = []
    refused = 0

    async def burst(node: object) -> None:
        nonlocal refused
        for _ in range(10):
            try:
                held.append(await node.acquire())
            except LicenseError:
                refused += 1

    async with trio.open_nursery() as nursery:
        await nursery.start(one.run)
        await nursery.start(two.run)
        async with trio.open_nursery() as bursts:
            bursts.start_soon(burst, one)
            bursts.start_soon(burst, two)
        assert (len(held), refused) == (10, 10)
        assert len(set(held)) == 10
        nursery.cancel_scope.cancel()


async def test_a_released_licence_can_be_taken_by_another_node(redis: Redis) -> None:
    one, two = quota.SharedQuota(settings(redis)), quota.SharedQuota(settings(redis))
    async with trio.open_nursery() as nursery:
        await nursery.start(one.run)
        await nursery.start(two.run)
        leases = await acquire_many(one, 5)
        assert len(leases) == 3
        with pytest.raises(LicenseError):
            await two.acquire()
        await one.release(leases[0])
        assert await two.acquire()
        nursery.cancel_scope.cancel()


async def test_what_a_dead_node_held_comes_free_after_its_lease_and_not_before_a_live_one_s(redis: Redis) -> None:
    dead, alive = quota.SharedQuota(settings(redis, renew_s=1000)), quota.SharedQuota(settings(redis))
    async with trio.open_nursery() as nursery:
        await nursery.start(alive.run)
        async with trio.open_nursery() as doomed:
            await doomed.start(dead.run)
            await acquire_many(dead, 2)
            dead._leases.clear()  # dies without a word: nothing is given back
            doomed.cancel_scope.cancel()
        assert len(await acquire_many(alive, 3)) == 1
        await trio.sleep(0.8)  # longer than the lease: the dead node's are gone, the live one's was renewed
        assert len(await acquire_many(alive, 3)) == 2
        nursery.cancel_scope.cancel()


async def test_a_node_that_ends_gives_everything_back_at_once(redis: Redis) -> None:
    one, two = quota.SharedQuota(settings(redis)), quota.SharedQuota(settings(redis))
    async with trio.open_nursery() as nursery:
        await nursery.start(two.run)
        async with trio.open_nursery() as ending:
            await ending.start(one.run)
            await acquire_many(one, 3)
            ending.cancel_scope.cancel()
        assert len(await acquire_many(two, 3)) == 3
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("policy", "let_in"), [("open", True), ("closed", False)])
async def test_redis_down_is_met_by_policy_and_recovery_counts_who_is_there(
    redis: Redis, policy: str, let_in: bool
) -> None:
    node = quota.SharedQuota(settings(redis, when_down=policy, lease_s=60))
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run)
        assert await node.acquire()
        redis.stop()
        assert (len(await acquire_many(node, 1)) == 1) is let_in
        assert not node.reachable
        redis.start()  # empty: it kept nothing
        with trio.fail_after(60):
            while not node.reachable:  # noqa: ASYNC110 - a state of the far side
                await trio.sleep(0.05)
        # The sessions that exist were counted again by the renewal, so the limit of 3 holds for all of them.
        assert len(await acquire_many(node, 5)) == (1 if let_in else 2)
        nursery.cancel_scope.cancel()


async def test_a_renewal_counts_the_session_that_came_while_it_waited(redis: Redis, monkeypatch) -> None:
    node = quota.SharedQuota(settings(redis, lease_s=60))
    call = node._call

    async def slow_call(*arguments: Any) -> int:
        node._leases.add("late")  # let in by the policy "open"
        return await call(*arguments)

    async with trio.open_nursery() as nursery:
        await nursery.start(node.run)
        assert await node.acquire()
        with monkeypatch.context() as patched:
            patched.setattr(node, "_call", slow_call)
            await node._renew()
        assert len(await acquire_many(node, 5)) == 1
        nursery.cancel_scope.cancel()


async def test_redis_that_was_never_there_does_not_stop_the_node(redis: Redis) -> None:
    redis.stop()
    node = quota.SharedQuota(settings(redis, when_down="open"))
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run)
        assert await node.acquire()
        nursery.cancel_scope.cancel()
