"""Writers of the two forms of SRGS 1.0."""

from __future__ import annotations

import re
from typing import ClassVar, Final
from xml.sax.saxutils import escape, quoteattr

from asr_trio.grammar.model import (
    Choice,
    Expansion,
    Reference,
    Repeat,
    Sequence,
    Special,
    Tag,
    Token,
)
from asr_trio.grammar.srgs_xml import NAMESPACE
from asr_trio.grammar.writer import ALONE, ANYWHERE, IN_SEQUENCE, Piece, Writer, is_optional, number

_PLAIN: Final = re.compile(r'[^\s;=|*+<>()\[\]{}/"$!]+')
_EXTENSION: Final = "urn:x-asr-trio:grammar"


class AbnfWriter(Writer):
    """Writes ``#ABNF 1.0``."""

    notation: ClassVar[str] = "ABNF"

    def write(self) -> str:
        """Return the document."""
        grammar = self.grammar
        rules = self.rules()
        lines = ["#ABNF 1.0 UTF-8;"]
        if grammar.language:
            lines.append(f"language {grammar.language};")
        lines.append(f"mode {grammar.mode};")
        if self.root:
            lines.append(f"root ${self.names[self.root]};")
        if grammar.tag_format:
            lines.append(f"tag-format <{grammar.tag_format}>;")
        if grammar.base:
            lines.append(f"base <{grammar.base}>;")
        for lexicon in grammar.lexicons:
            media_type = f"~<{lexicon.media_type}>" if lexicon.media_type else ""
            lines.append(f"lexicon <{lexicon.uri}>{media_type};")
        for meta in grammar.metas:
            keyword = "http-equiv" if meta.http_equiv else "meta"
            lines.append(f"{keyword} {self._quoted(meta.name)} is {self._quoted(meta.content)};")
        lines.extend(f"{self._tag(tag)};" for tag in grammar.header_tags)
        lines.append("")
        for rule in rules:
            scope = "public " if rule.public else ""
            lines.append(f"{scope}${self.names[rule.name]} = {self.text(rule.expansion)};")
        return "\n".join(lines) + "\n"

    def pieces(self, node: Expansion, place: int) -> list[Piece]:
        """Return one expansion as text and smaller expansions."""
        if isinstance(node, Token):
            return [self._token(node)]
        if isinstance(node, Tag):
            return [f"({self._tag(node)})" if place == ALONE else self._tag(node)]
        if isinstance(node, Special):
            return [f"${node.name}"]
        if isinstance(node, Reference):
            return [self._reference(node)]
        if isinstance(node, Repeat):
            if is_optional(node):
                return ["[", (node.item, ANYWHERE), "]"]
            probability = "" if node.probability is None else f" /{number(node.probability)}/"
            times = f"{node.low}" if node.low == node.high else f"{node.low}-{'' if node.high is None else node.high}"
            pieces: list[Piece] = [(node.item, ALONE), f"<{times}{probability}>"]
            return ["(", *pieces, ")"] if place == ALONE else pieces
        language = f"!{node.language}" if node.language else ""
        if isinstance(node, Choice) and len(node.items) == 1 and not node.language:
            return [(node.items[0], place)]
        inner = self.alternatives(node, "$VOID") if isinstance(node, Choice) else self._sequence(node)
        single = len(inner) == 1 and not language
        limit = IN_SEQUENCE if isinstance(node, Choice) else ALONE
        if single or (place < limit and not language):
            return inner
        return ["(", *inner, f"){language}"]

    def _sequence(self, node: Sequence) -> list[Piece]:
        if not node.items:
            return ["$NULL"]
        place = IN_SEQUENCE
        pieces: list[Piece] = [(node.items[0], place)]
        for item in node.items[1:]:
            pieces += [" ", (item, place)]
        return ["(", *pieces, ")"] if len(node.items) == 1 else pieces

    def _token(self, node: Token) -> str:
        if node.pronunciations:
            self.warn("pronunciations of tokens are left out")
        text = node.text
        if not _PLAIN.fullmatch(text) or text.startswith("//"):
            text = self._quoted(text, node)
        return f"{text}!{node.language}" if node.language else text

    def _quoted(self, text: str, node: Expansion | None = None) -> str:
        if '"' in text:
            raise self.error(f"the text {text!r} with a quotation mark", node or Token())
        return f'"{text}"'

    def _tag(self, tag: Tag) -> str:
        if "{" not in tag.text and "}" not in tag.text:
            return f"{{{tag.text}}}"
        if "}!}" in tag.text:
            raise self.error("a tag with '}!}'", tag)
        return f"{{!{{{tag.text}}}!}}"

    def _reference(self, node: Reference) -> str:
        uri, name = self.target(node)
        language = f"!{node.language}" if node.language else ""
        if not uri:
            return f"${self.names.get(name, name)}{language}"
        media_type = f"~<{node.media_type}>" if node.media_type else ""
        return f"$<{uri}{'#' if name else ''}{name}>{media_type}{language}"


