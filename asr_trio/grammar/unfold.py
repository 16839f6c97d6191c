"""Unfolding: the rules of a network as one automaton over words.

A configuration is a network state and the stack of states to return to. A reference in last position pushes nothing, so
right recursion needs no bound; left recursion is turned into loops first. Anything else that recurs is not regular
(Chomsky, 1959) and is refused. Configurations are found as they are needed, behind all their empty moves.
"""

from __future__ import annotations

import math
import time
from typing import Final

from asr_trio.grammar.automaton import Automaton, TooLargeError
from asr_trio.grammar.network import EPSILON, GARBAGE, RULE, WORD, Network

GARBAGE_WORD: Final = -2
"""Word of an arc that takes any speech, until the filler words take its place."""

_WEIGHT_STEP: Final = 1e-4
"""Weights are rounded to this before they are compared: less is below the resolution of the decoder's logarithms."""

_MAX_STACK: Final = 2000
_WORK_BETWEEN_LOOKS: Final = 20_000

_GROWTH: Final = 4
"""Subsets may be so many times more than configurations; then determinising is the wrong way."""


class NotRegularError(Exception):
    """Recursion that no finite graph can hold; `rule` is the index of a rule on the way round."""

    def __init__(self, rule: int) -> None:
        super().__init__(rule)
        self.rule = rule


