"""Recordings of the development data, in the forms in which clients send audio."""

from __future__ import annotations

import csv
import io
import wave
from pathlib import Path
from typing import Any

import numpy as np


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def samples(path: Path) -> tuple[Any, int]:
    """Return 16-bit mono samples and their rate."""
    if path.suffix == ".flac":
        import soundfile

        found, rate_hz = soundfile.read(path, dtype="int16")
        return found, rate_hz
    with wave.open(str(path)) as recording:
        return np.frombuffer(recording.readframes(recording.getnframes()), "<i2"), recording.getframerate()


def wav(pcm: Any, rate_hz: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(rate_hz)
        recording.writeframes(np.asarray(pcm, "<i2").tobytes())
    return buffer.getvalue()


def silence(seconds: float, rate_hz: int = 16_000) -> Any:
    """Return room tone rather than digital zero."""
    return np.random.default_rng(1).integers(-3, 4, int(seconds * rate_hz), dtype=np.int16)
