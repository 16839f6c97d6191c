"""The text form for PocketSphinx: it reads it, and knows the same language."""

from __future__ import annotations

import itertools

import pytest

from asr_trio.grammar.fsg import WordNames, fsg_text


def test_text(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = /3/ yes | /1/ no [no];")
    names = {
        i: [f"{word}.{number}" for number in range(len(compiled.pronunciations[i]))]
        for i, word in enumerate(compiled.words)
    }
    lines = fsg_text(compiled.graph, names, title="t").splitlines()
    assert lines[0] == "FSG_BEGIN t"
    assert lines[-1] == "FSG_END"
    assert sum(line.endswith(" 1 yes.0") for line in lines) == 1
    weights = [float(line.split()[3]) for line in lines if line.endswith(" no.0")]
    assert sorted(weights) == pytest.approx([1 / 3, 1], rel=1e-3)


def test_wide_bundles_are_split(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = " + "|".join(f"w{n}" for n in range(1000)) + ";")
    lines = fsg_text(compiled.graph, {i: [word] for i, word in enumerate(compiled.words)}).splitlines()
    assert lines[1] == "N 5"
    assert sum(line.startswith("T 0 ") for line in lines) == 1000
    assert sorted(line for line in lines if line.endswith(f" {compiled.final} 1")) == ["T 2 1 1", "T 3 1 1", "T 4 1 1"]


def test_names_are_never_the_same_and_come_chain_by_chain():
    def chain(name: str) -> int:
        shifts = (0, 5, 10, 15, 20, 1)
        return sum(ord(letter) << shift for letter, shift in zip(name, shifts, strict=False)) % 101

    names = WordNames()
    few, many, more = names.take(50), names.take(300_000), names.take(1000)
    assert len({*few, *many, *more}) == 301_050
    assert len({chain(name) for name in few}) == 50
    chains = [chain(name) for name in more]
    assert len(set(chains)) == 100
    assert sum(one != other for one, other in itertools.pairwise(chains)) == 99


@pytest.mark.slow
def test_pocketsphinx_takes_it_and_accepts_the_same_sentences(compile_text, tmp_path):
    import pocketsphinx

    compiled = compile_text("#ABNF 1.0; root $r; $r = (yes | no the)<1-> [new york];")
    text = fsg_text(compiled.graph, {i: [word] for i, word in enumerate(compiled.words)})
    path = tmp_path / "g.fsg"
    path.write_text(text)
    model = pocketsphinx.FsgModel.readfile(str(path), pocketsphinx.LogMath(), 1.0)
    for sentence, wanted in {"yes": True, "no the yes new york": True, "no": False, "new york": False}.items():
        assert bool(model.accept(sentence)) == wanted, sentence
