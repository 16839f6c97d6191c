"""Weighted finite automata: dropping what leads nowhere, and merging states that cannot be told apart."""

from __future__ import annotations

import time
from typing import Final

import msgspec

EMPTY: Final = -1
"""Label of an arc without a word."""

_SHARED_ARCS: Final = 4
"""Fewer arcs in common are not worth an empty one."""

_SHARED_ROW: Final = 2000
_SHARED_DEPTH: Final = 6
_SHARED_CANDIDATES: Final = 16
"""States looked at for each arc: the largest of those that have it, which come last."""


class TooLargeError(Exception):
    """A bound on states or time is passed."""


class Automaton(msgspec.Struct):
    """An automaton over numbered labels; state 0 is the start.

    Attributes:
        rows: for each state its arcs as (label, target).
        finals: for each state its weight as an end, None where it is none.
    """

    rows: list[list[tuple[int, int]]]
    finals: list[float | None]

    @property
    def n_arcs(self) -> int:
        """Number of arcs."""
        return sum(map(len, self.rows))


def trimmed(automaton: Automaton) -> Automaton:
    """Return the automaton without states from which no end can be reached; without rows if that is all of them."""
    backward: list[list[int]] = [[] for _ in automaton.rows]
    for source, row in enumerate(automaton.rows):
        for _, target in row:
            backward[target].append(source)
    alive = {state for state, final in enumerate(automaton.finals) if final is not None}
    todo = list(alive)
    while todo:
        for source in backward[todo.pop()]:
            if source not in alive:
                alive.add(source)
                todo.append(source)
    if 0 not in alive:
        return Automaton([], [])
    if len(alive) == len(automaton.rows):
        return automaton
    numbers = {state: number for number, state in enumerate(sorted(alive))}
    return Automaton(
        [[(label, numbers[t]) for label, t in automaton.rows[state] if t in alive] for state in numbers],
        [automaton.finals[state] for state in numbers],
    )


def minimised(automaton: Automaton, deadline_s: float) -> Automaton:
    """Merge states with the same future; a deterministic automaton becomes the minimal one.

    Raises:
        TooLargeError: past the deadline (monotonic time).
    """
    return _merged(automaton, _classes(automaton.rows, automaton.finals, deadline_s))


def reduced(automaton: Automaton, deadline_s: float) -> Automaton:
    """Merge states with the same future and states with the same past, in turn, as long as that helps.

    For non-deterministic automata, whose minimum is too dear to find (Jiang and Ravikumar, 1993).

    Raises:
        TooLargeError: past the deadline (monotonic time).
    """
    while True:
        before = automaton.n_arcs
        automaton = minimised(automaton, deadline_s)
        backward: list[list[tuple[int, int]]] = [[] for _ in automaton.rows]
        for source, row in enumerate(automaton.rows):
            for label, target in row:
                backward[target].append((label, source))
        begins = [0.0 if state == 0 else None for state in range(len(automaton.rows))]
        automaton = _merged(automaton, _classes(backward, begins, deadline_s))
        if automaton.n_arcs >= before:
            return automaton


def folded(automaton: Automaton) -> Automaton:
    """Merge the start with an end that has the same arcs: a loop of one or more words becomes one state.

    The result accepts no words at all too, which a recogniser tells from a match anyway. Left alone where the start is
    an end already, or arcs lead back to it.
    """
    rows, finals = automaton.rows, automaton.finals
    if finals[0] is not None or any(target == 0 for row in rows for _, target in row):
        return automaton
    wanted = sorted(rows[0])
    for state in range(1, len(rows)):
        if finals[state] == 0.0 and len(rows[state]) == len(wanted) and sorted(rows[state]) == wanted:
            return _merged(automaton, [0, *(0 if s == state else s for s in range(1, len(rows)))])
    return automaton


