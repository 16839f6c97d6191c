"""Train the confidence scores of `asr_trio.recognizer.confidence` on the development recordings.

Prints what cross-validation over speakers says and writes asr_trio/recognizer/confidence.json. Run from the root of the
checkout: ``python -m benchmarks.train_confidence``. `benchmarks.bench_accuracy` prints the same cross-validation, and
writes nothing.
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
from scipy.special import expit

from asr_trio.recognizer import base
from asr_trio.recognizer.confidence import EVIDENCE_LIMIT, Evidence, free_word_evidence
from asr_trio.recognizer.grammars import compile_grammar, load_grammars
from asr_trio.recognizer.guarded import plain_word
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.recognizer.pocketsphinx import PocketSphinxEngine
from asr_trio.recognizer.worker import BLOCK_BYTES
from asr_trio.settings import ModelSettings, RecognizerSettings
from benchmarks import corpus

TARGET = Path(__file__).resolve().parents[1] / "asr_trio" / "recognizer" / "confidence.json"
FOLDS = 10
COVERED_SHARE = 0.9
"""Of the callers that scores are meant for, how many stay within the grammar: probabilities are scaled to this."""
SENTENCE_HIDDEN, SENTENCE_DECAY = 32, 1e-3
WORD_HIDDEN, WORD_DECAY = 16, 3e-3
FREE_HIDDEN, FREE_DECAY = 24, 5e-3
"""Units of a network and what its weights cost: least for sentences, where noise is to be told from short words."""
SCALE_STEP_MIN = 1e-9
AUDIO_LIMIT_S = 6
CURVE = {
    "oog_rejected": "pairs outside the grammar rejected",
    "crossed_rejected": "recordings under other grammars rejected",
    "nospeech_rejected": "no speech rejected",
    "noise_rejected": "short pieces of it rejected",
    "right_lost": "right results lost",
}
THRESHOLDS = (5, 10, 15, 20, 25, 30, 40, 50)


def decode(recognition, pair):
    """Feed a recording; return the recognised segments, and the scores of all states."""
    pcm = pair.read()[: AUDIO_LIMIT_S * 32_000]
    recognition.start_segment(0.0)
    for start in range(0, len(pcm), BLOCK_BYTES):
        recognition.accept(pcm[start : start + BLOCK_BYTES])
    return recognition.hear_out()


def correct_words(reference: list[str], words: list[str]) -> list[bool]:
    right = [False] * len(words)
    if not reference:
        return right
    for chunk in jiwer.process_words(" ".join(reference), " ".join(words)).alignments[0]:
        if chunk.type == "equal":
            right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return right


def collect_grammars(engine: PocketSphinxEngine, registry: ModelRegistry, every: int):
    """Decode every so many-th pair with a grammar; return evidence and labels of sentences and of words."""
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
        + corpus.noise_pairs()
        + corpus.half_digit_pairs()
        + corpus.crossed_pairs(words_of)
    )
    sentences, words = [], []
    for pair in pairs[::every]:
        recognition = engine.open((models[pair.grammar],), base.DecoderSettings(), b"")
        segments, scores = decode(recognition, pair)
        loaded = recognition.loaded
        texts = [loaded.text(segment.word) for segment in segments]
        if not any(texts):
            sentences.append((pair, None, False))
            recognition.close()
            continue
        evidence = Evidence(
            engine.acoustics.mixtures,
            scores,
            recognition.said(segments),
            len(loaded.grammar.words),
        )
        recognition.close()
        exact = pair.covered and " ".join(filter(None, texts)) == pair.transcript
        sentences.append((pair, evidence.sentence(), exact))
        labels = correct_words(pair.transcript.split() if pair.covered else [], texts)
        words += [(pair, found, label) for found, label in zip(evidence.words, labels, strict=True)]
    return sentences, words


def collect_free(engine: PocketSphinxEngine, every: int):
    """Decode sentences, and what is no speech, without a grammar; return evidence and labels of words."""
    words = []
    silent = {(pair.path, pair.start_s): pair for pair in corpus.silent_pairs() + corpus.noise_pairs()}
    for pair in [*corpus.free_pairs(), *corpus.telephone_free_pairs(), *silent.values()][::every]:
        model = base.StatisticalModel(name="general", lm="general")
        recognition = engine.open((model,), base.DecoderSettings(), b"")
        segments, scores = decode(recognition, pair)
        if segments:
            pronounced = recognition.said(segments)
            evidence = Evidence(engine.acoustics.mixtures, scores, pronounced, len(segments))
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


def network(evidence, labels, hidden, *, decay, steps=800, rate=0.01, seed=0):
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
        error = (expit(inner @ values[-2] + values[-1]) - target) / len(evidence)
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
    return expit(inner @ values[-2] + values[-1])[:, 0]


def log_odds(probability):
    probability = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(probability / (1 - probability))


def scale(probability, labels, weights):
    """Fit slope and offset of the log odds (Platt 1999) to weighted labels, by Newton's method with halved steps."""
    inputs = np.stack([log_odds(probability), np.ones(len(labels))], axis=1)

    def misfit(values):
        found = inputs @ values
        return float((weights * (np.logaddexp(0.0, found) - labels * found)).sum())

    values = np.array([1.0, 0.0])
    for _ in range(50):
        found = expit(inputs @ values)
        slope = inputs.T @ (weights * (found - labels))
        curve = (inputs * (weights * found * (1 - found))[:, None]).T @ inputs
        step = np.linalg.solve(curve + 1e-6 * np.eye(2), slope)
        while misfit(values - step) > misfit(values) and np.abs(step).max() > SCALE_STEP_MIN:
            step = step / 2
        values = values - step
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
    held_out = expit(slope * log_odds(held_out) + offset)
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


