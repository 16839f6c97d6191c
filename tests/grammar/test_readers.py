"""The three readers: what they take, and what they say about what they do not."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr_trio.errors import GrammarError
from asr_trio.grammar.model import Choice, Reference, Repeat, Sequence, Special, Tag, Token
from asr_trio.grammar.reader import read_grammar

XML = '<grammar version="1.0" xmlns="http://www.w3.org/2001/06/grammar" root="r">{}</grammar>'


def bare(node):
    """Return an expansion without positions, short enough to compare by eye."""
    if isinstance(node, Token):
        extra = [*node.pronunciations, *([f"!{node.language}"] if node.language else [])]
        return (node.text, *extra) if extra else node.text
    if isinstance(node, Tag):
        return {node.text}
    if isinstance(node, Special):
        return f"${node.name}"
    if isinstance(node, Reference):
        return f"${node.uri}#{node.name}" + (f"!{node.language}" if node.language else "")
    if isinstance(node, Repeat):
        extra = () if node.probability is None else (node.probability,)
        return (bare(node.item), node.low, node.high, *extra)
    items = [bare(item) for item in node.items]
    if isinstance(node, Choice):
        return {"of": items} if not node.weights else {"of": list(zip(node.weights, items, strict=True))}
    assert isinstance(node, Sequence)
    return items if not node.language else [*items, f"!{node.language}"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("yes", "yes"),
        ("a b\tc\nd", ["a", "b", "c", "d"]),
        ("a // comment | b\n c /* | d */ e", ["a", "c", "e"]),
        ("a | b c", {"of": ["a", ["b", "c"]]}),
        ("/2/ a | /.5/ b | c", {"of": [(2.0, "a"), (0.5, "b"), (1.0, "c")]}),
        ("[a | b] c", [({"of": ["a", "b"]}, 0, 1), "c"]),
        ("a<2>", ("a", 2, 2)),
        ("a<2-3>", ("a", 2, 3)),
        ("a <0-> b<1- /0.25/>", [("a", 0, None), ("b", 1, None, 0.25)]),
        ("(a b)<0-1 /0.6/>", (["a", "b"], 0, 1, 0.6)),
        ("a {one} {!{ two } }!} b", ["a", {"one"}, {"two }"}, "b"]),
        ('"New  York"!en-US', ("New York", "!en-US")),
        ("(a b)!pt-BR c", [["a", "b", "!pt-BR"], "c"]),
        ("$b $NULL $VOID $GARBAGE", ["$#b", "$NULL", "$VOID", "$GARBAGE"]),
        ("$<http://x/y.gram#z> $<rel.gram>~<application/srgs>", ["$http://x/y.gram#z", "$rel.gram#"]),
        ("$b!fr", "$#b!fr"),
        ("[thanks]!en-US", (["thanks", "!en-US"], 0, 1)),
        ("()", []),
        ("o'clock 3.5 café 東京", ["o'clock", "3.5", "café", "東京"]),
    ],
)
def test_abnf_expansions(text, wanted):
    grammar = read_grammar(f"#ABNF 1.0 UTF-8;\nroot $r;\n$r = {text};".encode())
    assert bare(grammar.rules["r"].expansion) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a b | c", {"of": [["a", "b"], "c"]}),
        ("/10/ a | /1e1/ b", {"of": [(10.0, "a"), (10.0, "b")]}),
        ("a* b+ [c]", [("a", 0, None), ("b", 1, None), ("c", 0, 1)]),
        ("(a | b)+ {t}", [({"of": ["a", "b"]}, 1, None), {"t"}]),
        ("a {x} {y} b", [["a", {"x"}, {"y"}], "b"]),
        ("(a {x})*", (["a", {"x"}], 0, None)),
        ('"two words" "say \\"hi\\""', ["two words", 'say "hi"']),
        (r"a {with \{braces\} and \\}", ["a", {"with {braces} and \\"}]),
        ("<NULL> <VOID> <b> <com.acme.x>", ["$NULL", "$VOID", "$#b", "$#com.acme.x"]),
        ("$x !y a#b", ["$x", "!y", "a#b"]),
    ],
)
def test_jsgf_expansions(text, wanted):
    grammar = read_grammar(f"#JSGF V1.0;\ngrammar g;\npublic <r> = {text};".encode())
    assert bare(grammar.rules["r"].expansion) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("yes", "yes"),
        ('a "New  York" b', ["a", "New York", "b"]),
        ("<token>New\n York</token>", "New York"),
        ('<token xml:lang="pt">sim</token>', ("sim", "!pt")),
        ('<token xmlns:x="urn:x" x:pron="Y EH; Y AE">yeah</token>', ("yeah", "Y EH", "Y AE")),
        ("<one-of><item weight='3'>a</item><item>b c</item></one-of>", {"of": [(3.0, "a"), (1.0, ["b", "c"])]}),
        ("<item repeat='0-1'>a</item> b", [("a", 0, 1), "b"]),
        ("<item repeat='2' >a</item><item repeat='1-' repeat-prob='.5'>b</item>", [("a", 2, 2), ("b", 1, None, 0.5)]),
        ("a<tag>out = '&lt;';</tag>", ["a", {"out = '<';"}]),
        ("<ruleref uri='#b'/><ruleref uri='x.grxml#y' type='t'/>", ["$#b", "$x.grxml#y"]),
        ("<ruleref special='GARBAGE'/>", "$GARBAGE"),
        ("<!-- no --><example>a</example>a<?pi x?> b", ["a", "b"]),
        ("<item/>", []),
        ("<one-of><item>a</item><tag>t</tag><ruleref uri='#b'/></one-of>", {"of": [["a", {"t"}], "$#b"]}),
        ("", []),
    ],
)
def test_xml_expansions(text, wanted):
    grammar = read_grammar(XML.format(f'<rule id="r">{text}</rule>').encode())
    assert bare(grammar.rules["r"].expansion) == wanted


def test_abnf_declarations():
    grammar = read_grammar(
        b"\xef\xbb\xbf#ABNF 1.0 UTF-8;\r\nlanguage pt-BR;\r\nmode voice;\nroot $r;\ntag-format <semantics/1.0>;\n"
        b'base <http://x/>;\nlexicon <http://x/l>~<application/pls+xml>;\nmeta "a" is "b";\nhttp-equiv "c" is "d";\n'
        b"{!{ var x = {}; }!};\npublic $r = a;\nprivate $s = b;\n"
    )
    assert (grammar.language, grammar.root, grammar.tag_format, grammar.base) == (
        "pt-BR", "r", "semantics/1.0", "http://x/",
    )  # fmt: skip
    assert [(x.uri, x.media_type) for x in grammar.lexicons] == [("http://x/l", "application/pls+xml")]
    assert [(m.name, m.content, m.http_equiv) for m in grammar.metas] == [("a", "b", False), ("c", "d", True)]
    assert [tag.text for tag in grammar.header_tags] == ["var x = {};"]
    assert {rule.name: rule.public for rule in grammar.rules.values()} == {"r": True, "s": False}


def test_xml_declarations():
    grammar = read_grammar(
        b'<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE grammar PUBLIC "-//W3C//DTD GRAMMAR 1.0//EN"'
        b' "http://www.w3.org/TR/speech-grammar/grammar.dtd">\n'
        b'<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="pt-BR" mode="dtmf" root="r"'
        b' tag-format="semantics/1.0" xml:base="http://x/"><meta name="a" content="b"/><metadata><x/></metadata>'
        b'<lexicon uri="l"/><tag>var x;</tag><rule id="r" scope="public">n\xe3o</rule></grammar>'
    )
    assert (grammar.language, grammar.mode, grammar.root) == ("pt-BR", "dtmf", "r")
    assert bare(grammar.rules["r"].expansion) == "não"
    assert [tag.text for tag in grammar.header_tags] == ["var x;"]


@pytest.mark.parametrize(
    "data",
    [
        "#ABNF 1.0 ISO-8859-1;\nroot $r;$r = não;".encode("latin-1"),
        "#ABNF 1.0 ISO-8859-1;\nroot $r;$r = não;".encode(),  # the header was left behind by an editor
        "#ABNF 1.0 UTF-16;\nroot $r;$r = não;".encode("utf-16"),
        "#ABNF 1.0;\nroot $r;$r = não;".encode("utf-16-be"),
        "#JSGF V1.0 latin1 pt_BR;\ngrammar g; public <r> = não;".encode("latin-1"),
        '<grammar version="1.0" root="r"><rule id="r">não</rule></grammar>'.encode("utf-16"),
    ],
)
def test_encodings(data):
    assert bare(read_grammar(data).rules["r"].expansion) == "não"


ERRORS = [
    ("", 1, 1, "empty"),
    ("hello", 1, 1, "no grammar"),
    ("#ABNF 2.0;\n", 1, 1, "begin with"),
    ("#ABNF 1.0;\nroot r;\n", 2, 1, "declaration or a rule"),
    ("#ABNF 1.0;\n$r = a |;\n", 2, 9, "empty alternative"),
    ("#ABNF 1.0;\n$r = a\n$b = c;\n", 3, 4, "cannot read '='"),
    ("#ABNF 1.0;\n$r = (a;\n", 2, 8, "where ')' must close"),
    ("#ABNF 1.0;\n$r = a];\n", 2, 7, "closes nothing"),
    ("#ABNF 1.0;\n$r = a", 2, 7, "ends inside a rule"),
    ("#ABNF 1.0;\n$r = a*;\n", 2, 7, "no operator"),
    ("#ABNF 1.0;\n$r = {t}<2>;\n", 2, 9, "nothing to repeat"),
    ("#ABNF 1.0;\n$r = a<3-2>;\n", 2, 7, "ends below"),
    ("#ABNF 1.0;\n$r = a<1- /7/>;\n", 2, 7, "not between 0 and 1"),
    ("#ABNF 1.0;\n$r = /x/ a;\n", 2, 6, "not a number"),
    ("#ABNF 1.0;\n$r = a /2/ b;\n", 2, 8, "inside an alternative"),
    ('#ABNF 1.0;\n$r = "a;\n', 2, 6, "unterminated quoted"),
    ("#ABNF 1.0;\n$r = a {b;\n", 2, 8, "unterminated tag"),
    ("#ABNF 1.0;\n/* $r = a;\n", 2, 1, "unterminated comment"),
    ("#ABNF 1.0;\n$r = a;\n$r = b;\n", 3, 1, "defined twice"),
    ("#ABNF 1.0;\n$NULL = b;\n", 2, 1, "special rule"),
    ("#JSGF V1.0;\n<r> = a;", 1, 12, "no name"),
    ("#JSGF V1.0;\ngrammar g;\n<r> = {t} a;", 3, 7, "nothing before it"),
    ("#JSGF V1.0;\ngrammar g;\nimport x;", 3, 1, "expected an import"),
    ("<grammar><rule>\n</grammar>", 2, 11, "cannot be read"),
    ("<x/>", 1, 1, "root element"),
    ("<grammar version='2.0'/>", 1, 1, "version"),
    (XML.format("\n <rule id='r'><foo/></rule>"), 2, 15, "cannot stand"),
    (XML.format("\n <rule id='r'><one-of>x</one-of></rule>"), 2, 15, "no <item>"),
    (XML.format("\n <rule id='r'><item repeat='x'>a</item></rule>"), 2, 15, "cannot read the repeat"),
    (XML.format("\n <rule id='r'><ruleref/></rule>"), 2, 15, "no uri"),
    (XML.format("\n <rule id='r'>\"a</rule>"), 2, 2, "unterminated quoted"),
    (XML.format("<rule id='NULL'/>"), 1, 75, "the name 'NULL'"),
    ("<!DOCTYPE g [<!ENTITY a 'b'>]>" + XML.format("<rule id='r'>&a;</rule>"), 1, 1, "entities"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), ERRORS)
def test_errors_tell_the_place(text, line, column, message):
    with pytest.raises(GrammarError, match=message.replace("(", r"\(").replace(")", r"\)")) as caught:
        read_grammar(text.encode())
    assert (caught.value.line, caught.value.column) == (line, column)
    if text.strip():
        assert caught.value.excerpt == text.split("\n")[line - 1][:160]


def test_wrong_encoding():
    with pytest.raises(GrammarError, match="not valid utf-8: byte 0xe3") as caught:
        read_grammar(b"#ABNF 1.0;\n$r = n\xe3o;")
    assert (caught.value.line, caught.value.column) == (2, 7)


def test_the_excerpt_of_a_long_line_is_short():
    with pytest.raises(GrammarError) as caught:
        read_grammar(b"#ABNF 1.0;\n$r = " + b"word | " * 100_000 + b";")
    assert len(caught.value.excerpt) <= 160


@pytest.mark.parametrize(
    "bomb",
    [
        "<!DOCTYPE g [" + "".join(f'<!ENTITY a{n + 1} "&a{n};&a{n};&a{n};&a{n};">' for n in range(30)) + "]>"
        + XML.format("<rule id='r'>&a30;</rule>"),
        '<!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + XML.format("<rule id='r'>&x;</rule>"),
        XML.format("<rule id='r'>" + "<item>" * 5000 + "</item>" * 5000 + "</rule>"),
    ],
    ids=["bomb", "external entity", "depth"],
)  # fmt: skip
def test_hostile_xml(bomb):
    with pytest.raises(GrammarError):
        read_grammar(bomb.encode())


@pytest.mark.parametrize(
    "text",
    [
        "#ABNF 1.0;\n$r = " + "(" * 10_000 + "a" + ")" * 10_000 + ";",
        "#ABNF 1.0;\n$r = " + "[" * 300 + "a" + "]" * 300 + ";",
        "#JSGF V1.0;\ngrammar g;\npublic <r> = " + "(" * 100_000,
    ],
)
def test_depth_is_bounded(text):
    with pytest.raises(GrammarError, match=r"nested deeper|ends inside"):
        read_grammar(text.encode())


pieces = st.sampled_from(
    [
        *[
            "#ABNF 1.0;",
            "#JSGF V1.0;",
            "grammar g;",
            "root $r;",
            "public ",
            "$r",
            "<r>",
            " = ",
            "a",
            " | ",
            "(",
            ")",
            "[",
        ],
        *[
            "]",
            "{",
            "}",
            "{!{",
            "}!}",
            "/",
            "<",
            ">",
            "<1-3>",
            '"',
            "\\",
            ";",
            "*",
            "+",
            "//",
            "/*",
            "*/",
            "!",
            "\n",
            "$",
        ],
        *[
            "é",
            "<grammar version='1.0'>",
            "</grammar>",
            "<rule id='r'>",
            "</rule>",
            "<item>",
            "</item>",
            "<one-of>",
            "\x00",
        ],
    ]
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(data=st.lists(pieces, max_size=25).map(lambda parts: "".join(parts).encode()) | st.binary(max_size=60))
@example(data=b"#ABNF 1.0 \xff;")
@example(data=b"\xff\xfe#\x00")
@example(data=b"<")
@example(data=b"#ABNF 1.0 rot13;\n$a = b;")
@example(data=b"#ABNF 1.0 hex;\n$a = b;")
@example(data=b'<?xml version="1.0" encoding="x"?><grammar/>')
def test_any_bytes_are_a_grammar_or_a_grammar_error(data):
    try:
        grammar = read_grammar(data)
    except GrammarError as error:
        message, line = str(error), error.line
    else:
        message, line = repr(grammar), None
    assert message
    assert line is None or line >= 1
