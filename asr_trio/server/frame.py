"""Walks the frame headers of a client's WebSocket stream and says when the peer goes past its bounds.

The WebSocket library counts only payload that it has already buffered: endless empty continuation frames, endless pings
and a length announced but never sent cost it memory or time without limit. Headers are 2-14 bytes (RFC 6455, section
5.2), so they are read here as the bytes pass by; payload is skipped, never copied.
"""

from __future__ import annotations

from typing import Final

from asr_trio.errors import ProtocolError

CLOSE_POLICY_VIOLATION: Final = 1008
CLOSE_TOO_BIG: Final = 1009

_FIN: Final = 0x80
_CONTROL: Final = 0x08
_MASKED: Final = 0x80


class FrameBoundError(ProtocolError):
    """The peer's frames went past a bound.

    Attributes:
        close_code: the WebSocket close code that tells the peer so.
    """

    def __init__(self, message: str, close_code: int) -> None:
        super().__init__(message)
        self.close_code = close_code


class FrameMeter:
    """Counts what a client sends since its last whole message."""

    def __init__(self, *, message_bytes: int, fragments: int, control_frames: int) -> None:
        """Set the bounds.

        Args:
            message_bytes: payload of one message, over all its fragments.
            fragments: frames of one message.
            control_frames: pings and pongs between two whole messages.
        """
        self._message_bytes_limit = message_bytes
        self._fragments_limit = fragments
        self._control_limit = control_frames
        self._message_bytes = 0
        self._fragments = 0
        self._control_frames = 0
        self._payload_ahead = 0
        self._partial_header = b""

    def feed(self, data: bytes | bytearray) -> None:
        """Account for the next bytes of the stream, however they are cut.

        Raises:
            FrameBoundError: as soon as a header announces more than a bound allows.
        """
        if self._partial_header:
            data = self._partial_header + data
            self._partial_header = b""
        position, size = self._payload_ahead, len(data)
        while position < size:
            header_bytes = self._header_bytes(data, position)
            if size - position < header_bytes:
                self._partial_header = bytes(data[position:])
                self._payload_ahead = 0
                return
            length = data[position + 1] & 0x7F
            if length == 126:
                length = int.from_bytes(data[position + 2 : position + 4], "big")
            elif length == 127:
                length = int.from_bytes(data[position + 2 : position + 10], "big")
            self._account(data[position], length)
            position += header_bytes + length
        self._payload_ahead = position - size

    @staticmethod
    def _header_bytes(data: bytes | bytearray, position: int) -> int:
        """Length of the header at `position`, at least 2; exact once its second byte is there."""
        if position + 1 >= len(data):
            return 2
        second = data[position + 1]
        length = second & 0x7F
        return 2 + (4 if second & _MASKED else 0) + (2 if length == 126 else 8 if length == 127 else 0)

    def _account(self, first: int, length: int) -> None:
        if first & _CONTROL:
            self._control_frames += 1
            if self._control_frames > self._control_limit:
                raise FrameBoundError("Too many control frames", CLOSE_POLICY_VIOLATION)
            return
        self._fragments += 1
        self._message_bytes += length
        if self._message_bytes > self._message_bytes_limit:
            raise FrameBoundError(f"A message may have {self._message_bytes_limit} bytes", CLOSE_TOO_BIG)
        if self._fragments > self._fragments_limit:
            raise FrameBoundError(f"A message may have {self._fragments_limit} fragments", CLOSE_TOO_BIG)
        if first & _FIN:
            self._fragments = self._message_bytes = self._control_frames = 0
