"""References: local, external, imported, missing."""

from __future__ import annotations

import pytest

from asr_trio.errors import GrammarError, LanguageModelNotFoundError
from asr_trio.grammar.semantics import accepts, interpret

DOCUMENTS = {
    "http://x/a/digits.gram": b"#ABNF 1.0; root $d; public $d = one | $two; $two = two {2};",
    "http://x/a/loop.gram": b"#ABNF 1.0; root $l; $l = round $<main.gram#again>;",
    "jsgf:com.acme.digits": b"#JSGF V1.0; grammar com.acme.digits; public <d> = one | two; <e> = three;",
    "http://x/a/scripted.grxml": b"""<grammar version="1.0" root="r" tag-format="semantics/1.0"><tag>var seen = 7;</tag>
        <rule id="r" scope="public">lucky <tag>out = seen</tag></rule></grammar>""",
    "http://x/a/bad.gram": b"#ABNF 1.0;\n$a = (b;",
}


def resolver(uri: str) -> tuple[bytes, str | None]:
    if uri not in DOCUMENTS:
        raise LanguageModelNotFoundError("there is no such grammar")
    return DOCUMENTS[uri], None


@pytest.fixture
def linked(compile_text):
    return lambda text: compile_text(text, resolver=resolver, name="http://x/a/main.gram")


@pytest.mark.parametrize("reference", ["$<digits.gram>", "$<digits.gram#d>", "$<http://x/a/digits.gram#d>"])
def test_external(linked, reference):
    compiled = linked(f"#ABNF 1.0; root $r; $r = dial {reference};")
    assert interpret(compiled, ["dial", "two"]) == [("2", 1.0)]


def test_base(compile_text):
    text = "#ABNF 1.0; base <http://x/a/>; root $r; $r = $<digits.gram>;"
    assert accepts(compile_text(text, resolver=resolver), ["one"])


def test_builtin_grammars_are_always_there(compile_text):
    compiled = compile_text(
        "#ABNF 1.0; root $r; tag-format <semantics/1.0>; $r = pay $<builtin:grammar/currency> {out = rules.currency};"
    )
    assert interpret(compiled, ["pay", "two", "dollars"]) == [("USD2.00", 1.0)]


def test_scripts_of_two_documents_do_not_mix(linked):
    compiled = linked(
        "#ABNF 1.0; root $r; tag-format <semantics/1.0>; {var seen = 1}; "
        "$r = a $<scripted.grxml> {out = [seen, rules.r]} | b {out = typeof seen};"
    )
    assert interpret(compiled, ["a", "lucky"]) == [([1, 7], 1.0)]


def test_grammars_may_refer_to_each_other(linked):
    compiled = linked("#ABNF 1.0; root $r; $r = go $<loop.gram>; public $again = twice;")
    assert accepts(compiled, ["go", "round", "twice"])


@pytest.mark.parametrize(
    "body",
    [
        "import <com.acme.digits.d>; public <r> = dial <d>;",
        "import <com.acme.digits.*>; public <r> = dial <d>;",
        "import <com.acme.digits.*>; public <r> = dial <digits.d>;",
        "import <com.acme.digits.d>; public <r> = dial <com.acme.digits.d>;",
        "public <r> = dial <com.acme.digits.d>;",
    ],
)
def test_jsgf_imports(linked, body):
    assert accepts(linked(f"#JSGF V1.0; grammar g; {body}"), ["dial", "two"])


def test_a_jsgf_rule_by_its_own_full_name(linked):
    assert accepts(linked("#JSGF V1.0; grammar a.b; public <r> = <a.b.s>; <s> = yes;"), ["yes"])


def test_several_public_jsgf_rules_compete(linked):
    compiled = linked("#JSGF V1.0; grammar g; public <a> = one {1}; public <b> = two {2}; <c> = three;")
    assert interpret(compiled, ["two"]) == [("2", 1.0)]
    assert not accepts(compiled, ["three"])
    assert compiled.warnings[:1] == ["2 public rules compete: a, b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#ABNF 1.0; root $x; $r = a;", "root rule 'x' is not defined"),
        ("#ABNF 1.0; $r = a; $s = b;", "no root rule is declared"),
        ("#ABNF 1.0; root $r;", "root rule 'r' is not defined"),
        ("#ABNF 1.0;", "has no rules"),
        ("#JSGF V1.0; grammar g; <r> = a;", "no rule is public"),
        ("#ABNF 1.0; root $r; $r = $x $y;", r"\$x is not defined .* \$y is not defined"),
        ("#ABNF 1.0; root $r; $r = $<none.gram>;", "'http://x/a/none.gram' cannot be loaded: there is no such grammar"),
        ("#ABNF 1.0; root $r; $r = $<digits.gram#two>;", "'two' of http://x/a/digits.gram is not public"),
        ("#ABNF 1.0; root $r; $r = $<digits.gram#none>;", "'none' of http://x/a/digits.gram is not defined"),
        ("#ABNF 1.0; root $r; $r = $<bad.gram>;", "http://x/a/bad.gram: found ';' where"),
        ("#ABNF 1.0; root $r; $r = $<builtin:grammar/none>;", "no builtin grammar 'none'"),
        ("#JSGF V1.0; grammar g; import <com.acme.digits.e>; public <r> = <e>;", "is not public"),
        ("#JSGF V1.0; grammar g; import <com.acme.digits.*>; public <r> = <z>;", "<z> is not defined"),
    ],
)
def test_faults(linked, text, message):
    with pytest.raises(GrammarError, match=message):
        linked(text)


def test_a_misspelt_rule_is_guessed(linked):
    with pytest.raises(GrammarError) as caught:
        linked("#ABNF 1.0; root $r; $r = $colour; $color = red;")
    assert caught.value.hint == "did you mean color?"


def test_thousands_of_faults_are_told_briefly(linked):
    references = " ".join(f"$x{n}" for n in range(5000))
    rules = " ".join(f"$rule{n} = a;" for n in range(5000))
    with pytest.raises(GrammarError, match=r"and more$") as caught:
        linked(f"#ABNF 1.0; root $r; $r = {references}; {rules}")
    assert len(str(caught.value)) < 2000


def test_unused_rules_may_refer_to_nothing(linked):
    assert accepts(linked("#ABNF 1.0; root $r; $r = yes; $s = $nowhere;"), ["yes"])


def test_without_a_resolver_nothing_is_fetched(compile_text):
    with pytest.raises(GrammarError, match="cannot be loaded here"):
        compile_text("#ABNF 1.0; root $r; $r = $<http://x/a/digits.gram>;")
