"""Mix speech and noise into labelled 6 s examples and store their features.

    python -m benchmarks.vad_training.mix POOL_DIR OUT.npz --count 6000 --seed 1 [--validation]

Each example is one talker saying things with pauses, in a room, over noise, through a microphone or a telephone, at a
level from -70 to -3 dBFS, rounded to int16; or no talker at all. What varies and how much is the table at the top.
"""

from __future__ import annotations

import argparse
import time
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import signal

from benchmarks.vad_training import pool, synthetic
from benchmarks.vad_training.features import FEATURES, features
from benchmarks.vad_training.labels import FRAME, Labels, speech_labels

RATE = 16_000
FRAMES = 600
SAMPLES = FRAMES * FRAME

# Chances of each treatment, and ranges in dB or seconds.
NO_SPEECH = 0.18
NO_ADDED_NOISE = 0.25
SPEED_CHANGED = 0.45
IN_ROOM = 0.4
SOFT_PHRASES = 0.4  # some phrases far softer than others: they are speech all the same
COMPRESSED = 0.2  # broadcasts and telephones lift what is soft, breath and room included
COLOURED_MICROPHONE = 0.5
TELEPHONE = 0.22
LOW_PASSED = 0.12
NOISE_SWITCHED = 0.3  # lines open, engines start, music stops: an onset is not yet speech
LINE_OPENS = 0.35  # before it there is nothing; then talk and noise are there at once, mid-word or not
CLIPPED = 0.04
PHRASE_GAIN_DB, SOFT_PHRASE_GAIN_DB = (-3.0, 3.0), (-16.0, 3.0)
SNR_DB = (-5.0, 35.0)
BABBLE_SNR_DB = (2.0, 25.0)
LEVEL_DBFS = (-40.0, -12.0)
QUIET_LEVEL_DBFS = (-68.0, -40.0)
QUIET = 0.3
SPEEDS = [(10, 9), (9, 10), (20, 19), (19, 20), (8, 7), (7, 8), (6, 5), (5, 6)]
TEACHER_SHARE = 0.8  # of what is to be learnt; the rest is said by `labels.py`
# A source counts with its hours to this power: many speakers in few hours weigh more than one speaker in many.
SOURCE_WEIGHT = {"librispeech": 3.2, "wakeword": 1.4, "intent": 2.0, "precise": 1.0, "voices": 0.6}
NOISE_KINDS = {
    "recorded": 0.32,
    "coloured": 0.18,
    "babble": 0.14,
    "music": 0.12,
    "modulated": 0.05,
    "tones": 0.07,
    "clicks": 0.05,
    "hum": 0.02,
    "cry": 0.02,
    "engine": 0.03,
}
NOISE_KINDS_ALONE = {
    "recorded": 0.35,
    "coloured": 0.08,
    "music": 0.16,
    "modulated": 0.05,
    "tones": 0.16,
    "clicks": 0.06,
    "hum": 0.02,
    "cry": 0.06,
    "engine": 0.06,
}

Floats = npt.NDArray[np.float64]


class Utterance(NamedTuple):
    """A clip scaled so that its speech has power 1, where it has speech, and how sure of that is to be learnt."""

    samples: Floats
    labels: Labels
    wanted: Floats


def is_validation(speaker: str, name: str) -> bool:
    """Keep one speaker (or, where a source has only one, one clip) in twelve for validation."""
    key = speaker if not speaker.endswith("/") else name
    return zlib.crc32(key.encode()) % 12 == 0


