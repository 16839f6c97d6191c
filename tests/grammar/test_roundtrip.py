"""Writing and reading back keeps the language, the weights and the tags, in all three notations."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings

from asr_trio.errors import GrammarError
from asr_trio.grammar import semantics
from asr_trio.grammar.compile import CompiledGrammar, compile_model
from asr_trio.grammar.generate import Generator
from asr_trio.grammar.lexicon import Lexicon
from asr_trio.grammar.reader import read_grammar
from asr_trio.grammar.writer import write

from .strategies import grammars

LEXICON = Lexicon({}, pronouncers={"en": lambda word: ("AA",)})
NOTATIONS = ["abnf", "xml", "jsgf"]


def compiled_or_none(grammar) -> CompiledGrammar | None:
    try:
        return compile_model(grammar, lexicon=LEXICON)
    except GrammarError as error:
        if "matches nothing" not in str(error):
            raise
        return None


def meanings(compiled: CompiledGrammar, words: list[str]) -> list[tuple[str, float]]:
    return sorted((str(reading.value), round(reading.weight, 6)) for reading in semantics.read(compiled, words))


def sentences(compiled: CompiledGrammar) -> list[list[str]]:
    generator = Generator(compiled, random.Random(1))
    return [sentence for sentence in (generator.sentence() for _ in range(6)) if len(sentence) < 12]


@pytest.mark.parametrize("notation", NOTATIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(grammar=grammars)
def test_meanings_survive(notation, grammar):
    original = compiled_or_none(grammar)
    text, _ = write(grammar, notation)
    converted = compiled_or_none(read_grammar(text.encode()))
    assert (original is None) == (converted is None)
    if original is None:
        return
    for source in (original, converted):
        for words in sentences(source):
            found = meanings(original, words)
            assert found, (words, text)
            if len(found) < semantics.MAX_READINGS:
                assert meanings(converted, words) == found, (words, text)


@pytest.mark.parametrize("second", NOTATIONS)
@pytest.mark.parametrize("first", NOTATIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(grammar=grammars)
def test_a_detour_changes_nothing(first, second, grammar):
    detour = read_grammar(write(grammar, first)[0].encode())
    again = read_grammar(write(detour, second)[0].encode())
    original, converted = compiled_or_none(grammar), compiled_or_none(again)
    assert (original is None) == (converted is None)
    for words in sentences(original) if original else ():
        assert semantics.accepts(converted, words)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(grammar=grammars)
def test_the_graph_knows_exactly_the_language_of_the_network(grammar):
    compiled = compiled_or_none(grammar)
    if compiled is None:
        return
    for words in sentences(compiled):
        assert accepts_by_graph(compiled, words)
    chance = random.Random(2)
    for _ in range(20):
        words = random_walk(compiled, chance)
        if words is not None and (words or not compiled.graph.accepts_silence):
            assert semantics.accepts(compiled, words), words


def arcs_of(compiled: CompiledGrammar) -> dict[int, list[tuple[int, str]]]:
    arcs: dict[int, list[tuple[int, str]]] = {}
    for source, target, _, word in compiled.arcs():
        arcs.setdefault(source, []).append((target, compiled.words[word] if word >= 0 else ""))
    return arcs


def accepts_by_graph(compiled: CompiledGrammar, words: list[str]) -> bool:
    arcs = arcs_of(compiled)

    def closed(states: set[int]) -> set[int]:
        todo = list(states)
        while todo:
            for target, word in arcs.get(todo.pop(), ()):
                if not word and target not in states:
                    states.add(target)
                    todo.append(target)
        return states

    states = closed({compiled.start})
    for word in words:
        states = closed({target for state in states for target, label in arcs.get(state, ()) if label == word})
    return compiled.final in states


def random_walk(compiled: CompiledGrammar, chance: random.Random) -> list[str] | None:
    arcs = arcs_of(compiled)
    state, words = compiled.start, []
    for _ in range(15):
        if state == compiled.final and chance.random() < 0.5:
            return words
        if not arcs.get(state):
            break
        state, word = chance.choice(arcs[state])
        if word:
            words.append(word)
    return words if state == compiled.final else None
