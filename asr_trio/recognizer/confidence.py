"""How sure a hypothesis is: evidence from the acoustic model, and the small model that makes a probability of it.

Evidence is how far the states of the recognised words, aligned with the audio, stay behind the best state of the whole
acoustic model, frame by frame, phone by phone and word by word; how well silence explains what the words leave out; and
how long everything took. A small network turns it into the probability that the sentence is what was said; others do
the same for each word. They were trained by ``benchmarks/train_confidence.py`` and scaled to callers of whom nine in
ten stay within the grammar; ``docs/recognition.md`` has their calibration.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr_trio.recognizer.acoustic import (
    FRAME_STEP,
    SCORE_UNIT,
    SILENCE,
    WORD_BEGIN,
    WORD_END,
    WORD_INTERNAL,
    WORD_SINGLE,
    AcousticModel,
    SegmentScores,
)

MATCH: Final = -0.3
"""A phone explains a frame when its best state is this close to the best of all."""
SILENCE_MISFIT: Final = -6.0
POSTERIOR_FLOOR: Final = -20.0
EVIDENCE_LIMIT: Final = 4.0
"""Evidence is cut at so many standard deviations: outside of what was seen in training nothing is known."""

Vector = NDArray[np.float64]


class SpokenWord(msgspec.Struct, frozen=True):
    """A recognised word: its phones, and its frames from `start` to before `end`.

    What a grammar passes over (GARBAGE) is no word: nothing is claimed of it, so there is no evidence about it.
    """

    phones: tuple[str, ...]
    start: int
    end: int
    is_garbage: bool = False


class _Layers(msgspec.Struct, frozen=True):
    mean: list[float]
    deviation: list[float]
    weights: list[list[list[float]]]
    biases: list[list[float]]

    def probability(self, evidence: Vector) -> float:
        values = (evidence - np.array(self.mean)) / np.array(self.deviation)
        values = np.clip(values, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)
        for number, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            if number:
                values = np.tanh(values)
            values = values @ np.array(weights) + np.array(biases)
        return float(1.0 / (1.0 + np.exp(-values[0])))


class ConfidenceModel(msgspec.Struct, frozen=True):
    """The trained coefficients."""

    sentence: _Layers
    word: _Layers
    free_word: _Layers

    def sentence_score(self, evidence: Evidence) -> int:
        """Return the probability, 0-100, that a sentence of a grammar was said so."""
        return round(100 * self.sentence.probability(evidence.sentence()))

    def word_scores(self, evidence: Evidence) -> list[int]:
        """Return the probability, 0-100, of each word of a grammar."""
        return [round(100 * self.word.probability(word)) for word in evidence.words]

    def free_word_scores(self, evidence: Evidence, posteriors: list[float]) -> list[int]:
        """Return the probability, 0-100, of each word of free speech, by its lattice posterior too."""
        return [
            round(100 * self.free_word.probability(free_word_evidence(word, posterior)))
            for word, posterior in zip(evidence.words, posteriors, strict=True)
        ]


@functools.cache
def trained_model() -> ConfidenceModel:
    """Return the coefficients that come with this package."""
    data = resources.files("asr_trio.recognizer").joinpath("confidence.json").read_bytes()
    return msgspec.json.decode(data, type=ConfidenceModel)


class Evidence:
    """What the acoustic model says about the words of one hypothesis."""

    def __init__(self, model: AcousticModel, scores: SegmentScores, words: list[SpokenWord], n_choices: int) -> None:
        """Align the words with the audio and compare.

        Args:
            model: the acoustic model.
            scores: of the segment.
            words: the hypothesis, at least one that is not garbage.
            n_choices: number of words that could have been recognised.
        """
        self._n_choices = n_choices
        aligned = [_align(model, scores, words, number) for number, word in enumerate(words) if not word.is_garbage]
        self.words: list[Vector] = [word.evidence() for word in aligned]
        self._state_gaps = np.concatenate([word.state_gaps for word in aligned])
        self._phone_gaps = np.concatenate([word.phone_gaps for word in aligned])
        self._posteriors = np.concatenate([word.posteriors for word in aligned])
        self._states_by_phone = np.concatenate([word.states_by_phone for word in aligned])
        self._phones_by_phone = np.concatenate([word.phones_by_phone for word in aligned])
        outside = np.ones(len(scores.phones), dtype=bool)
        for word in words:
            outside[word.start // FRAME_STEP : (word.end + FRAME_STEP - 1) // FRAME_STEP] = False
        self._silence = scores.phones[outside, model.phones[SILENCE]] * SCORE_UNIT

    def sentence(self) -> Vector:
        """Return the evidence about the whole sentence."""
        words = np.array(self.words)
        third = max(1, (len(words) + 2) // 3)
        quarter = max(1, len(self._states_by_phone) // 4)
        n_misfit = FRAME_STEP * int((self._silence < SILENCE_MISFIT).sum())
        n_frames = len(self._state_gaps)
        return np.array(
            [
                self._state_gaps.mean(),
                self._posteriors.mean(),
                self._phone_gaps.mean(),
                self._states_by_phone.mean(),
                self._phones_by_phone.mean(),
                np.sort(self._states_by_phone)[:quarter].mean(),
                np.sort(self._phones_by_phone)[:quarter].mean(),
                np.sort(words[:, 0])[:third].mean(),
                words[:, 0].min(),
                words[:, 2].min(),
                words[:, 4].min(),
                words[:, 6].min(),
                (self._phone_gaps > MATCH).mean(),
                self._state_gaps.std(),
                np.log(n_frames),
                np.log(len(self._states_by_phone)),
                n_frames / len(self._states_by_phone),
                len(words),
                self._silence.mean() if len(self._silence) else 0.0,
                n_misfit / (n_frames + n_misfit),
                np.log1p(n_misfit),
                np.log(1 + self._n_choices),
                np.log1p(FRAME_STEP * len(self._silence)),
            ]
        )


def free_word_evidence(word: Vector, posterior: float) -> Vector:
    """Return the evidence about a word of free speech: its own, and its lattice posterior as log odds."""
    posterior = min(max(posterior, 1e-4), 1 - 1e-4)
    return np.append(word, [np.log(posterior / (1 - posterior)), posterior])


class _AlignedWord(msgspec.Struct, frozen=True):
    state_gaps: Vector
    phone_gaps: Vector
    posteriors: Vector
    states_by_phone: Vector
    phones_by_phone: Vector

    def evidence(self) -> Vector:
        return np.array(
            [
                self.state_gaps.mean(),
                self.posteriors.mean(),
                self.phone_gaps.mean(),
                self.states_by_phone.min(),
                self.states_by_phone.mean(),
                self.phones_by_phone.min(),
                self.phones_by_phone.mean(),
                (self.phone_gaps > MATCH).mean(),
                np.log(len(self.state_gaps)),
                len(self.states_by_phone),
                len(self.state_gaps) / len(self.states_by_phone),
            ]
        )


def _align(model: AcousticModel, scores: SegmentScores, words: list[SpokenWord], number: int) -> _AlignedWord:
    senones, phones = scores.senones, scores.phones
    word = words[number]
    before = words[number - 1] if number and words[number - 1].end >= word.start else None
    after = words[number + 1] if number + 1 < len(words) and words[number + 1].start <= word.end else None
    left = before.phones[-1] if before else SILENCE
    right = after.phones[0] if after else SILENCE
    states: list[int] = []
    places: list[int] = []
    last = len(word.phones) - 1
    for place, phone in enumerate(word.phones):
        position = (
            WORD_SINGLE if last == 0 else WORD_BEGIN if place == 0 else WORD_END if place == last else WORD_INTERNAL
        )
        here = model.senones(
            phone,
            word.phones[place - 1] if place else left,
            word.phones[place + 1] if place < last else right,
            position,
        )
        states.extend(here)
        places.extend([place] * len(here))
    # Frames that were not scored borrow the scores of the one before: a state still lasts one frame at least, not two.
    scored = np.minimum(np.arange(word.start, max(word.end, word.start + 1)) // FRAME_STEP, len(senones) - 1)
    emitted = senones[scored[:, None], states] * SCORE_UNIT
    path = _viterbi(emitted)
    rows = np.arange(len(scored))
    place_of = np.array(places)[path]
    phone_numbers = np.array([model.phones[phone] for phone in word.phones])
    state_gaps = emitted[rows, path]
    window = phones[scored] * SCORE_UNIT
    phone_gaps = window[rows, phone_numbers[place_of]]
    posteriors = np.maximum(phone_gaps - np.log(np.exp(window).sum(axis=1)), POSTERIOR_FLOOR)
    heard = [place_of == place for place in range(last + 1)]
    return _AlignedWord(
        state_gaps=state_gaps,
        phone_gaps=phone_gaps,
        posteriors=posteriors,
        states_by_phone=np.array([state_gaps[rows_of].mean() for rows_of in heard if rows_of.any()]),
        phones_by_phone=np.array([phone_gaps[rows_of].mean() for rows_of in heard if rows_of.any()]),
    )


def _viterbi(emitted: Vector) -> NDArray[np.intp]:
    """Return the best way through states from the first to the last, one step or none on each frame."""
    n_frames, n_states = emitted.shape
    if n_frames < n_states:  # too short to visit all: spread evenly
        return np.array([frame * n_states // n_frames for frame in range(n_frames)], dtype=np.intp)
    best = np.full(n_states, -np.inf)
    best[0] = emitted[0, 0]
    moved = np.zeros((n_frames, n_states), dtype=bool)
    shifted = np.full(n_states, -np.inf)
    for frame in range(1, n_frames):
        shifted[1:] = best[:-1]
        np.greater(shifted, best, out=moved[frame])
        best = np.maximum(shifted, best) + emitted[frame]
    path = np.empty(n_frames, dtype=np.intp)
    state = n_states - 1
    for frame in range(n_frames - 1, -1, -1):
        path[frame] = state
        if moved[frame, state]:
            state -= 1
    return path
