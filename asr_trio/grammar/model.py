"""The one model that all notations are read into and written from.

It follows SRGS 1.0 (W3C Recommendation, 2004), whose legal expansions cover JSGF 1.0 as well. `at` is always an offset
into the text of the grammar that holds the node.
"""

from __future__ import annotations

from typing import Literal, TypeAlias
from urllib.parse import urljoin

import msgspec

from asr_trio.grammar.source import Source

JSGF_TAGS = "x-jsgf"
"""Tag format of JSGF, which the standard leaves open: see `asr_trio.grammar.semantics`."""

LITERAL_TAGS = "semantics/1.0-literals"
SCRIPT_TAGS = "semantics/1.0"


class _Node(msgspec.Struct, frozen=True, gc=False):
    at: int = 0


class Token(_Node, frozen=True, gc=False):
    """One word, or several that count as one (a quoted token); white space is normalised to single spaces.

    Attributes:
        pronunciations: given by the grammar itself, as phones separated by spaces; () leaves it to the lexicon.
        language: of this token alone, or "".
    """

    text: str = ""
    pronunciations: tuple[str, ...] = ()
    language: str = ""


class Reference(_Node, frozen=True, gc=False):
    """A reference to a rule: local (`uri` ""), of another grammar, or by a qualified JSGF name.

    Attributes:
        name: of the rule; "" for the root rule of the grammar at `uri`.
        media_type: of the other grammar, where given.
        language: attached to the reference, or "".
    """

    name: str = ""
    uri: str = ""
    media_type: str = ""
    language: str = ""


class Special(_Node, frozen=True, gc=False):
    """One of the three special rules."""

    name: Literal["NULL", "VOID", "GARBAGE"] = "NULL"


class Tag(_Node, frozen=True, gc=False):
    """Semantic interpretation, uninterpreted."""

    text: str = ""


class Sequence(_Node, frozen=True, gc=False):
    """Expansions one after the other; none at all is the empty match."""

    items: tuple[Expansion, ...] = ()
    language: str = ""


class Choice(_Node, frozen=True, gc=False):
    """Alternatives; `weights` has one per item, or is empty where the grammar gives none (SRGS: an absent one is 1)."""

    items: tuple[Expansion, ...] = ()
    weights: tuple[float, ...] = ()
    language: str = ""


class Repeat(_Node, frozen=True, gc=False):
    """Between `low` and `high` (None: any number) times `item`; `probability` is that of each further repetition."""

    item: Expansion = Special()
    low: int = 0
    high: int | None = None
    probability: float | None = None


Expansion: TypeAlias = Token | Reference | Special | Tag | Sequence | Choice | Repeat


class Rule(msgspec.Struct, frozen=True, gc=False):
    """A rule definition; `public` is SRGS's scope."""

    name: str
    expansion: Expansion
    public: bool = False
    at: int = 0


class Meta(msgspec.Struct, frozen=True):
    """A meta or http-equiv declaration."""

    name: str
    content: str
    http_equiv: bool = False


class External(msgspec.Struct, frozen=True):
    """A lexicon document or an imported JSGF name, with where it was named."""

    uri: str
    media_type: str = ""
    at: int = 0


class Grammar(msgspec.Struct, kw_only=True):
    """A grammar document.

    Attributes:
        notation: what it was written in.
        name: the JSGF name, or "".
        language: as written; "" where the document gives none.
        root: name of the root rule, or "" where none is declared.
        tag_format: as written; "" where none is declared.
        header_tags: tags before the rules (SISR 1.0, 3.2.4: global scripts).
        imports: JSGF imports, each a qualified rule name or one that ends in ``.*``.
    """

    notation: Literal["abnf", "xml", "jsgf"]
    source: Source
    name: str = ""
    encoding: str = ""
    language: str = ""
    mode: Literal["voice", "dtmf"] = "voice"
    root: str = ""
    tag_format: str = ""
    base: str = ""
    lexicons: list[External] = []
    metas: list[Meta] = []
    header_tags: list[Tag] = []
    imports: list[External] = []
    rules: dict[str, Rule] = {}
    warnings: list[str] = []

    @property
    def base_uri(self) -> str:
        """What relative URIs are relative to (SRGS 1.0, 4.9): the base, else a meta of that name, else the document."""
        declared = self.base or next((meta.content for meta in self.metas if meta.name.lower() == "base"), "")
        return urljoin(self.source.name, declared)


def uses_scripts(tag_format: str) -> bool:
    """Tell whether tags of this format are ECMAScript; drafts of the standard carry a date behind the name."""
    name = tag_format.strip().lower()
    return name.startswith(SCRIPT_TAGS) and not name.endswith("-literals") and "literals" not in name
