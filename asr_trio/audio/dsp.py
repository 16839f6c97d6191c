"""The C core for NumPy: streaming objects, and one-shot functions where a whole recording is at hand.

Samples are one-dimensional arrays, int16 or (resampler) float32. What comes out of an object does not depend on how its
input is split. An object is used by one thread at a time; a second one gets a RuntimeError. Calls release the GIL.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.audio.core import (
    FRAME_SAMPLES,
    QUALITIES,
    SAMPLE_RATE_HZ,
    SIMD_LEVELS,
    VAD_MODES,
    Quality,
    Simd,
    VadMode,
    check,
    ffi,
    lib,
    resampler_table,
    scratch,
    simd_levels,
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
from asr_trio.audio.frontend import Frontend

__all__ = [
    "FRAME_SAMPLES",
    "SAMPLE_RATE_HZ",
    "AudioFormat",
    "AudioReader",
    "Dtmf",
    "Endpointer",
    "EndpointerEvent",
    "EndpointerSettings",
    "Framer",
    "Frontend",
    "Quality",
    "Resampler",
    "Simd",
    "SpeechAudio",
    "SpeechEnd",
    "SpeechPause",
    "SpeechResume",
    "SpeechStart",
    "Vad",
    "VadMode",
    "alaw_decode",
    "alaw_encode",
    "resample",
    "simd_levels",
    "ulaw_decode",
    "ulaw_encode",
]

T = TypeVar("T", np.int16, np.float32)


_INT16: Final = ffi.typeof("int16_t[]")
_FLOAT32: Final = ffi.typeof("float[]")


# What the resampler does with each type of samples: the C type, a step, the end.
_KINDS: Final = {
    np.dtype(np.int16): (_INT16, lib.asr_resampler_process_i16, lib.asr_resampler_flush_i16),
    np.dtype(np.float32): (_FLOAT32, lib.asr_resampler_process_f32, lib.asr_resampler_flush_f32),
}


def _kind(samples: NDArray[Any]) -> tuple[Any, Any, Any]:
    """Return what fits an array of samples."""
    kind = _KINDS.get(samples.dtype)
    if kind is None or samples.ndim != 1:
        raise TypeError(f"samples must be one dimension of int16 or float32, not {samples.ndim} of {samples.dtype}")
    return kind


class Resampler:
    """Streaming resampler for any pair of rates; see ``docs/dsp.md`` for what each quality does.

    The output is aligned with the input: sample n of it lies at input time n / `out_rate_hz`. It comes `delay_s` later.
    Used by one thread at a time.
    """

    def __init__(
        self, in_rate_hz: int, out_rate_hz: int = SAMPLE_RATE_HZ, *, quality: Quality = "default", simd: Simd = "auto"
    ) -> None:
        """Make ready for a stream.

        Args:
            in_rate_hz: rate of the input, Hz.
            out_rate_hz: rate of the output, Hz.
            quality: ``default``, ``fast`` or ``best``.
            simd: the vector instructions to use, for tests.

        Raises:
            AudioFormatError: the rates are not supported.
            ValueError: this processor does not have these vector instructions.
        """
        self.in_rate_hz = in_rate_hz
        self.out_rate_hz = out_rate_hz
        self._table = resampler_table(in_rate_hz, out_rate_hz, quality)
        config = ffi.new("asr_resampler_config *")
        lib.asr_resampler_defaults(config)
        config.in_rate_hz = in_rate_hz
        config.out_rate_hz = out_rate_hz
        config.quality = QUALITIES[quality]
        config.simd = SIMD_LEVELS[simd]
        config.table = ffi.cast("asr_resampler_table *", self._table)
        handle = lib.asr_resampler_create(config)
        if not handle:
            check(lib.ASR_E_ARGUMENT)
        self._handle = ffi.gc(handle, lib.asr_resampler_destroy, lib.asr_resampler_size(config))
        self._counts = ffi.new("size_t[2]")
        self._made = self._counts + 1

    @property
    def delay_s(self) -> float:
        """Seconds of input that must be known beyond the newest output."""
        return float(lib.asr_resampler_delay_s(self._handle))

    def process(self, samples: NDArray[T]) -> NDArray[T]:
        """Take the next samples of the stream.

        Args:
            samples: one dimension, int16 or float32.

        Returns:
            The samples that are ready, of the same type; int16 is rounded half to even and saturated.

        Raises:
            TypeError: another type of samples.
            RuntimeError: after `flush`.
        """
        if not samples.flags.c_contiguous:
            samples = np.ascontiguousarray(samples)
        c_type, step, _ = _kind(samples)
        room = len(samples) * self.out_rate_hz // self.in_rate_hz + 2
        out = np.empty(room, samples.dtype)
        counts = self._counts
        counts[0], counts[1] = len(samples), room
        from_buffer = ffi.from_buffer
        status = step(self._handle, from_buffer(c_type, samples), counts, from_buffer(c_type, out), self._made)
        if status:  # a call for nothing would cost a tenth of the time of a packet
            check(status)
        return out[: counts[1]]

    def flush(self, dtype: type[T] = np.int16) -> NDArray[T]:  # type: ignore[assignment]
        """End the stream and return what is left of it, as samples of type `dtype`."""
        parts = []
        while True:
            out = np.empty(4096, dtype)
            c_type, _, end = _kind(out)
            self._counts[1] = len(out)
            check(end(self._handle, ffi.from_buffer(c_type, out), self._made))
            parts.append(out[: self._counts[1]])
            if self._counts[1] == 0:
                return np.concatenate(parts)

    def reset(self) -> None:
        """Begin a new stream."""
        lib.asr_resampler_reset(self._handle)


def resample(
    samples: NDArray[T], in_rate_hz: int, out_rate_hz: int = SAMPLE_RATE_HZ, *, quality: Quality = "default"
) -> NDArray[T]:
    """Return a whole recording (one dimension, int16 or float32) at another rate; ceil(n * out / in) samples."""
    resampler = Resampler(in_rate_hz, out_rate_hz, quality=quality)
    return np.concatenate([resampler.process(samples), resampler.flush(samples.dtype.type)])


class Framer:
    """Cuts a stream into overlapping frames and turns them into log-mel energies (or gives the frames themselves)."""

    def __init__(
        self,
        *,
        sample_rate_hz: int = SAMPLE_RATE_HZ,
        frame_samples: int = 400,
        hop_samples: int = FRAME_SAMPLES,
        pre_emphasis: float = 0.97,
        remove_offset: bool = True,
        hann_window: bool = True,
        mel_bands: int = 40,
        mel_low_hz: float = 20.0,
        mel_high_hz: float = 7600.0,
    ) -> None:
        """Make ready for a stream.

        Args:
            sample_rate_hz: rate of the samples.
            frame_samples: length of a frame, at most 4096; the transform is the next power of two.
            hop_samples: from the start of a frame to that of the next.
            pre_emphasis: x[n] - pre_emphasis * x[n-1], in [0, 1).
            remove_offset: subtract the mean of each frame.
            hann_window: weigh the frame.
            mel_bands: number of bands, at most 256; 0 for the samples of the frame instead.
            mel_low_hz: lower end of the lowest band.
            mel_high_hz: upper end of the highest band, at most half the rate.

        Raises:
            ValueError: a value is out of range.
        """
        config = ffi.new("asr_framer_config *")
        lib.asr_framer_defaults(config)
        config.sample_rate_hz = sample_rate_hz
        config.frame_samples = frame_samples
        config.hop_samples = hop_samples
        config.pre_emphasis = pre_emphasis
        config.remove_offset = remove_offset
        config.hann_window = hann_window
        config.mel_bands = mel_bands
        config.mel_low_hz = mel_low_hz
        config.mel_high_hz = mel_high_hz
        handle = lib.asr_framer_create(config)
        if not handle:
            check(lib.ASR_E_ARGUMENT)
        self._handle = ffi.gc(handle, lib.asr_framer_destroy)
        self._hop_samples = hop_samples
        self._row_floats = lib.asr_framer_row_floats(handle)
        self._counts = ffi.new("size_t[2]")

    def process(self, samples: NDArray[np.int16]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Take the next samples of the stream.

        Returns:
            (frames x bands natural logarithms of energy, or frames x frame_samples with full scale 1.0;
            level of each frame in dB relative to a full-scale sine wave).
        """
        samples = np.ascontiguousarray(samples, np.int16)
        room = len(samples) // self._hop_samples + 1
        rows = np.empty((room, self._row_floats), np.float32)
        levels = np.empty(room, np.float32)
        self._counts[0] = len(samples)
        self._counts[1] = room
        check(
            lib.asr_framer_process(
                self._handle,
                ffi.from_buffer(_INT16, samples),
                self._counts,
                ffi.from_buffer(_FLOAT32, rows),
                ffi.from_buffer(_FLOAT32, levels),
                self._counts + 1,
            )
        )
        return rows[: self._counts[1]], levels[: self._counts[1]]

    def reset(self) -> None:
        """Begin a new stream."""
        lib.asr_framer_reset(self._handle)


