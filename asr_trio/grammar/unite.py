"""Several grammars in one graph: they compete in one search, and each word tells which grammar it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from asr_trio.grammar.compile import CompiledGrammar
from asr_trio.grammar.graph import NO_WORD, Graph


class United(msgspec.Struct):
    """The graph of several grammars.

    Attributes:
        graph: its words index `words`.
        words: those of all grammars, one after the other.
        pronunciations: of each word.
        members: of each word, the index of its grammar.
    """

    graph: Graph
    words: list[str]
    pronunciations: list[list[str]]
    members: list[int]


def unite(grammars: Sequence[CompiledGrammar]) -> United:
    """Return one graph that accepts what any of the grammars accepts.

    Equal words of two grammars stay apart, so that the best path names its grammar. States are shared where that cannot
    mix grammars: a start that nothing leads back to, an end that nothing leaves.
    """
    if len(grammars) == 1:
        only = grammars[0]
        return United(only.graph, only.words, only.pronunciations, [0] * len(only.words))
    graph = Graph(2, 0, 1, [], [], [], [])
    united = United(graph, [], [], [])
    for member, compiled in enumerate(grammars):
        own = compiled.graph
        offset = len(united.words)
        numbers = {state: graph.n_states + state for state in range(own.n_states)}
        if own.start not in own.targets and own.start != own.final:
            numbers[own.start] = graph.start
        else:
            graph.add(graph.start, numbers[own.start], NO_WORD, 0.0)
        if own.final not in own.sources and own.start != own.final:
            numbers[own.final] = graph.final
        else:
            graph.add(numbers[own.final], graph.final, NO_WORD, 0.0)
        for source, target, word, weight in zip(own.sources, own.targets, own.words, own.weights, strict=True):
            graph.add(numbers[source], numbers[target], word + offset if word >= 0 else NO_WORD, weight)
        graph.n_states += own.n_states
        graph.accepts_silence |= own.accepts_silence
        united.words += compiled.words
        united.pronunciations += compiled.pronunciations
        united.members += [member] * len(compiled.words)
    return united