class Unfolding:
    """Configurations of the network, and the subsets of them."""

    def __init__(self, network: Network, root: int, *, max_states: int, max_arcs: int, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._work = 0
        self._max_states = max_states
        self._max_arcs = max_arcs
        self._root = root
        self._n_states = network.n_states
        self._starts = list(network.starts)
        self._finals = list(network.finals)
        self._word_arcs: list[list[tuple[int, int, float]]] = [[] for _ in range(network.n_states)]
        self._other_arcs: list[list[tuple[int, int, int, float]]] = [[] for _ in range(network.n_states)]
        for source, kind, argument, target, weight in zip(
            network.sources, network.kinds, network.arguments, network.targets, network.weights, strict=True
        ):
            if kind == WORD:
                self._word_arcs[source].append((argument, target, weight))
            elif kind == GARBAGE:
                self._word_arcs[source].append((GARBAGE_WORD, target, weight))
            else:
                self._other_arcs[source].append((kind, argument, target, weight))
        self._final_rule = {final: rule for rule, final in enumerate(self._finals)}
        self._make_recursion_right()
        self._tails = self._tail_weights()
        self._stacks: list[tuple[int, int]] = [(0, -1)]  # (stack below, state to return to)
        self._depths = [0]
        self._stack_ids: dict[tuple[int, int], int] = {}
        self._expanded: dict[int, tuple[dict[int, set[int]], float | None]] = {}
        self.labels: list[tuple[int, float]] = []
        self._label_ids: dict[tuple[int, float], int] = {}

    # --- recursion ------------------------------------------------------------------------------------------------

    def _empty_reach(self, start: int) -> dict[int, float]:
        """Return the states that empty arcs and tags reach from `start`, with their best weights."""
        best = {start: 0.0}
        todo = [start]
        while todo:
            state = todo.pop()
            for kind, _, target, weight in self._other_arcs[state]:
                if kind != RULE:
                    reached = best[state] + weight
                    if reached > best.get(target, -math.inf):
                        best[target] = reached
                        todo.append(target)
        return best

    def _tail_weights(self) -> dict[int, float]:
        """Return the states from which nothing but the end of their rule can be reached, with the weight to it."""
        tails: dict[int, float] = {}
        for states in self._other_arcs:
            for kind, _, target, _ in states:
                if kind != RULE or target in tails:
                    continue
                reach = self._empty_reach(target)
                ends = [state for state in reach if state in self._final_rule]
                if ends and all(
                    not self._word_arcs[state] and all(arc[0] != RULE for arc in self._other_arcs[state])
                    for state in reach
                ):
                    tails[target] = reach[ends[0]]
        return tails

    def _make_recursion_right(self) -> None:
        """Replace left-recursive groups of rules by loops; refuse what is neither left nor right recursive."""
        components, states_of = self._recursive_components()
        tails = self._tail_weights() if components else {}
        for component in components:
            inner = [
                (rule, state, arc)
                for rule in component
                for state in states_of[rule]
                for arc in self._other_arcs[state]
                if arc[0] == RULE and arc[1] in component
            ]
            if all(arc[2] in tails for _, _, arc in inner):
                continue
            heads = {rule: self._empty_reach(self._starts[rule]) for rule in component}
            for rule, state, _ in inner:
                if state not in heads[rule]:
                    raise NotRegularError(rule)
            self._loop_left_recursion(component, states_of, heads)

    def _loop_left_recursion(
        self, component: set[int], states_of: dict[int, list[int]], heads: dict[int, dict[int, float]]
    ) -> None:
        """Give each rule of a left-recursive group a copy of the group in which `A → B x` is an arc from B's end.

        See Nederhof, Practical experiments with regular approximation of context-free languages, 2000, section 3.
        """
        originals = {rule: (self._starts[rule], self._finals[rule]) for rule in component}
        for entry in component:
            copies: dict[int, int] = {}
            for rule in component:
                for state in states_of[rule]:
                    copies[state] = self._new_state()
            start, final = self._new_state(), self._new_state()
            for rule in component:
                rule_start, rule_final = originals[rule]
                self._other_arcs[start].append((EPSILON, 0, copies[rule_start], 0.0))
                for state in states_of[rule]:
                    copy = copies[state]
                    self._word_arcs[copy] = [(word, copies[t], weight) for word, t, weight in self._word_arcs[state]]
                    for kind, argument, target, weight in self._other_arcs[state]:
                        if kind == RULE and argument in component:
                            inner_final = copies[originals[argument][1]]
                            arc = (EPSILON, 0, copies[target], weight + heads[rule][state])
                            self._other_arcs[inner_final].append(arc)
                        else:
                            self._other_arcs[copy].append((kind, argument, copies[target], weight))
                if rule == entry:
                    self._other_arcs[copies[rule_final]].append((EPSILON, 0, final, 0.0))
            self._starts[entry], self._finals[entry] = start, final
            self._final_rule[final] = entry

    def _new_state(self) -> int:
        self._word_arcs.append([])
        self._other_arcs.append([])
        self._n_states += 1
        if self._n_states > 4 * self._max_states:
            raise TooLargeError
        return self._n_states - 1

    def _recursive_components(self) -> tuple[list[set[int]], dict[int, list[int]]]:
        """Return the groups of rules that reach themselves, and the states of every rule."""
        states_of: dict[int, list[int]] = {}
        calls: dict[int, list[int]] = {}
        for rule, start in enumerate(self._starts):
            seen = {start}
            todo = [start]
            called: set[int] = set()
            while todo:
                state = todo.pop()
                following = [target for _, target, _ in self._word_arcs[state]]
                for kind, argument, target, _ in self._other_arcs[state]:
                    following.append(target)
                    if kind == RULE:
                        called.add(argument)
                for target in following:
                    if target not in seen:
                        seen.add(target)
                        todo.append(target)
            seen.add(self._finals[rule])
            states_of[rule] = sorted(seen)
            calls[rule] = sorted(called)
        return [c for c in _components(calls) if len(c) > 1 or next(iter(c)) in calls[next(iter(c))]], states_of

    # --- configurations -------------------------------------------------------------------------------------------

    def _push(self, stack: int, state: int) -> int:
        key = (stack, state)
        known = self._stack_ids.get(key)
        if known is None:
            if len(self._stacks) > self._max_states or self._depths[stack] > _MAX_STACK:
                raise TooLargeError
            known = self._stack_ids[key] = len(self._stacks)
            self._stacks.append(key)
            self._depths.append(self._depths[stack] + 1)
        return known

    def _label(self, word: int, weight: float) -> int:
        key = (word, round(weight / _WEIGHT_STEP) * _WEIGHT_STEP if weight else 0.0)
        known = self._label_ids.get(key)
        if known is None:
            known = self._label_ids[key] = len(self.labels)
            self.labels.append(key)
        return known

    def _expand(self, configuration: int) -> tuple[dict[int, set[int]], float | None]:
        """Return the labelled successors of a configuration behind all its empty moves, and its weight as an end.

        A configuration is ``stack * n_states + state``.
        """
        known = self._expanded.get(configuration)
        if known is not None:
            return known
        if len(self._expanded) > self._max_states:
            raise TooLargeError
        n_states = self._n_states
        best = {configuration: 0.0}
        todo = [configuration]
        final: float | None = None
        while todo:
            current = todo.pop()
            stack, state = divmod(current, n_states)
            weight = best[current]
            moves: list[tuple[int, float]] = []
            for kind, argument, target, arc_weight in self._other_arcs[state]:
                if kind != RULE:
                    moves.append((stack * n_states + target, weight + arc_weight))
                    continue
                tail = self._tails.get(target)
                if tail is None:
                    inner = self._push(stack, target)
                    moves.append((inner * n_states + self._starts[argument], weight + arc_weight))
                else:
                    moves.append((stack * n_states + self._starts[argument], weight + arc_weight + tail))
            if state in self._final_rule:
                if stack:
                    below, back = self._stacks[stack]
                    moves.append((below * n_states + back, weight))
                else:
                    final = weight if final is None else max(final, weight)
            for target, reached in moves:
                if reached > best.get(target, -math.inf) + 1e-12:
                    best[target] = reached
                    todo.append(target)
        self._spend(len(best))
        successors: dict[int, set[int]] = {}
        for current, weight in best.items():
            stack, state = divmod(current, n_states)
            base = stack * n_states
            for word, target, arc_weight in self._word_arcs[state]:
                label = self._label(word, weight + arc_weight)
                found = successors.get(label)
                if found is None:
                    successors[label] = {base + target}
                else:
                    found.add(base + target)
        result = self._expanded[configuration] = (successors, final)
        return result

    def _spend(self, work: int) -> None:
        """Look at the clock whenever some ten thousand small steps are done."""
        self._work += work
        if self._work > _WORK_BETWEEN_LOOKS:
            self._work = 0
            if time.monotonic() > self._deadline_s:
                raise TooLargeError

    # --- automata -------------------------------------------------------------------------------------------------

    def deterministic(self) -> tuple[Automaton, bool]:
        """Return the automaton of subsets (Rabin and Scott, 1959), and whether any has more than one member.

        Raises:
            TooLargeError: subsets multiply, or a bound is passed.
        """
        start = frozenset({self._starts[self._root]})
        ids: dict[frozenset[int], int] = {start: 0}
        order = [start]
        automaton = Automaton([], [])
        merged = False
        n_arcs = 0
        for subset in order:  # grows on the way
            successors, final = self._expand_all(subset)
            merged |= len(subset) > 1
            row: list[tuple[int, int]] = []
            for label, targets in successors.items():
                key = frozenset(targets)
                state = ids.get(key)
                if state is None:
                    state = ids[key] = len(order)
                    order.append(key)
                row.append((label, state))
            automaton.rows.append(row)
            automaton.finals.append(final)
            n_arcs += len(row)
            if n_arcs > self._max_arcs or len(order) > _GROWTH * len(self._expanded) + 1000:
                raise TooLargeError
        return automaton, merged

    def _expand_all(self, subset: frozenset[int]) -> tuple[dict[int, set[int]], float | None]:
        if len(subset) == 1:
            return self._expand(next(iter(subset)))
        merged: dict[int, set[int]] = {}
        final: float | None = None
        for configuration in subset:
            successors, ends = self._expand(configuration)
            if ends is not None and (final is None or ends > final):
                final = ends
            for label, targets in successors.items():
                found = merged.get(label)
                if found is None:
                    merged[label] = set(targets)
                else:
                    found |= targets
            self._spend(len(successors))
        return merged, final

    def nondeterministic(self) -> Automaton:
        """Return the automaton of configurations.

        Raises:
            TooLargeError: a bound is passed.
        """
        ids = {self._starts[self._root]: 0}
        order = [self._starts[self._root]]
        automaton = Automaton([], [])
        n_arcs = 0
        for configuration in order:  # grows on the way
            successors, final = self._expand(configuration)
            row: list[tuple[int, int]] = []
            for label, targets in successors.items():
                for target in targets:
                    state = ids.get(target)
                    if state is None:
                        state = ids[target] = len(order)
                        order.append(target)
                    row.append((label, state))
            automaton.rows.append(row)
            automaton.finals.append(final)
            n_arcs += len(row)
            if n_arcs > self._max_arcs:
                raise TooLargeError
        return automaton


def _components(edges: dict[int, list[int]]) -> list[set[int]]:
    """Return the strongly connected components (Tarjan, 1972), without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    found: list[set[int]] = []
    for origin, targets in edges.items():
        if origin in index:
            continue
        work = [(origin, iter(targets))]
        index[origin] = low[origin] = len(index)
        stack.append(origin)
        on_stack.add(origin)
        while work:
            node, following = work[-1]
            for target in following:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = set()
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.add(member)
                        if member == node:
                            break
                    found.append(component)
    return found
