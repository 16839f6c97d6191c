"""The decoder's graph: small, of the right shape, bounded."""

from __future__ import annotations

import math

import pytest

from asr_trio.errors import GrammarError
from asr_trio.grammar.compile import CompiledGrammar, GrammarLimits
from asr_trio.grammar.graph import weigh_choices
from asr_trio.grammar.semantics import accepts


def arcs(compiled: CompiledGrammar) -> set[tuple[int, int, str]]:
    return {(source, target, compiled.words[word] if word >= 0 else "") for source, target, _, word in compiled.arcs()}


@pytest.mark.parametrize("text", ["$r = ($a | b)<1->; $a = a;", "$r = $x<0->; $x = a | b;", "$r = ((a | b)<1->)<1->;"])
def test_loops_fold_to_one_state(compile_text, text):
    compiled = compile_text(f"#ABNF 1.0; root $r; {text}")
    assert arcs(compiled) == {(0, 0, "a"), (0, 0, "b")}
    assert (compiled.start, compiled.final, compiled.n_states) == (0, 0, 1)


def test_each_of_so_many_words_that_may_come_next_is_as_much_less_likely(compile_text):
    many = " | ".join(f"w{n}" for n in range(100))
    compiled = compile_text(
        f"#ABNF 1.0; root $r; $r = ($l | end) [please] $m; $l = (a | b | /0.5/ c)<1->; $m = {many};"
    )
    weighed = weigh_choices(compiled.graph, compiled.words)
    prices = {
        compiled.words[word]: before - after
        for word, before, after in zip(compiled.graph.words, compiled.graph.weights, weighed.weights, strict=True)
        if word >= 0
    }
    assert prices["end"] == pytest.approx(math.log(4))
    assert prices["w0"] == prices["w99"] == pytest.approx(math.log(64))
    assert (weighed.sources, weighed.targets, weighed.words) == (
        compiled.graph.sources,
        compiled.graph.targets,
        compiled.graph.words,
    )


