"""What is decided around a neural transcriber: where to cut audio, what to make of its text, how sure to be.

Pure functions of samples, text and probabilities; `whisper` is the engine that uses them.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr_trio.protocol.hints import Hint

SAMPLE_RATE_HZ: Final = 16_000
LEVEL_SAMPLES: Final = 160
"""Levels are looked at every 10 ms."""

CUT_WINDOW_LEVELS: Final = 10
SPEECH_BELOW_PEAK_DB: Final = 30.0
"""What is quieter than the loudest 10 ms by more than this is no part of the first or last word."""
WORD_LEAST_S: Final = 0.02

LOOP_COMPRESSION: Final = 2.4
"""Text that shrinks by more than this repeats itself: the ratio that Whisper's authors give for a decoder in a loop."""

PROBABILITY_FLOOR: Final = 1e-4
LOG_PROBABILITY_FLOOR: Final = -2.0

# Logistic regression on the recordings of `../shared/data/free`, by ``benchmarks/train_whisper_scores.py``.
SCORE_BIAS: Final = 1.674
SCORE_LOGIT: Final = 0.698
SCORE_SENTENCE: Final = 2.455

Samples = NDArray[np.float32]

_APOSTROPHES: Final = dict.fromkeys(map(ord, "\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}"), "'")
_NOT_SPOKEN: Final = re.compile(r"[^\w']+|_+")


class HeardWord(msgspec.Struct, frozen=True):
    """A word of a transcript: its text, its time in the audio, and the transcriber's own probability."""

    text: str
    start_s: float
    end_s: float
    probability: float


class Heard(msgspec.Struct, frozen=True):
    """One transcript of a piece of audio; `log_probability` is the mean of its tokens."""

    words: tuple[HeardWord, ...]
    log_probability: float

    @property
    def text(self) -> str:
        """The words, separated by blanks."""
        return " ".join(word.text for word in self.words)


def plain_words(text: str) -> list[str]:
    """Return the words of a written text as speakers of the protocol expect them: small letters, no punctuation."""
    small = unicodedata.normalize("NFC", text).translate(_APOSTROPHES).lower()
    return [word for part in _NOT_SPOKEN.split(small) if (word := part.strip("'"))]


def repeats_itself(text: str) -> bool:
    """Tell the output of a decoder that runs in a loop."""
    data = text.encode()
    return len(data) > len(zlib.compress(data)) * LOOP_COMPRESSION


def prompt_text(hints: Sequence[Hint]) -> str:
    """Return hints as text that precedes the audio, the likeliest last: there it weighs most."""
    ranked = sorted(hints, key=lambda hint: hint.boost)
    return " ".join(f"{hint.word[:1].upper()}{hint.word[1:]}." for hint in ranked)


def hint_gain(words: Sequence[str], hints: Sequence[Hint]) -> float:
    """Return by how much, as a logarithm, the boosts of the hints that occur make a transcript likelier."""
    text = f" {' '.join(words)} "
    return sum(math.log(hint.boost) * text.count(f" {' '.join(plain_words(hint.word))} ") for hint in hints)


def levels_db(samples: Samples) -> NDArray[np.float64]:
    """Return the level of every whole 10 ms."""
    whole = samples[: len(samples) // LEVEL_SAMPLES * LEVEL_SAMPLES].reshape(-1, LEVEL_SAMPLES).astype(np.float64)
    return np.asarray(10 * np.log10((whole**2).mean(axis=1) + 1e-12))


def quietest_place(samples: Samples, earliest_s: float) -> int:
    """Return the sample, after `earliest_s`, in the middle of the quietest tenth of a second: where to cut."""
    levels = levels_db(samples)
    first = int(earliest_s * SAMPLE_RATE_HZ) // LEVEL_SAMPLES
    powers = 10 ** (levels[first:] / 10)
    sums = np.convolve(powers, np.ones(CUT_WINDOW_LEVELS), "valid")
    return (first + int(sums.argmin()) + CUT_WINDOW_LEVELS // 2) * LEVEL_SAMPLES


def within_speech(words: Sequence[HeardWord], samples: Samples) -> tuple[HeardWord, ...]:
    """Return words whose times increase strictly, the first and last without the silence around the speech.

    The alignment of a transcriber begins its first word with the audio and leaves nothing over at the end.
    """
    if not words:
        return ()
    levels = levels_db(samples)
    loud = np.flatnonzero(levels > levels.max() - SPEECH_BELOW_PEAK_DB) if len(levels) else np.zeros(0, int)
    begin_s, end_s = (
        (float(loud[0]) / 100, float(loud[-1] + 1) / 100) if len(loud) else (0.0, len(samples) / SAMPLE_RATE_HZ)
    )
    placed: list[HeardWord] = []
    last_s = 0.0
    for number, word in enumerate(words):
        start_s, stop_s = word.start_s, word.end_s
        if number == 0:
            start_s = max(start_s, min(begin_s, stop_s - WORD_LEAST_S))
        if number == len(words) - 1:
            stop_s = min(stop_s, max(end_s, start_s + WORD_LEAST_S))
        start_s = max(start_s, last_s)
        last_s = max(stop_s, start_s + WORD_LEAST_S)
        placed.append(msgspec.structs.replace(word, start_s=start_s, end_s=last_s))
    return tuple(placed)


def word_evidence(probability: float, log_probability: float) -> tuple[float, float]:
    """Return what a score is made of: the log odds of a word, and the mean log probability of its sentence."""
    inside = min(max(probability, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR)
    return math.log(inside / (1 - inside)), max(log_probability, LOG_PROBABILITY_FLOOR)


def word_score(probability: float, log_probability: float) -> int:
    """Return the calibrated probability, 0-100, that a word is right.

    Args:
        probability: the transcriber's own, of the word.
        log_probability: mean of the tokens of the transcript that it stands in.
    """
    logit, sentence = word_evidence(probability, log_probability)
    return round(100 / (1 + math.exp(-(SCORE_BIAS + SCORE_LOGIT * logit + SCORE_SENTENCE * sentence))))


class Budget:
    """Processor time for what could be left out: partial results, and results prepared in a pause."""

    def __init__(self, share: float) -> None:
        """Allow this share of the time of the audio heard."""
        self._share = share
        self._spent_s = 0.0
        self._last_s = 0.0

    def allows(self, heard_s: float) -> bool:
        """Tell whether one more reading, as dear as the last, stays within the share of `heard_s` seconds of audio."""
        return self._spent_s + self._last_s <= self._share * heard_s

    def spend(self, cpu_s: float) -> None:
        """Count a reading."""
        self._last_s = cpu_s
        self._spent_s += cpu_s
