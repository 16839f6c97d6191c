"""Options of the free-speech decoder: words wrong, processor time, and what is left to do when speech ends.

    python -m benchmarks.bench_profiles [--every N] [--only NAME,NAME] [--json OUT] [--plot OUT.svg]

Prints a line for each set of options. All get the same cepstra of the same sentences, computed beforehand, so that
what is compared is the search. "own" in a line means that the mean of the whole sentence was subtracted, as only a
second pass can; else it is the running mean of the server. `--every` takes every so many-th sentence.
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
import msgspec
import numpy as np

from asr_trio.recognizer.bands import model_bands
from asr_trio.recognizer.channel import Channel
from asr_trio.recognizer.features import Frames, FrontEnd, SegmentFeatures, read_parameters
from asr_trio.recognizer.guarded import GuardedDecoder, is_filler, plain_word
from asr_trio.recognizer.models import ModelFiles, model_files
from asr_trio.recognizer.pocketsphinx import PROFILES
from asr_trio.settings import ModelSettings
from benchmarks import corpus
from benchmarks.machine import describe

DEFAULTS: Final = {"fwdflat": True, "maxhmmpf": 30000, "topn": 4, "ds": 1}
"""What PocketSphinx does when it is asked for nothing."""
SINGLE: Final = {**DEFAULTS, "fwdflat": False}


class Options(msgspec.Struct, frozen=True):
    """Options of the decoder, and whether it gets the mean of the whole sentence."""

    decoder: dict[str, Any]
    own_mean: bool = False


CONFIGURATIONS: Final = {
    "defaults": Options(DEFAULTS, own_mean=True),
    **{name: Options(options) for name, options in PROFILES.items()},
    **{f"{name} own": Options(options, own_mean=True) for name, options in PROFILES.items()},
    "one pass": Options(SINGLE, own_mean=True),
    **{
        f"{limit} hmm, topn {topn}, ds {ds}": Options(
            {**SINGLE, "maxhmmpf": limit, "topn": topn, "ds": ds}, own_mean=True
        )
        for limit, topn, ds in [(3000, 2, 1), (3000, 4, 1), (3000, 4, 2), (6000, 2, 2), (6000, 4, 1), (3000, 4, 3)]
    },
    "balanced, flat": Options({**PROFILES["balanced"], "fwdflat": True}, own_mean=True),
    "balanced, flat, topn 4": Options({**PROFILES["balanced"], "fwdflat": True, "topn": 4}, own_mean=True),
    "beam 1e-40": Options({**SINGLE, "beam": 1e-40, "pbeam": 1e-40, "maxhmmpf": 6000}, own_mean=True),
    "window 10": Options({**SINGLE, "pl_window": 10, "maxhmmpf": 3000}, own_mean=True),
}


def sentences(every: int) -> Iterator[tuple[str, Frames, Frames]]:
    """Yield transcripts, with cepstra from the running mean and from the sentence's own."""
    parameters = read_parameters(files().acoustic)
    front_end, bands = FrontEnd(parameters), model_bands(ModelSettings(), parameters.ncep)
    for pair in corpus.free_pairs()[::every]:
        pcm = corpus.read_audio(pair.path)
        channel = Channel(front_end, bands)
        features = SegmentFeatures(front_end, channel)
        cepstra = np.concatenate([features.feed(pcm), features.finish()])
        running, own = channel.subtract_mean(cepstra), cepstra - cepstra.mean(axis=0)
        yield pair.transcript, running[:, 0].astype(np.float32), own[:, 0].astype(np.float32)


def files() -> ModelFiles:
    return model_files("general", ModelSettings())


def measure(name: str, options: Options, said: list[tuple[str, Frames, Frames]]) -> dict[str, Any]:
    model = {"hmm": files().acoustic, "dict": files().dictionary, "lm": files().lm}
    decoder = GuardedDecoder(n_cepstra=said[0][1].shape[1], options={**model, **options.decoder})
    texts, cpu_s, ends_s = [], 0.0, []
    for _, running, own in said:
        decoder.forget()
        decoder.start()
        started_s = time.process_time()
        decoder.process(own if options.own_mean else running)
        heard_s = time.process_time()
        decoder.end()
        texts.append(" ".join(plain_word(word.word) for word in decoder.segments() if not is_filler(word.word)))
        ends_s.append(time.process_time() - heard_s)
        cpu_s += time.process_time() - started_s
    frames = sum(len(running) for _, running, _ in said)
    return {
        "name": name,
        "words_wrong_percent": round(100 * jiwer.wer([transcript for transcript, *_ in said], texts), 1),
        "cpu_per_audio_s": round(100 * cpu_s / frames, 4),
        "end_ms_mean": round(1000 * float(np.mean(ends_s)), 1),
        "end_ms_p95": round(1000 * float(np.quantile(ends_s, 0.95)), 1),
        "options": options.decoder,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="", help="names of configurations, separated by semicolons")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    wanted = [name for name in arguments.only.split(";") if name] or list(CONFIGURATIONS)
    said = list(sentences(arguments.every))
    rows = []
    for name in wanted:
        rows.append(measure(name, CONFIGURATIONS[name], said))
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
        axes.plot(*place, "o", color="tab:red" if row["name"] in PROFILES else "tab:blue")
        axes.annotate(row["name"], place, textcoords="offset points", xytext=(4, 3), fontsize=7)
    axes.set(xlabel="processor seconds per second of audio", ylabel="words wrong, %", xscale="log")
    axes.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    main()
