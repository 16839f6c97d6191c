"""From the network to the decoder's graph: unfolded, deterministic, minimal, nearly free of empty arcs.

The shape of the graph decides accuracy as much as the model does: every copy of a word is one more thing for the
search to keep alive and to be wrong about.

1. *Unfold.* A configuration is a network state and the stack of states to return to. A reference in last position
   pushes nothing, so right recursion needs no bound; left recursion is turned into loops first. Anything else that
   recurs is not regular (Chomsky, 1959) and is refused.
2. *Determinise* by subsets (Rabin and Scott, 1959) over labels, which are words with their weights. Weights stay on
   the words that they came with: the search takes the best path, and equal words with unequal weights stay apart.
3. *Minimise.* States with a finite future are merged from the end on by their signature (Revuz, 1992), the others by
   refinement (Moore, 1956).
4. *Fold.* A start state that differs from a final state only in not being final is merged with it: a loop of one or
   more words becomes one state. The graph then accepts silence too, which the recogniser reports as no match anyway.
"""

from __future__ import annotations

import math
import time
from typing import Final

import msgspec

from asr_trio.errors import GrammarError
from asr_trio.grammar.network import EPSILON, GARBAGE, RULE, WORD, Network

NO_WORD: Final = -1
_GARBAGE_WORD: Final = -2
"""Word of an arc that takes any speech, until the filler words take its place."""

_WEIGHT_STEP: Final = 1e-4
"""Weights are rounded to this before they are compared: less is below the resolution of the decoder's logarithms."""

_FILLER_WEIGHT: Final = math.log(0.1)
"""A filler costs, so that any word of the grammar beats the phones that it consists of."""

_MAX_STACK: Final = 2000


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


class NotRegularError(Exception):
    """Recursion that no finite graph can hold; `rule` is the index of a rule on the way round."""

    def __init__(self, rule: int) -> None:
        super().__init__(rule)
        self.rule = rule


class TooLargeError(Exception):
    """The graph passes its bound of states."""


def build_graph(network: Network, root: int, *, max_states: int, fillers: range, deadline_s: float) -> Graph:
    """Return the minimal graph of rule `root`.

    Args:
        network: the rules.
        root: index of the rule to match.
        max_states: bound on configurations and on states.
        fillers: numbers of the filler words that GARBAGE loops over.
        deadline_s: monotonic time by which to be done.

    Raises:
        NotRegularError: by recursion.
        TooLargeError: past `max_states` or the deadline.
        GrammarError: nothing can be matched at all.
    """
    unfolding = _Unfolding(network, root, max_states, deadline_s)
    arcs, finals = unfolding.deterministic()
    arcs, finals, start = _trim(arcs, finals)
    classes = _minimal_classes(arcs, finals)
    return _Assembly(arcs, finals, classes, unfolding.labels, fillers).graph(start)


