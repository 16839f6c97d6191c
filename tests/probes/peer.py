"""A peer that writes WebSocket bytes by hand, so that it can break every rule."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Self

import trio

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def upgrade_request(path: str = "/asr-server/asr", extra: bytes = b"") -> bytes:
    return (
        b"GET " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n" + extra + b"\r\n"
    )


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, announce: int | None = None) -> bytes:
    """Build a masked frame; `announce` lies about the length."""
    length = len(payload) if announce is None else announce
    head = bytes([(0x80 if fin else 0) | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65536:
        head += bytes([0x80 | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + length.to_bytes(8, "big")
    return head + bytes(4) + payload  # an all-zero mask leaves the payload as it is


class RawPeer:
    """One TCP connection with the bytes in the tester's hand."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.received = bytearray()

    @classmethod
    async def connect(cls, port: int, source: str | None = None) -> RawPeer:
        """Connect, from another address of this machine where one is given."""
        return cls(await trio.open_tcp_stream("127.0.0.1", port, local_address=source))

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def send_until_refused(self, data: bytes, times: int) -> None:
        """Send again and again; a server that cuts the connection ends it early."""
        try:
            for _ in range(times):
                await self.stream.send_all(data)
        except trio.BrokenResourceError:
            pass

    async def upgrade(self, path: str = "/asr-server/asr", extra: bytes = b"") -> bytes:
        """Send a good request and return the response's head."""
        await self.send(upgrade_request(path, extra))
        return await self.head()

    async def head(self) -> bytes:
        while b"\r\n\r\n" not in self.received:
            if not await self._more():
                break
        head, _, rest = bytes(self.received).partition(b"\r\n\r\n")
        self.received = bytearray(rest)
        return head

    async def message(self) -> tuple[int, bytes] | None:
        """Return opcode and payload of the next frame, or None at the end of the stream."""
        while True:
            parsed = self._parse()
            if parsed is not None:
                return parsed
            if not await self._more():
                return None

    async def end(self) -> list[tuple[int, bytes]]:
        """Read to the end of the stream and return all frames; a reset counts as an end."""
        frames = []
        while (got := await self.message()) is not None:
            frames.append(got)
        return frames

    def reset(self) -> None:
        """Close with RST."""
        assert isinstance(self.stream, trio.SocketStream)
        self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self.stream)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.aclose()

    async def _more(self) -> bool:
        try:
            data = await self.stream.receive_some()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        self.received += data
        return bool(data)

    def _parse(self) -> tuple[int, bytes] | None:
        data = self.received
        if len(data) < 2:
            return None
        length, at = data[1] & 0x7F, 2
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + length:
            return None
        got = data[0] & 0x0F, bytes(data[at : at + length])
        del data[: at + length]
        return got


def close_code(frames: list[tuple[int, bytes]]) -> int | None:
    """Return the code of the close frame among `frames`."""
    for opcode, payload in frames:
        if opcode == CLOSE:
            return int.from_bytes(payload[:2], "big") if payload else 1005
    return None


def open_descriptors() -> int:
    """Count this process's file descriptors."""
    folder = Path("/proc/self/fd")
    return len(list((folder if folder.is_dir() else Path("/dev/fd")).iterdir()))
