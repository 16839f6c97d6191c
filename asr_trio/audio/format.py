"""How samples are laid out."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

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
