"""Semantic Interpretation for Speech Recognition 1.0, clause by clause.

The test grammars of its implementation report are not to be had from a public mirror; these say in our own words what
the clauses demand.
"""

from __future__ import annotations

from typing import Any

import pytest

from asr_trio.grammar.semantics import interpret

LITERAL = "#ABNF 1.0; tag-format <semantics/1.0-literals>; root $word; public $word = café {coffee} | tea;"
OTHER = (
    "#ABNF 1.0; tag-format <semantics/1.0>; root $drink; public $drink = tea {out = 'T'}; public $size = big {out = 3};"
)

CLAUSES: list[tuple[str, str, str, Any]] = [
    ("3.2 out begins as an object", "$r = a {out.x = 1} b {out.y = 'z'};", "a b", {"x": 1, "y": "z"}),
    ("3.2 a tag without an assignment leaves it empty", "$r = a {var x = 1;};", "a", {}),
    ("3.2 out can be a number", "$r = a {out = 1.5};", "a", 1.5),
    ("3.2 out can be a boolean", "$r = a {out = !1};", "a", False),
    ("3.2 out can be null", "$r = a {out = null};", "a", None),
    ("3.2 out can be a list", "$r = a {!{out = [1, {b: []}]}!};", "a", [1, {"b": []}]),
    ("3.2 a later assignment wins", "$r = a {out = 1} b {out = 2};", "a b", 2),
    ("3.2 tags of what did not match do not run", "$r = (a {out = 1} | b {out = 2}) [c {out = 3}];", "b", 2),
    ("3.2 tags of a repeat run each time", "$r = {out = 0} (a {out++})<1->;", "a a a", 3),
    ("3.2 tags run in the order of the words", "$r = {out = ''} a {out += 1} {out += 2} [b {out += 3}];", "a b", "123"),
    ("3.2 NULL changes nothing", "$r = a {out = 1} $NULL;", "a", 1),
    ("3.2.3 without tags the words are the value", "$r = a b;", "a b", "a b"),
    ("3.2.3 without tags the last rule is the value", "$r = $p $q c; $p = a {out = 1}; $q = b {out = 2};", "a b c", 2),
    ("3.2.3 through several rules", "$r = $p; $p = $q; $q = a {!{out = {deep: 1}}!};", "a", {"deep": 1}),
    ("3.2.3 a rule of words alone", "$r = $p {out.said = rules.p}; $p = a b;", "a b", {"said": "a b"}),
    ("3.3.1 rules by name", "$r = $p $q {out = rules.p + rules.q}; $p = a {out = 1}; $q = b {out = 2};", "a b", 3),
    ("3.3.1 the last match of a rule", "$r = $p $p {out = rules.p}; $p = a {out = 1} | b {out = 2};", "a b", 2),
    ("3.3.1 each match as it comes", "$r = {out = []} ($p {out.push(rules.p)})<2>; $p = a {out = 1} | b {out = 2};",
     "b a", [2, 1]),
    ("3.3.1 a rule that did not match", "$r = a [$p] {out = typeof rules.p}; $p = b;", "a", "undefined"),
    ("3.3.1 only rules of this rule", "$r = $p {out = typeof rules.q}; $p = $q; $q = a;", "a", "undefined"),
    ("3.3.2 the latest rule", "$r = $p {out.x = rules.latest()} $q {out.y = rules.latest()}; $p = a; $q = b;", "a b",
     {"x": "a", "y": "b"}),
    ("3.3.3 the text so far", "$r = a $p {out = meta.current().text} c; $p = b b;", "a b b c", "a b b"),
    ("3.3.3 the text of a rule", "$r = a $p {out = meta.p.text}; $p = b c {out = 1};", "a b c", "b c"),
    ("3.3.3 the text of the latest rule", "$r = $p $q {out = meta.latest().text}; $p = a; $q = b b;", "a b b", "b b"),
    ("3.3.4 variables are the rule's own", "$r = $p {out = typeof x}; $p = a {var x = 1;};", "a", "undefined"),
    ("3.3.4 objects pass from rule to rule", "$r = $p {out = rules.p; out.y = 2}; $p = a {out.x = 1};", "a",
     {"x": 1, "y": 2}),
    ("3.1 ECMAScript", "$r = a {!{out = [3, 1].map(function (n) { return 2 * n; }).join('-')}!};", "a", "6-2"),
    ("4 the root of another grammar", "$r = $<x:other> {out.d = rules.drink};", "tea", {"d": "T"}),
    ("4 a rule of another grammar", "$r = $<x:other#size> {out.s = rules.size};", "big", {"s": 3}),
    ("4 another grammar may have literals", "$r = $<x:literal> {out.w = rules.word};", "café", {"w": "coffee"}),
    ("4 literals without a tag are the text", "$r = $<x:literal> {out.w = rules.word};", "tea", {"w": "tea"}),
]  # fmt: skip


