"""Accuracy on the development recordings, against plain PocketSphinx on whole files in the same run.

    python -m benchmarks.bench_accuracy [--limit N] [--only SET] [--profile accurate]

Prints a table and, as the last line, JSON: words wrong, sentences right, processor time, rejection, and the error of
word times. Plain PocketSphinx is the package as it comes: its own JSGF reader, default settings, each file decoded
whole. Ours is the engine of the server, fed in its blocks as from a live stream: phrases of grammars whole too, free
speech as our endpointer cuts it. `--limit` takes every so many-th recording of each set, for a first look.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: as in a worker

import jiwer
import numpy as np
import pocketsphinx

from asr_trio.audio.container import AudioFormat
from asr_trio.audio.frontend import (
    EndpointerSettings,
    Frontend,
    SpeechAudio,
    SpeechEnd,
    SpeechPause,
    SpeechResume,
    SpeechStart,
)
from asr_trio.config import ModelSettings, RecognizerSettings
from asr_trio.protocol.results import Alternative
from asr_trio.recognizer import base
from asr_trio.recognizer.engines import find_maker
from asr_trio.recognizer.grammars import compile_grammar
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.recognizer.worker import BLOCK_BYTES
from benchmarks import corpus
from benchmarks.machine import describe

SCORE_ACCEPTED = 30
"""A ``decoder.confidenceThreshold`` that a client may set; its default is 0. What the engine rejects is no result."""
TAIL_BYTES = 2 * 2 * base.SAMPLE_RATE_HZ
"""Two seconds of silence after a recording, which ends with its last word: a live caller's audio goes on."""


class Ours:
    name = "asr-trio"

    def __init__(self, settings: ModelSettings) -> None:
        models = {"general": settings if settings.engine == "pocketsphinx" else ModelSettings()}
        self._registry = ModelRegistry(RecognizerSettings(models=models))
        self._engine = find_maker(settings.engine)("general", settings)
        self._models: dict[str, base.LanguageModel] = {"": base.StatisticalModel(name="general", lm="general")}

    def recognize(self, pair: corpus.Pair):
        pcm = corpus.read_audio(pair.path)
        if pair.grammar not in self._models:
            text = corpus.grammar_text(pair.grammar)
            frame = base.Compile(text=text, content_type="application/x-jsgf", lm=pair.grammar)
            compiled = compile_grammar(frame, self._registry)
            self._models[pair.grammar] = base.GrammarModel(
                compiled=compiled.compiled, digest=compiled.digest, lm=pair.grammar
            )
        recognition = self._engine.open((self._models[pair.grammar],), base.DecoderSettings(), b"")
        started_s = time.process_time()
        found = [
            hypotheses[0]
            for hypotheses in (_one_segment(recognition, pcm) if pair.grammar else _segments(recognition, pcm))
            if hypotheses
        ]
        cpu_s = time.process_time() - started_s
        recognition.close()
        if not found:
            return "", 0, (), cpu_s
        words = tuple((word.text, word.start_time, word.end_time) for one in found for word in one.words)
        return " ".join(one.text for one in found), min(one.score for one in found), words, cpu_s


def _one_segment(recognition: base.Recognition, pcm: bytes) -> Iterator[tuple[Alternative, ...]]:
    """Decode a phrase of a grammar whole, as plain PocketSphinx gets it."""
    recognition.start_segment(0.0)
    for start in range(0, len(pcm), BLOCK_BYTES):
        recognition.accept(pcm[start : start + BLOCK_BYTES])
    yield recognition.finish_segment(len(pcm) / 32_000)


def _segments(recognition: base.Recognition, pcm: bytes) -> Iterator[tuple[Alternative, ...]]:
    """Decode sentences as a caller has them decoded in continuous mode: the endpointer cuts, and tells of pauses."""
    frontend = Frontend(AudioFormat("pcm_s16", base.SAMPLE_RATE_HZ), EndpointerSettings(continuous=True))
    for event in [*frontend.process(pcm + bytes(TAIL_BYTES)), *frontend.flush()]:
        match event:
            case SpeechStart(start_s=start_s):
                recognition.start_segment(start_s)
            case SpeechAudio(pcm=speech):
                for start in range(0, len(speech), BLOCK_BYTES):
                    recognition.accept(speech[start : start + BLOCK_BYTES])
            case SpeechPause():
                recognition.pause()
            case SpeechResume():
                recognition.resume()
            case SpeechEnd(end_s=end_s):
                yield recognition.finish_segment(end_s)


