"""The samples in the audio of one recognition.

What is not compressed is read here, as that costs next to nothing. Compressed audio is decoded by FFmpeg, a great deal
of C code for what strangers send: it gets a worker process of its own, inside the sandbox, for as long as the stream
lasts.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.recognizer import base
from asr_trio.server.pool import WorkerPool
from asr_trio.server.worker import Worker


class SampleSource:
    """Takes bytes and gives samples.

    Attributes:
        format: how the samples are laid out, or None while that is not known.
        ended: all samples have come, whatever else is sent.
        is_waiting: bytes, or samples, wait for `decompress`, and nothing more may be read before.
    """

    def __init__(self, reader: AudioReader, pool: WorkerPool) -> None:
        """Take the reader of the bytes, and the pool that lends processes."""
        self.format: AudioFormat | None = None
        self.ended = False
        self.is_waiting = False
        self._reader = reader
        self._pool = pool
        self._decompressor: Worker | None = None
        self._compressed = b""
        self._last = False

    def read(self, data: bytes, *, last: bool = False) -> bytes:
        """Take the next bytes and return the samples that they complete; those of compressed audio wait.

        Args:
            data: any number of bytes.
            last: no more will come.

        Raises:
            AudioFormatError: the bytes cannot be decoded.
        """
        if self.ended:
            return b""
        if not self._is_compressed():
            samples = self._reader.feed(data, last=last)
            if not self._is_compressed():
                self.format, self.ended = self._reader.format, self._reader.ended
                return samples
            data = self._reader.hand_over()
        self._compressed, self._last, self.is_waiting = data, last, True
        return b""

    def _is_compressed(self) -> bool:
        return self._reader.codec is not None

    async def decompress(self, processes: AsyncExitStack) -> bytes:
        """Return samples that wait; call it again while `is_waiting`.

        Args:
            processes: what ends the process that decodes; always the same one.

        Raises:
            AudioFormatError: the bytes cannot be decoded.
            AsrError: there is no process to decode them, or it failed.
        """
        assert self._reader.codec is not None
        if self._decompressor is None:
            self._decompressor = await processes.enter_async_context(self._pool.decompressor())
        frame = base.Decompress(codec=self._reader.codec, data=self._compressed, last=self._last)
        self._compressed = b""
        found: base.Decompressed = await self._decompressor.ask(frame, base.Decompressed)
        if self.format is None and found.sample_rate_hz:
            self.format = AudioFormat("pcm_s16", found.sample_rate_hz)
        self.is_waiting, self.ended = found.has_more, found.finished
        return found.pcm
