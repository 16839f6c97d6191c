"""A bound on what is held at one time, of which one party may hold a share; past it the answer is no, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from asr_trio.errors import BusyError

_PARTS: Final = 1000
"""Amounts are counted in thousandths: sums of floats would drift."""


class Shares:
    """Amounts held by parties, a party being a user, or an address where there are no users.

    Whoever holds nothing where nothing is held is let in whatever it asks for, and so is, as far as its share goes, a
    party that holds nothing: one thing must be possible.
    """

    def __init__(self, total: float, *, each: float | None, name: str) -> None:
        """Offer `total`, and `each` party that much of it (None: all); `name` says in refusals what is taken."""
        self._total = round(total * _PARTS)
        self._each = self._total if each is None else round(each * _PARTS)
        self._name = name
        self._held: Counter[Hashable] = Counter()

    @property
    def used(self) -> float:
        """What all hold together."""
        return self._held.total() / _PARTS

    @contextmanager
    def hold(self, amount: float, party: Hashable) -> Iterator[None]:
        """Hold an amount while the block runs.

        Raises:
            BusyError: there is no room for it.
        """
        parts, all_held, held = round(amount * _PARTS), self._held.total(), self._held[party]
        if all_held and all_held + parts > self._total:
            raise BusyError(f"all {self._name} is taken")
        if held and held + parts > self._each:
            raise BusyError(f"all {self._name} that one user or address may take is taken")
        self._held[party] += parts
        try:
            yield
        finally:
            self._held[party] -= parts
            if not self._held[party]:
                del self._held[party]
