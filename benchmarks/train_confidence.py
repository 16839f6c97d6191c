"""Train the confidence scores of `asr_trio.recognizer.confidence` on the development recordings.

Prints what cross-validation over speakers says and writes asr_trio/recognizer/confidence.json. Run from the root of the
checkout: ``python -m benchmarks.train_confidence``. The same corpus serves for the figures of docs/recognition.md.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: as in a worker

import jiwer
import numpy as np

from asr_trio.config import ModelSettings, RecognizerSettings
from asr_trio.recognizer import base
from asr_trio.recognizer.confidence import EVIDENCE_LIMIT, Evidence, SpokenWord, free_word_evidence
from asr_trio.recognizer.grammars import compile_grammar, load_grammars
from asr_trio.recognizer.guarded import plain_word
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.recognizer.pocketsphinx import PocketSphinxEngine
from asr_trio.recognizer.worker import BLOCK_BYTES
from benchmarks import corpus

TARGET = Path(__file__).resolve().parents[1] / "asr_trio" / "recognizer" / "confidence.json"
FOLDS = 10
COVERED_SHARE = 0.9
"""Of the callers that scores are meant for, how many stay within the grammar: probabilities are scaled to this."""
HIDDEN = 16
DECAY = 3e-3
FREE_DECAY = 1e-2
"""There are fewer words of free speech to learn from."""
AUDIO_LIMIT_S = 6


def decode(recognition, pair):
    """Feed a recording; return the recognised segments, and the scores of all states."""
    pcm = corpus.read_audio(pair.path)
    pcm = pcm[: AUDIO_LIMIT_S * 32_000]
    recognition.start_segment(0.0)
    for start in range(0, len(pcm), BLOCK_BYTES):
        recognition.accept(pcm[start : start + BLOCK_BYTES])
    scores = recognition._listener.finish()
    return recognition._spoken(), scores


def said(segments, phones_of):
    return [SpokenWord(phones_of(segment.word), segment.start, segment.end) for segment in segments]


def correct_words(reference: list[str], words: list[str]) -> list[bool]:
    right = [False] * len(words)
    if not reference:
        return right
    for chunk in jiwer.process_words(" ".join(reference), " ".join(words)).alignments[0]:
        if chunk.type == "equal":
            right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return right


def collect_grammars(engine: PocketSphinxEngine, registry: ModelRegistry):
    """Decode all pairs with a grammar; return evidence, labels and folds of sentences and of words."""
    models = {}
    for name in [*corpus.GRAMMARS, "low_digit", "high_digit"]:
        compiled = compile_grammar(
            base.Compile(text=corpus.grammar_text(name), content_type="application/x-jsgf", lm=name), registry
        )
        models[name] = base.GrammarModel(compiled=compiled.compiled, digest=compiled.digest, lm=name)
    words_of = {name: set(load_grammars([model]).words) for name, model in models.items()}
    pairs = (
        corpus.covered_pairs()
        + corpus.uncovered_pairs()
        + corpus.silent_pairs()
        + corpus.half_digit_pairs()
        + corpus.crossed_pairs(words_of)
    )
    sentences, words = [], []
    for pair in pairs:
        recognition = engine.open((models[pair.grammar],), base.DecoderSettings(), b"")
        segments, scores = decode(recognition, pair)
        loaded = recognition._loaded
        texts = [loaded.text(segment.word) for segment in segments]
        if not any(texts):
            sentences.append((pair, None, False))
            recognition.close()
            continue
        evidence = Evidence(
            engine._acoustics.mixtures,
            scores,
            said(segments, loaded.phones),
            len(loaded.grammar.words),
        )
        recognition.close()
        exact = pair.covered and " ".join(filter(None, texts)) == pair.transcript
        sentences.append((pair, evidence.sentence(), exact))
        labels = correct_words(pair.transcript.split() if pair.covered else [], texts)
        words += [(pair, found, label) for found, label in zip(evidence.words, labels, strict=True)]
    return sentences, words


def collect_free(engine: PocketSphinxEngine):
    """Decode sentences, and what is no speech, without a grammar; return evidence, labels and folds of words."""
    words = []
    silent = {pair.path: pair for pair in corpus.silent_pairs()}
    for pair in [*corpus.free_pairs(), *silent.values()]:
        model = base.StatisticalModel(name="general", lm="general")
        recognition = engine.open((model,), base.DecoderSettings(), b"")
        segments, scores = decode(recognition, pair)
        if segments:
            pronounced = said(segments, recognition._decoder.phones)
            evidence = Evidence(engine._acoustics.mixtures, scores, pronounced, len(segments))
            reference = pair.transcript.split()
            labels = correct_words(reference, [plain_word(segment.word) for segment in segments])
            words += [
                (pair, free_word_evidence(found, segment.posterior), label)
                for found, segment, label in zip(evidence.words, segments, labels, strict=True)
            ]
        recognition.close()
    return words


def fold(pair: corpus.Pair) -> int:
    return hashlib.sha256(pair.speaker.encode()).digest()[0] % FOLDS


def weigh(pairs) -> np.ndarray:
    covered = np.array([pair.covered for pair in pairs])
    if covered.all():
        return np.ones(len(covered))
    share = np.where(covered, COVERED_SHARE / covered.mean(), (1 - COVERED_SHARE) / (1 - covered.mean()))
    return share / share.mean()


def network(evidence, labels, hidden, *, decay, steps=500, rate=0.02, seed=0):
    """Fit a network of one hidden layer, or none where `hidden` is 0, by Adam; return weights and biases."""
    choose = np.random.default_rng(seed)
    sizes = [evidence.shape[1], *([hidden] if hidden else []), 1]
    values = []
    for here, there in itertools.pairwise(sizes):
        values += [choose.normal(0, 1 / np.sqrt(here), (here, there)), np.zeros(there)]
    first, second = [np.zeros_like(v) for v in values], [np.zeros_like(v) for v in values]
    target = labels[:, None].astype(float)
    for step in range(1, steps + 1):
        inner = np.tanh(evidence @ values[0] + values[1]) if hidden else evidence
        error = (1 / (1 + np.exp(-(inner @ values[-2] + values[-1]))) - target) / len(evidence)
        gradients = [inner.T @ error + decay * values[-2], error.sum(axis=0)]
        if hidden:
            back = (error @ values[-2].T) * (1 - inner * inner)
            gradients = [evidence.T @ back + decay * values[0], back.sum(axis=0), *gradients]
        for number, gradient in enumerate(gradients):
            first[number] = 0.9 * first[number] + 0.1 * gradient
            second[number] = 0.999 * second[number] + 0.001 * gradient**2
            adapted = first[number] / (1 - 0.9**step) / (np.sqrt(second[number] / (1 - 0.999**step)) + 1e-8)
            values[number] = values[number] - rate * adapted
    return values


def apply(values, evidence):
    inner = np.tanh(evidence @ values[0] + values[1]) if len(values) > 2 else evidence
    return 1 / (1 + np.exp(-(inner @ values[-2] + values[-1])[:, 0]))


def log_odds(probability):
    probability = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(probability / (1 - probability))


def scale(probability, labels, weights):
    """Fit slope and offset of the log odds (Platt 1999) to weighted labels, by Newton's method."""
    inputs = np.stack([log_odds(probability), np.ones(len(labels))], axis=1)
    values = np.array([1.0, 0.0])
    for _ in range(50):
        found = 1 / (1 + np.exp(-inputs @ values))
        slope = inputs.T @ (weights * (found - labels))
        curve = (inputs * (weights * found * (1 - found))[:, None]).T @ inputs
        values = values - np.linalg.solve(curve + 1e-6 * np.eye(2), slope)
    return values