class XmlWriter(Writer):
    """Writes GrXML."""

    notation: ClassVar[str] = "XML"

    def write(self) -> str:
        """Return the document."""
        grammar = self.grammar
        rules = self.rules()
        attributes = {"version": "1.0", "xmlns": NAMESPACE, "xml:lang": grammar.language, "mode": grammar.mode}
        attributes |= {
            "root": self.names[self.root] if self.root else "",
            "tag-format": grammar.tag_format,
            "xml:base": grammar.base,
        }
        body = [self._rule(rule.name, rule.public, self.text(rule.expansion)) for rule in rules]
        head: list[str] = []
        head.extend(
            _element("lexicon", {"uri": lexicon.uri, "type": lexicon.media_type}) for lexicon in grammar.lexicons
        )
        for meta in grammar.metas:
            key = "http-equiv" if meta.http_equiv else "name"
            head.append(_element("meta", {key: meta.name, "content": meta.content}))
        head.extend(f"<tag>{self._text(tag.text, tag)}</tag>" for tag in grammar.header_tags)
        if any("x:pron=" in rule for rule in body):
            attributes["xmlns:x"] = _EXTENSION
        opening = _element("grammar", attributes).removesuffix("/>")
        return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', f"{opening}>", *head, *body, "</grammar>", ""])

    def _rule(self, name: str, public: bool, content: str) -> str:  # noqa: FBT001 - the model's own field
        scope = ' scope="public"' if public else ""
        return f"<rule id={quoteattr(self.names[name])}{scope}>{content}</rule>"

    def pieces(self, node: Expansion, place: int) -> list[Piece]:  # noqa: ARG002 - elements delimit themselves
        """Return one expansion as text and smaller expansions."""
        if isinstance(node, Token):
            return [self._token(node)]
        if isinstance(node, Tag):
            return [f"<tag>{self._text(node.text, node)}</tag>"]
        if isinstance(node, Special):
            return [_element("ruleref", {"special": node.name})]
        if isinstance(node, Reference):
            uri, name = self.target(node)
            name = name if uri else self.names.get(name, name)
            where = f"{uri}{'#' if name else ''}{name}"
            return [_element("ruleref", {"uri": where, "type": node.media_type, "xml:lang": node.language})]
        if isinstance(node, Repeat):
            times = f"{node.low}" if node.low == node.high else f"{node.low}-{'' if node.high is None else node.high}"
            probability = "" if node.probability is None else number(node.probability)
            opening = _element("item", {"repeat": times, "repeat-prob": probability}).removesuffix("/>")
            return [f"{opening}>", (node.item, ANYWHERE), "</item>"]
        if isinstance(node, Choice):
            return self._one_of(node)
        opening = _element("item", {"xml:lang": node.language}).removesuffix("/>")
        pieces: list[Piece] = [f"{opening}>"]
        for index, item in enumerate(node.items):
            pieces += [" ", (item, ANYWHERE)] if index else [(item, ANYWHERE)]
        return [*pieces, "</item>"]

    def _one_of(self, node: Choice) -> list[Piece]:
        if not node.items:
            return [_element("ruleref", {"special": "VOID"})]
        pieces: list[Piece] = [_element("one-of", {"xml:lang": node.language}).removesuffix("/>") + ">"]
        for index, item in enumerate(node.items):
            weight = number(node.weights[index]) if node.weights else ""
            pieces += [_element("item", {"weight": weight}).removesuffix("/>") + ">", (item, ANYWHERE), "</item>"]
        return [*pieces, "</one-of>"]

    def _token(self, node: Token) -> str:
        if '"' in node.text:
            raise self.error(f"the token {node.text!r} with a quotation mark", node)
        if " " not in node.text and not node.language and not node.pronunciations:
            return self._text(node.text, node)
        attributes = {"xml:lang": node.language, "x:pron": "; ".join(node.pronunciations)}
        opening = _element("token", attributes).removesuffix("/>")
        return f"{opening}>{self._text(node.text, node)}</token>"

    def _text(self, text: str, node: Expansion) -> str:
        if re.search(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text):
            raise self.error("a control character", node)
        return escape(text).replace("\r", "&#13;")


def _element(name: str, attributes: dict[str, str]) -> str:
    """Return an empty element; attributes without a value are left out."""
    return f"<{name}{''.join(f' {key}={quoteattr(value)}' for key, value in attributes.items() if value)}/>"
