"""Reading rule expansions, for the two textual notations.

ABNF and JSGF share the shape of an expansion (alternatives, sequences, groups, postfix operators, tags) and differ in
its lexical form; so a notation is a regular expression with named groups, and one shift-reduce loop with its own
stack does the rest. A run of plain words is one lexical unit: word lists of 50 000 names are what this is fast for
(about 2 µs a name; the general parser generators cost a hundred times that).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from asr_trio.grammar.model import Choice, Expansion, Reference, Repeat, Sequence, Special, Tag, Token
from asr_trio.grammar.source import Source

SKIP: Final = r"(?:\s|//[^\n]*+|/\*(?s:.*?)\*/)*+"
"""White space and comments; possessive, so that a failure after it is not tried again."""

MAX_DEPTH: Final = 250
"""Nesting of groups: authors need less than ten; below libxml2's own bound for the XML form."""

_UNTERMINATED: Final = {
    "/": "an unterminated comment, weight or probability",
    '"': "an unterminated quoted token",
    "{": "an unterminated tag",
    "<": "an unterminated '<'",
    "$": "'$' without a rule name",
}


class Notation(msgspec.Struct, frozen=True):
    """What is lexically particular to a notation.

    Attributes:
        lexer: one alternative per lexical unit. Group names: words, quoted, reference (with its own sub-groups), tag
            or tag_open, weight, repeat, star, plus, open, close, bar, end, language, bad.
        backslash: quoted tokens and tags escape by a backslash.
        tags_bind: a tag belongs to the item before it (JSGF), rather than standing in the sequence (SRGS).
        operator_hint: what to write instead of ``*`` and ``+``, or "" where they are the notation's own.
    """

    lexer: re.Pattern[str]
    backslash: bool
    tags_bind: bool
    operator_hint: str


_OPERATORS: Final = (
    r"(?P<words>{word}++(?:[ \t]++{word}++)*+)|(?P<bar>\|)|(?P<open>[(\[])|(?P<close>[)\]])|(?P<end>;)"
    r"|(?P<star>\*)|(?P<plus>\+)|(?P<weight>/[^/\n]*+/)|(?P<bad>.|\Z)"
)


def lexer(word: str, *particular: str) -> re.Pattern[str]:
    """Return the lexer of a notation from its word character and its particular units."""
    return re.compile(SKIP + "(?:" + "|".join((*particular, _OPERATORS.format(word=word))) + ")")


class _Group:
    """An open group on the stack: finished alternatives, and the items of the running one."""

    __slots__ = ("alternatives", "at", "closer", "items", "weight", "weights")

    def __init__(self, at: int, closer: str) -> None:
        self.at = at
        self.closer = closer
        self.alternatives: list[Expansion] = []
        self.weights: list[float | None] = []
        self.items: list[Expansion] = []
        self.weight: float | None = None


