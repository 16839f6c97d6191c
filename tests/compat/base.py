"""What the models of all SDKs share: a connection, a receiving thread, an audio thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec
import trio

from tests.compat import dialects, readers
from tests.compat.readers import Seen
from tests.probes.peer import BINARY, CLOSE, PING, PONG, RawPeer, frame

PATIENCE_S = 30


class Grammar(msgspec.Struct, frozen=True):
    """An inline grammar."""

    alias: str
    text: str


class Model:
    """What all SDKs share: a connection, a receiving thread, an audio thread."""

    dialect: ClassVar[dialects.Dialect]
    reader: ClassVar[readers.Reader]
    handshake: ClassVar[bytes] = b""
    chunk_bytes: ClassVar[int] = 4000
    keeps_session: ClassVar[bool] = True

    def __init__(self, peer: RawPeer, nursery: trio.Nursery, parameters: Mapping[str, str]) -> None:
        self._peer = peer
        self._nursery = nursery
        self.parameters = dict(parameters)
        self.seen: list[Seen] = []
        self.results: list[dict[str, Any]] = []
        self.partials: list[str] = []
        self.error = ""
        self.server_closed = False
        self.leaving = False
        self.microphone = False
        self._changed = trio.Event()
        self._sending = trio.Lock()

    # what a test calls

    async def open(self) -> None:
        raise NotImplementedError

    async def recognize(self, lm: str | Grammar, audio: bytes, *, wait: bool = True) -> list[dict[str, Any]]:
        raise NotImplementedError

    async def cancel(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    # the connection

    async def receive(self) -> None:
        while (got := await self._peer.message()) is not None:
            opcode, payload = got
            if opcode == CLOSE:
                self.server_closed = True
                break
            if opcode == PING:
                async with self._sending:
                    await self._peer.send(frame(PONG, payload))
                continue
            assert opcode == BINARY, "a text frame is dropped or refused"
            seen = type(self).reader(payload)
            self.seen.append(seen)
            await self.on(seen)
            self._notify()
        self.server_closed = True
        self._notify()

    async def on(self, seen: Seen) -> None:
        raise NotImplementedError

    async def send(self, name: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> None:
        async with self._sending:
            await self._peer.send(frame(BINARY, type(self).dialect(name, headers or {}, body)))

    async def stream(self, audio: bytes, wanted: Callable[[], bool]) -> None:
        """Send packets while they are wanted, and an empty last one: what most SDKs do."""
        at = 0
        while wanted():
            packet = audio[at : at + self.chunk_bytes]
            if not packet and self.microphone:
                await self.source_ended(lambda: not wanted())
                return
            last = self.boolean(not packet)
            try:
                await self.send("SEND_AUDIO", {"LastPacket": last, "Content-Type": "application/octet-stream"}, packet)
            except trio.BrokenResourceError:
                if self.leaving:  # its sender thread finds the socket closed, and ends
                    return
                raise
            if not packet:
                return
            at += self.chunk_bytes

    @staticmethod
    def boolean(value: bool) -> str:
        return str(value).lower()

    async def source_ended(self, unwanted: Callable[[], bool]) -> None:
        """A file ends; a microphone gives nothing until nobody wants it any more."""
        if self.microphone:
            await self.until(unwanted)

    async def close_socket(self, code: int = 1000) -> None:
        self.leaving = True
        async with self._sending:
            await self._peer.send(frame(CLOSE, code.to_bytes(2, "big")))

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_S):
            while not condition():
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
