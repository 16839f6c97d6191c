"""Parsing: the words that were said, back through the network, in every way there is.

A chart parser in the manner of GLL (Scott and Johnstone, 2010): calls of a rule at a position are shared, so that any
recursion and any ambiguity cost polynomial work. Derivations are then taken from the chart best first: exact scores of
everything to the left are known, which makes the search A* with a perfect estimate.
"""

from __future__ import annotations

import heapq
import itertools
import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from asr_trio.errors import GrammarError
from asr_trio.grammar.network import EPSILON, GARBAGE, RULE, TAG, WORD, Network

MAX_ITEMS: Final = 100_000
"""Bound on the chart: half a second's work. 100 words of a very ambiguous grammar stay below it."""

MAX_STEPS: Final = 50_000
"""Bound on the steps of taking derivations from the chart."""

GARBAGE_WEIGHT: Final = math.log(1e-3)
"""Of a word that GARBAGE takes: a reading by words that the grammar names comes before any that passes over them."""


class Enter(msgspec.Struct, frozen=True):
    """A rule begins."""

    rule: int


class Leave(msgspec.Struct, frozen=True):
    """The innermost rule ends."""


class Match(msgspec.Struct, frozen=True):
    """A token matched the words from `start` to `end`; `word` is -1 where GARBAGE took them."""

    word: int
    start: int
    end: int


class Tagged(msgspec.Struct, frozen=True):
    """A tag stands here."""

    tag: int


Event: TypeAlias = Enter | Leave | Match | Tagged


_Frames: TypeAlias = "tuple[int, frozenset[int], _Frames] | None"
"""What is left of the rules around: item to go on from, items seen there, and the frames around that."""

_Events: TypeAlias = "tuple[Event, _Events] | None"
"""Events from here to the end."""

_Walk: TypeAlias = "tuple[float, int, int, float, _Frames, _Events, frozenset[int]]"
"""A derivation in the making: minus its estimate, a tie-breaker, item, weight, frames, events, items seen here."""


class Derivation(msgspec.Struct, frozen=True):
    """One way to read the words: what happened, in order, and the natural logarithm of its weight."""

    events: tuple[Event, ...]
    weight: float


class _Call:
    __slots__ = ("ends", "rule", "start", "waiting")

    def __init__(self, rule: int, start: int) -> None:
        self.rule = rule
        self.start = start
        self.waiting: list[tuple[int, int, float]] = []  # (item of the caller, state to go on in, weight)
        self.ends: dict[int, int] = {}  # position -> item


class _Link(msgspec.Struct, frozen=True, gc=False):
    """How an item came about: from `previous` by an arc; `inner` is the last item of the rule that it calls."""

    previous: int
    kind: int
    argument: int
    weight: float
    inner: int


def normal_form(word: str) -> str:
    """Return what words are compared by: case and composition of accents do not matter."""
    return unicodedata.normalize("NFC", word).casefold()


class Parser:
    """The network of one grammar, indexed for parsing; stateless between calls."""

    def __init__(self, network: Network, words: Sequence[str]) -> None:
        self._starts = network.starts
        self._finals = network.finals
        self._final_states = set(network.finals)
        self._weighted = any(network.weights) or GARBAGE in network.kinds
        # state -> first piece of a token -> arcs (pieces, word, target, weight)
        self._words: dict[int, dict[str, list[tuple[tuple[str, ...], int, int, float]]]] = {}
        self._others: dict[int, list[tuple[int, int, int, float]]] = {}
        pieces = [tuple(normal_form(word).split()) for word in words]
        for source, kind, argument, target, weight in zip(
            network.sources, network.kinds, network.arguments, network.targets, network.weights, strict=True
        ):
            if kind == WORD:
                by_piece = self._words.setdefault(source, {})
                by_piece.setdefault(pieces[argument][0], []).append((pieces[argument], argument, target, weight))
            else:
                self._others.setdefault(source, []).append((kind, argument, target, weight))

    def accepts(self, words: Sequence[str]) -> bool:
        """Tell whether the grammar covers the words."""
        return _Chart(self, words).result >= 0

    def derivations(self, words: Sequence[str]) -> Iterator[Derivation]:
        """Yield every derivation of the words, best first; equally good ones in the order of the grammar.

        Raises:
            GrammarError: the chart passes its bound.
        """
        chart = _Chart(self, words)
        if chart.result >= 0:
            yield from chart.derivations()


