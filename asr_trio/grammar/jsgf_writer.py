"""Writer of JSGF 1.0."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from asr_trio.grammar.link import JSGF_SCHEME
from asr_trio.grammar.model import (
    JSGF_TAGS,
    LITERAL_TAGS,
    Choice,
    Expansion,
    Reference,
    Repeat,
    Sequence,
    Special,
    Tag,
    Token,
)
from asr_trio.grammar.writer import ALONE, ANYWHERE, IN_SEQUENCE, Piece, Writer, is_optional, number

_PLAIN: Final = re.compile(r'[^\s;=|*+<>()\[\]{}/"\\]+')
_MAX_COPIES: Final = 10_000
"""JSGF has no counted repeats: they are written out, up to so many copies in all."""


class JsgfWriter(Writer):
    """Writes ``#JSGF V1.0``."""

    notation: ClassVar[str] = "JSGF"

    def write(self) -> str:
        """Return the document."""
        grammar = self.grammar
        self._copies = 0
        self._imports: dict[str, None] = {}
        for tag in grammar.header_tags:
            raise self.error("a script before the rules", tag)
        if grammar.lexicons or grammar.metas:
            self.warn("lexicons and metas are left out")
        if grammar.mode == "dtmf":
            self.warn("the mode dtmf is left out")
        body = []
        single_root = self.root in grammar.rules
        for rule in grammar.rules.values():
            if rule.public and single_root and rule.name != self.root:
                self.warn("only the root rule is public: in JSGF every public rule is active")
            public = rule.name == self.root if single_root else rule.public
            scope = "public " if public else ""
            body.append(f"{scope}<{self.names[rule.name]}> = {self.text(rule.expansion)};")
        language = f" {grammar.language}" if grammar.language else ""
        lines = [f"#JSGF V1.0 UTF-8{language};"]
        tag_format = grammar.tag_format or LITERAL_TAGS
        if tag_format != JSGF_TAGS:
            lines.append(f"/** @tag-format {tag_format} */")
        lines.append(f"grammar {grammar.name or 'converted'};")
        lines.extend(f"import <{name}>;" for name in self._imports)
        return "\n".join([*lines, "", *body, ""])

    def pieces(self, node: Expansion, place: int) -> list[Piece]:
        """Return one expansion as text and smaller expansions."""
        if isinstance(node, Token):
            return [self._token(node)]
        if isinstance(node, Tag):
            text = f"<NULL> {self._tag(node)}"
            return [f"({text})" if place == ALONE else text]
        if isinstance(node, Special):
            return [f"<{node.name}>"]
        if isinstance(node, Reference):
            return [self._reference(node)]
        if isinstance(node, Repeat):
            return self._repeat(node, place)
        if node.language:
            self.warn("languages of parts are left out")
        if isinstance(node, Choice) and len(node.items) == 1 and not node.language:
            return [(node.items[0], place)]
        inner = self.alternatives(node, "<VOID>") if isinstance(node, Choice) else self._sequence(node)
        limit = IN_SEQUENCE if isinstance(node, Choice) else ALONE
        return inner if place < limit or len(inner) == 1 else ["(", *inner, ")"]

    def _sequence(self, node: Sequence) -> list[Piece]:
        """Write items; a tag is bound to a NULL of its own, so that it keeps its place whatever stands before it."""
        if not node.items:
            return ["<NULL>"]
        pieces: list[Piece] = []
        for index, item in enumerate(node.items):
            if index:
                pieces.append(" ")
            if isinstance(item, Tag) and index and isinstance(node.items[index - 1], Token | Reference | Tag):
                pieces.append(self._tag(item))  # binds to the one word before it, which means the same
            else:
                pieces.append((item, IN_SEQUENCE))
        return ["(", *pieces, ")"] if len(node.items) == 1 else pieces

    def _repeat(self, node: Repeat, place: int) -> list[Piece]:
        if is_optional(node):
            return ["[", (node.item, ANYWHERE), "]"]
        low, high, item = node.low, node.high, node.item
        if high is None and node.probability is not None:
            raise self.error("the probability of an open repeat", node)
        if high is None and low <= 1:
            pieces: list[Piece] = [(item, ALONE), "+" if low else "*"]
            return ["(", *pieces, ")"] if place == ALONE else pieces
        self._copies += low if high is None else high
        if self._copies > _MAX_COPIES:
            raise self.error(f"more than {_MAX_COPIES} counted repetitions", node)
        written: list[Piece] = ["("]
        for index in range(low):
            written += [" ", (item, ALONE)] if index else [(item, ALONE)]
        if high is None:
            written.append("+")
        else:
            separator = " " if low else ""
            for _ in range(high - low):
                if node.probability is None:
                    written += [f"{separator}[", (item, IN_SEQUENCE)]
                else:
                    stop, go_on = number(1 - node.probability), number(node.probability)
                    written += [f"{separator}(/{stop}/ <NULL> | /{go_on}/ ", (item, IN_SEQUENCE)]
                separator = " "
            written.append(("]" if node.probability is None else ")") * (high - low))
            if not high:
                written.append("<NULL>")
        return [*written, ")"]

    def _token(self, node: Token) -> str:
        if node.language or node.pronunciations:
            self.warn("languages and pronunciations of tokens are left out")
        if _PLAIN.fullmatch(node.text):
            return node.text
        escaped = node.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    def _tag(self, tag: Tag) -> str:
        return "{" + re.sub(r"([\\{}])", r"\\\1", tag.text) + "}"

    def _reference(self, node: Reference) -> str:
        if node.language:
            self.warn("languages of parts are left out")
        uri, name = self.target(node)
        if not uri:
            return f"<{self.names.get(name, name)}>"
        if not uri.startswith(JSGF_SCHEME) or not name:
            raise self.error(f"the reference to {uri}", node)
        full = f"{uri.removeprefix(JSGF_SCHEME)}.{name}"
        self._imports[full] = None
        return f"<{full}>"