def _classes(rows: list[list[tuple[int, int]]], finals: list[float | None], deadline_s: float) -> list[int]:
    """Return the class of each state: the same for states with equal futures.

    States that cannot reach a cycle are told apart by one pass from the ends on (Revuz, 1992). No state that can
    is ever equal to one that cannot; those are refined round by round (Moore, 1956).
    """
    n_states = len(rows)
    backward: list[list[int]] = [[] for _ in range(n_states)]
    open_arcs = [len(row) for row in rows]
    for source, row in enumerate(rows):
        for _, target in row:
            backward[target].append(source)
    classes = [-1] * n_states
    signatures: dict[tuple[float | None, tuple[tuple[int, int], ...]], int] = {}
    ready = [state for state in range(n_states) if not open_arcs[state]]
    while ready:
        state = ready.pop()
        signature = (finals[state], tuple(sorted({(label, classes[target]) for label, target in rows[state]})))
        classes[state] = signatures.setdefault(signature, len(signatures))
        for source in backward[state]:
            open_arcs[source] -= 1
            if not open_arcs[source]:
                ready.append(source)
    cyclic = [state for state in range(n_states) if classes[state] < 0]
    base = len(signatures)
    for state in cyclic:
        classes[state] = base
    n_classes = min(len(cyclic), 1)
    while cyclic:
        if time.monotonic() > deadline_s:
            raise TooLargeError
        refined: dict[tuple[int, float | None, tuple[tuple[int, int], ...]], int] = {}
        following = []
        for state in cyclic:
            arcs = tuple(sorted({(label, classes[target]) for label, target in rows[state]}))
            key = (classes[state], finals[state], arcs)
            following.append(base + refined.setdefault(key, len(refined)))
        for state, number in zip(cyclic, following, strict=True):
            classes[state] = number
        if len(refined) == n_classes:
            break
        n_classes = len(refined)
    return classes


def _merged(automaton: Automaton, classes: list[int]) -> Automaton:
    """Return the automaton with the states of each class made one; state 0 stays the start."""
    numbers: dict[int, int] = {}
    for number in classes:
        numbers.setdefault(number, len(numbers))
    if len(numbers) == len(classes):
        return automaton
    arcs: list[dict[tuple[int, int], None]] = [{} for _ in numbers]
    finals: list[float | None] = [None] * len(numbers)
    for state, row in enumerate(automaton.rows):
        number = numbers[classes[state]]
        end = automaton.finals[state]
        if end is not None:
            known = finals[number]
            finals[number] = end if known is None else max(end, known)
        arcs[number].update(dict.fromkeys((label, numbers[classes[target]]) for label, target in row))
    return Automaton([list(row) for row in arcs], finals)


def shared(automaton: Automaton) -> Automaton:
    """Let a state that has all the arcs of another one lead there by an empty arc instead of repeating them.

    Exact: the empty arc offers just those arcs, and the other state is an end only where the first is one of the same
    weight. Chains of empty arcs stay short, because a decoder closes over them.
    """
    rows = automaton.rows
    holders: dict[tuple[int, int], list[int]] = {}
    depths = [0] * len(rows)
    lean = list(rows)
    for state in sorted(range(len(rows)), key=lambda state: len(rows[state])):
        row = rows[state]
        if len(row) < _SHARED_ARCS:
            continue
        if len(row) > _SHARED_ROW:
            return Automaton(lean, automaton.finals)
        own = set(row)
        counts: dict[int, int] = {}
        for arc in row:
            for other in holders.get(arc, ())[-_SHARED_CANDIDATES:]:
                counts[other] = counts.get(other, 0) + 1
        inside = [
            other
            for other, count in counts.items()
            if count == len(rows[other]) and automaton.finals[other] in {None, automaton.finals[state]}
        ]
        best = max(
            (other for other in inside if depths[other] < _SHARED_DEPTH),
            key=lambda other: len(rows[other]),
            default=None,
        )
        if best is not None:
            left = len(row) - len(rows[best])
            if left * left > 2 * len(row) and any(len(rows[other]) > len(rows[best]) for other in inside):
                best = None  # at the end of a chain: better to begin a new one here
        if best is not None:
            depths[state] = depths[best] + 1
            lean[state] = [*own.difference(rows[best]), (EMPTY, best)]
        for arc in row:
            holders.setdefault(arc, []).append(state)
    return Automaton(lean, automaton.finals)
