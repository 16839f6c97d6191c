"""A bound on work at one time that no single party can use up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import trio


class FairLimiter:
    """Places for work, handed out in order of arrival, except that a party never holds more than its share.

    Whoever asks for much then waits for himself: what is left of the places goes to the next of another party.
    """

    def __init__(self, places: int, *, places_each: int) -> None:
        """Offer `places`, of which one party may hold `places_each`."""
        self._free = places
        self._places_each = places_each
        self._held: Counter[Hashable] = Counter()
        self._waiting: deque[tuple[Hashable, trio.Event]] = deque()

    @asynccontextmanager
    async def place(self, party: Hashable) -> AsyncIterator[None]:
        """Wait for a place and hold it."""
        granted = trio.Event()
        self._waiting.append((party, granted))
        self._grant()
        try:
            await granted.wait()
            yield
        finally:
            if granted.is_set():
                self._free += 1
                self._held[party] -= 1
                if not self._held[party]:
                    del self._held[party]
                self._grant()
            else:
                self._waiting.remove((party, granted))

    def _grant(self) -> None:
        for entry in list(self._waiting):
            if not self._free:
                return
            party, granted = entry
            if self._held[party] < self._places_each:
                self._free -= 1
                self._held[party] += 1
                self._waiting.remove(entry)
                granted.set()