def test_fillers_have_a_price_of_their_own(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = $GARBAGE stop;")
    weighed = weigh_choices(compiled.graph, compiled.words)
    assert weighed.weights == compiled.graph.weights


def test_prefixes_and_suffixes_are_shared(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = turn on the light | turn off the light | switch on the light;")
    assert len(arcs(compiled)) == 7


def test_a_loop_that_ends_in_its_own_words_is_not_copied(compile_text):
    compiled = compile_text(
        "#ABNF 1.0; root $r; $r = start $w<0-> w1 w2 w3; $w = " + "|".join(f"w{n}" for n in range(50)) + ";"
    )
    assert len(arcs(compiled)) == 1 + 50 + 3


def test_graphs_that_would_explode_when_made_deterministic_stay_small(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = (a | b)<0-> a (a | b)<16>;")
    assert compiled.n_states <= 18
    assert len(arcs(compiled)) <= 36


def test_what_states_have_in_common_is_shared_by_empty_arcs(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = " + " ".join(f"[w{n}]" for n in range(40)) + " end;")
    assert len(arcs(compiled)) < 300  # 40 * 41 / 2 + 41 without
    from .test_roundtrip import accepts_by_graph

    for phrase in ("end", "w0 end", "w39 end", "w3 w5 w38 end"):
        assert accepts_by_graph(compiled, phrase.split()), phrase
    for phrase in ("", "w5 w3 end", "w5 w5 end", "end end"):
        assert not accepts_by_graph(compiled, phrase.split()), phrase


def test_optionals_nest_200_deep(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = " + "[yes " * 200 + "]" * 200 + " no;")
    assert accepts(compiled, ["yes"] * 200 + ["no"])
    assert not accepts(compiled, ["yes"] * 201 + ["no"])


def test_weights_become_probabilities_against_the_likeliest(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = /6/ a | /3/ b | /0/ c | d<0-1 /0.2/> e;")
    found = {compiled.words[word]: probability for _, _, probability, word in compiled.arcs() if word >= 0}
    assert found["a"] == 1.0
    assert found["b"] == pytest.approx(0.5, rel=1e-3)
    assert found["d"] == pytest.approx(0.25 / 6, rel=1e-3)
    assert "c" not in found


def test_without_weights_a_long_list_is_no_less_likely_than_a_short_one(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = " + " | ".join(f"w{n}" for n in range(1000)) + ";")
    assert {probability for _, _, probability, _ in compiled.arcs()} == {1.0}


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("<r> = a <r> | b", ["b", "a a b"], ["a", "b a"]),
        ("<r> = <r> a | b", ["b", "b a a"], ["a", "a b"]),
        ("<r> = <s> a | b; <s> = <r> c", ["b", "b c a", "b c a c a"], ["b c", "b a"]),
        ("<r> = x <t> y; <t> = a <t> | <NULL>", ["x y", "x a a y"], ["x", "a y"]),
        ("<r> = x <t> y; <t> = <t> a | <NULL>", ["x y", "x a a y"], ["x", "a y"]),
        ("<r> = a [<r>]", ["a", "a a a"], ["b"]),
    ],
)
def test_regular_recursion(compile_text, text, yes, no):
    compiled = compile_text(f"#JSGF V1.0; grammar g; public {text};")
    from .test_roundtrip import accepts_by_graph

    for phrase in yes:
        assert accepts(compiled, phrase.split()), phrase
        assert accepts_by_graph(compiled, phrase.split()), phrase
    for phrase in no:
        assert not accepts(compiled, phrase.split()), phrase
        assert not accepts_by_graph(compiled, phrase.split()), phrase


@pytest.mark.parametrize("text", ["<r> = a <r> b | c", "<r> = <r> a | b <r> | c", "<r> = a <s>; <s> = <r> b | c"])
def test_other_recursion_is_refused(compile_text, text):
    with pytest.raises(GrammarError, match="contains itself in the middle") as caught:
        compile_text(f"#JSGF V1.0; grammar g;\npublic {text};")
    assert caught.value.line == 2


@pytest.mark.parametrize("text", ["$r = $VOID;", "$r = a $VOID;", "$r = a $r;", "$r = /0/ a;"])
def test_a_grammar_of_nothing_is_refused(compile_text, text):
    with pytest.raises(GrammarError, match="matches nothing"):
        compile_text(f"#ABNF 1.0; root $r; {text}")


def test_void_removes_only_its_own_alternative(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = a $VOID b | c | [$VOID] d;")
    assert {word for _, _, word in arcs(compiled)} == {"c", "d"}


def test_garbage_is_a_loop_of_phones_that_any_word_beats(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = yes $GARBAGE;")
    fillers = [(source, target, p) for source, target, p, word in compiled.arcs() if compiled.words[word] == ""]
    assert len(fillers) == 39
    assert all(source == target and math.isclose(p, 0.1) for source, target, p in fillers)
    assert compiled.pronunciations[-1] == ["ZH"]


@pytest.mark.parametrize(
    "text",
    [
        "$r = (a<1000>)<1000>;",
        "$r = a<999999>;",
        "$r = " + "".join(f"$r{n} $r{n}; $r{n} = " for n in range(40)) + "a;",
        "$r = " + " ".join(f"[w{n}]" for n in range(3000)) + ";",
    ],
)
def test_size_is_bounded(compile_text, text):
    with pytest.raises(GrammarError, match=r"too many|more than") as caught:
        compile_text(f"#ABNF 1.0; root $r; {text}", limits=GrammarLimits(states=20_000, arcs=100_000, time_s=2))
    assert caught.value.line == 1


def test_bytes_are_bounded(compile_text):
    with pytest.raises(GrammarError, match="the limit is 10"):
        compile_text("#ABNF 1.0; root $r; $r = a;", limits=GrammarLimits(size_bytes=10))


def test_bytes_there_and_back(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = yes {a} | no $GARBAGE;")
    again = CompiledGrammar.from_bytes(compiled.to_bytes())
    assert again.to_bytes() == compiled.to_bytes()
    assert again.digest == compiled.digest
    for damaged in (b"", compiled.to_bytes()[:-1], b"\x00"):
        with pytest.raises(GrammarError, match="cannot be read"):
            CompiledGrammar.from_bytes(damaged)