class _Unfolding:
    """Configurations of the network, and the subsets of them."""

    def __init__(self, network: Network, root: int, max_states: int, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._max_states = max_states
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
                self._word_arcs[source].append((_GARBAGE_WORD, target, weight))
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
        if len(self._expanded) > self._max_states or (
            not len(self._expanded) % 1024 and time.monotonic() > self._deadline_s
        ):
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

    # --- subsets --------------------------------------------------------------------------------------------------

    def deterministic(self) -> tuple[list[dict[int, int]], list[float | None]]:
        """Return the arcs of each state by label, and each state's weight as an end; state 0 is the start."""
        start = frozenset({self._starts[self._root]})
        ids: dict[frozenset[int], int] = {start: 0}
        order = [start]
        arcs: list[dict[int, int]] = []
        finals: list[float | None] = []
        position = 0
        while position < len(order):
            subset = order[position]
            position += 1
            merged: dict[int, set[int]]
            if len(subset) == 1:
                merged, final = self._expand(next(iter(subset)))
            else:
                merged, final = {}, None
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
            row: dict[int, int] = {}
            for label, targets in merged.items():
                key = frozenset(targets)
                state = ids.get(key)
                if state is None:
                    state = ids[key] = len(order)
                    order.append(key)
                    if state > self._max_states:
                        raise TooLargeError
                row[label] = state
            arcs.append(row)
            finals.append(final)
        return arcs, finals


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


def _trim(
    arcs: list[dict[int, int]], finals: list[float | None]
) -> tuple[list[dict[int, int]], list[float | None], int]:
    """Drop states from which no end can be reached."""
    backward: list[list[int]] = [[] for _ in arcs]
    for source, row in enumerate(arcs):
        for target in row.values():
            backward[target].append(source)
    alive = {state for state, final in enumerate(finals) if final is not None}
    todo = list(alive)
    while todo:
        for source in backward[todo.pop()]:
            if source not in alive:
                alive.add(source)
                todo.append(source)
    if 0 not in alive:
        raise GrammarError("the grammar matches nothing at all", hint="$VOID or an endless recursion stands in the way")
    if len(alive) == len(arcs):
        return arcs, finals, 0
    kept = [
        {label: target for label, target in row.items() if target in alive} if state in alive else {}
        for state, row in enumerate(arcs)
    ]
    return kept, finals, 0


def _minimal_classes(arcs: list[dict[int, int]], finals: list[float | None]) -> list[int]:
    """Return the class of each state, equivalent states having the same."""
    n_states = len(arcs)
    backward: list[list[int]] = [[] for _ in range(n_states)]
    open_arcs = [len(row) for row in arcs]
    for source, row in enumerate(arcs):
        for target in row.values():
            backward[target].append(source)
    classes = [-1] * n_states
    signatures: dict[tuple[float | None, tuple[tuple[int, int], ...]], int] = {}
    ready = [state for state in range(n_states) if not open_arcs[state]]
    while ready:
        state = ready.pop()
        signature = (finals[state], tuple(sorted((label, classes[t]) for label, t in arcs[state].items())))
        classes[state] = signatures.setdefault(signature, len(signatures))
        for source in backward[state]:
            open_arcs[source] -= 1
            if not open_arcs[source]:
                ready.append(source)
    cyclic = [state for state in range(n_states) if classes[state] < 0]
    if not cyclic:
        return classes
    base = len(signatures)
    for state in cyclic:
        classes[state] = base
    n_classes = 1
    while True:  # Moore: at most as many rounds as states, in practice as the longest distinguishing phrase
        refined: dict[tuple[int, float | None, tuple[tuple[int, int], ...]], int] = {}
        following = {}
        for state in cyclic:
            key = (classes[state], finals[state], tuple(sorted((lb, classes[t]) for lb, t in arcs[state].items())))
            following[state] = base + refined.setdefault(key, len(refined))
        for state, number in following.items():
            classes[state] = number
        if len(refined) == n_classes:
            return classes
        n_classes = len(refined)


class _Assembly:
    """Merges classes, folds the start, gives the graph one final state, and spells GARBAGE out."""

    def __init__(
        self,
        arcs: list[dict[int, int]],
        finals: list[float | None],
        classes: list[int],
        labels: list[tuple[int, float]],
        fillers: range,
    ) -> None:
        members = {number: state for state, number in enumerate(classes)}
        self._classes = classes
        self._labels = labels
        self._fillers = fillers
        self._rows = {
            number: {label: classes[target] for label, target in arcs[state].items()}
            for number, state in members.items()
        }
        self._ends = {number: end for number, state in members.items() if (end := finals[state]) is not None}

    def graph(self, start: int) -> Graph:
        """Return the graph that begins at a state."""
        first, accepts_silence = self._folded(self._classes[start])
        numbers = {first: 0}
        todo = [first]
        while todo:
            for target in self._rows[todo.pop()].values():
                if target not in numbers:
                    numbers[target] = len(numbers)
                    todo.append(target)
        graph = Graph(len(numbers), 0, 0, [], [], [], [], accepts_silence)
        for state, number in numbers.items():
            for label, target in self._rows[state].items():
                word, weight = self._labels[label]
                if word == _GARBAGE_WORD:
                    for filler in self._fillers:
                        _add_arc(graph, number, numbers[target], filler, weight + _FILLER_WEIGHT)
                else:
                    _add_arc(graph, number, numbers[target], word, weight)
        ends = {numbers[state]: weight for state, weight in self._ends.items() if state in numbers}
        if len(ends) == 1 and next(iter(ends.values())) == 0.0:
            graph.final = next(iter(ends))
        else:
            graph.final = graph.n_states
            graph.n_states += 1
            for number, weight in ends.items():
                _add_arc(graph, number, graph.final, NO_WORD, weight)
        return graph

    def _folded(self, first: int) -> tuple[int, bool]:
        """Return the state to start in, and whether it is an end as well."""
        rows, ends = self._rows, self._ends
        if first in ends:
            return first, True
        if any(first in row.values() for row in rows.values()):
            return first, False
        twin = next((state for state, end in ends.items() if end == 0.0 and rows[state] == rows[first]), None)
        return (first, False) if twin is None else (twin, True)


def _add_arc(graph: Graph, source: int, target: int, word: int, weight: float) -> None:
    graph.sources.append(source)
    graph.targets.append(target)
    graph.words.append(word)
    graph.weights.append(weight)
