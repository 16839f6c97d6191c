"""Decoding: processor time of a worker per second of speech, against bare PocketSphinx in the same run.

    python -m benchmarks.bench_decode [--data ../shared/data] [--rounds 3] [--words 1000 5000] [--json FILE]

Both sides get the speech that the endpointer cuts from the same recordings, with the same options. `ours`
is all that a worker process does with it: features, search, evidence for scores, results. Rounds alternate between the
sides and the cheapest of each counts: the others were disturbed. `cost units` are hundredths of a core that one live
caller needs while a recognition runs, silence included: what admission counts by (`asr_trio.recognizer.models`).

Kinds: a loop of ten digits, grammars of many words (any of them, once), free speech in its three profiles.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from asr_trio.recognizer import base
from asr_trio.recognizer.engines import Engines
from asr_trio.recognizer.grammars import compile_grammar
from asr_trio.recognizer.models import ModelRegistry, model_files
from asr_trio.recognizer.pocketsphinx import PROFILES
from asr_trio.recognizer.worker import Competition
from asr_trio.settings import RecognizerSettings
from benchmarks import report
from benchmarks.bare_pocketsphinx import Workload, cost
from benchmarks.bench_capacity import workloads

BYTES_PER_S = 2 * base.SAMPLE_RATE_HZ


class Kind:
    """One kind of recognition, ready to run on either side."""

    def __init__(self, name: str, registry: ModelRegistry, model: base.LanguageModel, bare: Workload) -> None:
        self.name = name
        self.model = model
        self.bare = bare
        self._engines = Engines(registry)
        self.ours()  # loads and warms
        self.live_s = sum(len(utterance) for utterance in bare.utterances) * bare.packet_s
        self.speech_s = sum(len(step.pcm) for utterance in bare.utterances for step in utterance) / BYTES_PER_S

    def ours(self) -> float:
        """Return processor seconds for all utterances."""
        began_s = time.process_time()
        for utterance in self.bare.utterances:
            recognition = Competition(base.Open(models=(self.model,), settings=base.DecoderSettings()), self._engines)
            recognition.start_segment(0.0)
            for step in utterance:
                for block in recognition.blocks(step.pcm):
                    recognition.accept(block)
            recognition.finish_segment(1.0)
            recognition.close()
        return time.process_time() - began_s

    def measure(self, rounds: int) -> dict[str, Any]:
        ours_s, bare_s = [], []
        for _ in range(rounds):
            ours_s.append(self.ours())
            bare_s.append(cost(self.bare) * self.live_s)
        return {
            "kind": self.name,
            "speech_s": self.speech_s,
            "ours_cpu_ms_per_speech_s": 1e3 * min(ours_s) / self.speech_s,
            "bare_cpu_ms_per_speech_s": 1e3 * min(bare_s) / self.speech_s,
            "ratio": min(ours_s) / min(bare_s),
            "cost_units": 1e2 * min(ours_s) / self.live_s,
        }


def grammar(text: bytes, registry: ModelRegistry) -> base.GrammarModel:
    compiled = compile_grammar(base.Compile(text=text, content_type=None, lm="session:g"), registry)
    return base.GrammarModel(compiled=compiled.compiled, digest=compiled.digest, lm="session:g")


def dictionary(count: int) -> dict[str, str]:
    """Return so many words, from all over the dictionary of the pocketsphinx package."""
    lines = Path(model_files("general", RecognizerSettings().models["general"]).dictionary).read_text().splitlines()
    entries = [line.split(maxsplit=1) for line in lines]
    plain = [(word, phones) for word, phones in entries if word.isalpha() and word.isascii()]
    return dict(plain[:: max(1, len(plain) // count)][:count])


def kinds(data: Path, sizes: list[int]) -> list[Kind]:
    found = workloads(data)
    registry = ModelRegistry(RecognizerSettings())
    made: list[Kind] = []
    if "digits" in found:
        _, bare, request = found["digits"]
        made.append(Kind("digits", registry, grammar(request["body"], registry), bare))
        for size in sizes:
            words = dictionary(size)
            text = f"#JSGF V1.0;\ngrammar many;\npublic <many> = {' | '.join(words)};\n"
            model = grammar(text.encode(), registry)
            more = {"words": words, "grammar": text}
            same = msgspec.structs.replace(bare, **more)
            kind = Kind(f"{size} words", registry, model, same)
            kind.name += f" ({len(model.compiled) / 1024:.0f} KiB)"
            made.append(kind)
    _, bare, _ = found["free"]
    for profile, options in PROFILES.items():
        models = {"general": {"profile": profile}}
        registry = ModelRegistry(RecognizerSettings.model_validate({"models": models}))
        same = msgspec.structs.replace(bare, options=bare.options | options)
        made.append(Kind(f"free, {profile}", registry, registry.statistical("builtin:slm/general"), same))
    return made


def main() -> None:
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":  # as in a worker; the libraries read it when they are loaded
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        os.execve(sys.executable, [*sys.orig_argv], os.environ | one_thread)
    parser = report.options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--words", type=int, nargs="*", default=[1000, 5000], help="sizes of the large grammars")
    arguments = parser.parse_args()
    print(f"{'':28} {'ours':>8} {'bare':>8}  CPU ms per second of speech")
    rows = []
    for kind in kinds(arguments.data, arguments.words):
        row = kind.measure(arguments.rounds)
        rows.append(row)
        ours, bare = row["ours_cpu_ms_per_speech_s"], row["bare_cpu_ms_per_speech_s"]
        units = row["cost_units"]
        print(f"{row['kind']:28} {ours:8.1f} {bare:8.1f}  ratio {row['ratio']:.2f}  cost units {units:.1f}", flush=True)
    report.write(arguments.json, "decode", rows, rounds=arguments.rounds)


if __name__ == "__main__":
    main()
