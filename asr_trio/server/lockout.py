"""Counting failures: who has failed too often is refused for the rest of a minute. Time comes from the caller.

The clock must be monotonic: a wall clock that is set back would keep people out, one that is set forward would let a
guesser go on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

WINDOW_S: Final = 60.0
_KEYS: Final = 10_000
"""Whoever fails is remembered for a minute; past this many the oldest are forgotten, so that memory has a bound."""


class Lockout:
    """Failures by key, in windows that begin with a key's first failure."""

    def __init__(self, failures: int) -> None:
        """Allow `failures` in a window."""
        self._limit = failures
        self._counts: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def is_locked(self, key: Hashable, now_s: float) -> bool:
        """Tell whether `key` has used up its failures."""
        end_s, count = self._counts.get(key, (now_s, 0))
        return count >= self._limit and now_s < end_s

    def fail(self, key: Hashable, now_s: float) -> None:
        """Count a failure of `key`."""
        end_s, count = self._counts.pop(key, (now_s, 0))
        if now_s >= end_s:
            end_s, count = now_s + WINDOW_S, 0
        self._counts[key] = (end_s, count + 1)
        if len(self._counts) > _KEYS:
            self._counts.popitem(last=False)
