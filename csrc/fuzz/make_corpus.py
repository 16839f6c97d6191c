"""Writes the standing corpus: a few seconds of voice-like sound in every encoding, resampler inputs, model tables.

``python csrc/fuzz/make_corpus.py`` from the root of the repository; the files are small and committed.
"""

from __future__ import annotations

import math
import random
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def voice(seconds: float, rate_hz: int) -> list[int]:
    """Return a buzz between pauses."""
    samples = []
    for index in range(int(seconds * rate_hz)):
        t = index / rate_hz
        loud = 4000 if seconds / 4 < t < seconds / 2 else 8
        samples.append(int(loud * sum(math.sin(2 * math.pi * 140 * k * t + k) / k for k in range(1, 12)) / 2))
    return samples


def main() -> None:
    """Write the files."""
    source = random.Random(1)  # noqa: S311 - the same file every time
    frontend, resampler, cepstrum, mixture = (
        CORPUS / target for target in ("frontend", "resampler", "cepstrum", "mixture")
    )
    for folder in (frontend, resampler, cepstrum, mixture):
        folder.mkdir(parents=True, exist_ok=True)
    samples = voice(0.8, 8_000)
    packed = {
        1: bytes((sample >> 8) + 128 for sample in samples),
        2: struct.pack(f"<{len(samples)}h", *samples),
        3: b"".join((sample << 8).to_bytes(3, "little", signed=True) for sample in samples[::2]),
        5: struct.pack(f"<{len(samples[::2])}f", *(sample / 32768 for sample in samples[::2])),
        8: bytes(source.randrange(256) for _ in samples),
    }
    for encoding, data in packed.items():
        # encoding, rate, channels, quality, switches, margins, level, longest segment, overlap, packet
        choices = bytes([encoding, 0, 1, 0, 0xA1, 20, 20, 25, 1, 1, 50, 63, 50, encoding * 9, 0, 0])
        (frontend / f"voice_{encoding}").write_bytes(choices + data)
    for in_rate_hz, out_rate_hz in [(8_000, 16_000), (44_100, 16_000), (7_999, 16_000), (16_000, 8_000)]:
        rates = in_rate_hz.to_bytes(3, "little") + out_rate_hz.to_bytes(3, "little")
        values = struct.pack("<300f", *(source.uniform(-1, 1) for _ in range(300)))
        (resampler / f"noise_{in_rate_hz}_{out_rate_hz}").write_bytes(rates + bytes([0, 0, 99, 77]) + values)
    same_rate = (16_000).to_bytes(3, "little") * 2
    (resampler / "not_a_number_16000_16000").write_bytes(same_rate + bytes(4) + struct.pack("<3f", 0.5, math.nan, 0.5))
    for warps, bands, cepstra in [(1, 25, 13), (7, 31, 19), (16, 64, 64)]:
        # window, warps, bands, cepstra, offset, pre-emphasis, frames, first bin and width of the bands, noise
        choices = struct.pack("<H9B5x", 410, warps, bands, cepstra, 1, 247, 11, 170, 30, 1)
        (cepstrum / f"voice_{warps}_{bands}_{cepstra}").write_bytes(choices + packed[2][:4_000])
    for streams, codebooks, gaussians, phones in [(1, 1, 8, 3), (3, 4, 128, 9), (4, 6, 256, 1)]:
        # sizes, frames, whether phones and codebooks agree and features are any floats, dimensions
        choices = struct.pack("<BBH7B5x", streams, codebooks, gaussians, phones, 9, 1, 13, 12, 14, 3)
        (mixture / f"states_{streams}_{codebooks}_{gaussians}").write_bytes(choices + source.randbytes(300))
    choices = struct.pack("<BBH7B5x", 3, 4, 24, 4, 9, 3, 13, 12, 14, 3)
    (mixture / "any_floats").write_bytes(choices + source.randbytes(400))


if __name__ == "__main__":
    main()
