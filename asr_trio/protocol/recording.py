"""A recorded session as a file: what each side said and when. A bug report is one file that can be played again.

The file is text, one JSON object a line: a head with the format's version and where it comes from, then an entry for
each message with its time since the start in seconds, its side and its bytes (base64), and an end that says whether
anything is missing. A file that was cut off reads up to where it was cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import msgspec

from asr_trio.errors import RemoteProtocolError

FORMAT = "asr-trio session 1"
SUFFIX = ".asrsession"


class Head(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="head"):
    """First line."""

    format: str = FORMAT
    version: str = ""
    began: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="message"):
    """One message. `time_s` counts from the head."""

    time_s: float
    side: Literal["client", "server"]
    data: bytes


class End(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="end"):
    """Last line; `complete` is False where the bound on a recording's size was reached."""

    time_s: float
    complete: bool = True


Line: TypeAlias = Head | Entry | End
_DECODER = msgspec.json.Decoder(Line)


def encode_line(line: Line) -> bytes:
    """Write one line, its end included."""
    return msgspec.json.encode(line) + b"\n"


def read_entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Read a recording's messages in order.

    Raises:
        RemoteProtocolError: this is no recording, or one of an unknown version.
    """
    head_seen = False
    for number, text in enumerate(lines, 1):
        if head_seen and not text.endswith(b"\n"):
            return  # cut off in the middle of a line
        try:
            line = _DECODER.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RemoteProtocolError(f"Line {number} is not of a recorded session: {error}") from None
        match line:
            case Head(format=version) if not head_seen:
                if version != FORMAT:
                    raise RemoteProtocolError(f"This is a recording of the format {version!r}, not {FORMAT!r}")
                head_seen = True
            case Entry() if head_seen:
                yield line
            case End() if head_seen:
                return
            case _:
                raise RemoteProtocolError(f"Line {number} is out of place")
    if not head_seen:
        raise RemoteProtocolError("The file is empty")
