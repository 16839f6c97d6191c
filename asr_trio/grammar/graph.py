"""From the network to the decoder's graph: unfolded, small, nearly free of empty arcs.

The shape of the graph decides accuracy as much as the model does: every copy of a word is one more thing for the
search to keep alive and to be wrong about.

1. *Unfold* the rules into configurations (`asr_trio.grammar.unfold`).
2. *Determinise* over labels, which are words with their weights: the search takes the best path, and equal words with
   unequal weights stay apart. *Minimise* the result.
3. Where that had to put several configurations into one state, a non-deterministic graph may have fewer arcs (a loop
   that ends in a phrase of its own words): *reduce* that too, and take the smaller of the two.
4. *Fold* the start into an end with the same arcs.
5. *Share* by an empty arc what one state repeats of another, where that saves much (numbers, optional parts).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from asr_trio.errors import GrammarError
from asr_trio.grammar.automaton import EMPTY, Automaton, TooLargeError, folded, minimised, reduced, shared, trimmed
from asr_trio.grammar.network import Network
from asr_trio.grammar.unfold import GARBAGE_WORD, Unfolding

NO_WORD: Final = -1

_FILLER_WEIGHT: Final = math.log(0.1)
"""A filler costs, so that any word of the grammar beats the phones that it consists of."""

_WORTH_SHARING: Final = 0.7
"""Empty arcs are brought in where they save at least three arcs in ten."""

_LARGE_ARCS: Final = 50_000
"""Only graphs below are built both ways: beyond, they are lists, whose deterministic form is the small one."""


_CHOICES_MOST: Final = 64
"""Beyond so many words that may come next, none becomes less likely: it would not come to be looked at."""


class Graph(msgspec.Struct):
    """A finite-state graph with one start and one final state.

    Arc ``i`` leads from ``sources[i]`` to ``targets[i]`` with ``words[i]`` (`NO_WORD` for an empty arc) and the natural
    logarithm ``weights[i]`` <= 0.
    """

    n_states: int
    start: int
    final: int
    sources: list[int]
    targets: list[int]
    words: list[int]
    weights: list[float]
    accepts_silence: bool = False

    def add(self, source: int, target: int, word: int, weight: float) -> None:
        """Add an arc."""
        self.sources.append(source)
        self.targets.append(target)
        self.words.append(word)
        self.weights.append(weight)

    def sort(self, ranks: Sequence[int]) -> None:
        """Order the arcs by where they begin, then by the rank of their word; empty ones come last."""
        last = len(ranks)
        keys = [ranks[word] if word >= 0 else last for word in self.words]
        order = sorted(range(len(keys)), key=lambda arc: (self.sources[arc], keys[arc]))
        self.sources = [self.sources[arc] for arc in order]
        self.targets = [self.targets[arc] for arc in order]
        self.words = [self.words[arc] for arc in order]
        self.weights = [self.weights[arc] for arc in order]


def weigh_choices(graph: Graph, words: Sequence[str]) -> Graph:
    """Return the graph with each of n words that may come next 1/n as likely.

    What may be said is as good as unknown where anything may follow, and next to certain where little may. So a loop
    over letters does not gain by further letters, and an optional word is not lost to a penalty that loops need.

    Args:
        graph: of a grammar; it is not changed.
        words: those on its arcs; empty texts are fillers, which have a price of their own.
    """
    leaving = [source for source, word in zip(graph.sources, graph.words, strict=True) if word >= 0 and words[word]]
    prices = {source: math.log(min(count, _CHOICES_MOST)) for source, count in Counter(leaving).items()}
    weights = [
        weight - prices[source] if word >= 0 and words[word] else weight
        for source, word, weight in zip(graph.sources, graph.words, graph.weights, strict=True)
    ]
    return msgspec.structs.replace(graph, weights=weights)


def build_graph(
    network: Network, root: int, *, max_states: int, max_arcs: int, fillers: range, deadline_s: float
) -> Graph:
    """Return the minimal graph of rule `root`.

    Args:
        network: the rules.
        root: index of the rule to match.
        max_states: bound on configurations.
        max_arcs: bound on arcs.
        fillers: numbers of the filler words that GARBAGE loops over.
        deadline_s: monotonic time by which to be done.

    Raises:
        NotRegularError: by recursion.
        TooLargeError: past a bound or the deadline.
        GrammarError: nothing can be matched at all.
    """
    unfolding = Unfolding(network, root, max_states=max_states, max_arcs=max_arcs, deadline_s=deadline_s)
    automaton = folded(_smallest(unfolding, deadline_s))
    lean = shared(automaton)
    if lean.n_arcs <= _WORTH_SHARING * automaton.n_arcs:
        automaton = lean
    return _assembled(automaton, unfolding.labels, fillers)


def _smallest(unfolding: Unfolding, deadline_s: float) -> Automaton:
    """Return the graph with the fewest arcs that we know how to make."""
    try:
        automaton, merged = unfolding.deterministic()
    except TooLargeError:
        return reduced(_useful(unfolding.nondeterministic()), deadline_s)
    deterministic = minimised(_useful(automaton), deadline_s)
    if not merged or automaton.n_arcs > _LARGE_ARCS:
        return deterministic
    loose = reduced(_useful(unfolding.nondeterministic()), deadline_s)
    return loose if loose.n_arcs < deterministic.n_arcs else deterministic


def _useful(automaton: Automaton) -> Automaton:
    automaton = trimmed(automaton)
    if not automaton.rows:
        raise GrammarError("the grammar matches nothing at all", hint="$VOID or an endless recursion stands in the way")
    return automaton


def _assembled(automaton: Automaton, labels: list[tuple[int, float]], fillers: range) -> Graph:
    """Give the automaton one final state, and spell GARBAGE out."""
    graph = Graph(len(automaton.rows), 0, 0, [], [], [], [], accepts_silence=automaton.finals[0] is not None)
    for state, row in enumerate(automaton.rows):
        for label, target in row:
            word, weight = labels[label] if label != EMPTY else (NO_WORD, 0.0)
            if word == GARBAGE_WORD:
                for filler in fillers:
                    graph.add(state, target, filler, weight + _FILLER_WEIGHT)
            else:
                graph.add(state, target, word, weight)
    ends = [(state, end) for state, end in enumerate(automaton.finals) if end is not None]
    if len(ends) == 1 and ends[0][1] == 0.0:
        graph.final = ends[0][0]
        return graph
    graph.final = graph.n_states
    graph.n_states += 1
    for state, end in ends:
        graph.add(state, graph.final, NO_WORD, end)
    return graph
