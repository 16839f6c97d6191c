"""From words to values: the three tag formats, ambiguity, and scripts that misbehave."""

from __future__ import annotations

import pytest

from asr_trio.errors import GrammarError
from asr_trio.grammar import script, semantics
from asr_trio.grammar.semantics import interpret, read

SCRIPT = "#ABNF 1.0; tag-format <semantics/1.0>; root $r; "


def test_text_is_the_default(compile_text):
    assert interpret(compile_text("#ABNF 1.0; root $r; $r = sim | não;"), ["SIM"]) == [("sim", 1.0)]


def test_a_text_outside_of_the_grammar_has_no_reading(compile_text):
    assert interpret(compile_text("#ABNF 1.0; root $r; $r = yes;"), ["no"]) == []


def test_a_rule_without_a_tag_takes_the_value_of_its_last_reference(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = $size pizza $kind please; $size = big {L}; $kind = plain {P};")
    assert interpret(compiled, ["big", "pizza", "plain", "please"]) == [("P", 1.0)]


def test_the_last_literal_wins(compile_text):
    assert interpret(compile_text("#ABNF 1.0; root $r; $r = a {one} b {two};"), ["a", "b"]) == [("two", 1.0)]


def test_jsgf_tags(compile_text):
    text = (
        "#JSGF V1.0; grammar g; public <r> = plain | one {only} | open {do=open} <i> | a {x} b {y}; <i> = it {what=it};"
    )
    compiled = compile_text(text)
    assert interpret(compiled, ["plain"]) == [("plain", 1.0)]
    assert interpret(compiled, ["one"]) == [("only", 1.0)]
    assert interpret(compiled, ["open", "it"]) == [({"do": "open", "what": "it"}, 1.0)]
    assert interpret(compiled, ["a", "b"]) == [(["x", "y"], 1.0)]


def test_scripts_see_rules_meta_and_the_header(compile_text):
    compiled = compile_text(
        "#ABNF 1.0; tag-format <semantics/1.0>; {!{ function twice(x) { return 2 * x; } }!}; root $r;"
        "$r = take $n {out.n = twice(rules.n); out.said = meta.n.text; out.same = rules.latest() === rules.n;"
        " out.far = meta.current().text}; $n = one {out = 1} | twenty one {out = 21};"
    )
    assert interpret(compiled, ["take", "twenty", "one"]) == [
        ({"n": 42, "said": "twenty one", "same": True, "far": "take twenty one"}, 1.0)
    ]


def test_weights_order_ambiguous_readings(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = /1/ yes {rare} | /4/ yes {usual} | /0/ yes {never};")
    assert interpret(compiled, ["yes"]) == [("usual", 1.0), ("rare", pytest.approx(0.25))]


def test_equal_values_are_one_reading(compile_text):
    assert interpret(compile_text("#ABNF 1.0; root $r; $r = [yes] [yes] [yes];"), ["yes"]) == [("yes", 1.0)]


def test_an_empty_part_twice_at_one_place_is_parsed(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = $maybe $maybe yes $maybe; $maybe = [please] {x};")
    assert interpret(compiled, ["yes"]) == [("x", 1.0)]


def test_left_and_right_recursion_run_the_tags_of_every_turn(compile_text):
    left = compile_text("#JSGF V1.0; grammar g; public <a> = <a> x {1} | y {0};")
    assert interpret(left, ["y", "x", "x"]) == [(["0", "1", "1"], 1.0)]
    right = compile_text("#JSGF V1.0; grammar g; public <a> = x <a> {1} | y {0};")
    assert interpret(right, ["x", "x", "y"]) == [(["0", "1", "1"], 1.0)]


def test_garbage_takes_any_words(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = $GARBAGE pizza {ok} $GARBAGE;")
    assert interpret(compiled, ["well", "uh", "pizza", "please"]) == [("ok", 1.0)]
    assert interpret(compiled, ["pizza"]) == [("ok", 1.0)]
    assert interpret(compiled, ["pasta"]) == []


def test_words_that_the_grammar_names_come_before_garbage(compile_text):
    compiled = compile_text("#ABNF 1.0; root $r; $r = order {none} [ham {ham} [cheese {both}]] $GARBAGE;")
    readings = interpret(compiled, ["order", "ham", "cheese", "please"])
    assert [value for value, _ in readings] == ["both", "ham", "none"]
    assert [round(weight, 9) for _, weight in readings] == [1.0, 1e-3, 1e-6]


def test_tokens_of_several_words(compile_text):
    compiled = compile_text('#ABNF 1.0; root $r; $r = "New York" {NYC} | new {N};')
    for words in (["new", "york"], ["New York"]):
        assert interpret(compiled, words) == [("NYC", 1.0)]
    assert interpret(compiled, ["new"]) == [("N", 1.0)]


@pytest.mark.parametrize(
    "tag",
    [
        "while (true);",
        "out = 'a'.repeat(1e9)",
        "nowhere.x = 1",
        "(function f() { f() })()",
        "var a = []; while (true) a.push(new Array(1000))",
        "out = /(a+)+$/.test('a'.repeat(40) + 'b')",
        "throw 1",
        "out = []; for (var i = 0; i < 500; i++) { out = [out]; }",
        "out.self = out",
    ],
)
def test_a_script_that_misbehaves_costs_only_its_own_value(compile_text, tag):
    compiled = compile_text(SCRIPT + f"$r = yes {{!{{{tag}}}!}} | no {{out = 0}};")
    (reading,) = read(compiled, ["yes"])
    assert reading.value == "yes"
    assert reading.fault
    assert interpret(compiled, ["no"]) == [(0, 1.0)]


def test_a_tag_that_is_no_script_is_told_with_its_place(compile_text):
    with pytest.raises(GrammarError, match="SyntaxError") as caught:
        compile_text("#ABNF 1.0;\ntag-format <semantics/1.0>;\nroot $r;\n$r = yes {out = 1} | no {this is no script};")
    assert (caught.value.line, caught.value.column) == (4, 25)


def test_a_null_character_in_a_script(compile_text):
    with pytest.raises(GrammarError, match="null character"):
        compile_text(SCRIPT + "$r = yes {out = '\0'};")


def test_deep_recursion_costs_only_the_value(compile_text):
    compiled = compile_text(SCRIPT + "$r = yes [$r {out = rules.r}] {out.n = 1};")
    (reading,) = read(compiled, ["yes"] * 200)
    assert reading.fault
    assert reading.value == " ".join(["yes"] * 200)
    with pytest.raises(GrammarError, match="too ambiguous"):
        read(compiled, ["yes"] * 2000)
    assert interpret(compiled, ["yes"] * 10)


def test_the_sandbox_has_no_way_out(compile_text):
    names = ["require", "process", "fetch", "setTimeout", "std", "os", "console", "print"]
    tag = "out = [" + ", ".join(f"typeof {name}" for name in names) + "]"
    ((value, _),) = interpret(compile_text(SCRIPT + f"$r = yes {{{tag}}};"), ["yes"])
    assert value == ["undefined"] * len(names)


def test_interpretations_do_not_touch_each_other(compile_text):
    compiled = compile_text(SCRIPT + "$r = yes {seen = typeof seen; out = seen};")
    assert interpret(compiled, ["yes"]) == interpret(compiled, ["yes"]) == [("undefined", 1.0)]


def test_the_work_is_bounded_where_readings_multiply(compile_text):
    compiled = compile_text("#JSGF V1.0; grammar g; public <r> = ([yes {a}] [yes {b}] [yes {c}])*;")
    assert len(read(compiled, ["yes"] * 30)) == semantics.MAX_READINGS


def test_scripts_that_never_end_are_bounded_together(compile_text, monkeypatch):
    """One sentence may have hundreds of readings, each with a script that takes all its time."""
    compiled = compile_text(SCRIPT + "$r = $a <1->; $a = (yes | yes | [yes] yes) {while (true);};")
    evaluated = []
    evaluate = semantics.evaluate
    monkeypatch.setattr(semantics, "evaluate", lambda *found: evaluated.append(1) or evaluate(*found))
    (reading,) = read(compiled, ["yes"] * 8)
    assert reading.fault
    assert reading.value == " ".join(["yes"] * 8)
    assert len(evaluated) <= 1 + semantics.READINGS_TIME_S / (script.TIME_S / 2)
