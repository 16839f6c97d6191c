"""Frames of a client's WebSocket stream (RFC 6455, section 5.2): the bounds of a peer, and its plain messages.

`FrameMeter` walks the headers as the bytes pass by and says when the peer goes past its bounds. The WebSocket library
counts only payload that it has already buffered: endless empty continuation frames, endless pings and a length
announced but never sent cost it memory or time without limit.

`FrameSplitter` takes out what nearly every frame of a client is, a whole binary message, and leaves every other frame
to the library.
"""

from __future__ import annotations

from typing import Final

import msgspec

from asr_trio.errors import ProtocolError

CLOSE_POLICY_VIOLATION: Final = 1008
CLOSE_TOO_BIG: Final = 1009

_FIN: Final = 0x80
_RESERVED: Final = 0x70
_CONTROL: Final = 0x08
_MASKED: Final = 0x80
_PLAIN: Final = 0x82
"""First byte of a binary message in one frame."""
_CONTROL_BYTES_MAX: Final = 125

_XOR_TABLES: Final = [bytes(value ^ key for value in range(256)) for key in range(256)]


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
            header_bytes = _header_bytes(data, position)
            if size - position < header_bytes:
                self._partial_header = bytes(data[position:])
                self._payload_ahead = 0
                return
            length = _payload_bytes(data, position)
            self._account(data[position], length)
            position += header_bytes + length
        self._payload_ahead = position - size

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


class Foreign(msgspec.Struct, frozen=True):
    """Bytes of the stream for the library; `illegal` where they break the rules, and all that follows is for it."""

    data: bytes
    illegal: bool = False


class FrameSplitter:
    """Cuts a stream that is kept within its bounds into messages and what the library must see.

    A binary message in one frame comes out as its payload. Any other frame comes out whole: text, whose encoding must
    be judged, parts of messages, pings, pongs and closes. A frame that is none also comes out, and ends the splitting.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fragmented = False

    def feed(self, data: bytes | bytearray) -> None:
        """Take the next bytes of the stream, however they are cut."""
        self._buffer += data

    def take(self) -> bytes | Foreign | None:
        """Return the next message, or the next frame for the library; None while that has not all come."""
        buffer = self._buffer
        payload_at = _header_bytes(buffer, 0)
        if len(buffer) < payload_at:
            return None
        first, length = buffer[0], _payload_bytes(buffer, 0)
        if not _is_legal(first, buffer[1], length):
            return Foreign(self.take_all(), illegal=True)
        end = payload_at + length
        if len(buffer) < end:
            return None
        if first == _PLAIN and not self._fragmented:
            message = _unmasked(buffer, payload_at, end)
            del buffer[:end]
            return message
        if not first & _CONTROL:
            self._fragmented = not first & _FIN
        frame = bytes(buffer[:end])
        del buffer[:end]
        return Foreign(frame)

    def take_all(self) -> bytes:
        """Return everything that has not been taken; the library goes on by itself."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


def _header_bytes(data: bytes | bytearray, position: int) -> int:
    """Length of the header at `position`, at least 2; exact once its second byte is there."""
    if position + 1 >= len(data):
        return 2
    second = data[position + 1]
    length = second & 0x7F
    return 2 + (4 if second & _MASKED else 0) + (2 if length == 126 else 8 if length == 127 else 0)


def _payload_bytes(data: bytes | bytearray, position: int) -> int:
    """Length that the header at `position`, which is all there, announces."""
    length = data[position + 1] & 0x7F
    if length == 126:
        return int.from_bytes(data[position + 2 : position + 4], "big")
    if length == 127:
        return int.from_bytes(data[position + 2 : position + 10], "big")
    return length


def _is_legal(first: int, second: int, length: int) -> bool:
    """Tell whether a client may send a frame with this header, as far as can be told without those before it."""
    if first & _RESERVED or not second & _MASKED:
        return False
    return not first & _CONTROL or (bool(first & _FIN) and length <= _CONTROL_BYTES_MAX)


def _unmasked(data: bytearray, payload_at: int, end: int) -> bytes:
    """Return the payload between the positions; the key is in the four bytes before it."""
    payload = data[payload_at:end]
    key = data[payload_at - 4 : payload_at]
    if any(key):
        for index in range(4):
            payload[index::4] = payload[index::4].translate(_XOR_TABLES[key[index]])
    return bytes(payload)
