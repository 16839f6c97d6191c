"""Resamplers to 16 kHz behind one shape, ours and those that are installed beside it."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from asr_trio.audio import dsp

OUT_HZ = 16_000
Block = np.ndarray[Any, np.dtype[np.int16]]
Stream = Callable[[Block], Block]  # int16 of any length in, what is ready of int16 out
Maker = Callable[[int], Stream]  # for a rate


def candidates() -> tuple[dict[str, Maker], list[str]]:
    """Return what makes a stream of each resampler for a rate, and words about those that are missing."""
    found = dict(_ours())
    missing = []
    for module, make_all in (("soxr", _soxr), ("samplerate", _libsamplerate), ("av", _swresample)):
        if importlib.util.find_spec(module):
            found.update(make_all())
        else:
            missing.append(f"skipped: {module} is not installed")
    if library := ctypes.util.find_library("speexdsp"):
        found.update(_speexdsp(ctypes.CDLL(library)))
    else:
        missing.append("skipped: libspeexdsp is not installed")
    return found, missing


def _ours() -> Iterator[tuple[str, Maker]]:
    for quality in ("default", "fast", "best"):
        yield f"asr_dsp {quality}", lambda rate_hz, quality=quality: dsp.Resampler(rate_hz, quality=quality).process
    for simd in dsp.simd_levels()[:-1]:
        yield f"asr_dsp {simd}", lambda rate_hz, simd=simd: dsp.Resampler(rate_hz, simd=simd).process


def _soxr() -> Iterator[tuple[str, Maker]]:
    import soxr

    for quality in ("HQ", "VHQ"):
        yield (
            f"soxr {quality}",
            lambda rate_hz, quality=quality: (
                soxr.ResampleStream(rate_hz, OUT_HZ, 1, dtype="int16", quality=quality).resample_chunk
            ),
        )


def _libsamplerate() -> Iterator[tuple[str, Maker]]:
    import samplerate

    def make(rate_hz: int, quality: str) -> Stream:
        resampler, ratio = samplerate.Resampler(quality, channels=1), OUT_HZ / rate_hz

        def process(block: Block) -> Block:
            out = 32768 * resampler.process(block.astype(np.float32) / 32768, ratio)
            return np.clip(np.rint(out), -32768, 32767).astype(np.int16)

        return process

    for quality in ("sinc_fastest", "sinc_medium", "sinc_best"):
        yield f"libsamplerate {quality[5:]}", lambda rate_hz, quality=quality: make(rate_hz, quality)


def _swresample() -> Iterator[tuple[str, Maker]]:
    import av

    def make(rate_hz: int) -> Stream:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=OUT_HZ)

        def process(block: Block) -> Block:
            frame = av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono")
            frame.sample_rate = rate_hz
            parts = [out.to_ndarray()[0] for out in resampler.resample(frame)]
            return np.concatenate(parts) if parts else np.zeros(0, np.int16)

        return process

    yield "swresample default", make


def _speexdsp(library: ctypes.CDLL) -> Iterator[tuple[str, Maker]]:
    library.speex_resampler_init.restype = ctypes.c_void_p

    def make(rate_hz: int, quality: int) -> Stream:
        status = ctypes.c_int()
        state = ctypes.c_void_p(
            library.speex_resampler_init(1, rate_hz, OUT_HZ, quality, ctypes.byref(status))
        )  # lives as long as the benchmark
        room = np.empty(4_096, np.int16)

        def process(block: Block) -> Block:
            used, made = ctypes.c_uint32(len(block)), ctypes.c_uint32(len(room))
            library.speex_resampler_process_int(
                state, 0, ctypes.c_void_p(block.ctypes.data), ctypes.byref(used),
                ctypes.c_void_p(room.ctypes.data), ctypes.byref(made),
            )  # fmt: skip
            assert used.value == len(block)
            return room[: made.value].copy()

        return process

    for quality in (3, 7, 10):
        yield f"speexdsp q{quality}", lambda rate_hz, quality=quality: make(rate_hz, quality)
