"""Reader of JSGF 1.0 (JSpeech Grammar Format, W3C Note of 2000)."""

from __future__ import annotations

import re
from typing import Final

from asr_trio.grammar.model import JSGF_TAGS, External, Grammar, Rule
from asr_trio.grammar.notation import SKIP, ExpansionReader, Notation, lexer
from asr_trio.grammar.source import Source

_NAME: Final = r'[^\s<>;=|*+()\[\]{}/"#.]+(?:\.[^\s<>;=|*+()\[\]{}/"#.]+)*'

NOTATION: Final = Notation(
    lexer=lexer(
        r'[^\s;=|*+<>()\[\]{}/"]',
        r'(?P<quoted>"(?:[^"\\]|\\(?s:.))*+")',
        rf"(?P<reference><\s*(?P<name>{_NAME})\s*>)",
        r"(?P<tag>\{(?:[^\\}]|\\(?s:.))*+\})",
    ),
    backslash=True,
    tags_bind=True,
    operator_hint="",
)

_HEADER: Final = re.compile(r"\s*#JSGF[ \t]+V1\.0(?:[ \t]+(?P<encoding>[^\s;]+))?(?:[ \t]+(?P<language>[^\s;]+))?\s*;")
_TAG_FORMAT: Final = re.compile(r"/\*\*(?:[^*]|\*(?!/))*?@tag-format\s+(?P<tag_format>[^\s*]+)")
_TAG_FORMAT_WITHIN: Final = 4096
_GRAMMAR: Final = re.compile(rf"{SKIP}grammar\b{SKIP}(?P<name>{_NAME}){SKIP};")
_IMPORT: Final = re.compile(rf"{SKIP}import\b{SKIP}<\s*(?P<name>{_NAME}(?:\.\*)?)\s*>{SKIP};")
_RULE: Final = re.compile(rf"{SKIP}(?:(?P<scope>public)\b{SKIP})?<\s*(?P<name>{_NAME})\s*>{SKIP}=")
_END: Final = re.compile(SKIP + r"\Z")
_FIRST_WORD: Final = re.compile(SKIP + r"(\S{0,40})")


def read(source: Source) -> Grammar:
    """Read a JSGF document.

    Raises:
        GrammarError: it is not one.
    """
    text = source.text
    header = _HEADER.match(text)
    if header is None:
        raise source.error("the text does not begin with '#JSGF V1.0;'", 0, "add the line: #JSGF V1.0;")
    name = _GRAMMAR.match(text, header.end())
    if name is None:
        raise source.error("the grammar has no name", header.end(), "add the line: grammar name;")
    grammar = Grammar(
        notation="jsgf",
        source=source,
        name=name["name"],
        encoding=header["encoding"] or "",
        language=(header["language"] or "").replace("_", "-"),
        tag_format=JSGF_TAGS,
        imports=[],
        rules={},
        warnings=[],
    )
    declared = _TAG_FORMAT.search(text, 0, min(name.start("name"), _TAG_FORMAT_WITHIN))
    if declared is not None:  # a documentation tag of ours: JSGF leaves open what tags mean
        grammar.tag_format = declared["tag_format"]
    offset = name.end()
    expansions = ExpansionReader(source, NOTATION)
    while not _END.match(text, offset):
        match = _IMPORT.match(text, offset)
        if match is not None:
            grammar.imports.append(External(match["name"], at=match.start("name") - 1))
            offset = match.end()
            continue
        match = _RULE.match(text, offset)
        if match is None:
            raise _unreadable(source, offset)
        offset = _read_rule(grammar, expansions, match)
    return grammar


def _read_rule(grammar: Grammar, expansions: ExpansionReader, match: re.Match[str]) -> int:
    name, at = match["name"], match.start("name") - 1
    if name in {"NULL", "VOID"}:
        raise grammar.source.error(f"the special rule <{name}> cannot be defined", at)
    if name in grammar.rules:
        line, _, _ = grammar.source.position(grammar.rules[name].at)
        raise grammar.source.error(f"the rule <{name}> is defined twice", at, f"the other definition is in line {line}")
    expansion, end = expansions.read(match.end())
    grammar.rules[name] = Rule(name, expansion, match["scope"] is not None, at)
    return end


def _unreadable(source: Source, offset: int) -> Exception:
    match = _FIRST_WORD.match(source.text, offset)
    at, word = (match.start(1), match[1]) if match else (offset, "")
    if word.startswith("/*"):
        return source.error("an unterminated comment", at)
    return source.error(
        f"expected an import or a rule, found {word!r}", at, "a rule is: public <name> = words; and ends with ';'"
    )