class Plain:
    name = "PocketSphinx"

    def __init__(self) -> None:
        self._free = None
        self._grammars: dict[str, pocketsphinx.Decoder] = {}

    def _decoder(self, grammar: str) -> pocketsphinx.Decoder:
        if not grammar:
            self._free = self._free or pocketsphinx.Decoder(loglevel="FATAL")
            return self._free
        if grammar not in self._grammars:
            decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
            decoder.add_jsgf_string("g", corpus.grammar_text(grammar))
            decoder.activate_search("g")
            self._grammars[grammar] = decoder
        return self._grammars[grammar]

    def recognize(self, pair: corpus.Pair):
        pcm = corpus.read_audio(pair.path)
        decoder = self._decoder(pair.grammar)
        started_s = time.process_time()
        decoder.start_utt()
        decoder.process_raw(pcm, False, True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        cpu_s = time.process_time() - started_s
        return ("" if hypothesis is None else hypothesis.hypstr), 100, (), cpu_s


def measure(engine, pairs: list[corpus.Pair]) -> dict:
    rows = [(pair, *engine.recognize(pair)) for pair in pairs]
    audio_s = sum(len(corpus.read_audio(pair.path)) for pair in pairs) / 32_000
    result = {"engine": engine.name, "n": len(rows), "cpu_per_audio_s": round(sum(row[4] for row in rows) / audio_s, 4)}
    if not pairs[0].covered:
        return result | {
            "accepted_percent": share(text and score >= SCORE_ACCEPTED for _, text, score, _, _ in rows),
            "result_percent": share(text for _, text, *_ in rows),
        }
    references = [pair.transcript for pair in pairs]
    texts = [row[1] for row in rows]
    result["words_wrong_percent"] = round(100 * jiwer.wer(references, texts), 1)
    result["sentences_right_percent"] = share(
        text == reference for text, reference in zip(texts, references, strict=True)
    )
    right = [row for row in rows if row[1] == row[0].transcript]
    if pairs[0].grammar and right:
        result["right_but_below_threshold_percent"] = share(row[2] < SCORE_ACCEPTED for row in right)
    sure = [row for row in rows if row[2] >= 90]
    if pairs[0].grammar and sure and engine.name == Ours.name:
        result["right_at_90_or_more_percent"] = share(row[1] == row[0].transcript for row in sure)
    return result


def share(conditions) -> float:
    values = [bool(condition) for condition in conditions]
    return round(100 * sum(values) / len(values), 1)


def word_time_errors(engine, limit: int | None) -> dict:
    """Compare the times of words that were recognised in their place with the alignment that comes with the data."""
    reference: dict[str, list[tuple[str, float, float]]] = {}
    for row in corpus.table("free/words_8629.tsv"):
        reference.setdefault(row["path"], []).append((row["word"], float(row["start_s"]), float(row["end_s"])))
    errors_s = []
    for path in list(reference)[:: limit or 1]:
        pair = corpus.Pair("free", corpus.DATA / "free" / path, "", "", True, "")
        _, _, words, _ = engine.recognize(pair)
        for word, start_s, end_s in reference[path]:
            near = [found for found in words if found[0] == word and abs(found[1] - start_s) < 0.3]
            errors_s += [found[1] - start_s for found in near] + [found[2] - end_s for found in near]
    size = np.abs(errors_s)
    return {
        "edges": len(errors_s),
        "median_ms": round(1000 * float(np.median(size)), 1),
        "p90_ms": round(1000 * float(np.quantile(size, 0.9)), 1),
        "bias_ms": round(1000 * float(np.mean(errors_s)), 1),
        "within_50_ms_percent": share(size <= 0.0505),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, help="take every so many-th recording of each set")
    parser.add_argument("--only", help="one set, by its name in the table")
    parser.add_argument("--profile", default=ModelSettings().profile, help="of our decoder, for free speech")
    parser.add_argument("--engine", default="pocketsphinx", help="of ours; whisper reads free speech only: --only free")
    parser.add_argument("--acoustic", type=Path, help="another model of it, for ours")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    limit = arguments.limit
    sets: dict[str, list[corpus.Pair]] = {}
    pairs = corpus.covered_pairs() + corpus.uncovered_pairs() + corpus.silent_pairs() + corpus.free_pairs()
    for pair in pairs:
        if arguments.only in {None, pair.kind}:
            sets.setdefault(pair.kind, []).append(pair)
    if not sets:
        parser.error(f"there is no set {arguments.only}")
    chosen = {"engine": arguments.engine, "acoustic": arguments.acoustic, "profile": arguments.profile}
    settings = ModelSettings.model_validate(chosen)
    engines = (Plain(), Ours(settings))
    results = {}
    for name, members in sets.items():
        results[name] = [measure(engine, members[:: limit or 1]) for engine in engines]
        for row in results[name]:
            print(f"{name:18s}", " ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    results["word times"] = word_time_errors(engines[1], limit)
    print(f"{'word times':18s}", results["word times"])
    report = {"benchmark": "accuracy", "machine": describe(), "limit": limit, "sets": results}
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