def utterances(path: Path, *, validation: bool) -> dict[str, list[Utterance]]:
    """Label the clips of a source; by speaker."""
    by_speaker: dict[str, list[Utterance]] = {}
    clips = pool.load(path)
    ends = np.cumsum([len(clip.pcm) // FRAME for clip in clips])
    taught = np.split(np.load(path.parents[1] / "teacher" / f"{path.stem}.npy"), ends[:-1])
    for clip, answers in zip(clips, taught, strict=True):
        if is_validation(clip.speaker, clip.name) != validation:
            continue
        labels = speech_labels(clip.pcm)
        if labels is None or labels.sum() < 15:
            continue
        samples = clip.pcm[: len(labels) * FRAME].astype(np.float64)
        active = np.square(samples).reshape(-1, FRAME).mean(axis=1)[labels > 0].mean()
        wanted = (TEACHER_SHARE / 255 * answers + (1 - TEACHER_SHARE) * labels).astype(np.float32)
        by_speaker.setdefault(clip.speaker, []).append(
            Utterance((samples / np.sqrt(active)).astype(np.float32), labels, wanted)
        )
    return by_speaker


class Mixer:
    """Draws examples."""

    def __init__(self, folder: Path, seed: int, *, validation: bool) -> None:
        self._rng = np.random.default_rng([seed, validation])
        self._speech: list[list[list[Utterance]]] = []
        weights = []
        for path in sorted((folder / "speech").glob("*.npz")):
            found = list(utterances(path, validation=validation).values())
            if found:
                self._speech.append(found)
                weights.append(SOURCE_WEIGHT.get(path.stem, 1.0))
                count = sum(len(u) for u in found)
                share = np.mean([x.labels.mean() for u in found for x in u])
                print(f"{path.stem:12} {len(found)} speakers {count} clips, {share:.2f} speech", flush=True)
        self._weights = np.array(weights) / sum(weights)
        self._noises = []
        for path in sorted((folder / "noise").glob("*.npz")):
            clips = pool.load(path)
            # ESC-10 comes in five folds without common origin: the last two are for validation and evaluation.
            folds = [c for c in clips if (c.name[0] in "45") == validation] if path.stem == "environment" else clips
            self._noises.append([c.pcm for c in folds if np.abs(c.pcm).max() > 100])

    def _chance(self, probability: float) -> bool:
        return bool(self._rng.random() < probability)

    def _utterance(self) -> list[Utterance]:
        source = self._speech[self._rng.choice(len(self._speech), p=self._weights)]
        return source[self._rng.integers(len(source))]

    def _talk(self) -> tuple[Floats, Floats]:
        """One talker for the whole example: clips in a row with pauses in which the clip's own noise goes on."""
        rng = self._rng
        samples, wanted = np.zeros(SAMPLES), np.zeros(FRAMES)
        clips = self._utterance()
        up, down = SPEEDS[rng.integers(len(SPEEDS))] if self._chance(SPEED_CHANGED) else (1, 1)
        at = int(rng.integers(0, 150)) if self._chance(0.7) else 0
        hiss = self._chance(0.75)
        gains_db = SOFT_PHRASE_GAIN_DB if self._chance(SOFT_PHRASES) else PHRASE_GAIN_DB
        while at < FRAMES:
            clip = clips[rng.integers(len(clips))]
            first = int(rng.integers(0, max(1, len(clip.labels) - 300))) if self._chance(0.5) else 0
            need = int((FRAMES - at) * down / up) + 2
            piece_labels, piece_wanted = clip.labels[first : first + need], clip.wanted[first : first + need]
            piece = clip.samples[first * FRAME : (first + len(piece_labels)) * FRAME]
            if up != down:
                piece = signal.resample_poly(piece, up, down)
                places = ((np.arange(len(piece) // FRAME) + 0.5) * down / up).astype(int)
                places = np.minimum(places, len(piece_labels) - 1)
                piece_labels, piece_wanted = piece_labels[places], piece_wanted[places]
            length = min(len(piece_labels), FRAMES - at)
            part = piece[: length * FRAME].astype(np.float64)
            part[:80] *= np.linspace(0, 1, 80)
            part[-80:] *= np.linspace(1, 0, 80)
            gain = 10 ** (rng.uniform(*gains_db) / 20)
            samples[at * FRAME : (at + length) * FRAME] += gain * part
            wanted[at : at + length] = piece_wanted[:length]
            start, at = at, at + length
            at += int(rng.integers(5, 120)) if self._chance(0.6) else 0
            if hiss:
                self._go_on(samples, gain, part, piece_labels[:length], start, min(at, FRAMES))
        return samples, wanted

    def _go_on(self, samples: Floats, gain: float, part: Floats, labels: Labels, start: int, end: int) -> None:
        """Fill the pause after a clip (and before the first) with noise of the spectrum of the clip's own pauses."""
        quiet = part.reshape(-1, FRAME)[labels == 0]
        if len(quiet) < 12:
            return
        power = np.square(np.abs(np.fft.rfft(quiet * np.hanning(FRAME), axis=1)))
        amplitude = np.sqrt(np.median(power, axis=0) / (np.hanning(FRAME) ** 2).sum() / 0.69)  # median of a chi-square
        gaps = [(start + len(labels), end)] + ([(0, start)] if start and not samples[: start * FRAME].any() else [])
        for first, last in gaps:
            count = (last - first) * FRAME
            if count <= 0:
                continue
            spectrum = np.fft.rfft(self._rng.standard_normal(count))
            spectrum *= np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(amplitude)), amplitude)
            samples[first * FRAME : last * FRAME] += gain * np.fft.irfft(spectrum, count)

    def _babble(self) -> Floats:
        out = np.zeros(SAMPLES)
        for _ in range(int(self._rng.integers(4, 10))):
            at = 0
            while at < SAMPLES:
                clips = self._utterance()
                clip = clips[self._rng.integers(len(clips))].samples
                part = clip[: SAMPLES - at]
                out[at : at + len(part)] += part
                at += len(part)
        return out

    def _recorded(self) -> Floats:
        noises = self._noises[self._rng.choice(len(self._noises), p=self._noise_weights())]
        noise = noises[self._rng.integers(len(noises))].astype(np.float64)
        if len(noise) < SAMPLES:
            noise = np.tile(noise, SAMPLES // len(noise) + 1)
        at = int(self._rng.integers(0, len(noise) - SAMPLES + 1))
        noise = noise[at : at + SAMPLES]
        if self._chance(0.3):
            noise = noise[::-1]
        return noise

    def _noise_weights(self) -> Floats:
        weights = np.array([min(len(n), 40) ** 0.5 for n in self._noises])
        return np.asarray(weights / weights.sum())

    def _noise(self, kinds: dict[str, float]) -> tuple[str, Floats]:
        rng = self._rng
        kind = str(rng.choice(list(kinds), p=list(kinds.values())))
        own = {"recorded": self._recorded, "babble": self._babble}
        noise = own[kind]() if kind in own else getattr(synthetic, kind)(rng, SAMPLES)
        if self._chance(0.3):
            noise = signal.lfilter([1, rng.uniform(-0.9, 0.9)], [1], noise)
        noise = noise / (np.sqrt(np.square(noise).mean()) + 1e-9)
        return kind, noise * self._switch() if self._chance(NOISE_SWITCHED) else noise

    def _switch(self) -> Floats:
        """Gain of a noise that comes and goes, in steps or slowly."""
        rng = self._rng
        gain = np.zeros(SAMPLES)
        rest = 10 ** (rng.uniform(-60, -6) / 20) if self._chance(0.5) else 0.0
        at = int(rng.uniform(-0.5, 1.5) * RATE)
        while at < SAMPLES:
            length = int(10 ** rng.uniform(-0.7, 0.7) * RATE)
            gain[max(0, at) : at + length] = 1.0
            at += length + int(10 ** rng.uniform(-0.7, 0.5) * RATE)
        ramp = int(10 ** rng.uniform(-3, -0.7) * RATE)
        smooth = np.cumsum(np.concatenate([np.full(ramp, gain[0]), gain]))
        return rest + (1 - rest) * (smooth[ramp:] - smooth[:-ramp]) / ramp

    def _compress(self, samples: Floats) -> Floats:
        """Gain that follows the level the other way, as automatic gain controls do."""
        keep = np.exp(-1 / (RATE * 10 ** self._rng.uniform(-2, 0)))
        envelope = signal.lfilter([1 - keep], [1, -keep], np.abs(samples))
        return np.asarray(samples * (envelope + 1e-3 * np.abs(samples).max() + 1e-9) ** -self._rng.uniform(0.2, 0.7))

    def _microphone(self, samples: Floats) -> Floats:
        """A smooth random frequency response within +-8 dB."""
        gains_db = self._rng.uniform(-8, 8, 6)
        bins = np.linspace(0, 1, 65)
        response = 10 ** (np.interp(bins**0.5, np.linspace(0, 1, 6), gains_db) / 20)
        return np.asarray(signal.fftconvolve(samples, signal.firwin2(127, bins, response), "same"))

    def _telephone(self, samples: Floats) -> Floats:
        """300-3400 Hz more or less, at 8 kHz; the codec follows once the level is set."""
        rng = self._rng
        band = [rng.uniform(150, 350), rng.uniform(3100, 3800)]
        return np.asarray(signal.sosfilt(signal.butter(4, band, "bandpass", fs=RATE, output="sos"), samples))

    @staticmethod
    def _mu_law(samples: Floats) -> Floats:
        narrow = np.clip(samples[::2] / 32768, -1, 1)
        code = np.rint(127 * np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256))
        decoded = np.sign(code) * np.expm1(np.abs(code) / 127 * np.log(256)) / 255
        return np.asarray(signal.resample_poly(decoded * 32768, 2, 1))

    def example(self) -> tuple[npt.NDArray[np.int16], Floats]:
        """Draw one, and how sure of speech to be in each of its frames."""
        rng = self._rng
        talk = not self._chance(NO_SPEECH)
        samples, wanted = self._talk() if talk else (np.zeros(SAMPLES), np.zeros(FRAMES))
        talk = bool(wanted.any())
        if talk and self._chance(IN_ROOM):
            samples = signal.fftconvolve(samples, synthetic.room(rng))[:SAMPLES]
        if not talk or not self._chance(NO_ADDED_NOISE):
            kind, noise = self._noise(NOISE_KINDS if talk else NOISE_KINDS_ALONE)
            if talk:
                low, high = BABBLE_SNR_DB if kind == "babble" else SNR_DB
                noise = noise * 10 ** (-rng.uniform(low, high) / 20)
            else:
                noise = noise * 10 ** (rng.uniform(-30, 5) / 20)
            samples = samples + noise
        if self._chance(COMPRESSED):
            samples = self._compress(samples)
            samples /= np.sqrt(np.square(samples).mean()) + 1e-9
        if self._chance(COLOURED_MICROPHONE):
            samples = self._microphone(samples)
        telephone = self._chance(TELEPHONE)
        if telephone:
            samples = self._telephone(samples)
        elif self._chance(LOW_PASSED):
            samples = signal.sosfilt(signal.butter(6, rng.uniform(3000, 7500), fs=RATE, output="sos"), samples)
        samples = samples * 32768 * 10 ** (rng.uniform(*(QUIET_LEVEL_DBFS if self._chance(QUIET) else LEVEL_DBFS)) / 20)
        if self._chance(CLIPPED):
            samples = samples * 10 ** (rng.uniform(5, 20) / 20)
        if self._chance(LINE_OPENS):
            opens = int(rng.integers(20, FRAMES * 2 // 3))
            samples[: opens * FRAME] = 0.0
            wanted[:opens] = 0.0
        if self._chance(0.8):
            samples = samples + rng.standard_normal(SAMPLES) * 32768 * 10 ** (rng.uniform(-105, -70) / 20)
        if telephone and self._chance(0.7):
            samples = self._mu_law(samples)[:SAMPLES]
        return np.clip(np.rint(samples), -32768, 32767).astype(np.int16), wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--validation", action="store_true", help="draw from the held-out speakers and noises")
    options = parser.parse_args()
    mixer = Mixer(options.pool, options.seed, validation=options.validation)
    inputs = np.zeros((options.count, FRAMES, FEATURES), np.float16)
    labels = np.zeros((options.count, FRAMES), np.uint8)
    started = time.perf_counter()
    for index in range(options.count):
        pcm, wanted = mixer.example()
        labels[index] = np.rint(255 * wanted)
        inputs[index] = features(pcm)
        if index % 500 == 499:
            rate = (index + 1) / (time.perf_counter() - started)
            print(f"{index + 1} examples, {rate:.0f}/s, {labels[: index + 1].mean() / 255:.3f} speech", flush=True)
    np.savez(options.out, inputs=inputs, labels=labels)


if __name__ == "__main__":
    main()
