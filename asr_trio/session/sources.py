"""What a request says about language models, by a list of URIs or as a grammar, and what a session has defined."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from asr_trio.errors import (
    GrammarError,
    LanguageModelError,
    LanguageModelNotFoundError,
    NoLanguageModelError,
    RemoteProtocolError,
)
from asr_trio.protocol.messages import DefineGrammar, InterpretText, StartRecognition
from asr_trio.session.events import GrammarSource, LanguageModelSource, PreparedSource, UriSource
from asr_trio.settings import LimitSettings

URI_LIST: Final = "text/uri-list"
PLAIN: Final = "text/plain"
GRAMMAR_TYPES: Final = frozenset(
    (
        "application/srgs",
        "application/srgs+xml",
        "application/grammar+xml",
        "application/xml",
        "application/x-jsgf",
        "text/xml",
    )
)
SESSION_SCHEME: Final = "session:"
MAX_URIS: Final = 64
"""Each may cost a decoding graph."""

_SCHEMES: Final = ("builtin:", "file:", "http:", "https:", SESSION_SCHEME)
# What the three grammar forms begin with, after a byte order mark and blank space.
_GRAMMAR_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:#ABNF|#JSGF|<)", re.IGNORECASE)
_LINE_ENDS: Final = re.compile("[\r\n]+")


def looks_like_grammar(body: bytes) -> bool:
    """Tell whether a body without a telling Content-Type is a grammar rather than a list of URIs."""
    return _GRAMMAR_START.match(body) is not None


def is_grammar(content_type: str | None, body: bytes) -> bool:
    """Tell a grammar from a list of URIs.

    The Content-Type decides where it is one of the known ones; ``text/plain`` is what some clients write for either,
    and Kotlin writes none, so there the body's beginning decides. A Content-ID decides nothing.

    Raises:
        RemoteProtocolError: the type is neither a list nor a grammar.
    """
    if content_type == URI_LIST:
        return False
    if content_type in GRAMMAR_TYPES:
        return True
    if content_type is None:
        return looks_like_grammar(body)
    if content_type == PLAIN:
        # Without a single URI it is a grammar with a fault, and its author wants to know which.
        return looks_like_grammar(body) or not parse_uris(body)
    raise RemoteProtocolError("Content-Type is neither a URI list nor a grammar")


def parse_uris(body: bytes) -> tuple[str, ...]:
    """Return the URIs of a list: one a line, trimmed; comments and unknown schemes are skipped."""
    lines = (line.strip(" \t\0\ufeff") for line in _LINE_ENDS.split(body.decode("utf-8", "replace")))
    return tuple(line for line in lines if line.lower().startswith(_SCHEMES))


def parse_sources(
    content_type: str | None,
    content_id: str | None,
    body: bytes,
    *,
    aliases: Mapping[str, PreparedSource],
    max_grammar_bytes: int,
) -> tuple[LanguageModelSource, ...]:
    """Read the body of DEFINE_GRAMMAR, START_RECOGNITION or INTERPRET_TEXT.

    Args:
        content_type: its type, in lower case without parameters, or None.
        content_id: the name that a grammar is to have in results.
        body: the body without trailing line ends.
        aliases: what the session has defined, by name.
        max_grammar_bytes: a longer grammar is refused.

    Raises:
        NoLanguageModelError: it names none.
        LanguageModelNotFoundError: a ``session:`` name was never defined.
        GrammarError: the grammar is too long.
        RemoteProtocolError: the type is unknown.
    """
    if not body.strip():
        raise NoLanguageModelError("The request names no language model")
    if is_grammar(content_type, body):
        if len(body) > max_grammar_bytes:
            raise GrammarError(f"The grammar is longer than {max_grammar_bytes} bytes")
        return (GrammarSource(text=body, content_type=content_type, lm=SESSION_SCHEME + (content_id or "inline")),)
    uris = parse_uris(body)
    if not uris:
        raise NoLanguageModelError("The request names no language model that this server knows how to get")
    if len(uris) > MAX_URIS:
        raise NoLanguageModelError(f"The request names more than {MAX_URIS} language models")
    return tuple(_source(uri, aliases) for uri in dict.fromkeys(uris))


def _source(uri: str, aliases: Mapping[str, PreparedSource]) -> LanguageModelSource:
    if not uri.lower().startswith(SESSION_SCHEME):
        return UriSource(uri=uri)
    alias = uri[len(SESSION_SCHEME) :]
    if alias not in aliases:
        raise LanguageModelNotFoundError(f"The session has no grammar named {alias}")
    return aliases[alias]


class SessionGrammars:
    """The grammars that a session has defined, by name.

    Args:
        limits: how many there may be, and how long.
    """

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._prepared: dict[str, PreparedSource] = {}
        self._sizes_bytes: dict[str, int] = {}

    def sources(self, message: DefineGrammar | StartRecognition | InterpretText) -> tuple[LanguageModelSource, ...]:
        """Return the language models that a request names; raises as :func:`parse_sources` does."""
        return parse_sources(
            message.content_type,
            message.content_id,
            message.body,
            aliases=self._prepared,
            max_grammar_bytes=self._limits.grammar_bytes,
        )

    def require_room(self, name: str) -> None:
        """See to it that one more may be defined, or this one again.

        Raises:
            LanguageModelError: the session has as many as it may.
        """
        if name not in self._prepared and len(self._prepared) >= self._limits.grammars_per_session:
            raise LanguageModelError(f"The session has {self._limits.grammars_per_session} grammars already")

    def define(self, name: str, prepared: Any, size_bytes: int = 0) -> None:
        """Keep what was prepared, in place of an older one of that name.

        Raises:
            LanguageModelError: all of them together would be larger than they may be.
        """
        others_bytes = sum(size for other, size in self._sizes_bytes.items() if other != name)
        if others_bytes + size_bytes > self._limits.prepared_bytes_per_session:
            limit_mib = self._limits.prepared_bytes_per_session / 2**20
            raise LanguageModelError(f"The grammars of a session may take {limit_mib:g} MiB once they are compiled")
        self._sizes_bytes[name] = size_bytes
        self._prepared[name] = PreparedSource(prepared=prepared, lm=SESSION_SCHEME + name)

    def clear(self) -> None:
        """Forget them all."""
        self._prepared.clear()
        self._sizes_bytes.clear()