def resolver(uri: str) -> tuple[bytes, str | None]:
    return {"x:other": OTHER, "x:literal": LITERAL}[uri].encode(), None


@pytest.mark.parametrize(("rules", "text", "value"), [row[1:] for row in CLAUSES], ids=[row[0] for row in CLAUSES])
def test_scripts(compile_text, rules, text, value):
    compiled = compile_text(f"#ABNF 1.0; tag-format <semantics/1.0>; root $r; {rules}", resolver=resolver)
    assert interpret(compiled, text.split()) == [(value, 1.0)]


@pytest.mark.parametrize("tag_format", ["semantics/1.0.2006", "Semantics/1.0", " semantics/1.0 "])
def test_drafts_and_spellings_of_the_tag_format_are_scripts_too(compile_text, tag_format):
    assert interpret(compile_text(f"#ABNF 1.0; tag-format <{tag_format}>; root $r; $r = a {{out = 1}};"), ["a"]) == [
        (1, 1.0)
    ]


def test_global_tags_run_before_every_text_and_are_seen_in_all_rules(compile_text):
    compiled = compile_text(
        "#ABNF 1.0; tag-format <semantics/1.0>; {!{var prices = {a: 1, b: 2};}!};"
        "{!{function price(x) {return prices[x];}}!}; root $r;"
        "$r = $p {out = rules.p + price('b')}; $p = a {out = price('a'); prices.b = 10};"
    )
    assert interpret(compiled, ["a"]) == interpret(compiled, ["a"]) == [(11, 1.0)]


@pytest.mark.parametrize(
    ("rules", "text", "value"),
    [
        ("$r = a {one} b {two};", "a b", "two"),
        ("$r = $p {mine}; $p = a {theirs};", "a", "mine"),
        ("$r = $p; $p = a {theirs};", "a", "theirs"),
        ("$r = a $p; $p = b;", "a b", "b"),
        ("$r = a b;", "a b", "a b"),
        ("$r = a {!{out = {x: 1};}!};", "a", "out = {x: 1};"),
    ],
)
def test_literals(compile_text, rules, text, value):
    compiled = compile_text(f"#ABNF 1.0; tag-format <semantics/1.0-literals>; root $r; {rules}")
    assert interpret(compiled, text.split()) == [(value, 1.0)]


def test_the_xml_form_has_the_same_scripts(compile_text):
    compiled = compile_text(
        '<grammar version="1.0" xmlns="http://www.w3.org/2001/06/grammar" tag-format="semantics/1.0" root="r">'
        "<tag>var unit = 'EUR';</tag>"
        '<rule id="r">pay <ruleref uri="#n"/><tag>out.sum = rules.n; out.unit = unit;</tag></rule>'
        '<rule id="n"><one-of><item>one<tag>out = 1;</tag></item><item>two<tag><![CDATA[out = 1 < 2 ? 2 : 0;]]></tag>'
        "</item></one-of></rule></grammar>"
    )
    assert interpret(compiled, ["pay", "two"]) == [({"sum": 2, "unit": "EUR"}, 1.0)]
