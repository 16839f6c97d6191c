"""From the bytes that a client sends to the samples in them: raw audio, WAV, and what else can be recognised.

The format is decided once, on the first bytes. Under ``audio/raw`` the bytes are samples of the default format, except
that a RIFF header in front is skipped (and believed), because clients do send WAV files with that label. Under any
other content type the bytes are looked at; what no container begins with is raw (protocol.md, section 12).
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from asr_trio.errors import AudioFormatError

Encoding: TypeAlias = Literal["pcm_u8", "pcm_s16", "pcm_s24", "pcm_s32", "float32", "float64", "alaw", "mulaw"]

SAMPLE_BYTES: Final[dict[Encoding, int]] = {
    "pcm_u8": 1,
    "pcm_s16": 2,
    "pcm_s24": 3,
    "pcm_s32": 4,
    "float32": 4,
    "float64": 8,
    "alaw": 1,
    "mulaw": 1,
}


class AudioFormat(msgspec.Struct, frozen=True):
    """How samples are laid out: little-endian, channels interleaved."""

    encoding: Encoding
    sample_rate_hz: int
    channels: int = 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return SAMPLE_BYTES[self.encoding] * self.channels


_MIN_RATE_HZ: Final = 4_000
_MAX_RATE_HZ: Final = 384_000
_MAX_CHANNELS: Final = 32
_MAX_HEADER_BYTES: Final = 1 << 20
"""A WAV file may carry pictures and text before its samples, but not without end."""

_WAVE_FORMATS: Final[dict[tuple[int, int], Encoding]] = {
    (1, 8): "pcm_u8",
    (1, 16): "pcm_s16",
    (1, 24): "pcm_s24",
    (1, 32): "pcm_s32",
    (3, 32): "float32",
    (3, 64): "float64",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
"""(format tag, bits per sample) as in the registry of Microsoft's ``mmreg.h``."""
_EXTENSIBLE: Final = 0xFFFE
_UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)
"""Data sizes of writers that did not know it when they began: the data go on until the audio ends."""


class AudioReader:
    """Takes the bytes of one recognition as they come and gives out whole samples.

    Attributes:
        format: how the samples are laid out, or None while that is not decided.
        ended: True once a container's data have all come; never for ``audio/raw``.
    """

    def __init__(self, *, default_format: AudioFormat, content_type: str | None = None) -> None:
        """Make ready for a stream.

        Args:
            default_format: of bytes without a container.
            content_type: what the client says about them: ``audio/raw``, ``audio/wav``, ``application/octet-stream``...
        """
        self.format: AudioFormat | None = None
        self.ended = False
        self._default_format = default_format
        self._media_type = (content_type or "application/octet-stream").partition(";")[0].strip().lower()
        self._pending = b""
        self._data_bytes_left: int | None = None

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
        if self.format is None:
            self._decide(last=last)
        if self.format is None:
            return b""
        return self._samples(self.format)

    def _samples(self, audio_format: AudioFormat) -> bytes:
        available = len(self._pending)
        if self._data_bytes_left is not None:
            available = min(available, self._data_bytes_left)
        whole = available - available % audio_format.frame_bytes
        samples, self._pending = self._pending[:whole], self._pending[whole:]
        if self._data_bytes_left is not None:
            self._data_bytes_left -= whole
            if self._data_bytes_left < audio_format.frame_bytes:
                self.ended = True
                self._pending = b""
        return samples

    def _decide(self, *, last: bool) -> None:
        head = self._pending[:12]
        may_be_wave = b"RIFF".startswith(head[:4]) or head[:4] == b"RIFF"
        if may_be_wave and len(head) >= 12 and head[8:12] != b"WAVE":
            may_be_wave = False
        if not may_be_wave:
            self.format = self._default_format
        elif len(head) < 12:
            if last:
                self.format = self._default_format
        else:
            self._read_wave_header(last=last)

    def _read_wave_header(self, *, last: bool) -> None:
        """Walk the chunks up to the data."""
        position = 12
        audio_format: AudioFormat | None = None
        while position + 8 <= len(self._pending):
            name = self._pending[position : position + 4]
            size = int.from_bytes(self._pending[position + 4 : position + 8], "little")
            position += 8
            if name == b"data":
                if audio_format is None:
                    raise AudioFormatError("the WAV header has no format before its data")
                self._pending = self._pending[position:]
                self.format = audio_format
                if self._media_type != "audio/raw" and size not in _UNKNOWN_SIZES:
                    self._data_bytes_left = size
                return
            if name == b"fmt " and position + size <= len(self._pending):
                audio_format = _parse_format_chunk(self._pending[position : position + size])
            position += size + size % 2
        if last or position > _MAX_HEADER_BYTES:
            raise AudioFormatError("the WAV header has no data")


def _parse_format_chunk(chunk: bytes) -> AudioFormat:
    if len(chunk) < 16:
        raise AudioFormatError("the format chunk of the WAV header is too short")
    tag = int.from_bytes(chunk[0:2], "little")
    channels = int.from_bytes(chunk[2:4], "little")
    sample_rate_hz = int.from_bytes(chunk[4:8], "little")
    bits = int.from_bytes(chunk[14:16], "little")
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")  # the sub-format's GUID begins with the tag
    encoding = _WAVE_FORMATS.get((tag, bits))
    if encoding is None:
        raise AudioFormatError(f"WAV format {tag} with {bits} bits is not supported")
    if not _MIN_RATE_HZ <= sample_rate_hz <= _MAX_RATE_HZ or not 1 <= channels <= _MAX_CHANNELS:
        raise AudioFormatError(f"{channels} channels at {sample_rate_hz} Hz are not supported")
    return AudioFormat(encoding, sample_rate_hz, channels)
