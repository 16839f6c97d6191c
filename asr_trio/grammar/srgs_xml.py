"""Reader of the XML form of SRGS 1.0 (GrXML).

The parser loads nothing: no DTD, no entity, no network. libxml2 itself bounds depth (256) and the length of texts.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from asr_trio.errors import GrammarError
from asr_trio.grammar.model import (
    Choice,
    Expansion,
    External,
    Grammar,
    Meta,
    Reference,
    Repeat,
    Rule,
    Sequence,
    Special,
    Tag,
    Token,
)
from asr_trio.grammar.source import Source

NAMESPACE: Final = "http://www.w3.org/2001/06/grammar"
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"
_SPECIAL: Final = frozenset({"NULL", "VOID", "GARBAGE"})
_REPEAT: Final = re.compile(r"\s*(\d{1,6})\s*(-\s*(\d{1,6})?)?\s*")
_TEXT_TOKEN: Final = re.compile(r'"([^"]*)"|[^\s"]+|(")')
_NUMBER: Final = re.compile(r"\s*\+?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})([eE][+-]?\d{1,2})?\s*")


def looks_like_xml(data: bytes) -> bool:
    """Tell whether a document begins as XML does, in UTF-8 or UTF-16."""
    start = data[:64].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return start.startswith(b"<")


def read(data: bytes, *, name: str = "", external: bool = False) -> Grammar:
    """Read a GrXML document.

    Raises:
        GrammarError: it is not one.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        text = _decoded(data, "utf-8")
        excerpt = text.split("\n")[line - 1][:160].rstrip("\r") if 0 < line <= text.count("\n") + 1 else ""
        message = str(error.msg or "not well-formed")
        raise GrammarError(
            f"{name + ': ' if external else ''}the XML cannot be read: {message}",
            line=max(line, 1),
            column=max(column, 1),
            excerpt=excerpt,
            hint="nest elements less deeply" if "depth" in message else "check the tags around this place",
        ) from error
    except ValueError as error:  # an encoding that nobody knows
        raise GrammarError(f"the XML cannot be read: {error}", line=1, column=1, hint="save it as UTF-8") from error
    encoding = root.getroottree().docinfo.encoding or "UTF-8"
    return _Reader(Source(_decoded(data, encoding), name, external), encoding).read(root)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode("utf-8-sig" if encoding.upper() == "UTF-8" else encoding, errors="replace")
    except LookupError:
        return data.decode("latin-1")