class _Chart:
    """All partial parses of one text."""

    def __init__(self, parser: Parser, words: Sequence[str]) -> None:
        self._parser = parser
        self._pieces = [normal_form(word) for word in words]
        self._item_ids: dict[tuple[int, int, int], int] = {}
        self._items: list[tuple[int, int, int]] = []
        self._links: list[list[_Link]] = []
        self._calls: list[_Call] = []
        self._call_ids: dict[tuple[int, int], int] = {}
        self._todo: list[int] = []
        self._call(0, 0)
        while self._todo:
            self._advance(self._todo.pop())
        self.result = self._calls[0].ends.get(len(self._pieces), -1)

    # --- building -------------------------------------------------------------------------------------------------

    def _call(self, rule: int, position: int) -> int:
        key = (rule, position)
        known = self._call_ids.get(key)
        if known is None:
            known = self._call_ids[key] = len(self._calls)
            self._calls.append(_Call(rule, position))
            self._item(known, self._parser._starts[rule], position)  # noqa: SLF001 - one algorithm in two classes
        return known

    def _item(self, call: int, state: int, position: int, link: _Link | None = None) -> None:
        key = (call, state, position)
        item = self._item_ids.get(key)
        if item is None:
            item = self._item_ids[key] = len(self._items)
            if item >= MAX_ITEMS:
                raise GrammarError(
                    f"the text of {len(self._pieces)} words is too ambiguous to be parsed",
                    hint="nested repeats of optional parts multiply the ways to read a text",
                )
            self._items.append(key)
            self._links.append([])
            self._todo.append(item)
        if link is not None and link not in self._links[item]:
            self._links[item].append(link)

    def _advance(self, item: int) -> None:
        parser, pieces = self._parser, self._pieces
        call_id, state, position = self._items[item]
        if position < len(pieces):
            for token, word, target, weight in parser._words.get(state, {}).get(pieces[position], ()):  # noqa: SLF001
                end = position + len(token)
                if len(token) == 1 or tuple(pieces[position:end]) == token:
                    self._item(call_id, target, end, _Link(item, WORD, word, weight, -1))
        for kind, argument, target, weight in parser._others.get(state, ()):  # noqa: SLF001
            if kind in {EPSILON, TAG}:
                self._item(call_id, target, position, _Link(item, kind, argument, weight, -1))
            elif kind == GARBAGE:
                if position < len(pieces):
                    self._item(call_id, target, position + 1, _Link(item, GARBAGE, -1, weight + GARBAGE_WEIGHT, -1))
            else:
                inner = self._calls[self._call(argument, position)]
                inner.waiting.append((item, target, weight))
                for end, last in tuple(inner.ends.items()):
                    self._item(call_id, target, end, _Link(item, RULE, argument, weight, last))
        if state in parser._final_states:  # noqa: SLF001
            call = self._calls[call_id]
            call.ends[position] = item
            for caller, target, weight in tuple(call.waiting):
                link = _Link(caller, RULE, call.rule, weight, item)
                self._item(self._items[caller][0], target, position, link)

    # --- taking derivations -----------------------------------------------------------------------------------------

    def _best_weights(self) -> list[float]:
        """Return the best weight of reaching each item within its call (Knuth, 1977, by relaxation)."""
        if not self._parser._weighted:  # noqa: SLF001
            return [0.0] * len(self._items)
        best = [0.0 if not links else float("-inf") for links in self._links]
        users: list[list[int]] = [[] for _ in self._items]
        for item, links in enumerate(self._links):
            for link in links:
                users[link.previous].append(item)
                if link.inner >= 0:
                    users[link.inner].append(item)
        todo = list(range(len(self._items)))
        while todo:
            item = todo.pop()
            for link in self._links[item]:
                reached = best[link.previous] + link.weight + (best[link.inner] if link.inner >= 0 else 0.0)
                if reached > best[item] + 1e-12:
                    best[item] = reached
                    todo.extend(users[item])
        return best

    def derivations(self) -> Iterator[Derivation]:
        """Yield derivations best first, walking from the end of the text to its start."""
        best = self._best_weights()
        counter = itertools.count(0, -1)
        heap: list[_Walk] = [(-best[self.result], 0, self.result, 0.0, None, (Leave(), None), frozenset())]
        for _ in range(MAX_STEPS):
            if not heap:
                return
            _, _, item, weight, frames, events, seen = heapq.heappop(heap)
            if item in seen:
                continue  # round an empty loop
            call, _, position = self._items[item]
            links = self._links[item]
            if not links:  # the start of its rule
                events = (Enter(self._calls[call].rule), events)
                if frames is None:
                    yield Derivation(_in_order(events), weight)
                    continue
                back, outer_seen, outer = frames
                outer_seen = outer_seen if self._items[back][2] == self._items[item][2] else frozenset()
                pending = _pending(outer, best)
                estimate = weight + best[back] + pending
                heapq.heappush(heap, (-estimate, next(counter), back, weight, outer, events, outer_seen))
                continue
            seen |= {item}
            pending = _pending(frames, best)
            for link in reversed(links):
                reached = weight + link.weight
                previous_position = self._items[link.previous][2]
                still = seen if previous_position == position else frozenset()
                if link.kind == RULE:
                    inner_frames = (link.previous, still, frames)
                    estimate = reached + best[link.inner] + best[link.previous] + pending
                    later: _Events = (Leave(), events)
                    heapq.heappush(heap, (-estimate, next(counter), link.inner, reached, inner_frames, later, seen))
                else:
                    event = self._event(link, previous_position, position)
                    later = events if event is None else (event, events)
                    estimate = reached + best[link.previous] + pending
                    heapq.heappush(heap, (-estimate, next(counter), link.previous, reached, frames, later, still))

    @staticmethod
    def _event(link: _Link, start: int, end: int) -> Event | None:
        if link.kind == WORD:
            return Match(link.argument, start, end)
        if link.kind == GARBAGE:
            return Match(-1, start, end)
        return Tagged(link.argument) if link.kind == TAG else None


def _pending(frames: _Frames, best: list[float]) -> float:
    """Return the best weight of all that the frames still have to walk."""
    total = 0.0
    while frames is not None:
        total += best[frames[0]]
        frames = frames[2]
    return total


def _in_order(events: _Events) -> tuple[Event, ...]:
    found = []
    while events is not None:
        found.append(events[0])
        events = events[1]
    return tuple(found)
