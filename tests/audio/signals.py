"""Audio made for tests: something that every detector takes for speech, and silence."""

from __future__ import annotations

import numpy as np


def babble(seconds: float, rate_hz: int = 16_000, *, seed: int = 0) -> np.ndarray:
    """Return a voice-like sound: a gliding harmonic source through three formants, in syllables of 200 ms."""
    random = np.random.default_rng(seed)
    count = int(seconds * rate_hz)
    t = np.arange(count) / rate_hz
    pitch_hz = 120 + 25 * np.sin(2 * np.pi * 0.9 * t) + 6 * np.sin(2 * np.pi * 3.1 * t)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    formants_hz = np.stack(
        [500 + 200 * np.sin(2 * np.pi * 2.3 * t), 1500 + 500 * np.sin(2 * np.pi * 1.7 * t), 2600 + 0 * t]
    )
    sound = np.zeros(count)
    for harmonic in range(1, 28):
        frequency_hz = harmonic * pitch_hz
        gain = sum(1 / (1 + ((frequency_hz - formant_hz) / 120) ** 2) for formant_hz in formants_hz)
        sound += gain * np.sin(harmonic * phase) * (frequency_hz < 0.45 * rate_hz)
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 5 * t - np.pi / 2)
    sound = sound * syllables + random.normal(0, 0.01, count)
    return 6000 * sound / np.abs(sound).max()


def noise(seconds: float, rate_hz: int = 16_000, *, amplitude: float = 8.0, seed: int = 1) -> np.ndarray:
    """Return white noise with this standard deviation."""
    return np.random.default_rng(seed).normal(0, amplitude, int(seconds * rate_hz))


def sentence(rate_hz: int = 16_000, *, lead_s: float = 1.0, speech_s: float = 1.2, trail_s: float = 1.6) -> np.ndarray:
    """Return speech between pauses, in units of int16."""
    return np.concatenate(
        [noise(lead_s, rate_hz), babble(speech_s, rate_hz) + noise(speech_s, rate_hz, seed=2), noise(trail_s, rate_hz)]
    )


def pcm16(samples: np.ndarray) -> bytes:
    """Return `samples` as 16-bit little-endian bytes."""
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