def train(rows, hidden, decay):
    """Return the coefficients trained on everything, what cross-validation gives for each row, labels and weights."""
    evidence = np.array([row[1] for row in rows])
    labels = np.array([row[2] for row in rows])
    folds = np.array([fold(row[0]) for row in rows])
    weights = weigh([row[0] for row in rows])
    mean, deviation = evidence.mean(axis=0), evidence.std(axis=0) + 1e-6
    scaled = np.clip((evidence - mean) / deviation, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)
    held_out = np.zeros(len(rows))
    for number in range(FOLDS):
        inside = folds != number
        if not inside.all():
            fitted = network(scaled[inside], labels[inside], hidden, decay=decay)
            held_out[~inside] = apply(fitted, scaled[~inside])
    slope, offset = scale(held_out, labels, weights)
    held_out = 1 / (1 + np.exp(-(slope * log_odds(held_out) + offset)))
    values = network(scaled, labels, hidden, decay=decay)
    values[-2], values[-1] = slope * values[-2], slope * values[-1] + offset
    layers = {
        "mean": rounded(mean),
        "deviation": rounded(deviation),
        "weights": [rounded(value) for value in values[::2]],
        "biases": [rounded(value) for value in values[1::2]],
    }
    return layers, held_out, labels, weights


def rounded(values):
    return [rounded(value) if np.ndim(value) else float(f"{value:.5g}") for value in values]


def area_under_curve(inside, outside) -> float:
    inside, outside = np.asarray(inside), np.asarray(outside)
    greater = (inside[:, None] > outside[None]).mean()
    return float(greater + (inside[:, None] == outside[None]).mean() / 2)


def calibration(scores, labels, weights) -> tuple[float, list[tuple[float, float, int]]]:
    """Return the expected calibration error over ten bins, and (mean score, share right, count) of each."""
    bins, error = [], 0.0
    for low in np.arange(0, 1, 0.1):
        inside = (scores >= low) & (scores < low + 0.1 + (low > 0.85) * 0.1)
        if inside.any():
            weight = weights[inside]
            mean, share = np.average(scores[inside], weights=weight), np.average(labels[inside], weights=weight)
            error += weight.sum() / weights.sum() * abs(mean - share)
            bins.append((float(mean), float(share), int(inside.sum())))
    return error, bins


