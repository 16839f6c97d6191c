"""The graph of a grammar down to the states of its phones, for searches on scored frames (`sentences`).

Each arc is a chain of states, three for a phone, behind which there may be silence. What a state is scored by, its
unit, is a set of the acoustic model's states (senones), of which the best one counts: inside of a word there is one, at
its edges one for each phone that the graph allows beside it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr_trio.grammar.graph import Graph
from asr_trio.recognizer.acoustic import (
    FRAME_STEP,
    SCORE_UNIT,
    SILENCE,
    WORD_BEGIN,
    WORD_END,
    WORD_INTERNAL,
    WORD_SINGLE,
    SegmentScores,
)

WORD_PENALTY: Final = -40.0
"""What a word costs. More than in the decoder: units fit better than what it looks at, so short words come cheaper.

Chosen on the development recordings, with words that cost what their choice is worth: the right sentence is among the
first three most often.
"""
WEIGHT_SCALE: Final = 6.5
"""By how much weights of the grammar outweigh those of sounds, as in the decoder."""

PHONE_STATES: Final = 3
NEVER: Final = np.float32(-np.inf)

Floats = NDArray[np.float32]
Integers = NDArray[np.intp]
Unit = tuple[int, ...]


class Senones(Protocol):
    """What is needed of an acoustic model."""

    phones: dict[str, int]

    def senones(self, phone: str, left: str, right: str, position: int) -> tuple[int, ...]:
        """Return the states of a phone between two others."""


class EmptyWay(msgspec.Struct, frozen=True):
    """The best way over empty arcs between two different states of the graph."""

    source: int
    target: int
    weight: float


class PhoneGraph:
    """A graph whose arcs are chains of states.

    Attributes:
        n_nodes, start, final: states of the graph of words.
        empty: ways between them without a word, sorted by target.
        words, phones, sources, targets, weights: of each arc, sorted by target; one for each pronunciation.
        spelled: how the grammar spells its words.
        states: units of all arcs, one arc after the other; the last of each is silence.
        firsts, lengths: of each arc, where in `states` it stands.
        silence: the unit of silence.
        n_units: how many units there are.
    """

    def __init__(
        self, model: Senones, graph: Graph, spelled: Sequence[str], pronunciations: Sequence[Sequence[str]]
    ) -> None:
        """Lay the states out.

        Args:
            model: the acoustic model.
            graph: of the grammar.
            spelled: its words.
            pronunciations: of each word, phones separated by blanks.
        """
        self.n_nodes, self.start, self.final = graph.n_states, graph.start, graph.final
        self.spelled = spelled
        self.empty = _empty_ways(graph)
        arcs = [
            (target, source, weight, word, tuple(pronunciation.split()))
            for source, target, word, weight in zip(
                graph.sources, graph.targets, graph.words, graph.weights, strict=True
            )
            if word >= 0
            for pronunciation in pronunciations[word]
        ]
        arcs.sort(key=lambda arc: arc[0])
        self.targets: Integers = np.array([arc[0] for arc in arcs], np.intp)
        self.sources: Integers = np.array([arc[1] for arc in arcs], np.intp)
        self.weights: Floats = np.array([WEIGHT_SCALE * arc[2] + WORD_PENALTY for arc in arcs], np.float32)
        self.words = [arc[3] for arc in arcs]
        self.phones = [arc[4] for arc in arcs]
        units: dict[Unit, int] = {}
        chains = [[units.setdefault(unit, len(units)) for unit in chain] for chain in self._unit_chains(model)]
        self.silence = len(units)
        self.n_units = len(units) + 1
        self._units = list(units)
        self._silence_phone = model.phones[SILENCE]
        chains = [[*chain, self.silence] for chain in chains]
        self.states: Integers = np.fromiter(itertools.chain.from_iterable(chains), np.intp)
        self.lengths: Integers = np.array([len(chain) for chain in chains], np.intp)
        self.firsts: Integers = np.cumsum(self.lengths) - self.lengths

    def fits(self, scores: SegmentScores) -> Floats:
        """Return the log likelihoods of the scored frames by unit, and of one that never fits, for padding.

        A scored frame stands for those that were not scored.

        Returns:
            Shape (frames, units + 1).
        """
        sizes = np.array([len(unit) for unit in self._units])
        members = np.fromiter(itertools.chain.from_iterable(self._units), np.intp)
        fits = np.full((len(scores.senones), self.n_units + 1), NEVER)
        fits[:, : self.silence] = np.maximum.reduceat(scores.senones[:, members], np.cumsum(sizes) - sizes, axis=1)
        fits[:, self.silence] = scores.phones[:, self._silence_phone]
        fits *= np.float32(FRAME_STEP * SCORE_UNIT)
        return fits

    def _unit_chains(self, model: Senones) -> Iterator[list[Unit]]:
        """Yield the units of each arc."""
        lefts, rights = self._neighbours()
        known: dict[tuple[str, frozenset[str], frozenset[str], int], list[Unit]] = {}
        for phones, source, target in zip(self.phones, self.sources.tolist(), self.targets.tolist(), strict=True):
            chain: list[Unit] = []
            last = len(phones) - 1
            for place, phone in enumerate(phones):
                left = frozenset((phones[place - 1],)) if place else lefts[source]
                right = frozenset((phones[place + 1],)) if place < last else rights[target]
                key = (phone, left, right, _position(place, last))
                if key not in known:
                    known[key] = _units(model, *key)
                chain += known[key]
            yield chain

    def _neighbours(self) -> tuple[list[frozenset[str]], list[frozenset[str]]]:
        """Return the phones that can be heard right before and right after each state of the graph of words."""
        before: list[set[str]] = [{SILENCE} for _ in range(self.n_nodes)]
        after: list[set[str]] = [{SILENCE} for _ in range(self.n_nodes)]
        for source, target, phones in zip(self.sources.tolist(), self.targets.tolist(), self.phones, strict=True):
            before[target].add(phones[-1])
            after[source].add(phones[0])
        all_before, all_after = ([set(found) for found in side] for side in (before, after))
        for way in self.empty:
            all_before[way.target] |= before[way.source]
            all_after[way.source] |= after[way.target]
        return [frozenset(found) for found in all_before], [frozenset(found) for found in all_after]


def _position(place: int, last: int) -> int:
    if last == 0:
        return WORD_SINGLE
    return WORD_BEGIN if place == 0 else WORD_END if place == last else WORD_INTERNAL


def _units(model: Senones, phone: str, lefts: frozenset[str], rights: frozenset[str], position: int) -> list[Unit]:
    """Return the units of a phone's states. Where both sides vary, one does at a time: there are enough of those."""
    between = {(left, SILENCE) for left in lefts} | {(SILENCE, right) for right in rights}
    if len(lefts) == 1 or len(rights) == 1:
        between = set(itertools.product(lefts, rights))
    found = [model.senones(phone, left, right, position) for left, right in between]
    return [tuple(sorted(set(states))) for states in zip(*found, strict=True)]


