"""Models that compete: several grammars at once, and a grammar beside free speech.

    python -m benchmarks.bench_competition [--limit N] [--json FILE]

Recordings inside of a grammar: how often the answer is right with that grammar alone, with seven others beside it, and
with free speech beside it, and how often another model than the grammar got the word. Recordings outside of their
grammar: how often free speech gets it. `--limit` takes every so many-th recording.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: as in a worker

from asr_trio.protocol.results import Alternative
from asr_trio.recognizer import base
from asr_trio.recognizer.engines import Engines
from asr_trio.recognizer.grammars import compile_grammar
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.recognizer.worker import Competition
from asr_trio.settings import RecognizerSettings
from benchmarks import corpus
from benchmarks.bench_accuracy import share
from benchmarks.machine import describe

RIVALS = ("commands", "digits", "date", "number", "yesno", "home", "coffee", "alnum")
FREE = base.StatisticalModel(name="general", lm="free")


class Recogniser:
    def __init__(self) -> None:
        self._registry = ModelRegistry(RecognizerSettings())
        self._engines = Engines(self._registry)
        self._grammars: dict[str, base.GrammarModel] = {}
        self.cpu_s = 0.0
        self.audio_s = 0.0

    def add(self, name: str, text: bytes) -> None:
        compiled = compile_grammar(base.Compile(text=text, content_type="application/x-jsgf", lm=name), self._registry)
        self._grammars[name] = base.GrammarModel(compiled=compiled.compiled, digest=compiled.digest, lm=name)

    def grammar(self, name: str) -> base.GrammarModel:
        if name not in self._grammars:
            self.add(name, corpus.grammar_text(name))
        return self._grammars[name]

    def recognize(self, path: Path, *models: base.LanguageModel) -> Alternative | None:
        pcm = corpus.read_audio(path)
        competition = Competition(base.Open(models=models, settings=base.DecoderSettings()), self._engines)
        started_s = time.process_time()
        competition.start_segment(0.0)
        for block in competition.blocks(pcm):
            competition.accept(block)
        found = competition.finish_segment(len(pcm) / 32_000).alternatives
        self.cpu_s += time.process_time() - started_s
        self.audio_s += len(pcm) / 32_000
        competition.close()
        return found[0] if found else None


def inside(pairs: list[corpus.Pair], *, free: bool, rivals: bool) -> dict[str, float]:
    """Return what share of recordings is understood right, and by which model."""
    recogniser = Recogniser()
    right, owners = [], []
    for pair in pairs:
        models: list[base.LanguageModel] = [recogniser.grammar(pair.grammar)]
        if rivals:
            models = [recogniser.grammar(name) for name in dict.fromkeys((*RIVALS, pair.grammar))]
        if free:
            models.append(FREE)
        best = recogniser.recognize(pair.path, *models)
        right.append(best is not None and best.text == pair.transcript)
        owners.append("" if best is None else best.lm)
    return {
        "sentences_right_percent": share(right),
        "by_its_grammar_percent": share(owner == pair.grammar for owner, pair in zip(owners, pairs, strict=True)),
        "by_free_speech_percent": share(owner == FREE.lm for owner in owners),
        "no_result_percent": share(owner == "" for owner in owners),
        "cpu_per_audio_s": round(recogniser.cpu_s / recogniser.audio_s, 3),
    }


def outside(pairs: list[corpus.Pair]) -> dict[str, float]:
    """Return how often free speech gets what a grammar does not cover."""
    recogniser = Recogniser()
    found = [recogniser.recognize(pair.path, recogniser.grammar(pair.grammar), FREE) for pair in pairs]
    return {
        "by_free_speech_percent": share(best is not None and best.lm == FREE.lm for best in found),
        "by_the_grammar_percent": share(best is not None and best.lm != FREE.lm for best in found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    covered = [pair for pair in corpus.covered_pairs() if pair.kind in {"an4", "home"}][:: arguments.limit]
    uncovered = corpus.uncovered_pairs()[:: arguments.limit]
    results = {
        "alone": inside(covered, free=False, rivals=False),
        "with seven other grammars": inside(covered, free=False, rivals=True),
        "with free speech": inside(covered, free=True, rivals=False),
        "outside, with free speech": outside(uncovered),
    }
    for name, row in results.items():
        print(f"{name:26s}", " ".join(f"{key}={value}" for key, value in row.items()))
    if arguments.json:
        report = {"benchmark": "competition", "machine": describe(), "limit": arguments.limit, "sets": results}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
