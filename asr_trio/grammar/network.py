"""The recursive transition network: each rule an automaton over words, tags and other rules.

It is what parsing walks and what the decoder's graph is unfolded from. Weights are natural logarithms of at most 0:
within one choice the likeliest alternative counts 1, so that a grammar without weights has none, and a list of
10 000 names is no less likely than one of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from asr_trio.grammar.link import Program
from asr_trio.grammar.model import Choice, Expansion, Reference, Repeat, Sequence, Tag, Token
from asr_trio.grammar.source import Source

WORD: Final = 0
EPSILON: Final = 1
TAG: Final = 2
RULE: Final = 3
GARBAGE: Final = 4

_LEAST_EXIT: Final = 1e-3
"""A repeat of probability 1 never ends by the letter; it may, at this weight."""

DTMF_NAMES: Final = {"star": "*", "pound": "#"}
"""Keys that DTMF grammars may also write as words (SRGS 1.0, appendix E)."""


class Network(msgspec.Struct):
    """All rules as arcs: `kinds[i]` from `sources[i]` to `targets[i]` with `arguments[i]` and `weights[i]`.

    An argument indexes words, tags or rules, as the kind says. `starts` and `finals` have one state per rule.
    """

    n_states: int = 0
    starts: list[int] = []
    finals: list[int] = []
    sources: list[int] = []
    kinds: list[int] = []
    arguments: list[int] = []
    targets: list[int] = []
    weights: list[float] = []


class NetworkBuilder:
    """Builds the network of a program and numbers its words and tags.

    Attributes:
        words: tokens by number, equal ones once.
        word_origins: for each the index of its grammar, and its language.
        tags: texts by number.
        tag_positions: for each the index of its grammar, and its offset there.
    """

    def __init__(self, program: Program, *, max_arcs: int) -> None:
        self.network = Network(0, [], [], [], [], [], [], [])
        self.words: list[Token] = []
        self.word_origins: list[tuple[int, str]] = []
        self.tags: list[str] = []
        self.tag_positions: list[tuple[int, int]] = []
        self._program = program
        self._max_arcs = max_arcs
        self._word_ids: dict[tuple[str, tuple[str, ...], str, int], int] = {}
        self._tag_ids: dict[tuple[int, str], int] = {}
        self._grammar = 0  # of the rule that is being built
        # Expansions still to build, with the states between which they go and their language. A list and not Python's
        # stack, because authors' tools nest hundreds deep.
        self._todo: list[tuple[Expansion, int, int, str]] = []

    def build(self) -> Network:
        """Return the network of all rules.

        Raises:
            GrammarError: repeats multiply to more arcs than allowed.
        """
        for index, linked in enumerate(self._program.rules):
            start, final = self._state(), self._state()
            self.network.starts.append(start)
            self.network.finals.append(final)
            self._build_rule(index, linked.rule.expansion, start, final)
        return self.network

    def _state(self) -> int:
        self.network.n_states += 1
        return self.network.n_states - 1

    def _arc(self, source: int, kind: int, argument: int, target: int, weight: float = 0.0) -> None:
        network = self.network
        network.sources.append(source)
        network.kinds.append(kind)
        network.arguments.append(argument)
        network.targets.append(target)
        network.weights.append(weight)

    def _build_rule(self, rule: int, expansion: Expansion, start: int, final: int) -> None:
        self._grammar = self._program.rules[rule].grammar
        document = self._program.grammars[self._grammar]
        self._todo.append((expansion, start, final, document.language))
        while self._todo:
            node, source, target, language = self._todo.pop()
            if len(self.network.sources) > self._max_arcs:
                raise document.source.error(
                    f"the grammar unfolds to more than {self._max_arcs} arcs", node.at, "shorten counted repeats"
                )
            if isinstance(node, Token):
                self._arc(source, WORD, self._word(node, language), target)
            elif isinstance(node, Sequence):
                self._sequence(node.items, source, target, node.language or language)
            elif isinstance(node, Choice):
                self._choice(node, source, target, node.language or language)
            elif isinstance(node, Repeat):
                self._repeat(node, source, target, language, document.source)
            elif isinstance(node, Tag):
                self._arc(source, TAG, self._tag(node), target)
            elif isinstance(node, Reference):
                self._arc(source, RULE, self._program.targets[self._grammar, node.uri, node.name], target)
            elif node.name == "NULL":
                self._epsilon(source, target)
            elif node.name == "GARBAGE":
                filler = self._state()  # a state of its own, so that what follows is no alternative to going on
                self._epsilon(source, filler)
                self._arc(filler, GARBAGE, 0, filler)
                self._epsilon(filler, target)

    def _epsilon(self, source: int, target: int, weight: float = 0.0) -> None:
        if source != target:
            self._arc(source, EPSILON, 0, target, weight)

    def _sequence(self, items: Iterable[Expansion], source: int, target: int, language: str) -> None:
        items = tuple(items)
        if not items:
            self._epsilon(source, target)
            return
        for item in items[:-1]:
            following = self._state()
            self._todo.append((item, source, following, language))
            source = following
        self._todo.append((items[-1], source, target, language))

    def _choice(
        self,
        node: Choice,
        source: int,
        target: int,
        language: str,
    ) -> None:
        """Add alternatives; those that begin with the same words share them, which keeps word lists small."""
        heaviest = max(node.weights, default=1.0)
        prefixes: dict[tuple[int, int, float], int] = {}
        seen: set[tuple[int, int, float]] = set()
        for index, item in enumerate(node.items):
            weight = 0.0
            if node.weights:
                if node.weights[index] <= 0 or heaviest <= 0:
                    continue  # weight 0 is never spoken
                weight = math.log(node.weights[index] / heaviest)
            items = item.items if isinstance(item, Sequence) and not item.language else (item,)
            n_words = 0
            while n_words < len(items) and isinstance(items[n_words], Token):
                n_words += 1
            # The weight stands on the first word, where the search and the drawing of sentences see it in time;
            # so only alternatives of equal weight share that.
            state, pending = source, weight
            shared = items[: n_words - 1 if n_words == len(items) else n_words]
            for token in shared:
                word = self._word(token, language)  # type: ignore[arg-type]
                following = prefixes.get((state, word, pending))
                if following is None:
                    following = prefixes[state, word, pending] = self._state()
                    self._arc(state, WORD, word, following, pending)
                state, pending = following, 0.0
            if n_words == len(items) > 0:
                word = self._word(items[-1], language)  # type: ignore[arg-type]
                if (state, word, pending) not in seen:
                    seen.add((state, word, pending))
                    self._arc(state, WORD, word, target, pending)
                continue
            if pending < 0:
                weighted = self._state()
                self._epsilon(state, weighted, pending)
                state = weighted
            self._sequence(items[n_words:], state, target, language)

    def _repeat(
        self,
        node: Repeat,
        source: int,
        target: int,
        language: str,
        text: Source,
    ) -> None:
        low, high = node.low, node.high
        go_on, stop = _repeat_weights(node.probability)
        copies = low if high is None else high
        if copies * 2 > self._max_arcs:
            raise text.error(f"{copies} repetitions are too many", node.at, "use an open repeat: <1-> or <0->")
        state = source
        for _ in range(low if high is not None else max(low - 1, 0)):
            following = self._state()
            self._todo.append((node.item, state, following, language))
            state = following
        if high is None:
            self._loop(node.item, state, target, language, at_least_once=low > 0, weights=(go_on, stop))
            return
        for _ in range(high - low):
            self._epsilon(state, target, stop)
            if go_on == -math.inf:
                return
            entry = self._state()
            self._epsilon(state, entry, go_on)
            following = self._state()
            self._todo.append((node.item, entry, following, language))
            state = following
        self._epsilon(state, target)

    def _loop(
        self,
        item: Expansion,
        source: int,
        target: int,
        language: str,
        *,
        at_least_once: bool,
        weights: tuple[float, float],
    ) -> None:
        go_on, stop = weights
        entry, end = self._state(), self._state()
        self._epsilon(source, entry, 0.0 if at_least_once else go_on)
        if not at_least_once:
            self._epsilon(source, target, stop)
        if go_on > -math.inf or at_least_once:
            self._todo.append((item, entry, end, language))
        if go_on > -math.inf:
            self._epsilon(end, entry, go_on)
        self._epsilon(end, target, stop)

    def _word(self, token: Token, language: str) -> int:
        grammar = self._grammar
        # Only a grammar with lexicons of its own says words in its own way.
        document = self._program.grammars[grammar]
        owner = grammar if document.lexicons else -1
        if document.mode == "dtmf" and token.text in DTMF_NAMES:
            token = msgspec.structs.replace(token, text=DTMF_NAMES[token.text])
        key = (token.text, token.pronunciations, token.language or language, owner)
        known = self._word_ids.get(key)
        if known is None:
            known = self._word_ids[key] = len(self.words)
            self.words.append(token)
            self.word_origins.append((grammar, key[2]))
        return known

    def _tag(self, tag: Tag) -> int:
        grammar = self._grammar
        known = self._tag_ids.get((grammar, tag.text))
        if known is None:
            known = self._tag_ids[grammar, tag.text] = len(self.tags)
            self.tags.append(tag.text)
            self.tag_positions.append((grammar, tag.at))
        return known


def _repeat_weights(probability: float | None) -> tuple[float, float]:
    """Return the logarithmic weights of one more repetition and of none, the likelier of the two being 0."""
    if probability is None:
        return 0.0, 0.0
    likelier = max(probability, 1 - probability)
    go_on = math.log(probability / likelier) if probability > 0 else -math.inf
    return go_on, math.log(max(1 - probability, _LEAST_EXIT) / likelier)
