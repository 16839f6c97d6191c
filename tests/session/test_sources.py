from __future__ import annotations

import pytest

from asr_trio.errors import GrammarError, LanguageModelNotFoundError, NoLanguageModelError, RemoteProtocolError
from asr_trio.session.events import GrammarSource, PreparedSource, UriSource
from asr_trio.session.sources import GRAMMAR_TYPES, MAX_URIS, parse_sources

ABNF = b"#ABNF 1.0 UTF-8;\nroot $r;\n$r = a;"
JSGF = b"#JSGF V1.0;\ngrammar g;\npublic <r> = a;"
XML = b"<?xml version='1.0'?>\n<grammar/>"
GRAMMARS = [ABNF, JSGF, XML, b"<grammar/>", b"\xef\xbb\xbf" + ABNF, b"\n  " + ABNF]


def parse(body, content_type=None, content_id=None, aliases=None):
    return parse_sources(content_type, content_id, body, aliases=aliases or {}, max_grammar_bytes=1000)


@pytest.mark.parametrize("content_type", sorted(GRAMMAR_TYPES))
@pytest.mark.parametrize("body", [ABNF, b"builtin:slm/general"])
def test_grammar_types_are_grammars(content_type, body):
    assert parse(body, content_type, "g") == (GrammarSource(text=body, content_type=content_type, lm="session:g"),)


@pytest.mark.parametrize("content_type", [None, "text/plain"])
@pytest.mark.parametrize("body", GRAMMARS)
def test_grammars_are_known_by_their_beginning(content_type, body):
    (source,) = parse(body, content_type)
    assert isinstance(source, GrammarSource)
    assert source.lm == "session:inline"


@pytest.mark.parametrize("content_type", [None, "text/plain", "text/uri-list"])
def test_uri_lists_are_known_by_their_beginning(content_type):
    assert parse(b"builtin:slm/general", content_type) == (UriSource(uri="builtin:slm/general"),)


def test_a_content_id_makes_no_grammar_of_a_list():
    assert parse(b"builtin:slm/general", "text/uri-list", "g") == (UriSource(uri="builtin:slm/general"),)


def test_plain_text_without_uri_is_a_grammar_with_a_fault():
    (source,) = parse(b"root $r; $r = a;", "text/plain")
    assert isinstance(source, GrammarSource)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r", b"\0\n", b" \t\n"])
def test_lines_of_a_list_end_as_clients_end_them(ending):
    body = ending.join((b"builtin:slm/general", b"", b"# comment", b"  file:///a.gram", b"HTTPS://h/b")) + ending
    assert [source.uri for source in parse(body, "text/uri-list")] == [
        "builtin:slm/general",
        "file:///a.gram",
        "HTTPS://h/b",
    ]


def test_unknown_schemes_are_skipped():
    assert parse(b"urn:x\nbuiltin:slm/general\nftp://h/x", "text/uri-list") == (UriSource(uri="builtin:slm/general"),)


def test_a_model_named_twice_is_one():
    assert len(parse(b"builtin:a\nbuiltin:a", "text/uri-list")) == 1


def test_session_names_are_resolved():
    prepared = PreparedSource(prepared=1, lm="session:a b:c")
    assert parse(b"session:a b:c\nbuiltin:x", "text/uri-list", aliases={"a b:c": prepared}) == (
        prepared,
        UriSource(uri="builtin:x"),
    )


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"", None, NoLanguageModelError),
        (b" \n", "text/uri-list", NoLanguageModelError),
        (b"", "application/srgs", NoLanguageModelError),
        (b"urn:x", "text/uri-list", NoLanguageModelError),
        (b"\xff\xfe", "text/uri-list", NoLanguageModelError),
        (b"session:nobody", "text/uri-list", LanguageModelNotFoundError),
        (ABNF, "image/png", RemoteProtocolError),
        (ABNF + b" " * 1000, "application/srgs", GrammarError),
        (b"\n".join(b"builtin:%d" % i for i in range(MAX_URIS + 1)), "text/uri-list", NoLanguageModelError),
    ],
)
def test_what_cannot_be_used(body, content_type, error):
    with pytest.raises(error):
        parse(body, content_type)
