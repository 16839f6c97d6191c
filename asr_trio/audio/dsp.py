"""The C core as Python sees it: the only importer of ``_dsp``."""

from __future__ import annotations

import functools
import threading
from typing import Any, Final, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from asr_trio import _dsp  # type: ignore[attr-defined,unused-ignore] # exists once it has been built
from asr_trio.errors import AudioFormatError

ffi: Any = _dsp.ffi
lib: Any = _dsp.lib

SAMPLE_RATE_HZ: Final = 16_000
"""The rate of everything behind the resampler."""
FRAME_SAMPLES: Final = 160
"""10 ms at 16 kHz."""

T = TypeVar("T", np.int16, np.float32)
Quality: TypeAlias = Literal["default", "fast", "best"]
Simd: TypeAlias = Literal["auto", "scalar", "sse2", "neon", "avx2", "avx512"]
VadMode: TypeAlias = Literal["learned", "energy"]

QUALITIES: Final[dict[Quality, int]] = {
    "default": lib.ASR_QUALITY_DEFAULT,
    "fast": lib.ASR_QUALITY_FAST,
    "best": lib.ASR_QUALITY_BEST,
}
SIMD_LEVELS: Final[dict[Simd, int]] = {
    "auto": lib.ASR_SIMD_AUTO,
    "scalar": lib.ASR_SIMD_SCALAR,
    "sse2": lib.ASR_SIMD_SSE2,
    "neon": lib.ASR_SIMD_NEON,
    "avx2": lib.ASR_SIMD_AVX2,
    "avx512": lib.ASR_SIMD_AVX512,
}
VAD_MODES: Final[dict[VadMode, int]] = {"learned": lib.ASR_VAD_LEARNED, "energy": lib.ASR_VAD_ENERGY}


def check(status: int) -> None:
    """Raise what a status of the C core means.

    Raises:
        AudioFormatError: the rates are not supported.
        ValueError: an argument is out of range.
        MemoryError: there is no memory.
        RuntimeError: the object is in use by another thread, or the call does not fit its state.
    """
    if status == lib.ASR_OK:
        return
    message = ffi.string(lib.asr_strerror(status)).decode("ascii")
    if status == lib.ASR_E_RATE:
        raise AudioFormatError(message)
    if status == lib.ASR_E_ARGUMENT:
        raise ValueError(message)
    if status == lib.ASR_E_MEMORY:
        raise MemoryError(message)
    raise RuntimeError(message)


def simd_levels() -> tuple[Simd, ...]:
    """Return the SIMD levels that this processor and this build have, slowest first."""
    return tuple(name for name, level in SIMD_LEVELS.items() if name != "auto" and lib.asr_simd_available(level))


@functools.lru_cache(maxsize=32)
def resampler_table(in_rate_hz: int, out_rate_hz: int, quality: Quality) -> Any:
    """Return the coefficients of a ratio, shared by every resampler of the process.

    Args:
        in_rate_hz: rate of the input.
        out_rate_hz: rate of the output.
        quality: which filter.

    Returns:
        An ``asr_resampler_table``; who uses its address must hold it.

    Raises:
        AudioFormatError: the rates are not supported.
    """
    config = ffi.new("asr_resampler_config *")
    lib.asr_resampler_defaults(config)
    config.in_rate_hz = in_rate_hz
    config.out_rate_hz = out_rate_hz
    config.quality = QUALITIES[quality]
    size = lib.asr_resampler_table_size(config)
    if size == 0:
        raise AudioFormatError(f"audio at {in_rate_hz} Hz cannot be resampled to {out_rate_hz} Hz")
    memory = ffi.new("unsigned char[]", size)
    check(lib.asr_resampler_table_init(memory, size, config))
    return memory


class _Scratch(threading.local):
    """Memory for the output of one call, shared by all handles of a thread: a handle at rest holds none."""

    EVENTS = 64
    SAMPLES = 1 << 15

    def __init__(self) -> None:
        self.pcm: Any = ffi.new("int16_t[]", self.SAMPLES)
        self.pcm_room = self.SAMPLES
        self.events: Any = ffi.new("asr_event[]", self.EVENTS)
        self.event_room = self.EVENTS
        self.counts: Any = ffi.new("size_t[3]")

    def reserve(self, samples: int) -> None:
        """Make room for `samples`."""
        if samples > self.pcm_room:
            self.pcm = ffi.new("int16_t[]", samples)
            self.pcm_room = samples


scratch: Final = _Scratch()


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
        samples = np.ascontiguousarray(samples)
        c_type = _array_type(samples)
        step = lib.asr_resampler_process_i16 if c_type is _INT16 else lib.asr_resampler_process_f32
        room = len(samples) * self.out_rate_hz // self.in_rate_hz + 2
        out = np.empty(room, samples.dtype)
        self._counts[0] = len(samples)
        self._counts[1] = room
        check(
            step(
                self._handle,
                ffi.from_buffer(c_type, samples),
                self._counts,
                ffi.from_buffer(c_type, out),
                self._counts + 1,
            )
        )
        return out[: self._counts[1]]

    def flush(self, dtype: type[T] = np.int16) -> NDArray[T]:  # type: ignore[assignment]
        """End the stream and return what is left of it, as samples of type `dtype`."""
        parts = []
        while True:
            out = np.empty(4096, dtype)
            c_type = _array_type(out)
            self._counts[1] = len(out)
            step = lib.asr_resampler_flush_i16 if c_type is _INT16 else lib.asr_resampler_flush_f32
            check(step(self._handle, ffi.from_buffer(c_type, out), self._counts + 1))
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


_INT16: Final = ffi.typeof("int16_t[]")
_FLOAT32: Final = ffi.typeof("float[]")


def _array_type(samples: NDArray[Any]) -> Any:
    """Return the C type of an array of samples."""
    if samples.ndim == 1 and samples.dtype == np.int16:
        return _INT16
    if samples.ndim == 1 and samples.dtype == np.float32:
        return _FLOAT32
    raise TypeError(f"samples must be one dimension of int16 or float32, not {samples.ndim} of {samples.dtype}")


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
