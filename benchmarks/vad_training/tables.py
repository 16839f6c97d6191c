"""Write csrc/src/features_tables.c: window, roots of unity and mel weights of the detector's features.

python -m benchmarks.vad_training.tables > csrc/src/features_tables.c
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
WINDOW = 512
BANDS = 32
LOW_HZ, HIGH_HZ = 60.0, 7_600.0

Floats = npt.NDArray[np.float64]


def hann() -> Floats:
    """Return the periodic Hann window; its squares sum to 3/8 of its length."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


def mel_bands() -> list[tuple[int, Floats]]:
    """Return first bin and weights of each triangular band; the weights of a band sum to 1.

    Mel scale of O'Shaughnessy, 2595 log10(1 + f / 700).
    """

    def to_mel(hz: float) -> float:
        return float(2595 * np.log10(1 + hz / 700))

    edges_hz = 700 * (10 ** (np.linspace(to_mel(LOW_HZ), to_mel(HIGH_HZ), BANDS + 2) / 2595) - 1)
    bins_hz = np.arange(WINDOW // 2 + 1) * SAMPLE_RATE_HZ / WINDOW
    bands = []
    for low, middle, high in zip(edges_hz, edges_hz[1:], edges_hz[2:], strict=False):
        weights = np.maximum(0, np.minimum((bins_hz - low) / (middle - low), (high - bins_hz) / (high - middle)))
        used = np.flatnonzero(weights)
        bands.append((int(used[0]), weights[used] / weights.sum()))
    return bands


def table(kind: str, name: str, values: Iterable[float]) -> str:
    """Format one constant array."""
    texts = [f"{v:d}" if isinstance(v, int) else f"{np.float32(v):.9g}" for v in values]
    texts = [t if kind == "uint16_t" else (t if any(c in t for c in ".e") else t + ".0") + "f" for t in texts]
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) > 118:
            lines.append(line)
            line = "   "
        line += f" {text},"
    return "\n".join([f"const {kind} {name}[{len(texts)}] = {{", *lines, line, "};\n"])


def main() -> None:
    angle = 2 * np.pi * np.arange(WINDOW // 2) / WINDOW
    bands = mel_bands()
    sys.stdout.write('/* Made by benchmarks/vad_training/tables.py. */\n#include "features.h"\n\n')
    for name, values in (
        ("hann", hann()),
        ("cosine", np.cos(angle)),
        ("sine", np.sin(angle)),
        ("root256_cosine", np.cos(angle[:128:2])),
        ("root256_sine", np.sin(angle[:128:2])),
        ("root128_cosine", np.cos(angle[:128:4])),
        ("root128_sine", np.sin(angle[:128:4])),
        ("mel_weight", np.concatenate([weights for _, weights in bands])),
    ):
        sys.stdout.write(table("float", f"asr_feature_{name}", values) + "\n")
    sys.stdout.write(table("uint16_t", "asr_feature_mel_first", [first for first, _ in bands]) + "\n")
    sys.stdout.write(table("uint16_t", "asr_feature_mel_count", [len(weights) for _, weights in bands]))


if __name__ == "__main__":
    main()
