"""Options of the free-speech decoder: words wrong, processor time, and what is left to do when speech ends.

    python -m benchmarks.bench_profiles [--every N] [--only NAME;NAME] [--json OUT] [--plot docs/images/profiles.svg]

Prints a line for each set of options. All get the same cepstra, those which the engine hands to its decoder for each
segment that the endpointer cuts, so that what is compared is the search. The first line is plain PocketSphinx on whole
files, its own features included. `--every` takes every so many-th sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: as in a worker

import jiwer
import numpy as np

from asr_trio.recognizer.base import DecoderSettings, no_pulse
from asr_trio.recognizer.features import Frames
from asr_trio.recognizer.guarded import GuardedDecoder, is_filler, plain_word
from asr_trio.recognizer.models import model_files
from asr_trio.recognizer.pocketsphinx import PROFILES, FreeRecognition, PocketSphinxEngine
from asr_trio.settings import ModelSettings
from benchmarks import corpus
from benchmarks.bench_accuracy import Plain, _segments
from benchmarks.machine import describe

PLAIN: Final = "plain PocketSphinx"
BALANCED: Final = PROFILES["balanced"]
CONFIGURATIONS: Final[dict[str, dict[str, Any]]] = {
    **PROFILES,
    **{f"{limit} states": {**BALANCED, "maxhmmpf": limit} for limit in (2000, 5000, 10000)},
    **{f"lw {weight}": {**BALANCED, "lw": weight} for weight in (4.0, 6.5)},
    "10000 states, lw 6.5": {**BALANCED, "maxhmmpf": 10000, "lw": 6.5},
    **{f"bestpathlw {weight}": {**BALANCED, "bestpathlw": weight} for weight in (8.0, 12.0)},
    **{f"wip {penalty}": {**BALANCED, "wip": penalty} for penalty in (0.03, 0.65)},
    **{f"wbeam {beam}": {**BALANCED, "wbeam": beam} for beam in (7e-29, 1e-20)},
    "topn 2": {**BALANCED, "topn": 2},
    "ds 2": {**BALANCED, "ds": 2},
    "2000 states, topn 2, ds 2": {**BALANCED, "maxhmmpf": 2000, "topn": 2, "ds": 2},
    "second pass": {**BALANCED, "fwdflat": True},
}


class Recorder:
    """Stands where a decoder does, and keeps what its last pass was given."""

    def __init__(self) -> None:
        self._heard: list[Frames] = []
        self.segments_heard: list[Frames] = []

    def start(self) -> None:
        self._heard.clear()

    def process(self, cepstra: Frames) -> None:
        self._heard.append(cepstra.copy())

    def end(self) -> None:
        self.segments_heard.append(np.concatenate(self._heard))

    def abandon(self) -> None:
        """Nothing is to be had from a pass that is begun anew."""

    def forget(self) -> None:
        """Nothing is kept from before."""

    def segments(self) -> list[Any]:
        return []


def sentences(every: int) -> Iterator[tuple[corpus.Pair, list[Frames]]]:
    """Yield sentences with the cepstra of their segments."""
    engine = PocketSphinxEngine("general", ModelSettings())
    for pair in corpus.free_pairs()[::every]:
        recorder = Recorder()
        acoustics = engine.free_acoustics
        recognition = FreeRecognition("general", recorder, acoustics, DecoderSettings(), b"", no_pulse)
        list(_segments(recognition, pair.read()))
        yield pair, recorder.segments_heard


def measure(name: str, options: dict[str, Any], said: list[tuple[corpus.Pair, list[Frames]]]) -> dict[str, Any]:
    files = model_files("general", ModelSettings())
    model = {"hmm": files.acoustic, "dict": files.dictionary, "lm": files.lm}
    decoder = GuardedDecoder(n_cepstra=said[0][1][0].shape[1], options={**model, **options})
    texts, cpu_s, ends_s = [], 0.0, []
    for _, segments in said:
        words = []
        for segment in segments:
            decoder.forget()
            decoder.start()
            started_s = time.process_time()
            decoder.process(segment)
            heard_s = time.process_time()
            decoder.end()
            words += [plain_word(word.word) for word in decoder.segments() if not is_filler(word.word)]
            ends_s.append(time.process_time() - heard_s)
            cpu_s += time.process_time() - started_s
        texts.append(" ".join(words))
    return row(name, said, texts, cpu_s) | {
        "end_ms_mean": round(1000 * float(np.mean(ends_s)), 1),
        "end_ms_p95": round(1000 * float(np.quantile(ends_s, 0.95)), 1),
        "options": options,
    }


def measure_plain(said: list[tuple[corpus.Pair, list[Frames]]]) -> dict[str, Any]:
    plain = Plain()
    heard = [plain.recognize(pair) for pair, _ in said]
    return row(PLAIN, said, [one.text for one in heard], sum(one.cpu_s for one in heard))


def row(name: str, said: list[tuple[corpus.Pair, list[Frames]]], texts: list[str], cpu_s: float) -> dict[str, Any]:
    audio_s = sum(len(pair.read()) for pair, _ in said) / 32_000
    return {
        "name": name,
        "words_wrong_percent": round(100 * jiwer.wer([pair.transcript for pair, _ in said], texts), 1),
        "cpu_per_audio_s": round(cpu_s / audio_s, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="", help="names of configurations, separated by semicolons")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    wanted = [name for name in arguments.only.split(";") if name] or [PLAIN, *CONFIGURATIONS]
    said = list(sentences(arguments.every))
    rows = []
    for name in wanted:
        rows.append(measure_plain(said) if name == PLAIN else measure(name, CONFIGURATIONS[name], said))
        print(" ".join(f"{key}={value}" for key, value in rows[-1].items() if key != "options"), flush=True)
    if arguments.json:
        report = {"benchmark": "profiles", "machine": describe(), "every": arguments.every, "rows": rows}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    if arguments.plot:
        draw(rows, arguments.plot)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw words wrong over processor time."""
    import matplotlib as mpl

    mpl.rcParams["svg.hashsalt"] = "asr_trio"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for row in rows:
        place = (row["cpu_per_audio_s"], row["words_wrong_percent"])
        colour = "tab:red" if row["name"] in PROFILES else "black" if row["name"] == PLAIN else "tab:blue"
        axes.plot(*place, "o", color=colour)
        axes.annotate(
            row["name"], place, textcoords="offset points", xytext=(4, -9 if row["name"] == PLAIN else 3), fontsize=7
        )
    axes.set(xlabel="processor seconds per second of audio", ylabel="words wrong, %")
    axes.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    main()
