"""Places for sessions: the licences of this node, a bound for each user, and what nodes share (`quota`)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from asr_trio.errors import LicenseError

if TYPE_CHECKING:  # an extra
    from asr_trio.server.quota import SharedQuota


class Place:
    """A session's place, until it is released."""

    def __init__(self, places: Places, user: str | None, lease: str | None) -> None:
        self._places = places
        self._user = user
        self._lease = lease

    async def release(self) -> None:
        """Give the place back."""
        await self._places.give_back(self._user, self._lease)


class Places:
    """Counts the sessions of this node."""

    def __init__(self, *, sessions: int, sessions_per_user: int, quota: SharedQuota | None) -> None:
        self._limit = sessions
        self._limit_per_user = sessions_per_user
        self._quota = quota
        self._by_user: Counter[str] = Counter()
        self.taken = 0

    async def take(self, user: str | None) -> Place:
        """Take a place for a session of `user`.

        Raises:
            LicenseError: there is none.
        """
        if self.taken >= self._limit:
            raise LicenseError("All licensed sessions are in use")
        if user is not None and self._by_user[user] >= self._limit_per_user:
            raise LicenseError("All sessions of this user are in use")
        self._count(user, 1)
        try:
            lease = await self._quota.acquire() if self._quota is not None else None
        except BaseException:
            self._count(user, -1)
            raise
        return Place(self, user, lease)

    async def give_back(self, user: str | None, lease: str | None) -> None:
        """Give a place back."""
        self._count(user, -1)
        if self._quota is not None and lease is not None:
            await self._quota.release(lease)

    def _count(self, user: str | None, change: int) -> None:
        self.taken += change
        if user is not None:
            self._by_user[user] += change
            if not self._by_user[user]:
                del self._by_user[user]
