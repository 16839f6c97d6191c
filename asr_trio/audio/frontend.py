"""Packets of audio in, segments of 16 kHz speech out: the C core behind one handle, one call per packet."""

from __future__ import annotations

import sys
from typing import Final

from asr_trio.audio.container import AudioFormat, Encoding
from asr_trio.audio.core import (
    QUALITIES,
    SAMPLE_RATE_HZ,
    SIMD_LEVELS,
    Quality,
    Simd,
    ffi,
    lib,
    resampler_table,
    scratch,
)
from asr_trio.audio.endpointer import (
    Dtmf,
    EndpointerEvent,
    EndpointerSettings,
    SpeechAudio,
    SpeechEnd,
    SpeechPause,
    SpeechResume,
    SpeechStart,
    drive,
    drive_out,
    fill_config,
)
from asr_trio.errors import AudioFormatError

__all__ = [
    "Dtmf",
    "EndpointerEvent",
    "EndpointerSettings",
    "Frontend",
    "SpeechAudio",
    "SpeechEnd",
    "SpeechPause",
    "SpeechResume",
    "SpeechStart",
]

_ENCODINGS: Final[dict[Encoding, int]] = {
    "pcm_u8": lib.ASR_PCM_U8,
    "pcm_s16": lib.ASR_PCM_S16,
    "pcm_s24": lib.ASR_PCM_S24,
    "pcm_s32": lib.ASR_PCM_S32,
    "float32": lib.ASR_PCM_F32,
    "float64": lib.ASR_PCM_F64,
    "alaw": lib.ASR_ALAW,
    "mulaw": lib.ASR_ULAW,
}
_PACKET_SAMPLES: Final = 4_000
"""Output room beyond what the core asks for: packets up to 250 ms need one call."""


class Frontend:
    """Decodes, resamples and finds speech in a stream of audio. Its results do not depend on how the stream is split.

    Used by one thread at a time.
    """

    def __init__(
        self,
        format: AudioFormat,  # noqa: A002 - the field's name for it
        endpointer: EndpointerSettings,
        *,
        quality: Quality = "default",
        simd: Simd = "auto",
    ) -> None:
        """Make ready for a stream.

        Args:
            format: what the stream holds; of several channels the first is heard.
            endpointer: how speech is found.
            quality: the resampler's filter.
            simd: the vector instructions to use, for tests.

        Raises:
            AudioFormatError: the rate or the number of channels is not supported.
        """
        config = ffi.new("asr_frontend_config *")
        lib.asr_frontend_defaults(config)
        config.encoding = _ENCODINGS[format.encoding]
        config.sample_rate_hz = format.sample_rate_hz
        config.channels = format.channels
        config.quality = QUALITIES[quality]
        config.simd = SIMD_LEVELS[simd]
        self._table = resampler_table(format.sample_rate_hz, SAMPLE_RATE_HZ, quality)
        config.table = ffi.cast("asr_resampler_table *", self._table)
        fill_config(ffi.addressof(config, "endpointer"), endpointer)
        size = lib.asr_frontend_size(config)
        handle = lib.asr_frontend_create(config)
        if not handle:
            raise AudioFormatError(f"{format.channels} channels at {format.sample_rate_hz} Hz are not supported")
        self._handle = ffi.gc(handle, lib.asr_frontend_destroy, size)
        self._output_samples = lib.asr_frontend_output_samples(handle) + _PACKET_SAMPLES

    def process(self, data: bytes) -> list[EndpointerEvent]:
        """Take the next bytes of the stream.

        Args:
            data: any number of bytes; a part of a sample is kept for the next call.

        Returns:
            What happened, in order: for every segment a SpeechStart, then SpeechAudio, SpeechPause and SpeechResume,
            then a SpeechEnd; Dtmf anywhere.

        Raises:
            RuntimeError: after `flush`, or when another thread is inside.
        """
        scratch.reserve(self._output_samples)
        return drive(lib.asr_frontend_process, self._handle, ffi.from_buffer("unsigned char[]", data), len(data))

    def flush(self) -> list[EndpointerEvent]:
        """End the stream: what is still inside comes out, and a running segment ends.

        Raises:
            RuntimeError: after an earlier `flush`, or when another thread is inside.
        """
        scratch.reserve(self._output_samples)
        return drive_out(lib.asr_frontend_flush, self._handle)

    @property
    def position_s(self) -> float:
        """Seconds of the stream that have passed the endpointer; all events before have been returned."""
        return float(lib.asr_frontend_position(self._handle)) / SAMPLE_RATE_HZ

    @property
    def level_dbfs(self) -> float:
        """Level of about the last 100 ms, relative to a full-scale sine wave; -100 for silence."""
        return float(lib.asr_frontend_level_dbfs(self._handle))


if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("audio is little-endian throughout, and so must the machine be")