def area_under_curve(inside, outside) -> float | None:
    inside, outside = np.asarray(inside), np.asarray(outside)
    if not len(inside) or not len(outside):
        return None
    greater = (inside[:, None] > outside[None]).mean()
    return round(float(greater + (inside[:, None] == outside[None]).mean() / 2), 4)


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


def report(scores, labels, weights) -> dict:
    error, bins = calibration(scores, labels, weights)
    sure = scores >= 0.9
    return {
        "n": len(scores),
        "auc": area_under_curve(scores[labels], scores[~labels]),
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
    noise = np.array([p for pair, p, _ in found if pair.kind == "noise"])

    def at(threshold: float) -> dict:
        return {
            "threshold": threshold,
            "oog_rejected": share(outside < threshold / 100),
            "crossed_rejected": share(crossed < threshold / 100),
            "nospeech_rejected": share(silent < threshold / 100),
            "noise_rejected": share(noise < threshold / 100),
            "right_lost": share(right < threshold / 100),
            "covered_lost": share(everything < threshold / 100),
        }

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
    return {"auc": goals, "curve": [at(threshold) for threshold in range(101)]}


def share(conditions: np.ndarray) -> float | None:
    return round(float(conditions.mean()), 4) if len(conditions) else None


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
            "of_them_rejected": share(silent < threshold / 100),
            "sentences_lost": share(spoken < threshold / 100),
        }
        for threshold in THRESHOLDS
    ]


def evaluate(settings: ModelSettings, every: int = 1) -> tuple[dict, dict]:
    """Train on every so many-th recording; return the coefficients, and what cross-validation over speakers says."""
    engine = PocketSphinxEngine("general", settings)
    sentences, words = collect_grammars(engine, ModelRegistry(RecognizerSettings()), every)
    free_words = collect_free(engine, every)
    usable = [number for number, row in enumerate(sentences) if row[1] is not None]
    kinds = {
        "sentence": (
            "sentences of grammars",
            [sentences[number] for number in usable],
            SENTENCE_HIDDEN,
            SENTENCE_DECAY,
        ),
        "word": ("words of grammars", words, WORD_HIDDEN, WORD_DECAY),
        "free_word": ("words of free speech", free_words, FREE_HIDDEN, FREE_DECAY),
    }
    layers, reports, held_out = {}, {}, {}
    for name, (what, rows, hidden, decay) in kinds.items():
        layers[name], held_out[name], labels, weights = train(rows, hidden, decay)
        reports[what] = report(held_out[name], labels, weights)
    probability = dict(zip(usable, held_out["sentence"].tolist(), strict=True))
    reports["rejection by grammars"] = rejection(sentences, probability)
    reports["rejection by free speech"] = free_rejection(free_words, held_out["free_word"])
    return layers, reports


def print_reports(reports: dict) -> None:
    """Print what `evaluate` found, in the tables of docs/recognition.md."""
    print("\n| what | area under the curve | calibration error | right of those scored 90 or more |\n|---|---|---|---|")
    for what in ("sentences of grammars", "words of grammars", "words of free speech"):
        found = reports[what]
        right = "" if found["right_at_90_or_more"] is None else f"{100 * found['right_at_90_or_more']:.0f} %"
        print(
            f"| {what} ({found['n']}) | {found['auc']} | {found['calibration_error']:.3f} "
            f"| {right} of {found['n_at_90_or_more']} |"
        )
    grammars = reports["rejection by grammars"]
    print("\nInside against outside of a grammar, area under the curve:", json.dumps(grammars["auc"]))
    print("\n| threshold |", " | ".join(CURVE.values()), "|\n|" + "---|" * (1 + len(CURVE)))
    for row in grammars["curve"]:
        if row["threshold"] in THRESHOLDS:
            cells = ("" if row[name] is None else f"{100 * row[name]:.1f} %" for name in CURVE)
            print(f"| {row['threshold']} | {' | '.join(cells)} |")
    print("\nFree speech:", json.dumps(reports["rejection by free speech"]))


def main() -> None:
    layers, reports = evaluate(ModelSettings())
    print_reports(reports)
    TARGET.write_text(json.dumps(layers, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
