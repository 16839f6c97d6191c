"""Sounds that are no speech and need no recording: noises, telephone tones, music-like chords, clicks, rooms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

RATE = 16_000
Floats = npt.NDArray[np.float64]
Rng = np.random.Generator

DTMF_HZ = [(low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477, 1633)]
PROGRESS_HZ = [
    (440, 480),
    (480, 620),
    (350, 440),
    (425,),
    (400, 450),
    (400,),
    (950,),
    (1400,),
    (1800,),
    (2100,),
    (1100,),
]


def coloured(rng: Rng, count: int) -> Floats:
    """Gaussian noise with a spectrum falling 0 to 6 dB an octave, sometimes swelling slowly."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum *= (np.arange(len(spectrum)) + 8.0) ** (-rng.uniform(0, 2) / 2)
    noise = np.fft.irfft(spectrum, count)
    if rng.random() < 0.4:
        knots = rng.uniform(-9, 3, max(3, count * 2 // RATE))
        noise *= 10 ** (np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots) / 20)
    return noise


def modulated(rng: Rng, count: int) -> Floats:
    """Band-limited noise switched or swung at 1 to 12 Hz: engines, wipers, steps."""
    low = 10 ** rng.uniform(2.0, 3.2)
    band = signal.butter(2, [low, min(7500, low * rng.uniform(1.5, 12))], "bandpass", fs=RATE, output="sos")
    phase = 2 * np.pi * rng.uniform(1, 12) * np.arange(count) / RATE + rng.uniform(0, 6)
    shape = 0.5 + 0.5 * np.sin(phase)
    shape = shape ** rng.uniform(0.3, 6) if rng.random() < 0.6 else (shape > rng.uniform(0.2, 0.8)).astype(float)
    return np.asarray(signal.sosfilt(band, rng.standard_normal(count))) * (rng.uniform(0, 0.3) + shape)


def hum(rng: Rng, count: int) -> Floats:
    """Mains hum with harmonics over a little noise."""
    base = rng.choice([50.0, 60.0, 100.0, 120.0])
    t = np.arange(count) / RATE
    tones = sum(rng.uniform(0, 1) / k * np.sin(2 * np.pi * base * k * t + rng.uniform(0, 6)) for k in range(1, 12))
    return np.asarray(tones) + 0.02 * rng.standard_normal(count)


def tones(rng: Rng, count: int) -> Floats:
    """Telephone tones: digits, call progress in cadence, modem answer, beeps and sweeps."""
    out = np.zeros(count)
    at = int(rng.uniform(0, RATE))
    kind = rng.integers(4)
    on_s, off_s = rng.uniform(0.05, 2.5), rng.uniform(0.05, 3.0)
    chosen = PROGRESS_HZ[rng.integers(len(PROGRESS_HZ))]
    while at < count:
        if kind == 0:
            on_s, off_s = rng.uniform(0.05, 0.4), rng.uniform(0.05, 0.6)
            chosen = DTMF_HZ[rng.integers(len(DTMF_HZ))]
        elif kind == 1:
            chosen, on_s = (float(rng.uniform(200, 4000)),), rng.uniform(0.05, 1.5)
        length = min(count - at, int(on_s * RATE))
        t = np.arange(length) / RATE
        slide = rng.uniform(-800, 800) if kind == 2 and rng.random() < 0.4 else 0.0
        tone = sum(np.sin(2 * np.pi * (f * t + slide * t * t / 2)) for f in chosen)
        edge = min(length // 2, 80)
        ramp = np.ones(length)
        if edge:
            ramp[:edge] = np.linspace(0, 1, edge)
            ramp[-edge:] = ramp[:edge][::-1]
        out[at : at + length] += np.asarray(tone) * ramp
        at += length + int(off_s * RATE)
    return out + 1e-4 * rng.standard_normal(count)


def music(rng: Rng, count: int) -> Floats:
    """Chords, a melody and a beat in one scale: harmonic and pitched like a voice, but no voice."""
    out = np.zeros(count)
    beat_s = rng.uniform(0.25, 0.8)
    root_hz = 110 * 2 ** (rng.integers(12) / 12)
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) if rng.random() < 0.5 else np.array([0, 2, 3, 5, 7, 8, 10])
    decay_s, richness = 10 ** rng.uniform(-1.0, 0.6), rng.uniform(0.4, 2.0)
    vibrato = rng.uniform(0, 0.008) if rng.random() < 0.5 else 0.0
    drums = rng.uniform(0, 0.8) if rng.random() < 0.6 else 0.0
    for beat in range(int(count / RATE / beat_s) + 1):
        at = int(beat * beat_s * RATE)
        length = min(count - at, int(RATE * beat_s * rng.choice([1, 2, 4])))
        if length < 200:
            break
        t = np.arange(length) / RATE
        notes = [rng.integers(7) + 7 * rng.integers(1, 3)]
        if beat % 4 == 0:
            first = rng.integers(7)
            notes += [first, first + 2, first + 4]
        for note in notes:
            hz = root_hz * 2 ** ((scale[note % 7] + 12 * (note // 7)) / 12)
            swing = vibrato * hz / 5.5 * np.sin(2 * np.pi * 5.5 * t)
            partials = [k for k in range(1, 12) if k * hz < 7000]
            sound = sum(k**-richness * np.sin(2 * np.pi * k * (hz * t + swing) + rng.uniform(0, 6)) for k in partials)
            out[at : at + length] += (
                np.asarray(sound) * np.exp(-t / decay_s) * np.minimum(1, t / rng.uniform(0.002, 0.05))
            )
        if drums:
            hit = rng.standard_normal(length) * np.exp(-t / rng.uniform(0.01, 0.08))
            out[at : at + length] += drums * (hit + 2 * np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.08))
    return out + 1e-3 * rng.standard_normal(count)


def cry(rng: Rng, count: int) -> Floats:
    """A baby: arcs of a high voice with strong overtones, breath between them, no syllables."""
    out = 1e-4 * rng.standard_normal(count)
    base_hz, tremor_hz = rng.uniform(300, 600), rng.uniform(4, 9)
    peaks_hz, roughness = np.array([1.0, 3.0, 5.0]) * rng.uniform(900, 1300), rng.uniform(0, 0.5)
    at = int(rng.uniform(-0.5, 1.0) * RATE)
    while at < count:
        length = int(rng.uniform(0.25, 1.8) * RATE)
        t = np.arange(length) / RATE
        arc = np.sin(np.pi * np.linspace(0, 1, length)) ** rng.uniform(0.2, 1.0)
        hz = base_hz * (1 + rng.uniform(0.05, 0.35) * arc + 0.02 * np.sin(2 * np.pi * tremor_hz * t))
        phase = 2 * np.pi * np.cumsum(hz) / RATE
        sound = roughness * rng.standard_normal(length) * (1 + np.sin(phase)) / 2
        for k in range(1, int(7500 / base_hz / 1.4)):
            gain = np.exp(-np.square((k * base_hz - peaks_hz) / 700)).sum() + 0.1
            sound += gain * k ** rng.uniform(-0.8, -0.2) * np.sin(k * phase + rng.uniform(0, 6))
        first, last = max(0, at), min(count, at + length)
        if last > first:
            out[first:last] += (sound * arc * (1 + 0.3 * np.sin(2 * np.pi * tremor_hz * t)))[first - at : last - at]
        at += length + int(rng.uniform(0.1, 1.0) * RATE)
    return out


def engine(rng: Rng, count: int) -> Floats:
    """Saws, mowers, motors: a rough harmonic buzz that is revved up and down, with its noise."""
    knots = rng.uniform(0.5, 1.3, max(3, int(count / RATE * rng.uniform(0.5, 3))))
    hz = rng.uniform(40, 220) * np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots)
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.03 * rng.standard_normal(count))) / RATE
    pulse = np.exp(-rng.uniform(2, 12) * (0.5 - 0.5 * np.cos(phase)))
    buzz = pulse - pulse.mean() + rng.uniform(0.05, 0.5) * rng.standard_normal(count) * (0.2 + pulse)
    for _ in range(rng.integers(1, 4)):
        b, a = signal.iirpeak(10 ** rng.uniform(2.3, 3.7), rng.uniform(0.5, 4), fs=RATE)
        buzz = buzz / (buzz.std() + 1e-9) + rng.uniform(0.5, 3) * signal.lfilter(b, a, buzz) / (buzz.std() + 1e-9)
    return np.asarray(buzz * (0.3 + hz / hz.max()))


def clicks(rng: Rng, count: int) -> Floats:
    """Keys, taps, crackle: short bursts through a random resonance."""
    out = np.zeros(count)
    for at in rng.integers(0, count, rng.integers(1, 6 * max(1, count // RATE))):
        length = min(count - at, int(RATE * 10 ** rng.uniform(-3, -1)))
        out[at : at + length] += (
            rng.uniform(0.1, 1) * rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 4 + 1))
        )
    peak = rng.uniform(300, 5000)
    b, a = signal.iirpeak(peak, rng.uniform(0.7, 8), fs=RATE)
    return np.asarray(signal.lfilter(b, a, out)) + 1e-4 * rng.standard_normal(count)


def room(rng: Rng) -> Floats:
    """Impulse response of a small to middling room: direct sound, a few reflections, an exponential tail."""
    decay_s = rng.uniform(0.08, 0.6)
    length = int(RATE * decay_s)
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    tail[: int(RATE * 0.002)] = 0
    response = tail * rng.uniform(0.1, 0.9) / (np.linalg.norm(tail) + 1e-9)
    for at in rng.integers(16, 480, rng.integers(2, 7)):
        if at < length:
            response[at] += rng.uniform(-0.5, 0.5)
    response[0] = 1.0
    return response