def report(name, scores, labels, weights) -> dict:
    error, bins = calibration(scores, labels, weights)
    sure = scores >= 0.9
    return {
        "what": name,
        "n": len(scores),
        "auc": round(area_under_curve(scores[labels], scores[~labels]), 4),
        "calibration_error": round(error, 4),
        "right_at_90_or_more": (
            round(float(np.average(labels[sure], weights=weights[sure])), 4) if sure.any() else None
        ),
        "n_at_90_or_more": int(sure.sum()),
        "bins": [[round(mean, 3), round(share, 3), count] for mean, share, count in bins],
    }


def rejection(sentences, probability) -> dict:
    """Return what thresholds do to pairs that do not fit and to those that do; None evidence means no result."""
    found = [(pair, probability.get(number, 0.0), exact) for number, (pair, _, exact) in enumerate(sentences)]
    covered = [(p, exact) for pair, p, exact in found if pair.covered and pair.kind != "half digits"]
    right = np.array([p for p, exact in covered if exact])
    everything = np.array([p for p, _ in covered])
    outside = np.array([p for pair, p, _ in found if pair.kind == "oog"])
    crossed = np.array([p for pair, p, _ in found if pair.kind.endswith(" x")])
    silent = np.array([p for pair, p, _ in found if pair.kind == "nospeech"])
    curve = [
        {
            "threshold": threshold,
            "oog_rejected": round(float((outside < threshold / 100).mean()), 4),
            "crossed_rejected": round(float((crossed < threshold / 100).mean()), 4),
            "nospeech_rejected": round(float((silent < threshold / 100).mean()), 4),
            "right_lost": round(float((right < threshold / 100).mean()), 4),
            "covered_lost": round(float((everything < threshold / 100).mean()), 4),
        }
        for threshold in (5, 10, 15, 20, 25, 30, 40, 50)
    ]

    def of(condition):
        return [p for pair, p, exact in found if condition(pair, exact)]

    digits = of(lambda pair, _: pair.kind in ("digits", "digit strings"))
    goals = {
        "digits against read speech": area_under_curve(
            digits, of(lambda pair, _: pair.kind == "free x" and pair.grammar in ("digit", "digits"))
        ),
        "digits against AN4": area_under_curve(
            digits, of(lambda pair, _: pair.kind == "an4 x" and pair.grammar in ("digit", "digits"))
        ),
        "0-4 against 5-9": area_under_curve(
            of(lambda pair, _: pair.kind == "half digits" and pair.covered),
            of(lambda pair, _: pair.kind == "half digits" and not pair.covered),
        ),
    }
    return {"auc": {name: round(value, 4) for name, value in goals.items()}, "curve": curve}


def free_rejection(words, held_out) -> list[dict]:
    """Return what thresholds of the mean score of the words do to recordings without speech and to sentences."""
    scores: dict[corpus.Pair, list[float]] = {}
    for (pair, *_), score in zip(words, held_out, strict=True):
        scores.setdefault(pair, []).append(score)
    silent = np.array([np.mean(found) for pair, found in scores.items() if not pair.covered])
    spoken = np.array([np.mean(found) for pair, found in scores.items() if pair.covered])
    return [
        {
            "threshold": threshold,
            "nospeech_with_words": len(silent),
            "of_them_rejected": round(float((silent < threshold / 100).mean()), 4),
            "sentences_lost": round(float((spoken < threshold / 100).mean()), 4),
        }
        for threshold in (5, 10, 15, 20, 25, 30)
    ]


def main() -> None:
    settings = RecognizerSettings()
    registry = ModelRegistry(settings)
    engine = PocketSphinxEngine("general", ModelSettings())
    sentences, words = collect_grammars(engine, registry)
    free_words = collect_free(engine)
    usable = [number for number, row in enumerate(sentences) if row[1] is not None]
    sentence_layers, held_out, labels, weights = train([sentences[number] for number in usable], HIDDEN, DECAY)
    print(json.dumps(report("sentences of grammars", held_out, labels, weights)))
    print(json.dumps(rejection(sentences, dict(zip(usable, held_out.tolist(), strict=True)))))
    word_layers, held_out, labels, weights = train(words, HIDDEN, DECAY)
    print(json.dumps(report("words of grammars", held_out, labels, weights)))
    free_layers, held_out, labels, weights = train(free_words, HIDDEN, FREE_DECAY)
    print(json.dumps(report("words of free speech", held_out, labels, weights)))
    print(json.dumps(free_rejection(free_words, held_out)))
    result = {"sentence": sentence_layers, "word": word_layers, "free_word": free_layers}
    TARGET.write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
