"""Sentences of a grammar, drawn by its weights."""

from __future__ import annotations

import math
import random
from typing import Final

from asr_trio.grammar.compile import CompiledGrammar
from asr_trio.grammar.network import GARBAGE, RULE, WORD, Network

_FREE_STEPS: Final = 400
"""After so many steps the shortest way out is taken: loops and recursion end."""


class Generator:
    """Draws sentences.

    Args:
        compiled: the grammar.
        choose: source of chance; seed it for the same sentences again.
    """

    def __init__(self, compiled: CompiledGrammar, choose: random.Random) -> None:
        self._compiled = compiled
        self._choose = choose
        network = compiled.network
        self._network = network
        self._arcs: dict[int, list[int]] = {}
        for index, source in enumerate(network.sources):
            if network.kinds[index] != GARBAGE:  # any speech: nothing to write down
                self._arcs.setdefault(source, []).append(index)
        self._final_states = set(network.finals)
        self._costs = _shortest(network)

    def sentence(self) -> list[str]:
        """Return the words of one sentence."""
        network = self._network
        words: list[str] = []
        returns: list[int] = []
        state = network.starts[0]
        steps = 0
        while True:
            if state in self._final_states:
                if not returns:
                    return words
                state = returns.pop()
                continue
            arcs = [arc for arc in self._arcs.get(state, ()) if self._cost(arc) < math.inf]
            if steps < _FREE_STEPS:
                arc = self._choose.choices(arcs, [math.exp(network.weights[arc]) for arc in arcs])[0]
            else:
                arc = min(arcs, key=self._cost)
            steps += 1
            kind, argument, state = network.kinds[arc], network.arguments[arc], network.targets[arc]
            if kind == WORD:
                words.append(self._compiled.words[argument])
            elif kind == RULE:
                returns.append(state)
                state = network.starts[argument]

    def _cost(self, arc: int) -> float:
        """Return the least number of arcs from this one to the end of its rule."""
        network, costs = self._network, self._costs
        inner = costs[network.starts[network.arguments[arc]]] if network.kinds[arc] == RULE else 0
        return 1 + inner + costs[network.targets[arc]]


def _shortest(network: Network) -> list[float]:
    """Return for each state the least number of arcs to the end of its rule."""
    costs = [math.inf] * network.n_states
    for state in network.finals:
        costs[state] = 0
    waiting: dict[int, list[int]] = {}
    for index, (kind, argument, target) in enumerate(
        zip(network.kinds, network.arguments, network.targets, strict=True)
    ):
        waiting.setdefault(target, []).append(index)
        if kind == RULE:
            waiting.setdefault(network.starts[argument], []).append(index)
    todo = list(network.finals)
    while todo:
        for arc in waiting.get(todo.pop(), ()):
            inner = costs[network.starts[network.arguments[arc]]] if network.kinds[arc] == RULE else 0
            cost = 1 + inner + costs[network.targets[arc]]
            source = network.sources[arc]
            if cost < costs[source]:
                costs[source] = cost
                todo.append(source)
    return costs
