"""Accuracy on the development recordings, against plain PocketSphinx on whole files in the same run.

    python -m benchmarks.bench_accuracy [--limit N] [--only SET,SET] [--profile accurate] [--json F] [--plot F.svg]

Prints the tables of docs/recognition.md, words wrong, sentences right, processor time, rejection, calibration of the
scores and the error of word times, and draws the last three. Plain PocketSphinx is the package as
it comes: its own JSGF reader, default settings, each file decoded whole. Ours is the engine of the server, fed in its
blocks as from a live stream: phrases of grammars whole too, free speech as our endpointer cuts it. Scores are trained
on these recordings, so their calibration and the receiver's curve are those of cross-validation over speakers, by
`benchmarks.train_confidence`; nothing is written. `--limit` takes every so many-th recording of each set, for a first
look.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

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
from asr_trio.protocol.results import Alternative
from asr_trio.recognizer import base
from asr_trio.recognizer.engines import find_maker
from asr_trio.recognizer.grammars import compile_grammar
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.recognizer.worker import BLOCK_BYTES
from asr_trio.settings import ModelSettings, RecognizerSettings
from benchmarks import corpus, pictures, report, train_confidence

SCORE_ACCEPTED = 30
"""A ``decoder.confidenceThreshold`` that a client may set; its default is 0. What the engine rejects is no result."""
TAIL_BYTES = 2 * 2 * base.SAMPLE_RATE_HZ
"""Two seconds of silence after a recording, which ends with its last word: a live caller's audio goes on."""
SCORES = "scores"
WORD_TIMES = "word times"
COLUMNS = {
    "words wrong": "words_wrong_percent",
    "sentences right": "sentences_right_percent",
    "some result": "result_percent",
    "CPU s per audio s": "cpu_per_audio_s",
}


class Heard(NamedTuple):
    """What an engine makes of a recording; `words` are (text, start, end) in seconds."""

    text: str
    score: int
    words: tuple[tuple[str, float, float], ...]
    cpu_s: float


