"""Recorded speech for tests, as the recogniser takes it."""

from __future__ import annotations

from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly


def read_pcm(path: Path) -> bytes:
    """Return a recording as 16 kHz mono signed 16-bit samples."""
    samples, rate = soundfile.read(path, dtype="float64")
    if rate != 16_000:
        divisor = gcd(rate, 16_000)
        samples = resample_poly(samples, 16_000 // divisor, rate // divisor)
    return np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2").tobytes()
