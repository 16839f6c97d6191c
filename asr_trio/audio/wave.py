"""The header of a WAV file, as far as it has come."""

from __future__ import annotations

from typing import Final

from asr_trio.audio.format import AudioFormat, Encoding
from asr_trio.errors import AudioFormatError

_MIN_RATE_HZ: Final = 4_000
_MAX_RATE_HZ: Final = 384_000
_MAX_CHANNELS: Final = 32
_MAX_HEADER_BYTES: Final = 1 << 20
"""A WAV file may carry pictures and text before its samples, but not without end."""
_MAX_FORMAT_BYTES: Final = 4_096
_RIFF_BYTES: Final = 12
_CHUNK_BYTES: Final = 8
"""Name and size in front of every chunk."""
_MAGICS: Final = (b"RIFF", b"RF64")

_ENCODINGS: Final[dict[tuple[int, int], Encoding]] = {
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
_COMPRESSED: Final = frozenset({0x02, 0x11, 0x31, 0x55})
"""Microsoft and IMA ADPCM, GSM 06.10, MP3."""
_EXTENSIBLE: Final = 0xFFFE
_UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)
"""Data sizes of writers that did not know it when they began: the data go on until the audio ends."""


def may_begin(head: bytes) -> bool:
    """Tell whether a WAV file can begin like this."""
    return any(magic.startswith(head[:4]) for magic in _MAGICS) and b"WAVE".startswith(head[8:_RIFF_BYTES])


class WaveParser:
    """Walks the chunks of a WAV file up to its samples, taking bytes as they come.

    Attributes:
        format: how the samples are laid out, or None where they are compressed; decided once `take` said True.
        data_bytes: how many bytes of samples there are, or None where the writer did not know.
        head: all bytes taken so far: everything before the samples.
    """

    def __init__(self) -> None:
        self.format: AudioFormat | None = None
        self.data_bytes: int | None = None
        self.head = bytearray()
        self._format_chunk: bytes | None = None
        self._skip_bytes = _RIFF_BYTES

    def take(self, pending: bytearray) -> bool:
        """Take what belongs to the header from the front of `pending`.

        Returns:
            True once the header is complete and `pending` begins with the samples.

        Raises:
            AudioFormatError: it is no header that leads to samples.
        """
        while True:
            self._skip_bytes -= self._move(pending, self._skip_bytes)
            if self._skip_bytes > 0 or len(pending) < _CHUNK_BYTES:
                return False
            size = int.from_bytes(pending[4:8], "little")
            if pending.startswith(b"data"):
                if self._format_chunk is None:
                    raise AudioFormatError("the WAV header has no format before its data")
                self.format = _parse_format(self._format_chunk)
                self.data_bytes = None if size in _UNKNOWN_SIZES else size
                self._move(pending, _CHUNK_BYTES)
                return True
            if pending.startswith(b"fmt "):
                if size > _MAX_FORMAT_BYTES:
                    raise AudioFormatError("the format chunk of the WAV header is too long")
                if len(pending) < _CHUNK_BYTES + size:
                    return False
                self._format_chunk = bytes(pending[_CHUNK_BYTES : _CHUNK_BYTES + size])
            self._skip_bytes = _CHUNK_BYTES + size + size % 2
            if len(self.head) + self._skip_bytes > _MAX_HEADER_BYTES:
                raise AudioFormatError("the WAV header has no data")

    def _move(self, pending: bytearray, count: int) -> int:
        moved = min(count, len(pending))
        self.head += pending[:moved]
        del pending[:moved]
        return moved


def _parse_format(chunk: bytes) -> AudioFormat | None:
    if len(chunk) < 16:
        raise AudioFormatError("the format chunk of the WAV header is too short")
    tag = int.from_bytes(chunk[0:2], "little")
    channels = int.from_bytes(chunk[2:4], "little")
    sample_rate_hz = int.from_bytes(chunk[4:8], "little")
    bits = int.from_bytes(chunk[14:16], "little")
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")  # the sub-format's GUID begins with the tag
    if not _MIN_RATE_HZ <= sample_rate_hz <= _MAX_RATE_HZ or not 1 <= channels <= _MAX_CHANNELS:
        raise AudioFormatError(f"{channels} channels at {sample_rate_hz} Hz are not supported")
    if tag in _COMPRESSED:
        return None
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise AudioFormatError(f"WAV format {tag} with {bits} bits is not supported")
    return AudioFormat(encoding, sample_rate_hz, channels)