class Vad:
    """Probability of speech in each 10 ms of 16 kHz audio."""

    def __init__(self, mode: VadMode = "learned") -> None:
        """Make ready for a stream; `mode` is ``learned`` or ``energy``."""
        size = lib.asr_vad_size(VAD_MODES[mode])
        self._memory = ffi.new("unsigned char[]", size)
        self._handle = ffi.cast("asr_vad *", self._memory)
        check(lib.asr_vad_init(self._memory, size, VAD_MODES[mode]))
        self._probability = ffi.new("float *")
        self._rest = np.empty(0, np.int16)
        self._frames = 0

    @property
    def lookahead_frames(self) -> int:
        """So many frames must be known beyond the one that is judged."""
        return int(lib.asr_vad_lookahead_frames(self._handle))

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Take the next samples of the stream and return the probabilities that are ready, one for each 10 ms."""
        samples = np.concatenate([self._rest, samples]).astype(np.int16, copy=False)
        whole = len(samples) // FRAME_SAMPLES
        self._rest = samples[whole * FRAME_SAMPLES :]
        out = np.empty(whole, np.float32)
        pointer = ffi.from_buffer(_INT16, samples)
        for index in range(whole):
            check(lib.asr_vad_process(self._handle, pointer + index * FRAME_SAMPLES, self._probability))
            out[index] = self._probability[0]
        early = min(max(self.lookahead_frames - self._frames, 0), whole)
        self._frames += whole
        return out[early:]

    def flush(self) -> NDArray[np.float32]:
        """End the stream: silence completes its last frame and drives the look-ahead out."""
        missing = -len(self._rest) % FRAME_SAMPLES + self.lookahead_frames * FRAME_SAMPLES
        return self.process(np.zeros(missing, np.int16)) if self._frames or len(self._rest) else np.empty(0, np.float32)

    def reset(self) -> None:
        """Begin a new stream."""
        lib.asr_vad_reset(self._handle)
        self._rest = np.empty(0, np.int16)
        self._frames = 0


class Endpointer:
    """Finds segments of speech in 16 kHz audio. `Frontend` does the same for bytes of any format."""

    def __init__(self, settings: EndpointerSettings | None = None) -> None:
        """Make ready for a stream; the default settings are those of the protocol."""
        config = ffi.new("asr_endpointer_config *")
        lib.asr_endpointer_defaults(config)
        fill_config(config, settings or EndpointerSettings())
        handle = lib.asr_endpointer_create(config)
        if not handle:
            check(lib.ASR_E_MEMORY)
        self._handle = ffi.gc(handle, lib.asr_endpointer_destroy, lib.asr_endpointer_size(config))
        self._output_samples = lib.asr_endpointer_output_samples(handle)

    def process(self, samples: NDArray[np.int16]) -> list[EndpointerEvent]:
        """Take the next samples of the stream and return what happened, in order."""
        samples = np.ascontiguousarray(samples, np.int16)
        scratch.reserve(self._output_samples)
        return drive(lib.asr_endpointer_process, self._handle, ffi.from_buffer(_INT16, samples), len(samples))

    def flush(self) -> list[EndpointerEvent]:
        """End the stream: a running segment ends."""
        scratch.reserve(self._output_samples)
        return drive_out(lib.asr_endpointer_flush, self._handle)

    @property
    def position_s(self) -> float:
        """Seconds of the stream that have been decided."""
        return float(lib.asr_endpointer_position(self._handle)) / SAMPLE_RATE_HZ


def ulaw_decode(data: bytes) -> NDArray[np.int16]:
    """Return the samples of G.711 mu-law bytes."""
    out = np.empty(len(data), np.int16)
    lib.asr_ulaw_decode(ffi.from_buffer("uint8_t[]", data), len(data), ffi.from_buffer("int16_t[]", out))
    return out


def alaw_decode(data: bytes) -> NDArray[np.int16]:
    """Return the samples of G.711 A-law bytes."""
    out = np.empty(len(data), np.int16)
    lib.asr_alaw_decode(ffi.from_buffer("uint8_t[]", data), len(data), ffi.from_buffer("int16_t[]", out))
    return out


def ulaw_encode(samples: NDArray[np.int16]) -> bytes:
    """Return int16 samples as G.711 mu-law bytes."""
    samples = np.ascontiguousarray(samples, np.int16)
    out = ffi.new("uint8_t[]", len(samples))
    lib.asr_ulaw_encode(ffi.from_buffer("int16_t[]", samples), len(samples), out)
    return bytes(ffi.buffer(out))


def alaw_encode(samples: NDArray[np.int16]) -> bytes:
    """Return int16 samples as G.711 A-law bytes."""
    samples = np.ascontiguousarray(samples, np.int16)
    out = ffi.new("uint8_t[]", len(samples))
    lib.asr_alaw_encode(ffi.from_buffer("int16_t[]", samples), len(samples), out)
    return bytes(ffi.buffer(out))