class ExpansionReader:
    """Reads rule expansions of one document."""

    def __init__(self, source: Source, notation: Notation) -> None:
        self._source = source
        self._notation = notation

    def read(self, offset: int) -> tuple[Expansion, int]:
        """Return the expansion that begins at `offset`, and the offset behind its semicolon.

        Raises:
            GrammarError: the text is no expansion.
        """
        source, notation = self._source, self._notation
        text = source.text
        stack: list[_Group] = []
        group = _Group(offset, ";")
        for match in notation.lexer.finditer(text, offset):
            kind = match.lastgroup or "weight"
            at = match.start(kind)
            if kind == "words":
                words = match["words"]
                items = group.items
                if " " in words or "\t" in words:
                    for word in re.finditer(r"\S+", words):
                        items.append(Token(at + word.start(), word[0]))
                else:
                    items.append(Token(at, words))
            elif kind == "bar":
                self._finish_alternative(group, at)
            elif kind == "weight":
                self._set_weight(group, match[kind][1:-1], at)
            elif kind == "open":
                if len(stack) >= MAX_DEPTH:
                    raise source.error(f"groups are nested deeper than {MAX_DEPTH}", at, "move parts into rules")
                stack.append(group)
                group = _Group(at, ")" if match[kind] == "(" else "]")
            elif kind == "close":
                if group.closer != match[kind]:
                    raise self._unbalanced(group, match[kind], at)
                body = self._finish_group(group, at)
                closer = group.closer
                group = stack.pop()
                group.items.append(body if closer == ")" else Repeat(body.at, body, 0, 1))
            elif kind == "end":
                if group.closer != ";":
                    raise self._unbalanced(group, ";", at)
                return self._finish_group(group, at), match.end()
            else:
                self._read_particular(group, match, kind, at)
        raise AssertionError("the lexer matches the end of the text")

    # --- parts ---------------------------------------------------------------------------------------------------

    def _read_particular(self, group: _Group, match: re.Match[str], kind: str, at: int) -> None:
        source, items = self._source, group.items
        if kind == "reference":
            items.append(self._reference(match, at))
        elif kind == "quoted":
            text = match[kind][1:-1]
            if self._notation.backslash:
                text = re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
            text = " ".join(text.split())
            if not text:
                raise source.error("an empty quoted token", at, "remove it, or write the empty rule for no words")
            items.append(Token(at, text))
        elif kind == "tag":
            self._add_tag(group, match[kind], at)
        elif kind in {"repeat", "star", "plus"}:
            if kind != "repeat" and self._notation.operator_hint:
                raise source.error(f"'{match[kind]}' is no operator here", at, self._notation.operator_hint)
            if not items or isinstance(items[-1], Tag):
                raise source.error(f"'{match[kind]}' has nothing to repeat", at, "put it behind a word, rule or group")
            low, high, probability = (
                self._repeat_range(match[kind], at) if kind == "repeat" else (int(kind == "plus"), None, None)
            )
            items[-1] = Repeat(items[-1].at, items[-1], low, high, probability)
        elif kind == "language":
            self._attach_language(items, match[kind][1:], at)
        else:
            found = match[kind]
            if not found:
                raise source.error("the text ends inside a rule", len(source.text), "end every rule with ';'")
            raise source.error(f"cannot read {_UNTERMINATED.get(found, repr(found))}", at, _hint(found))

    def _reference(self, match: re.Match[str], at: int) -> Expansion:
        groups = match.groupdict()
        name = groups.get("name") or ""
        if name in {"NULL", "VOID", "GARBAGE"}:
            return Special(at, name)  # type: ignore[arg-type]
        uri, _, fragment = (groups.get("uri") or "").partition("#")
        if "uri" in groups and groups["uri"] is not None:
            return Reference(at, fragment.strip(), uri.strip(), (groups.get("media_type") or "").strip())
        return Reference(at, name)

    def _add_tag(self, group: _Group, written: str, at: int) -> None:
        if written.startswith("{!{"):
            text = written[3:-3]
        elif self._notation.backslash:
            text = re.sub(r"\\([\\{}])", r"\1", written[1:-1])
        else:
            text = written[1:-1]
        tag = Tag(at, text.strip())
        if not self._notation.tags_bind:
            group.items.append(tag)
            return
        if not group.items:
            raise self._source.error("a tag with nothing before it", at, "write <NULL> {tag} for a tag of its own")
        last = group.items[-1]
        group.items[-1] = (
            Sequence(last.at, (*last.items, tag))
            if isinstance(last, Sequence) and last.items and isinstance(last.items[-1], Tag)
            else Sequence(last.at, (last, tag))
        )

    def _attach_language(self, items: list[Expansion], language: str, at: int) -> None:
        last = items[-1] if items else None
        if isinstance(last, Repeat) and (last.low, last.high, last.probability) == (0, 1, None):  # [ … ]!en-US
            items[-1] = msgspec.structs.replace(last, item=Sequence(last.at, (last.item,), language))
        elif isinstance(last, Token | Reference | Sequence | Choice):
            items[-1] = msgspec.structs.replace(last, language=language)
        else:
            raise self._source.error(f"'!{language}' has nothing to attach to", at, "put it behind a word or group")

    def _repeat_range(self, written: str, at: int) -> tuple[int, int | None, float | None]:
        match = re.fullmatch(r"<\s*(\d{1,6})\s*(-\s*(\d{1,6})?)?\s*(?:/\s*([^/]*?)\s*/)?\s*>", written)
        if match is None:
            raise self._source.error(
                f"cannot read the repeat {written}", at, "write <3>, <1-3>, <0-> or <1-3 /0.6/>; optional is [ ]"
            )
        low = int(match[1])
        high = low if match[2] is None else int(match[3]) if match[3] else None
        if high is not None and high < low:
            raise self._source.error(f"the repeat {written} ends below its start", at)
        probability = None if match[4] is None else self._number(match[4], at)
        if probability is not None and not 0 <= probability <= 1:
            raise self._source.error(f"the probability {probability:g} is not between 0 and 1", at)
        return low, high, probability

    def _set_weight(self, group: _Group, written: str, at: int) -> None:
        if group.items or group.weight is not None:
            raise self._source.error("a weight inside an alternative", at, "put it at the start: /2/ yes | /1/ no")
        group.weight = self._number(written.strip(), at)

    def _number(self, written: str, at: int) -> float:
        if re.fullmatch(r"\d{1,12}(\.\d{0,12})?([eE][+-]?\d{1,2})?|\.\d{1,12}([eE][+-]?\d{1,2})?", written) is None:
            raise self._source.error(f"{written!r} is not a number of 0 or more", at, "write a number such as 2.5")
        return float(written)

    def _finish_alternative(self, group: _Group, at: int) -> None:
        items = group.items
        if len(items) == 1:
            group.alternatives.append(items[0])
        elif items:
            group.alternatives.append(Sequence(items[0].at, tuple(items)))
        else:
            null = "<NULL>" if self._notation.backslash else "$NULL"
            raise self._source.error("an empty alternative", at, f"write {null} or use [ ] for an optional part")
        group.weights.append(group.weight)
        group.items = []
        group.weight = None

    def _finish_group(self, group: _Group, at: int) -> Expansion:
        if group.closer != ";" and not group.alternatives and not group.items and group.weight is None:
            return Sequence(group.at)
        self._finish_alternative(group, at)
        weights = group.weights
        if len(group.alternatives) == 1 and weights[0] in {None, 1.0}:
            only = group.alternatives[0]
            if isinstance(only, Token | Reference | Tag) and group.closer == ")":
                return Sequence(group.at, (only,))  # the parentheses keep a postfix or language apart
            return only
        given = any(weight is not None for weight in weights)
        return Choice(
            group.at,
            tuple(group.alternatives),
            tuple(1.0 if weight is None else weight for weight in weights) if given else (),
        )

    def _unbalanced(self, group: _Group, found: str, at: int) -> Exception:
        if group.closer == ";":
            return self._source.error(f"'{found}' closes nothing", at)
        line, column, _ = self._source.position(group.at)
        opener = "(" if group.closer == ")" else "["
        return self._source.error(
            f"found '{found}' where '{group.closer}' must close the '{opener}' of line {line}, column {column}", at
        )


def _hint(found: str) -> str:
    if found in '=:$<>!"{}':
        return "the rule before may lack its ';', or the character must stand in a quoted token"
    return "put special characters into a quoted token"
