"""Header names verbatim, and what a header may hold so that every client reads it.

The rules are the intersection of what the known clients survive: no empty value, no second colon, no ``ASR`` outside
the start line (the Python client takes any line with it for a start line), and only characters that the C++ client's
tokenizer knows, since it drops every header after one with another character.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

ACCEPT: Final = "Accept"
CHANNEL_IDENTIFIER: Final = "Channel-Identifier"
CONTENT_ID: Final = "Content-ID"
CONTENT_LENGTH: Final = "Content-Length"
CONTENT_TYPE: Final = "Content-Type"
ERROR_CODE: Final = "Error-Code"
EXPIRES: Final = "Expires"
HANDLE: Final = "Handle"
LAST_PACKET: Final = "LastPacket"
LOGGING_TAG: Final = "loggingTag"
MESSAGE: Final = "Message"
METHOD: Final = "Method"
RESULT: Final = "Result"
RESULT_STATUS: Final = "Result-Status"
SESSION_STATUS: Final = "Session-Status"
TEXT: Final = "Text"
USER_AGENT: Final = "User-Agent"

START_WORD: Final = "ASR"
VERSION: Final = "2.3"
"""Whatever version a client sends, the answer says this one: the Kotlin client takes no other."""

MESSAGE_CHARACTERS: Final = 400
"""A longer ``Message`` is cut: it is a hint for a developer, the log has the rest."""

RESPONSE_NAMES: Final = (
    HANDLE,
    METHOD,
    RESULT,
    SESSION_STATUS,
    EXPIRES,
    ERROR_CODE,
    MESSAGE,
    CONTENT_LENGTH,
    RESULT_STATUS,
)
"""Names with a meaning in server messages: a parameter must not be echoed under one of them."""

# The .NET client finds a header by searching "Name: " anywhere in a line, so "My-Result" would be read as "Result".
_NAMES_LIKE_OURS: Final = tuple(name.lower() for name in RESPONSE_NAMES)
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-/.,_()<>]+(?: [A-Za-z0-9\-/.,_()<>]+)*")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9 \-/.,_()<>]+")
_BLANKS: Final = re.compile(r" {2,}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_COLON_BLANKS: Final = re.compile(r":\s+")
_REPLACEMENTS: Final = str.maketrans(
    {
        ":": " -",
        ";": ",",
        "[": "(",
        "]": ")",
        "{": "(",
        "}": ")",
        "=": "-",
        "\u2018": None,
        "\u2019": None,
        "\u201c": None,
        "\u201d": None,
        "'": None,
        '"': None,
        "`": None,
        "$": None,
        "\u2013": "-",
        "\u2014": "-",
        "\u2026": "...",
    }
)


@lru_cache(maxsize=512)
def is_safe_name(name: str) -> bool:
    """Tell whether a client's header name can be echoed without being misread by any client."""
    if not _SAFE_NAME.fullmatch(name) or START_WORD in name:
        return False
    return not name.lower().endswith(_NAMES_LIKE_OURS)


def is_plain(value: str) -> bool:
    """Tell whether a value is in the form that `plain_value` gives, and not too long for it."""
    return len(value) <= MESSAGE_CHARACTERS and START_WORD not in value and _PLAIN.fullmatch(value) is not None


def hide_start_word(text: str) -> str:
    """Return the text without the letters that the Python client takes for a start line."""
    return text.replace(START_WORD, "Asr")


def plain_value(text: str) -> str:
    """Return the text in the characters that every client's header reader takes; maybe "".

    Accents are dropped, brackets and quotes replaced or dropped, anything else becomes a blank.
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_REPLACEMENTS))
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    plain = _BLANKS.sub(" ", _FOREIGN.sub(" ", letters)).strip()
    return hide_start_word(plain[:MESSAGE_CHARACTERS].rstrip())


def single_line(text: str) -> str:
    """Return free text as one header value, nearly as it is. Not safe for the C++ client, see `plain_value`.

    Control characters and the start word are replaced; blanks after colons are dropped, since the .NET client would
    find ``Result: `` inside a value as well, and so are colons in front, behind which Android finds nothing.
    """
    return hide_start_word(_COLON_BLANKS.sub(":", _CONTROLS.sub(" ", text)).lstrip(": ").rstrip())
