"""The text of a grammar: bytes to characters, and offsets back to what an author can find.

Nodes of the model carry offsets into their source, which cost nothing; lines and columns are counted only when
something is wrong.
"""

from __future__ import annotations

import codecs
import re

import msgspec

from asr_trio.errors import GrammarError

_EXCERPT_CHARACTERS = 160

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_HEADER_ENCODING = re.compile(rb"\s*#(?:ABNF[ \t]+1\.0|JSGF[ \t]+V1\.0)[ \t]+([A-Za-z0-9._:-]+)")


class Source(msgspec.Struct, frozen=True):
    """One grammar document.

    Attributes:
        text: its characters.
        name: its URI, or "".
        external: another grammar refers to it, so that errors must name it.
    """

    text: str
    name: str = ""
    external: bool = False

    def position(self, offset: int) -> tuple[int, int, str]:
        """Return the 1-based line and column of `offset`, and that line."""
        offset = min(max(offset, 0), len(self.text))
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        line = self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")
        column = offset - start + 1
        if len(line) > _EXCERPT_CHARACTERS:  # one-line word lists run to megabytes
            cut = max(0, column - _EXCERPT_CHARACTERS // 2)
            line = line[cut : cut + _EXCERPT_CHARACTERS]
        return self.text.count("\n", 0, start) + 1, column, line

    def error(self, message: str, offset: int, hint: str = "") -> GrammarError:
        """Return the exception that says `message` about `offset`."""
        line, column, excerpt = self.position(offset)
        if self.external:
            message = f"{self.name}: {message}"
        return GrammarError(message, line=line, column=column, excerpt=excerpt, hint=hint)


def decode_text(data: bytes, *, fallback: str = "utf-8") -> str:
    """Return the characters of an ABNF or JSGF document.

    The byte order mark decides, else the encoding that the self-identifying header names (SRGS 1.0, 4.1), else UTF-8.
    A header that names an encoding which the bytes contradict loses against valid UTF-8: editors convert files and
    leave headers alone.

    Raises:
        GrammarError: the bytes are in no encoding that was named, or the name is unknown.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], encoding)
    if data[:2] == b"#\x00":
        return _decode(data, "utf-16-le")
    if data[:2] == b"\x00#":
        return _decode(data, "utf-16-be")
    header = _HEADER_ENCODING.match(data)
    if header is None:
        return _decode(data, fallback)
    name = header[1].decode("ascii")
    try:
        encoding = codecs.lookup(name).name
        b"a".decode(encoding)
    except (LookupError, UnicodeError):  # unknown, a codec for something else than text, or not of this alphabet
        encoding = "utf-8"
    if encoding not in {"utf-8", "ascii"}:
        try:
            return data.decode("utf-8") if not data.isascii() else _decode(data, encoding)
        except UnicodeDecodeError:
            return _decode(data, encoding)
    return _decode(data, "utf-8")


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise GrammarError(
            f"the grammar is not valid {encoding}: byte 0x{data[error.start]:02x}",
            line=line,
            column=column,
            hint="save the file as UTF-8, or name its encoding in the header (#ABNF 1.0 ISO-8859-1;)",
        ) from error
