"""Session licences shared by many nodes: leases in Redis, the one thing that nodes have in common.

Theory. A licence in use is a member of a sorted set whose score is the time, on Redis's clock, at which its lease runs
out. A node takes a lease for each session, renews all of its leases together every `renew_s` and gives one up when its
session ends. What a dead node held runs out by itself after `lease_s`. Taking is one script, so that two nodes never
take the last licence both: expired members go, the rest are counted, and only then one is added.

A renewal puts back a lease that is no longer there (Redis lost its data, or this node was stopped longer than
`lease_s`): the session exists, so counting it is the truth, even where that leaves the count above the limit until
sessions end. New ones are refused meanwhile.

When Redis does not answer, `when_down` decides: "open" lets the session in on the node's own limit, "closed" refuses.
The node's own limit (`limits.sessions`) holds in any case.
"""

from __future__ import annotations

import secrets
from typing import Final

import anyio
import coredis
import coredis.exceptions
import structlog
import trio

from asr_trio.errors import LicenseError
from asr_trio.settings import QuotaSettings

# KEYS: the set. ARGV: limit, lease in ms, member. Returns 1 where the lease was given.
TAKE: Final = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now_ms + ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
return 1
"""

# KEYS: the set. ARGV: lease in ms, then members.
RENEW: Final = """
local time = redis.call('TIME')
local until_ms = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for index = 2, #ARGV do redis.call('ZADD', KEYS[1], until_ms, ARGV[index]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1] * 2)
return #ARGV - 1
"""

RENEW_BATCH: Final = 1000
"""Members in one script call: a Lua stack holds some thousands, and Redis serves nobody else meanwhile."""

_UNREACHABLE: Final = (
    coredis.exceptions.RedisError,
    OSError,
    trio.TooSlowError,
    anyio.ClosedResourceError,
    anyio.BrokenResourceError,
)

log = structlog.get_logger(__name__)


class SharedQuota:
    """The leases of this node. Use inside `run`."""

    def __init__(self, settings: QuotaSettings) -> None:
        self._settings = settings
        self._node = secrets.token_hex(8)
        self._leases: set[str] = set()
        self._count = 0
        self._client = self._new_client()
        self.reachable = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the leases alive until cancelled; then give them all back."""
        try:
            async with self._client:
                task_status.started()
                while True:
                    await trio.sleep(self._settings.renew_s)
                    await self._renew()
        finally:
            # The client's own tasks ended with ours, so that giving back takes another.
            with trio.CancelScope(shield=True):  # bounded inside
                leases = list(self._leases)
                self._leases.clear()
                self._client = self._new_client()
                async with self._client:
                    await self._forget(leases)

    def _new_client(self) -> coredis.Redis[bytes]:
        return coredis.Redis.from_url(
            self._settings.redis_url,
            verify_version=False,  # asks Redis on connecting, and would fail where it is not up yet
            connect_timeout=self._settings.answer_timeout_s,
            stream_timeout=self._settings.answer_timeout_s,
        )

    async def acquire(self) -> str:
        """Take a licence.

        Returns:
            the lease, to be handed to `release`.

        Raises:
            LicenseError: all are taken, or Redis is unreachable and the policy is "closed".
        """
        self._count += 1
        lease = f"{self._node}-{self._count}"
        try:
            given = await self._call(TAKE, self._settings.sessions, round(self._settings.lease_s * 1000), lease)
        except _UNREACHABLE as error:
            self._lost(error)
            if self._settings.when_down == "closed":
                raise LicenseError("The licence store is unreachable") from error
        else:
            if not given:
                raise LicenseError("All licensed sessions are in use")
        self._leases.add(lease)
        return lease

    async def release(self, lease: str) -> None:
        """Give a licence back; where Redis cannot be told, the lease runs out."""
        self._leases.discard(lease)
        await self._forget([lease])

    async def _renew(self) -> None:
        told: set[str] = set()
        try:
            while leases := sorted(self._leases - told)[:RENEW_BATCH]:  # those that came during the wait for Redis too
                await self._call(RENEW, round(self._settings.lease_s * 1000), *leases)
                told.update(leases)
        except _UNREACHABLE as error:
            self._lost(error)

    async def _forget(self, leases: list[str]) -> None:
        if not leases:
            return
        try:
            with trio.fail_after(self._settings.answer_timeout_s):
                await self._client.zrem(self._settings.key, leases)
        except _UNREACHABLE as error:
            self._lost(error)

    async def _call(self, script: str, *arguments: str | int) -> int:
        with trio.fail_after(self._settings.answer_timeout_s):
            answer = await self._client.eval(script, [self._settings.key], list(arguments))
        self.reachable = True
        return int(str(answer))

    def _lost(self, error: BaseException) -> None:
        if self.reachable:
            log.warning("quota_store_unreachable", error=type(error).__name__, policy=self._settings.when_down)
        self.reachable = False