class _Reader:
    """Walks one element tree."""

    def __init__(self, source: Source, encoding: str) -> None:
        self._source = source
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", source.text))]
        self._grammar = Grammar(
            notation="xml",
            source=source,
            encoding=encoding,
            lexicons=[],
            metas=[],
            header_tags=[],
            rules={},
            warnings=[],
        )

    def read(self, root: etree._Element) -> Grammar:
        grammar = self._grammar
        if _local_name(root) != "grammar":
            raise self._error(root, f"the root element is <{_local_name(root)}>", "begin with <grammar version='1.0'>")
        if root.get("version", "1.0") != "1.0":
            raise self._error(root, f"SRGS version {root.get('version')!r} is not known", "write version='1.0'")
        grammar.language = root.get(f"{_XML}lang", "")
        grammar.base = root.get(f"{_XML}base", "")
        grammar.root = root.get("root", "")
        grammar.tag_format = root.get("tag-format", "")
        mode = root.get("mode", "voice")
        if mode not in {"voice", "dtmf"}:
            raise self._error(root, f"the mode {mode!r} is not known", "write mode='voice'")
        grammar.mode = "dtmf" if mode == "dtmf" else "voice"
        for child in root:
            self._declaration(child)
        return grammar

    def _declaration(self, element: etree._Element) -> None:
        grammar = self._grammar
        kind = self._kind(element)
        if kind == "rule":
            self._rule(element)
        elif kind == "tag":
            grammar.header_tags.append(Tag(self._at(element), (element.text or "").strip()))
        elif kind == "lexicon":
            grammar.lexicons.append(External(element.get("uri", ""), element.get("type", ""), self._at(element)))
        elif kind == "meta":
            key = element.get("http-equiv")
            grammar.metas.append(Meta(key or element.get("name", ""), element.get("content", ""), key is not None))
        elif kind not in {"metadata", ""}:
            raise self._error(element, f"<{kind}> cannot stand here", "rules stand directly in <grammar>")

    def _rule(self, element: etree._Element) -> None:
        name = element.get("id", "")
        if not name or name in _SPECIAL:
            raise self._error(element, f"a rule cannot have the name {name!r}", "write <rule id='name'>")
        if name in self._grammar.rules:
            line, _, _ = self._source.position(self._grammar.rules[name].at)
            raise self._error(element, f"the rule {name!r} is defined twice", f"the other one is in line {line}")
        scope = element.get("scope", "private")
        if scope not in {"public", "private"}:
            raise self._error(element, f"the scope {scope!r} is not known", "write scope='public'")
        self._grammar.rules[name] = Rule(name, self._content(element), scope == "public", self._at(element))

    def _content(self, element: etree._Element) -> Expansion:
        """Return what is in a rule or an item, as one expansion."""
        items: list[Expansion] = []
        self._text(element, element.text, items)
        for child in element:
            expansion = self._child(child)
            if expansion is not None:
                items.append(expansion)
            self._text(element, child.tail, items)
        return items[0] if len(items) == 1 else Sequence(self._at(element), tuple(items))

    def _text(self, element: etree._Element, text: str | None, items: list[Expansion]) -> None:
        if text is None or text.isspace():
            return
        at = self._at(element)
        for match in _TEXT_TOKEN.finditer(text):
            if match[2]:
                raise self._error(element, "an unterminated quoted token", "close the quotation mark")
            token = match[0] if match[1] is None else " ".join(match[1].split())
            if not token:
                raise self._error(element, "an empty quoted token", "remove it")
            items.append(Token(at, token))

    def _child(self, element: etree._Element) -> Expansion | None:
        kind = self._kind(element)
        at = self._at(element)
        language = element.get(f"{_XML}lang", "")
        if kind == "item":
            return self._item(element)
        if kind == "one-of":
            return self._one_of(element, language)
        if kind == "ruleref":
            return self._reference(element, language)
        if kind == "tag":
            return Tag(at, (element.text or "").strip())
        if kind == "token":
            text = " ".join((element.text or "").replace('"', " ").split())
            if not text or len(element):
                raise self._error(element, "<token> holds words only", "write <token>word</token>")
            return Token(at, text, _given_pronunciations(element), language)
        if kind in {"example", ""}:
            return None
        raise self._error(element, f"<{kind}> cannot stand in a rule", "use item, one-of, ruleref, token or tag")

    def _item(self, element: etree._Element) -> Expansion:
        content = self._content(element)
        at = self._at(element)
        language = element.get(f"{_XML}lang", "")
        if language:
            content = Sequence(at, (content,), language)
        written = element.get("repeat")
        probability = element.get("repeat-prob")
        if written is None:
            return content
        match = _REPEAT.fullmatch(written)
        if match is None:
            raise self._error(element, f"cannot read the repeat {written!r}", "write repeat='0-1', '3' or '1-'")
        low = int(match[1])
        high = low if match[2] is None else int(match[3]) if match[3] else None
        if high is not None and high < low:
            raise self._error(element, f"the repeat {written!r} ends below its start")
        chance = None if probability is None else self._number(element, probability)
        if chance is not None and not 0 <= chance <= 1:
            raise self._error(element, f"the probability {probability} is not between 0 and 1")
        return Repeat(at, content, low, high, chance)

    def _one_of(self, element: etree._Element, language: str) -> Expansion:
        items: list[Expansion] = []
        weights: list[float] = []
        weighted = False
        for child in element:
            kind = self._kind(child)
            if kind == "":
                continue
            if kind != "item":
                self._without_item(child, kind, items)
                weights += [1.0] * (len(items) - len(weights))
                continue
            items.append(self._item(child))
            weight = child.get("weight")
            weighted |= weight is not None
            weights.append(1.0 if weight is None else self._number(child, weight))
        if not items:
            raise self._error(element, "<one-of> has no <item>", "give it at least one")
        if (element.text and element.text.strip()) or any(child.tail and child.tail.strip() for child in element):
            raise self._error(element, "words stand in <one-of> outside of an <item>", "put them into an <item>")
        return Choice(self._at(element), tuple(items), tuple(weights) if weighted else (), language)

    def _without_item(self, element: etree._Element, kind: str, items: list[Expansion]) -> None:
        """Take what stands in a <one-of> without its <item>, where it is plain what its author wants.

        A reference or token is an alternative of its own; a tag belongs to the alternative before it.
        """
        child = self._child(element)
        if isinstance(child, Tag) and items:
            items[-1] = Sequence(items[-1].at, (items[-1], child))
        elif isinstance(child, Reference | Special | Token):
            items.append(child)
        else:
            raise self._error(element, f"<{kind}> cannot stand in <one-of>", "put it into an <item>")
        self._grammar.warnings.append(f"<{kind}> stands in <one-of> without an <item> (line {element.sourceline})")

    def _reference(self, element: etree._Element, language: str) -> Expansion:
        special, uri = element.get("special"), element.get("uri")
        at = self._at(element)
        if special is not None:
            if special not in _SPECIAL or uri is not None:
                raise self._error(element, f"the special rule {special!r} is not known", "NULL, VOID or GARBAGE")
            return Special(at, special)
        if not uri:
            raise self._error(element, "<ruleref> has no uri", "write <ruleref uri='#name'/>")
        location, _, name = uri.partition("#")
        if not location and not name:
            raise self._error(element, "<ruleref> names no rule", "write <ruleref uri='#name'/>")
        return Reference(at, name.strip(), location.strip(), element.get("type", ""), language)

    # --- small parts ----------------------------------------------------------------------------------------------

    def _kind(self, element: etree._Element) -> str:
        """Return the local name of an element of SRGS; "" for foreign ones, which are skipped."""
        if not isinstance(element.tag, str):
            raise self._error(element, "entities are not taken", "write the text itself")
        name = etree.QName(element)
        if name.namespace in {None, NAMESPACE}:
            return str(name.localname)
        self._grammar.warnings.append(f"skipped <{name.localname}> of another vocabulary (line {element.sourceline})")
        return ""

    def _number(self, element: etree._Element, written: str) -> float:
        if _NUMBER.fullmatch(written) is None:
            raise self._error(element, f"{written!r} is not a number of 0 or more", "write a number such as 2.5")
        return float(written)

    def _at(self, element: etree._Element) -> int:
        return self._line_starts[min((element.sourceline or 1) - 1, len(self._line_starts) - 1)]

    def _error(self, element: etree._Element, message: str, hint: str = "") -> GrammarError:
        start = self._at(element)
        name = _local_name(element)
        found = self._source.text.find(f"<{name}", start) if name else -1
        end = self._source.text.find("\n", start)
        return self._source.error(message, found if start <= found and (end < 0 or found < end) else start, hint)


def _local_name(element: etree._Element) -> str:
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def _given_pronunciations(element: etree._Element) -> tuple[str, ...]:
    """Return phones given on the token itself, by an attribute ``pron`` of any vocabulary; ``;`` separates variants."""
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] in {"pron", "pronunciation", "ph"}:
            return tuple(" ".join(variant.split()) for variant in str(value).split(";") if variant.strip())
    return ()
