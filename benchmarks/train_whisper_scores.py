"""Trains the scores of the Whisper engine: from the transcriber's own probabilities to the share of right words.

    python -m benchmarks.train_whisper_scores MODEL_FOLDER

Reads the recordings of free speech, aligns what was heard with what was said, and fits a logistic regression to two
figures of each word: the log odds of its probability, and the mean log probability of its sentence. Prints the
coefficients for `asr_trio/recognizer/transcript.py`, and the calibration by cross-validation over speakers.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import jiwer
import numpy as np

from asr_trio.recognizer import transcript, whisper
from asr_trio.settings import ModelSettings
from benchmarks import corpus
from benchmarks.machine import describe

RIDGE = 1e-3


def heard_words(engine: whisper.WhisperEngine) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return evidence about each word, whether it is right, and who said it."""
    evidence, right, speakers = [], [], []
    for pair in corpus.free_pairs():
        samples = np.frombuffer(pair.read(), "<i2").astype(np.float32) / 32_768
        heard = next(iter(engine.read(samples)), None)
        if heard is None:
            continue
        correct = [False] * len(heard.words)
        for chunk in jiwer.process_words(pair.transcript, heard.text).alignments[0]:
            if chunk.type == "equal":
                correct[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
        for word, good in zip(heard.words, correct, strict=True):
            evidence.append(transcript.word_evidence(word.probability, heard.log_probability))
            right.append(good)
            speakers.append(pair.speaker)
    return np.array(evidence), np.array(right, dtype=float), np.array(speakers)


def fit(evidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return bias and weights, by Newton's method."""
    inputs = np.column_stack([np.ones(len(evidence)), evidence])
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (right - probability) - RIDGE * weights
        curvature = (inputs * (probability * (1 - probability))[:, None]).T @ inputs + RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(curvature, slope)
    return weights


def calibration(probability: np.ndarray, right: np.ndarray) -> dict[str, float]:
    edges = np.clip((probability * 10).astype(int), 0, 9)
    error = sum(
        abs(probability[edges == edge].sum() - right[edges == edge].sum())
        for edge in range(10)
        if (edges == edge).any()
    ) / len(right)
    order = np.argsort(np.argsort(probability))
    n_right, n_wrong = right.sum(), (1 - right).sum()
    area = (order[right == 1].sum() - n_right * (n_right - 1) / 2) / (n_right * n_wrong)
    sure = probability >= 0.9
    return {
        "words": len(right),
        "right_percent": round(100 * float(right.mean()), 1),
        "calibration_error": round(float(error), 4),
        "area_under_curve": round(float(area), 4),
        "scored_90_or_more": int(sure.sum()),
        "right_at_90_or_more_percent": round(100 * float(right[sure].mean()), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path, help="a folder in the form of CTranslate2")
    arguments = parser.parse_args()
    engine = whisper.WhisperEngine("trained", ModelSettings(engine="whisper", acoustic=arguments.model))
    evidence, right, speakers = heard_words(engine)
    held_out = np.zeros(len(right))
    for speaker in set(speakers):
        weights = fit(evidence[speakers != speaker], right[speakers != speaker])
        here = speakers == speaker
        held_out[here] = 1 / (1 + np.exp(-(weights[0] + evidence[here] @ weights[1:])))
    bias, logit, sentence = fit(evidence, right)
    as_it_comes = np.array([math.exp(value) / (1 + math.exp(value)) for value in evidence[:, 0]])
    report = {
        "benchmark": "whisper_scores",
        "machine": describe(),
        "coefficients": {"SCORE_BIAS": bias, "SCORE_LOGIT": logit, "SCORE_SENTENCE": sentence},
        "uncalibrated": calibration(as_it_comes, right),
        "over_speakers": calibration(held_out, right),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