def _empty_ways(graph: Graph) -> list[EmptyWay]:
    steps: dict[int, list[tuple[int, float]]] = {}
    for source, target, word, weight in zip(graph.sources, graph.targets, graph.words, graph.weights, strict=True):
        if word < 0:
            steps.setdefault(source, []).append((target, WEIGHT_SCALE * weight))
    ways: list[EmptyWay] = []
    for source in steps:
        best = {source: 0.0}
        queue = [(0.0, source)]
        while queue:
            cost, here = heapq.heappop(queue)
            for target, weight in steps.get(here, ()):
                if weight - cost > best.get(target, -math.inf):
                    best[target] = weight - cost
                    heapq.heappush(queue, (cost - weight, target))
        ways += [EmptyWay(source, target, weight) for target, weight in best.items() if target != source]
    return sorted(ways, key=lambda way: way.target)


class Chains:
    """Chains of some arcs side by side, with room between them.

    Each is `PHONE_STATES` states that never fit, the last of which is where the chain is entered; the states of the
    arc; and one that never fits, where it is left. So a step over all of them at once leads from no chain to the next;
    behind the last there is room for it too.

    Attributes:
        units: of all states.
        begins, entries, exits: of each chain.
    """

    def __init__(self, graph: PhoneGraph, arcs: Integers) -> None:
        own = graph.lengths[arcs]
        lengths = own + PHONE_STATES + 1
        self.begins: Integers = np.cumsum(lengths) - lengths
        self.entries: Integers = self.begins + PHONE_STATES - 1
        self.exits: Integers = self.begins + lengths - 1
        self.units: Integers = np.full(int(lengths.sum()) + PHONE_STATES, graph.n_units, np.intp)
        within = np.arange(int(own.sum())) - np.repeat(np.cumsum(own) - own, own)
        self.units[np.repeat(self.entries + 1, own) + within] = graph.states[
            np.repeat(graph.firsts[arcs], own) + within
        ]
