"""Audio of one recognition on its way from packets to the endpointer's findings.

Container, front end and endpointer take microseconds a packet, so whoever has a packet calls `step` until it is worked
off. Long packets are worked off in slices, so that other sessions run between them. Compressed audio alone has to be
waited for: another process decodes it (`samples`).
"""

from __future__ import annotations

from collections import deque
from contextlib import AsyncExitStack
from typing import Final

import msgspec
import trio

from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.audio.endpointer import EndpointerEvent
from asr_trio.audio.frontend import EndpointerSettings, Frontend
from asr_trio.server.pool import WorkerPool
from asr_trio.server.samples import SampleSource

_SLICE_BYTES: Final = 16 * 1024
"""Half a second: a few tenths of a millisecond of work."""


class _Packet(msgspec.Struct, frozen=True):
    audio: bytes
    last: bool
    content_type: str | None


class Listening:
    """Packets in, findings out, in order.

    Attributes:
        waiting_bytes: of packets that nobody has taken up.
        position_s: audio that has passed the endpointer.
        ended: all that will ever be found has been returned.
    """

    def __init__(self, settings: EndpointerSettings, pool: WorkerPool, *, limit_bytes: int, raw_rate_hz: int) -> None:
        self._settings = settings
        self._pool = pool
        self._limit_bytes = limit_bytes
        self._raw_rate_hz = raw_rate_hz
        self._packets: deque[_Packet] = deque()
        self._closed = False
        self._room = trio.Event()
        self._source: SampleSource | None = None
        self._frontend: Frontend | None = None
        self._samples = b""
        self._next_byte = 0
        self._last = False
        self.waiting_bytes = 0
        self.position_s = 0.0
        self.ended = False

    # --- packets ----------------------------------------------------------------------------------------------------

    def push(self, audio: bytes, *, last: bool, content_type: str | None) -> None:
        """Add a packet."""
        self._packets.append(_Packet(audio, last, content_type))
        self.waiting_bytes += len(audio)

    async def room(self) -> None:
        """Wait until less than the limit is waiting, or nobody takes any more."""
        while self.waiting_bytes >= self._limit_bytes and not self._closed:
            self._room = trio.Event()
            await self._room.wait()

    def close(self) -> None:
        """Drop everything: nobody takes any more."""
        self._closed = self.ended = True
        self._packets.clear()
        self.waiting_bytes = 0
        self._room.set()

    # --- work -------------------------------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """There is something for `step`, or for `decompress`."""
        return not self.ended and (
            self._next_byte < len(self._samples) or self._is_waiting or self._last or bool(self._packets)
        )

    @property
    def wants_decompression(self) -> bool:
        """Compressed audio is next: `decompress` is due before the next `step`."""
        return self._is_waiting and self._next_byte >= len(self._samples) and not self.ended

    @property
    def _is_waiting(self) -> bool:
        return self._source is not None and self._source.is_waiting

    async def decompress(self, processes: AsyncExitStack) -> None:
        """Have some of the compressed audio decoded.

        Args:
            processes: what ends the process that decodes; always the same one.

        Raises:
            AsrError: it cannot be.
        """
        assert self._source is not None
        self._take(await self._source.decompress(processes))

    def step(self) -> list[EndpointerEvent]:
        """Work off the next slice, if there is one, and return what was found.

        Raises:
            AudioFormatError: the audio cannot be decoded.
        """
        while self._packets and not (self._next_byte < len(self._samples) or self._is_waiting or self._last):
            self._take_up(self._packets.popleft())
        if self.ended:
            return []
        found: list[EndpointerEvent] = []
        if self._next_byte < len(self._samples) and self._frontend is not None:
            begin, self._next_byte = self._next_byte, self._next_byte + _SLICE_BYTES
            found = self._frontend.process(self._samples[begin : self._next_byte])
        elif self._last and not self._is_waiting:
            self.ended = True
            if self._frontend is not None:
                found = self._frontend.flush()
        if self._frontend is not None:
            self.position_s = self._frontend.position_s
        return found

    def _take_up(self, packet: _Packet) -> None:
        self.waiting_bytes -= len(packet.audio)
        self._room.set()
        if self._source is None:
            default = _raw_format(packet.content_type, self._raw_rate_hz)
            reader = AudioReader(default_format=default, content_type=packet.content_type)
            self._source = SampleSource(reader, self._pool)
        self._last = packet.last
        self._take(self._source.read(packet.audio, last=packet.last))

    def _take(self, samples: bytes) -> None:
        assert self._source is not None
        self._samples, self._next_byte = samples, 0
        self._last = self._last or self._source.ended
        if self._frontend is None and self._source.format is not None:
            self._frontend = Frontend(self._source.format, self._settings)


def _raw_format(content_type: str | None, default_rate_hz: int) -> AudioFormat:
    """Return the format of audio without a container: 16 bits at what ``audio/raw;rate=16000`` says, or the default."""
    for parameter in (content_type or "").split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "rate" and value.isascii() and value.isdigit() and 4000 <= int(value) <= 192_000:
            return AudioFormat("pcm_s16", int(value))
    return AudioFormat("pcm_s16", default_rate_hz)
