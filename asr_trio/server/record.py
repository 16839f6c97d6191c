"""Recording sessions for bug reports: off unless the operator names a folder; bounded, readable by the owner only.

A recording holds what people said. It stands between connection and transport, so that nothing else knows of it; what
goes wrong with the disk ends the recording and not the session.
"""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime
from typing import BinaryIO, Literal

import structlog
import trio

import asr_trio
from asr_trio.errors import ConfigError
from asr_trio.protocol.recording import SUFFIX, End, Entry, Head, encode_line
from asr_trio.server.peer import Peer
from asr_trio.settings import RecordSettings

log = structlog.get_logger(__name__)


class Recorder:
    """Writes the sessions of one server into a folder."""

    def __init__(self, settings: RecordSettings) -> None:
        """Make the folder.

        Raises:
            ConfigError: it cannot be made or written to.
        """
        assert settings.folder is not None
        self._folder = settings.folder
        self._session_bytes = settings.session_bytes
        self._bytes_left = settings.total_bytes
        self._serials = itertools.count(1)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"record.folder: {error}") from error
        if not os.access(self._folder, os.W_OK):
            raise ConfigError("record.folder: it cannot be written to")

    def wrap(self, peer: Peer) -> Peer:
        """Return a peer whose conversation is recorded; `peer` itself where that cannot be done any more."""
        if self._bytes_left <= 0:
            return peer
        now = datetime.now(UTC)
        path = self._folder / f"{now:%Y%m%d-%H%M%S}-{os.getpid()}-{next(self._serials):06d}{SUFFIX}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.warning("session not recorded", error=str(error))
            return peer
        file = os.fdopen(descriptor, "wb")
        head = Head(version=asr_trio.__version__, began=now.isoformat())
        return RecordedPeer(peer, _Tape(self, file, min(self._session_bytes, self._bytes_left), head))

    def spend(self, count: int) -> None:
        """Take bytes from what all recordings may have together."""
        self._bytes_left -= count


class _Tape:
    """One file."""

    def __init__(self, recorder: Recorder, file: BinaryIO, limit_bytes: int, head: Head) -> None:
        self._recorder = recorder
        self._file: BinaryIO | None = file
        self._bytes_left = limit_bytes
        self._began_s = trio.current_time()
        self._write(encode_line(head))

    def note(self, side: Literal["client", "server"], data: bytes) -> None:
        """Write down a message, while there is room."""
        if self._file is None:
            return
        line = encode_line(Entry(time_s=self._now_s(), side=side, data=data))
        if len(line) > self._bytes_left:
            self.close(complete=False)
        else:
            self._write(line)

    def close(self, *, complete: bool = True) -> None:
        """End the file. Safe to call again."""
        if self._file is None:
            return
        self._write(encode_line(End(time_s=self._now_s(), complete=complete)))
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                log.warning("recording cut off", error=str(error))

    def _now_s(self) -> float:
        return round(trio.current_time() - self._began_s, 6)

    def _write(self, line: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(line)
        except OSError as error:
            log.warning("recording cut off", error=str(error))
            self._bytes_left = 0
            return
        self._bytes_left -= len(line)
        self._recorder.spend(len(line))


class RecordedPeer:
    """A peer whose every message is written down."""

    def __init__(self, peer: Peer, tape: _Tape) -> None:
        self._peer = peer
        self._tape = tape

    @property
    def address(self) -> str:
        """Where it is, for the log."""
        return self._peer.address

    @property
    def user(self) -> str | None:
        """Who it is, on a server that asks."""
        return self._peer.user

    @property
    def last_received_s(self) -> float:
        """Trio time at which it last gave a sign of life."""
        return self._peer.last_received_s

    async def receive(self) -> bytes:
        """Return its next message, and write it down."""
        data = await self._peer.receive()
        self._tape.note("client", data)
        return data

    async def send(self, message: bytes) -> None:
        """Send a message, and write it down once it is sent."""
        await self._peer.send(message)
        self._tape.note("server", message)

    async def ping(self) -> None:
        """Ask for a sign of life and wait for it."""
        await self._peer.ping()

    async def close(self, code: int, reason: str) -> None:
        """End the conversation and the recording."""
        self._tape.close()
        await self._peer.close(code, reason)
