"""The development grammars and transcripts: everything loads, pairs say the same, references are covered."""

from __future__ import annotations

import csv
import random

import pytest

from asr_trio.grammar.compile import CompiledGrammar, compile_grammar
from asr_trio.grammar.generate import Generator
from asr_trio.grammar.lexicon import Lexicon
from asr_trio.grammar.semantics import accepts, read

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def grammars(shared) -> dict[str, CompiledGrammar]:
    lexicon = Lexicon({}, pronouncers={"en": lambda word: ("AA",), "pt": lambda word: ("AA",)})
    folder = shared / "data/grammars"
    return {path.name: compile_grammar(path.read_bytes(), lexicon=lexicon) for path in folder.iterdir()}


def test_pairs_have_the_same_language(grammars):
    names = {name.partition(".")[0] for name in grammars}
    assert len(names) == len(grammars) / 2 > 20
    for name in names:
        abnf, jsgf = grammars[f"{name}.abnf"], grammars[f"{name}.jsgf"]
        for one, other in ((abnf, jsgf), (jsgf, abnf)):
            generator = Generator(one, random.Random(1))
            for sentence in (generator.sentence() for _ in range(20)):
                assert accepts(other, sentence[:60]) or len(sentence) > 60, (name, sentence)


@pytest.mark.parametrize("table", ["an4", "home", "digits_fsdd/isolated", "digits_fsdd/strings", "tel", "oog"])
def test_references(shared, grammars, table):
    path = shared / "data" / (f"{table}.tsv" if "/" in table else f"{table}/refs.tsv")
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["grammar"]]
    assert rows
    for row in rows:
        covered = table != "oog" and row.get("in_grammar", "yes") == "yes"
        for notation in ("abnf", "jsgf"):
            compiled = grammars[f"{row['grammar']}.{notation}"]
            assert accepts(compiled, row["transcript"].split()) == covered, (row["grammar"], row["transcript"])


def test_interpretations(shared, grammars):
    with (shared / "data/an4/refs.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["grammar"] in {"digits", "commands"}]
    for row in rows:
        readings = read(grammars[f"{row['grammar']}.abnf"], row["transcript"].split())
        assert [reading.value for reading in readings] == [row["interpretation"]]
        assert not readings[0].fault
