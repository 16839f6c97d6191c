"""Naming or sending the language model of a recognition."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Grammar(msgspec.Struct, frozen=True):
    """A grammar to be sent along with a recognition.

    Attributes:
        text: the grammar itself.
        content_id: the name that results carry, as ``session:<content_id>``.
        content_type: its media type; what it is written in is found out by the server.
    """

    text: str | bytes
    content_id: str = "inline"
    content_type: str = "application/srgs"

    @property
    def body(self) -> bytes:
        """The text as bytes."""
        return self.text.encode() if isinstance(self.text, str) else self.text


LanguageModel: TypeAlias = str | Grammar
"""A URI, or a grammar."""
