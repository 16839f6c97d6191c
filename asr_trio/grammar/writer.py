"""The model back to text: what the writers of the three notations share.

Conversion keeps the language, the weights and the tags exactly. What a notation cannot say is either written in another
way that means the same, or refused with a word; what does not change the language (a pronunciation, a meta) is left out
with a warning.

Writers walk the model with a stack of their own, because it may nest deeper than Python's.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar, TypeAlias

from asr_trio.errors import GrammarError
from asr_trio.grammar.link import JSGF_SCHEME
from asr_trio.grammar.model import Choice, Expansion, Grammar, Reference, Repeat, Rule

Piece: TypeAlias = "str | tuple[Expansion, int]"
"""Text, or an expansion still to write with the place that it stands in."""

ANYWHERE = 0
"""Between the delimiters of a rule or group: alternatives need no group of their own."""

IN_SEQUENCE = 1
ALONE = 2
"""Under an operator: whatever is more than one item needs a group."""


class Writer(ABC):
    """Writes one grammar in one notation.

    Attributes:
        warnings: what could not be said and was left out.
    """

    notation: ClassVar[str]

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.warnings: list[str] = []
        self.names = _plain_names(list(grammar.rules))
        self.root = self._root()

    @abstractmethod
    def write(self) -> str:
        """Return the whole document.

        Raises:
            GrammarError: the notation cannot express the grammar.
        """

    @abstractmethod
    def pieces(self, node: Expansion, place: int) -> list[Piece]:
        """Return one expansion as text and smaller expansions."""

    def text(self, expansion: Expansion) -> str:
        """Return an expansion as text."""
        written: list[str] = []
        todo: list[Piece] = [(expansion, ANYWHERE)]
        while todo:
            piece = todo.pop()
            if isinstance(piece, str):
                written.append(piece)
            else:
                todo.extend(reversed(self.pieces(*piece)))
        return "".join(written)

    def alternatives(self, node: Choice, void: str) -> list[Piece]:
        """Return alternatives with their weights, in the textual notations; `void` where there are none."""
        pieces: list[Piece] = []
        for index, item in enumerate(node.items):
            if index:
                pieces.append(" | ")
            if node.weights:
                pieces.append(f"/{number(node.weights[index])}/ ")
            # Nested alternatives keep their group, which their weights belong to.
            pieces.append((item, IN_SEQUENCE))
        return pieces or [void]

    def rules(self) -> list[Rule]:
        """Return the rules to write, the root first where it had to be made."""
        rules = list(self.grammar.rules.values())
        if self.root and self.root not in self.grammar.rules:
            public = [rule.name for rule in rules if rule.public]
            choice = Choice(0, tuple(Reference(0, name) for name in public))
            self.names[self.root] = self.root
            rules.insert(0, Rule(self.root, choice, public=True))
        return rules

    def error(self, message: str, node: Expansion) -> GrammarError:
        """Return the exception for what cannot be written."""
        return self.grammar.source.error(f"{message} cannot be written as {self.notation}", node.at)

    def warn(self, message: str) -> None:
        """Note once what is left out."""
        if message not in self.warnings:
            self.warnings.append(message)

    def _root(self) -> str:
        """Return the name of the root rule; a new one where several JSGF rules are public."""
        grammar = self.grammar
        if grammar.root:
            return grammar.root
        public = [rule.name for rule in grammar.rules.values() if rule.public]
        if len(public) == 1:
            return public[0]
        if grammar.notation != "jsgf" or not public:
            return ""
        name = "any"
        while name in self.names.values():
            name += "_"
        return name

    def target(self, reference: Reference) -> tuple[str, str]:
        """Return URI ("" for this grammar) and rule of a reference, imports of JSGF written out."""
        if reference.uri or reference.name in self.grammar.rules:
            return reference.uri, reference.name
        package, _, name = reference.name.rpartition(".")
        if package == self.grammar.name and name in self.grammar.rules:
            return "", name
        for imported in self.grammar.imports:
            source, _, what = imported.uri.rpartition(".")
            if what in {"*", name} and (not package or source == package or source.endswith(f".{package}")):
                return JSGF_SCHEME + source, name
        return (JSGF_SCHEME + package, name) if package else ("", reference.name)


def _plain_names(names: list[str]) -> dict[str, str]:
    """Return names that every notation takes: letters, digits and underscores, begun by a letter."""
    plain: dict[str, str] = {}
    for name in names:
        written = re.sub(r"\W", "_", name)
        if not written[0].isalpha() and written[0] != "_":
            written = f"_{written}"
        while written in plain.values() or written in {"NULL", "VOID", "GARBAGE"}:
            written += "_"
        plain[name] = written
    return plain


def number(value: float) -> str:
    """Return a weight or probability as text that reads back as the same number."""
    return repr(int(value)) if value == int(value) and value < 1e15 else f"{value:.12f}".rstrip("0")


def is_optional(node: Repeat) -> bool:
    """Tell whether square brackets say the same."""
    return (node.low, node.high) == (0, 1) and node.probability is None


def write(grammar: Grammar, notation: str) -> tuple[str, list[str]]:
    """Return a grammar in ``abnf``, ``xml`` or ``jsgf`` form, and warnings.

    Raises:
        GrammarError: the notation cannot express it.
    """
    from asr_trio.grammar.jsgf_writer import JsgfWriter
    from asr_trio.grammar.srgs_writer import AbnfWriter, XmlWriter

    writers: dict[str, type[Writer]] = {"abnf": AbnfWriter, "xml": XmlWriter, "jsgf": JsgfWriter}
    writer = writers[notation](grammar)
    return writer.write(), writer.warnings
