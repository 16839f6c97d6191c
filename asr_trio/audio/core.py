"""The C core as the other modules see it: the only importer of ``_dsp``."""

from __future__ import annotations

import functools
import threading
from typing import Any, Final, Literal, TypeAlias

from asr_trio import _dsp  # type: ignore[attr-defined,unused-ignore] # exists once it has been built
from asr_trio.errors import AudioFormatError

ffi: Any = _dsp.ffi
lib: Any = _dsp.lib

SAMPLE_RATE_HZ: Final = 16_000
"""The rate of everything behind the resampler."""
FRAME_SAMPLES: Final = 160
"""10 ms at 16 kHz."""

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


def goes_on(status: int) -> bool:
    """Tell whether a call must be repeated for the rest of its output; raise as `check` does."""
    if status == lib.ASR_MORE:
        return True
    check(status)
    return False


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
        self.pcm: Any = None
        self.pcm_room = 0
        self.events: Any = ffi.new("asr_event[]", self.EVENTS)
        self.counts: Any = ffi.new("size_t[3]")
        """Of the input, the samples and the events of a call: what there is room for, then what there was."""
        self.reserve(self.SAMPLES)

    def reserve(self, samples: int) -> None:
        """Make room for `samples`."""
        if samples > self.pcm_room:
            self.pcm = ffi.new("int16_t[]", samples)
            self.pcm_room = samples
            self.output = (self.pcm, self.counts + 1, self.events, self.counts + 2)
            """The last arguments of a call."""


scratch: Final = _Scratch()
