"""What was meant: from the recognised words to a value, by the tags of the grammar.

The tag format of the document that a rule stands in says what its tags are:

- ``semantics/1.0-literals`` (and no tag format): the last tag that was passed is the value, as a string.
- ``semantics/1.0`` and its drafts: scripts, see `asr_trio.grammar.script`.
- JSGF, whose standard leaves it open: no tag, the text; tags that all read ``name=value``, an object of them; one tag,
  its text; several, the list of their texts.

A rule without a tag has the value of the last rule that it refers to, else the words that it matched (SISR 1.0, 3.2.3).
"""

from __future__ import annotations

import functools
import json
import math
import re
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from asr_trio.errors import GrammarError
from asr_trio.grammar import script
from asr_trio.grammar.compile import CompiledGrammar
from asr_trio.grammar.model import JSGF_TAGS, uses_scripts
from asr_trio.grammar.parse import Derivation, Enter, Leave, Match, Parser, Tagged

MAX_READINGS = 16
"""Different values of one text: more tell a caller nothing."""

MAX_DERIVATIONS = 256
"""Derivations that are looked at for different values."""

READINGS_TIME_S = 0.5
"""Processor time after which no further derivation is looked at: scripts have a bound each, and there may be many."""

_PROPERTY = re.compile(r"\s*([\w.-]+)\s*=\s*(.*?)\s*", re.DOTALL)


class Reading(msgspec.Struct, frozen=True):
    """One interpretation.

    Attributes:
        value: any JSON value.
        weight: against the likeliest parse, in [0, 1]; scripts may lower it.
        text: the words, as the grammar writes them.
        fault: what went wrong in the tags; the value is the text then.
    """

    value: Any
    weight: float
    text: str
    fault: str = ""


class RuleMatch(msgspec.Struct):
    """A rule in a parse tree; `parts` are words (index in `CompiledGrammar.words`, text), tags and inner rules."""

    rule: int
    parts: list[RuleMatch | MatchedWord | int]


class MatchedWord(msgspec.Struct, frozen=True):
    """A token of the grammar that matched; `text` is as the grammar writes it."""

    text: str


def interpret(compiled: CompiledGrammar, words: Sequence[str]) -> list[tuple[Any, float]]:
    """Return the values of a text with their weights (at most 1), best first; [] if the grammar does not cover it.

    Args:
        compiled: the grammar.
        words: the text; an element may be several words.
    """
    return [(reading.value, reading.weight) for reading in read(compiled, words)]


def read(compiled: CompiledGrammar, words: Sequence[str]) -> list[Reading]:
    """Return the different readings of a text, best first; see `interpret`."""
    found: list[Reading] = []
    values: set[str] = set()
    best: float | None = None
    pieces = [piece for word in words for piece in word.split()]
    began_s = time.process_time()
    for number, derivation in enumerate(_parser(compiled).derivations(pieces)):
        if number >= MAX_DERIVATIONS or len(found) >= MAX_READINGS:
            break
        if number and time.process_time() - began_s > READINGS_TIME_S:
            break
        best = derivation.weight if best is None else best
        tree = parse_tree(compiled, derivation, pieces)
        text = text_of(tree)
        fault = ""
        try:
            value, score = evaluate(compiled, tree)
        except GrammarError as error:
            value, score, fault = text, 1.0, str(error)
        key = json.dumps(value, sort_keys=True)
        if key not in values:
            values.add(key)
            found.append(Reading(value, score * math.exp(derivation.weight - best), text, fault))
    return sorted(found, key=lambda reading: -reading.weight)


def accepts(compiled: CompiledGrammar, words: Sequence[str]) -> bool:
    """Tell whether the grammar covers a text."""
    return _parser(compiled).accepts([piece for word in words for piece in word.split()])


@functools.lru_cache(maxsize=64)
def _parser(compiled: CompiledGrammar) -> Parser:
    return Parser(compiled.network, compiled.words)


def parse_tree(compiled: CompiledGrammar, derivation: Derivation, pieces: Sequence[str]) -> RuleMatch:
    """Return the tree of a derivation."""
    outermost: list[RuleMatch | MatchedWord | int] = []
    open_parts = [outermost]
    for event in derivation.events:
        if isinstance(event, Enter):
            match = RuleMatch(event.rule, [])
            open_parts[-1].append(match)
            open_parts.append(match.parts)
        elif isinstance(event, Leave):
            open_parts.pop()
        elif isinstance(event, Match):
            text = compiled.words[event.word] if event.word >= 0 else " ".join(pieces[event.start : event.end])
            open_parts[-1].append(MatchedWord(text))
        elif isinstance(event, Tagged):
            open_parts[-1].append(event.tag)
    (tree,) = outermost
    assert isinstance(tree, RuleMatch)
    return tree


def text_of(tree: RuleMatch) -> str:
    """Return the words under a node, separated by spaces."""
    found = []
    todo: list[RuleMatch | MatchedWord | int] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, MatchedWord):
            found.append(node.text)
        elif isinstance(node, RuleMatch):
            todo.extend(reversed(node.parts))
    return " ".join(found)


def evaluate(compiled: CompiledGrammar, tree: RuleMatch) -> tuple[Any, float]:
    """Return the value of a parse tree, and the score in [0, 1] that its tags give it.

    Raises:
        GrammarError: a script fails, or takes too long.
    """
    formats = compiled.tag_formats
    if any(uses_scripts(formats[grammar]) for grammar in compiled.rule_grammars):
        return script.run(compiled, tree)
    if formats[0] == JSGF_TAGS:
        return _jsgf_value(compiled, tree), 1.0
    return _literal_value(compiled, tree), 1.0


def _literal_value(compiled: CompiledGrammar, tree: RuleMatch) -> str:
    """Return the literal of the root: going down the last references as long as rules have no tag of their own."""
    while True:
        tags = [part for part in tree.parts if isinstance(part, int)]
        if tags:
            return compiled.tags[tags[-1]]
        inner = [part for part in tree.parts if isinstance(part, RuleMatch)]
        if not inner:
            return text_of(tree)
        tree = inner[-1]


def _jsgf_value(compiled: CompiledGrammar, tree: RuleMatch) -> Any:
    tags = []
    todo: list[RuleMatch | MatchedWord | int] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, int):
            tags.append(compiled.tags[node])
        elif isinstance(node, RuleMatch):
            todo.extend(reversed(node.parts))
    if not tags:
        return text_of(tree)
    properties = [_PROPERTY.fullmatch(tag) for tag in tags]
    if all(properties):
        return {match[1]: match[2] for match in properties if match}
    return tags[0] if len(tags) == 1 else tags
