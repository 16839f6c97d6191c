"""Reader of the ABNF form of SRGS 1.0."""

from __future__ import annotations

import re
from typing import Final

from asr_trio.grammar.model import External, Grammar, Meta, Rule, Tag
from asr_trio.grammar.notation import SKIP, ExpansionReader, Notation, lexer
from asr_trio.grammar.source import Source

_NAME: Final = r"[\w][\w.\-:]*"
_TAG: Final = r"\{!\{(?s:.*?)\}!\}|\{[^}]*\}"

NOTATION: Final = Notation(
    lexer=lexer(
        r'[^\s;=|*+<>()\[\]{}/"$!]',
        r'(?P<quoted>"[^"]*")',
        rf"(?P<reference>\$(?:<(?P<uri>[^>\s]*)>(?:~<(?P<media_type>[^>]*)>)?|(?P<name>{_NAME})))",
        rf"(?P<tag>{_TAG})",
        r"(?P<repeat><[^>;|]*>)",
        r"(?P<language>![A-Za-z0-9-]+)",
    ),
    backslash=False,
    tags_bind=False,
    operator_hint="ABNF repeats by <0-> (any number) and <1-> (once or more)",
)

_HEADER: Final = re.compile(r"\s*#ABNF[ \t]+1\.0(?:[ \t]+(?P<encoding>[^\s;]+))?\s*;")
_RULE: Final = re.compile(rf"{SKIP}(?:(?P<scope>public|private)\b{SKIP})?\$(?P<name>{_NAME}){SKIP}=")
_DECLARATION: Final = re.compile(
    SKIP
    + rf"""(?:language\b{SKIP}(?P<language>[\w-]+)
    |mode\b{SKIP}(?P<mode>voice|dtmf)
    |root\b{SKIP}\$(?P<root>{_NAME})
    |tag-format\b{SKIP}<(?P<tag_format>[^>]*)>
    |base\b{SKIP}<(?P<base>[^>]*)>
    |lexicon\b{SKIP}\$?<(?P<lexicon>[^>]*)>(?:~<(?P<lexicon_type>[^>]*)>)?
    |(?P<meta>meta|http-equiv)\b{SKIP}(?P<key>"[^"]*"|'[^']*'){SKIP}is\b{SKIP}(?P<content>"[^"]*"|'[^']*')
    |(?P<tag>{_TAG})
    ){SKIP};""".replace("\n    ", "")
)
_END: Final = re.compile(SKIP + r"\Z")
_FIRST_WORD: Final = re.compile(SKIP + r"(\S{0,40})")


def read(source: Source) -> Grammar:
    """Read an ABNF document.

    Raises:
        GrammarError: it is not one.
    """
    header = _HEADER.match(source.text)
    if header is None:
        raise source.error("the text does not begin with '#ABNF 1.0;'", 0, "add the line: #ABNF 1.0 UTF-8;")
    grammar = Grammar(notation="abnf", source=source, encoding=header["encoding"] or "", rules={})
    grammar.lexicons, grammar.metas, grammar.header_tags, grammar.warnings = [], [], [], []
    expansions = ExpansionReader(source, NOTATION)
    offset = header.end()
    while not _END.match(source.text, offset):
        rule = _RULE.match(source.text, offset)
        if rule is not None:
            offset = _read_rule(grammar, expansions, rule)
            continue
        declaration = _DECLARATION.match(source.text, offset)
        if declaration is None:
            raise _unreadable(source, offset)
        _declare(grammar, declaration)
        offset = declaration.end()
    return grammar


def _read_rule(grammar: Grammar, expansions: ExpansionReader, match: re.Match[str]) -> int:
    name, at = match["name"], match.start("name") - 1
    if name in {"NULL", "VOID", "GARBAGE"}:
        raise grammar.source.error(f"the special rule ${name} cannot be defined", at)
    if name in grammar.rules:
        line, _, _ = grammar.source.position(grammar.rules[name].at)
        raise grammar.source.error(f"the rule ${name} is defined twice", at, f"the other definition is in line {line}")
    expansion, end = expansions.read(match.end())
    grammar.rules[name] = Rule(name, expansion, match["scope"] == "public", at)
    return end


def _declare(grammar: Grammar, match: re.Match[str]) -> None:
    kind = next(
        name
        for name in ("language", "mode", "root", "tag_format", "base", "lexicon", "meta", "tag")
        if match[name] is not None
    )
    at = match.start(kind)
    if kind == "lexicon":
        grammar.lexicons.append(External(match[kind].strip(), (match["lexicon_type"] or "").strip(), at))
    elif kind == "meta":
        grammar.metas.append(Meta(match["key"][1:-1], match["content"][1:-1], match["meta"] == "http-equiv"))
    elif kind == "tag":
        written = match["tag"]
        text = written[3:-3] if written.startswith("{!{") else written[1:-1]
        grammar.header_tags.append(Tag(at, text.strip()))
    else:
        setattr(grammar, kind, match[kind].strip())


def _unreadable(source: Source, offset: int) -> Exception:
    match = _FIRST_WORD.match(source.text, offset)
    at, word = (match.start(1), match[1]) if match else (offset, "")
    if word.startswith(("/*", '"')):
        return source.error("an unterminated comment", at)
    return source.error(
        f"expected a declaration or a rule, found {word!r}", at, "a rule is: $name = words; and ends with ';'"
    )
