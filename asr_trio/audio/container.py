"""From the bytes that a client sends to the samples in them: raw audio, WAV, and what else can be recognised.

The format is decided once, on the first bytes. Under ``audio/raw`` the bytes are samples of the default format, except
that a WAV header in front is skipped (and believed), because clients do send WAV files with that label. Under any
other content type the bytes are looked at; what no container begins with is raw (protocol.md, section 12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from asr_trio.audio import codecs, wave
from asr_trio.audio.codecs import Codec
from asr_trio.audio.decoder import StreamDecoder
from asr_trio.audio.format import SAMPLE_BYTES, AudioFormat, Encoding
from asr_trio.errors import AudioFormatError

__all__ = ["SAMPLE_BYTES", "AudioFormat", "AudioReader", "Encoding"]

_RAW: Final = "audio/raw"
_SNIFF_BYTES: Final = 8_192
"""Enough for four MP3 frames."""
_TELEPHONE_HZ: Final = 8_000
_TELEPHONE_TYPES: Final[dict[str, Encoding]] = {
    "audio/basic": "mulaw",
    "audio/pcmu": "mulaw",
    "audio/mulaw": "mulaw",
    "audio/x-mulaw": "mulaw",
    "audio/pcma": "alaw",
    "audio/alaw": "alaw",
    "audio/x-alaw": "alaw",
}
"""Content types of samples without a container (RFC 3551, RFC 2046)."""

_Stage: TypeAlias = Callable[[bool], bytes]


class AudioReader:
    """Takes the bytes of one recognition as they come and gives out whole samples.

    Attributes:
        format: how the samples are laid out, or None while that is not decided.
        ended: True once a container's data have all come; never for ``audio/raw``.
        codec: what the audio is compressed with, once that is known; None where it is not compressed.
    """

    def __init__(self, *, default_format: AudioFormat, content_type: str | None = None) -> None:
        """Make ready for a stream.

        Args:
            default_format: of bytes without a container.
            content_type: what the client says about them: ``audio/raw``, ``audio/wav``, ``application/octet-stream``...
        """
        self.format: AudioFormat | None = None
        self.ended = False
        self.codec: Codec | None = None
        self._media_type = (content_type or "").partition(";")[0].strip().lower()
        telephone = _TELEPHONE_TYPES.get(self._media_type)
        self._default_format = AudioFormat(telephone, _TELEPHONE_HZ) if telephone else default_format
        self._pending = bytearray()
        self._data_bytes_left: int | None = None
        self._decoder: StreamDecoder | None = None
        self._wave = wave.WaveParser()
        self._stage: _Stage = self._recognise

    @property
    def computes(self) -> bool:
        """The audio is compressed: `feed` takes its time and is better not called in an event loop."""
        return self.codec is not None

    def hand_over(self) -> bytes:
        """Return the compressed bytes fed so far, none of them decoded: somebody else decodes this stream."""
        data = bytes(self._pending)
        self._pending.clear()
        return data

    @property
    def has_more(self) -> bool:
        """What was fed has more samples to give: call `feed` again, with nothing."""
        return self.codec is not None and (
            bool(self._pending) or (self._decoder is not None and self._decoder.has_more)
        )

    def close(self) -> None:
        """Give up: no more is wanted. Needed unless the audio has ended."""
        if self._decoder is not None:
            self._decoder.close()

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """Take the next bytes.

        Args:
            data: any number of bytes.
            last: no more will come.

        Returns:
            Whole sample frames in `format`, ready for the front end.

        Raises:
            AudioFormatError: the bytes cannot be decoded.
        """
        if self.ended:
            return b""
        self._pending += data
        return self._stage(last)

    # --- the stages of a stream; each hands on to the next as soon as it can -----------------------------------------

    def _recognise(self, last: bool) -> bytes:  # noqa: FBT001 - all stages have this one argument
        head = bytes(self._pending[:_SNIFF_BYTES])
        if len(head) >= 12 and wave.may_begin(head):
            return self._go_on(self._read_wave, last=last)
        if len(head) < 12 and wave.may_begin(head) and not last:
            return b""
        if self._media_type == _RAW or self._media_type in _TELEPHONE_TYPES:
            return self._go_on(self._samples, last=last, audio_format=self._default_format)
        codec = codecs.recognise(head, self._media_type, last=last)
        if codec == "undecided":
            return b""
        if codec is not None:
            return self._decompress(codec)
        return self._go_on(self._samples, last=last, audio_format=self._default_format)

    def _read_wave(self, last: bool) -> bytes:  # noqa: FBT001
        if not self._wave.take(self._pending):
            if last:
                raise AudioFormatError("the WAV header has no data")
            return b""
        if self._wave.format is None:
            self._pending[:0] = self._wave.head
            return self._decompress("wav")
        if self._media_type != _RAW:
            self._data_bytes_left = self._wave.data_bytes
        return self._go_on(self._samples, last=last, audio_format=self._wave.format)

    def _decompress(self, codec: Codec) -> bytes:
        """Begin with the next call, which the caller makes where it may take its time."""
        self.codec = codec
        self._stage = self._decoded
        return b""

    def _decoded(self, last: bool) -> bytes:  # noqa: FBT001
        assert self.codec is not None
        if self._decoder is None:
            self._decoder = StreamDecoder(self.codec)
        samples = self._decoder.feed(self.hand_over(), last=last)
        self.format = self._decoder.format
        self.ended = self._decoder.finished
        return samples

    def _samples(self, _last: bool) -> bytes:  # noqa: FBT001
        if self.format is None:
            return b""
        available = len(self._pending)
        if self._data_bytes_left is not None:
            available = min(available, self._data_bytes_left)
        whole = available - available % self.format.frame_bytes
        samples = bytes(self._pending[:whole])
        del self._pending[:whole]
        if self._data_bytes_left is not None:
            self._data_bytes_left -= whole
            if self._data_bytes_left < self.format.frame_bytes:
                self.ended = True
                self._pending.clear()
        return samples

    def _go_on(self, stage: _Stage, *, last: bool, audio_format: AudioFormat | None = None) -> bytes:
        self._stage = stage
        self.format = audio_format
        return stage(last)