class Ours:
    name = "asr-trio"

    def __init__(self, settings: ModelSettings) -> None:
        models = {"general": settings if settings.engine == "pocketsphinx" else ModelSettings()}
        self._registry = ModelRegistry(RecognizerSettings(models=models))
        self._engine = find_maker(settings.engine)("general", settings)
        self._models: dict[str, base.LanguageModel] = {"": base.StatisticalModel(name="general", lm="general")}

    def recognize(self, pair: corpus.Pair) -> Heard:
        pcm = pair.read()
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
            return Heard("", 0, (), cpu_s)
        words = tuple((word.text, word.start_time, word.end_time) for one in found for word in one.words)
        return Heard(" ".join(one.text for one in found), min(one.score for one in found), words, cpu_s)


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

    def recognize(self, pair: corpus.Pair) -> Heard:
        pcm = pair.read()
        decoder = self._decoder(pair.grammar)
        started_s = time.process_time()
        decoder.start_utt()
        decoder.process_raw(pcm, False, True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        cpu_s = time.process_time() - started_s
        words = tuple(
            (segment.word.partition("(")[0], segment.start_frame / 100, (segment.end_frame + 1) / 100)
            for segment in decoder.seg() or ()
        )
        return Heard("" if hypothesis is None else hypothesis.hypstr, 100, words, cpu_s)


def measure(engine: Plain | Ours, pairs: Sequence[corpus.Pair]) -> dict:
    rows = [(pair, engine.recognize(pair)) for pair in pairs]
    audio_s = sum(len(pair.read()) for pair in pairs) / 32_000
    cpu_s = sum(heard.cpu_s for _, heard in rows)
    result = {"engine": engine.name, "n": len(rows), "cpu_per_audio_s": round(cpu_s / audio_s, 4)}
    if not pairs[0].covered:
        return result | {
            "accepted_percent": share(heard.text and heard.score >= SCORE_ACCEPTED for _, heard in rows),
            "result_percent": share(heard.text for _, heard in rows),
        }
    result["words_wrong_percent"] = round(
        100 * jiwer.wer([pair.transcript for pair in pairs], [heard.text for _, heard in rows]), 1
    )
    result["sentences_right_percent"] = share(heard.text == pair.transcript for pair, heard in rows)
    right = [heard for pair, heard in rows if heard.text == pair.transcript]
    if pairs[0].grammar and right:
        result["right_but_below_threshold_percent"] = share(heard.score < SCORE_ACCEPTED for heard in right)
    sure = [(pair, heard) for pair, heard in rows if heard.score >= 90]
    if pairs[0].grammar and sure and engine.name == Ours.name:
        result["right_at_90_or_more_percent"] = share(heard.text == pair.transcript for pair, heard in sure)
    return result


def share(conditions) -> float:
    values = [bool(condition) for condition in conditions]
    return round(100 * sum(values) / len(values), 1)


def word_time_errors(engine: Plain | Ours, every: int) -> list[float]:
    """Compare the times of words that were recognised in their place with the alignment that comes with the data.

    Returns:
        How many milliseconds too late each start and each end of a word is.
    """
    reference: dict[str, list[tuple[str, float, float]]] = {}
    for row in corpus.table("free/words_8629.tsv"):
        reference.setdefault(row["path"], []).append((row["word"], float(row["start_s"]), float(row["end_s"])))
    errors_s = []
    for path in list(reference)[::every]:
        pair = corpus.Pair("free", corpus.DATA / "free" / path, "", "", True, "")
        words = engine.recognize(pair).words
        for word, start_s, end_s in reference[path]:
            near = [found for found in words if found[0] == word and abs(found[1] - start_s) < 0.3]
            errors_s += [found[1] - start_s for found in near] + [found[2] - end_s for found in near]
    return [round(1000 * error_s, 1) for error_s in errors_s]


def sum_up_times(engine: Plain | Ours, errors_ms: list[float]) -> dict:
    size_ms = np.abs(errors_ms)
    return {
        "engine": engine.name,
        "edges": len(errors_ms),
        "median_ms": round(float(np.median(size_ms)), 1),
        "p90_ms": round(float(np.quantile(size_ms, 0.9)), 1),
        "bias_ms": round(float(np.mean(errors_ms)), 1),
        "within_50_ms_percent": share(size_ms <= 50.5),
    }


def print_table(sets: dict[str, list[dict]]) -> None:
    """Print what was measured of both engines, side by side, as docs/recognition.md shows it."""
    print(
        "\n| set (recordings) |", " | ".join(f"{title}, {side}" for title in COLUMNS for side in ("plain", "ours")), "|"
    )
    print("|---" * (1 + 2 * len(COLUMNS)) + "|")
    for name, (plain, ours) in sets.items():
        cells = [str(row.get(key, "")) for key in COLUMNS.values() for row in (plain, ours)]
        print(f"| {name} ({ours['n']}) | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=1, help="take every so many-th recording of each set")
    parser.add_argument("--only", help=f"sets, by their names in the table, {WORD_TIMES!r} or {SCORES!r}: by commas")
    parser.add_argument("--profile", default=ModelSettings().profile, help="of our decoder, for free speech")
    parser.add_argument("--engine", default="pocketsphinx", help="of ours; whisper reads free speech only: --only free")
    parser.add_argument("--acoustic", type=Path, help="another model of it, for ours")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a report; the picture goes beside it")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the picture here, as .svg or .png")
    arguments = parser.parse_args()
    every = arguments.limit
    sets: dict[str, list[corpus.Pair]] = {}
    for pair in corpus.covered_pairs() + corpus.uncovered_pairs() + corpus.silent_pairs() + corpus.free_pairs():
        sets.setdefault(pair.kind, []).append(pair)
    wanted = set(arguments.only.split(",")) if arguments.only else {*sets, WORD_TIMES, SCORES}
    if unknown := wanted - {*sets, WORD_TIMES, SCORES}:
        parser.error(
            f"there is no set {', '.join(sorted(unknown))}; there are {', '.join(sets)}, {WORD_TIMES}, {SCORES}"
        )
    chosen = {"engine": arguments.engine, "acoustic": arguments.acoustic, "profile": arguments.profile}
    settings = ModelSettings.model_validate(chosen)
    engines = (Plain(), Ours(settings))
    found: dict = {"sets": {}}
    for name, members in sets.items():
        if name in wanted:
            found["sets"][name] = [measure(engine, members[::every]) for engine in engines]
            for row in found["sets"][name]:
                print(f"{name:18s}", " ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    if found["sets"]:
        print_table(found["sets"])
    if WORD_TIMES in wanted:
        errors_ms = {engine.name: word_time_errors(engine, every) for engine in engines}
        found["word_time_errors_ms"] = errors_ms
        found["word_times"] = [sum_up_times(engine, errors_ms[engine.name]) for engine in engines]
        print("\nWord times:", *map(json.dumps, found["word_times"]), sep="\n", flush=True)
    if SCORES in wanted:
        _, found["scores"] = train_confidence.evaluate(settings, every)
        train_confidence.print_reports(found["scores"])
    report.write(arguments.json, "accuracy", found, limit=every)
    pictures.accuracy(arguments.plot or (arguments.json and arguments.json.with_suffix(".png")), found)


if __name__ == "__main__":
    main()
