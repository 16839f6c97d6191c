"""Capacity: how many live callers one machine serves, against bare PocketSphinx decoders in the same run.

    python -m benchmarks.bench_capacity [--data ../shared/data] [--rounds 3] [--seconds 10] [--only digits]
                                        [--levels 0.6,0.8 | --streams 12,14,16] [--flame] [--json FILE]

For every load three sides take turns, round after round, so that a machine that is faster or slower for a while is so
for all of them; what counts is the 95th percentile of the median round. Sides are our server (a process of its own,
callers over real sockets at live pace) and two bounds (`bare_pocketsphinx`: the same recordings, options and pace, one
process a core). `bare, all` gets every sample that a caller sends, silence before and after included: what decoders
alone need who have no endpointer; `bare, speech` gets the speech that our endpointer cuts out. The latency of all runs
from the moment at which the audio that shows the end of speech is due, to the result; utterances count that end while
the load lasts. Capacity is the largest load whose 95th percentile is at most 300 ms and which loses nothing. The
generator's own processor time is part of the machine's and is printed; nothing is subtracted for it.

With `--flame` py-spy samples the server's process meanwhile and draws a flame graph beside the report.

Workloads: `digits` (strings of spoken digits, 8 kHz, a ten-word loop given inline) and `free` (read sentences at
16 kHz, free speech). Without the data the recording of `asr-trio demo` is the only one, for `free`.
"""

from __future__ import annotations

import csv
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import trio

from asr_trio.audio.container import AudioFormat
from asr_trio.audio.dsp import Resampler
from asr_trio.audio.endpointer import EndpointerSettings, SpeechAudio, SpeechEnd
from asr_trio.audio.frontend import Frontend
from asr_trio.cli import recording
from asr_trio.cli.bench import FINAL_LIMIT_MS, LocalServer, local_server, percentile, read_utterance
from asr_trio.client import load
from asr_trio.recognizer.models import model_files
from asr_trio.recognizer.pocketsphinx import GRAMMAR_OPTIONS, PROFILES
from asr_trio.settings import ModelSettings
from benchmarks import pictures, report
from benchmarks.bare_pocketsphinx import Decoders, Step, Workload, cost
from benchmarks.processes import cpu_seconds

PACKET_MS = 100
RAMP_S = 4.0
UTTERANCES = 12
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the load at which bare decoders would need all processors."""
SIDES = {"ours": "asr-trio", "bound_all": "bare, all", "bound_speech": "bare, speech"}
BOUNDS = {"bound_all": "whole", "bound_speech": "utterances"}
"""And what of the workload they decode."""
CMN_INIT = "40,3,-1"
"""The mean that the model of the pocketsphinx package starts from, as its own feature file says."""

DIGITS = {
    "zero": "Z IH R OW", "oh": "OW", "one": "W AH N", "two": "T UW", "three": "TH R IY", "four": "F AO R",
    "five": "F AY V", "six": "S IH K S", "seven": "S EH V AH N", "eight": "EY T", "nine": "N AY N",
}  # fmt: skip
JSGF = f"#JSGF V1.0;\ngrammar digits;\npublic <digits> = ({' | '.join(DIGITS)})+;\n"


def steps(utterance: load.Utterance) -> tuple[list[Step], list[Step]]:
    """Return the speech in each packet of the utterance, and all of it, up to the one that shows the end of speech."""
    frontend = Frontend(
        AudioFormat(encoding="pcm_s16", sample_rate_hz=utterance.sample_rate_hz, channels=1),
        EndpointerSettings(),
    )
    resampler = Resampler(utterance.sample_rate_hz)
    size = utterance.sample_rate_hz * PACKET_MS // 1000 * 2
    audio = utterance.pcm + bytes(2 * round(load.TAIL_S * utterance.sample_rate_hz))
    speech: list[Step] = []
    whole: list[Step] = []
    for at in range(0, len(audio), size):
        events = frontend.process(audio[at : at + size])
        pcm = b"".join(event.pcm for event in events if isinstance(event, SpeechAudio))
        ends = any(isinstance(event, SpeechEnd) for event in events)
        speech.append(Step(pcm, ends))
        samples = np.frombuffer(audio[at : at + size], np.int16)
        whole.append(Step(resampler.process(samples).tobytes(), ends))
        if ends:
            return speech, whole
    raise ValueError("no end of speech")


def prepare(utterances: list[load.Utterance], **more: Any) -> tuple[list[load.Utterance], Workload]:
    """Return the utterances, latency counted from the packet that ends the speech, and the same for bare decoders."""
    cut = [steps(utterance) for utterance in utterances]
    timed = [
        load.Utterance(one.pcm, one.sample_rate_hz, len(packets) * PACKET_MS / 1000, one.text)
        for one, (packets, _) in zip(utterances, cut, strict=True)
    ]
    speech, whole = ([one[side] for one in cut] for side in range(2))
    return timed, Workload(utterances=speech, whole=whole, packet_s=PACKET_MS / 1000, **more)


def workloads(data: Path) -> dict[str, tuple[list[load.Utterance], Workload, dict[str, Any]]]:
    """Return utterances, bare workload and request of each workload that can be had."""
    settings = ModelSettings()
    files = model_files("general", settings)
    common = {"hmm": files.acoustic, "dict": None, "lm": None, "cmninit": CMN_INIT}
    found: dict[str, tuple[list[load.Utterance], Workload, dict[str, Any]]] = {}
    strings = data / "digits_fsdd" / "strings.tsv"
    if strings.is_file():
        with strings.open(encoding="utf-8") as table:
            rows = list(csv.DictReader(table, delimiter="\t"))[:UTTERANCES]
        spoken = [read_utterance(strings.parent / row["path"], row["transcript"]) for row in rows]
        timed, bare = prepare(spoken, options=common | GRAMMAR_OPTIONS, words=DIGITS, grammar=JSGF)
        found["digits"] = (timed, bare, {"body": JSGF.encode(), "content_type": "application/srgs"})
    free = data / "free" / "refs.tsv"
    if free.is_file():
        spoken = sentences(free)
    else:
        sample = recording.find()
        spoken = [read_utterance(sample.path, sample.transcript)]
    options = common | {"dict": files.dictionary, "lm": files.lm} | PROFILES[settings.profile]
    timed, bare = prepare(spoken, options=options)
    found["free"] = (timed, bare, {"body": b"builtin:slm/general", "content_type": "text/uri-list"})
    return found


def sentences(table: Path) -> list[load.Utterance]:
    """Return read sentences of 3 to 9 s."""
    import soundfile

    found: list[load.Utterance] = []
    with table.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            samples, rate = soundfile.read(table.parent / row["path"], dtype="int16")
            if 3 <= len(samples) / rate <= 9 and rate == 16_000:
                found.append(load.Utterance(samples.tobytes(), rate, 0.0, row["transcript"]))
            if len(found) == UTTERANCES:
                break
    return found


class Seen(msgspec.Struct):
    """What the rounds of one side at one load saw."""

    lags_ms: list[list[float]] = []
    """Of each round."""
    finals_ms: list[float] = []
    starts_ms: list[float] = []
    lost: int = 0
    right: int = 0
    heard_s: float = 0.0
    cores: list[dict[str, float]] = []

    def row(self) -> dict[str, Any]:
        pooled = [lag_ms for each in self.lags_ms for lag_ms in each]
        known: dict[str, Any] = {"recognitions": len(pooled), "p50_ms": percentile(pooled, 50)}
        known["rounds_p95_ms"] = sorted(percentile(each, 95) for each in self.lags_ms)
        known["p95_ms"] = statistics.median(known["rounds_p95_ms"])
        known["cores"] = {name: statistics.mean(each[name] for each in self.cores) for name in self.cores[0]}
        if not self.heard_s:
            return known
        return known | {
            "lost": self.lost,
            "final_p50_ms": percentile(self.finals_ms, 50),
            "final_p95_ms": percentile(self.finals_ms, 95),
            "start_p95_ms": percentile(self.starts_ms, 95),
            "right": self.right / max(1, len(pooled)),
        }


async def ours(server: LocalServer, plan: load.Plan, streams: int, seconds: float, seen: Seen) -> None:
    heard_s = await trio.to_thread.run_sync(server.metric, "asr_audio_seconds_total")
    before, own, began_s = cpu_seconds(server.pid), time.process_time(), time.monotonic()
    found = await load.run(plan, streams=streams, duration_s=seconds, ramp_s=RAMP_S, drain_s=0.0)
    wall_s = time.monotonic() - began_s
    after = cpu_seconds(server.pid)
    heard_s = await trio.to_thread.run_sync(server.metric, "asr_audio_seconds_total") - heard_s
    lags_ms = [one.speech_to_result_ms for one in found if not math.isnan(one.speech_to_result_ms)]
    seen.lags_ms.append(lags_ms)
    seen.finals_ms += [one.final_ms for one in found if not math.isnan(one.final_ms)]
    seen.starts_ms += [one.start_ms for one in found]
    seen.lost += len(found) - len(lags_ms)
    seen.right += sum(one.text == one.expected for one in found)
    seen.heard_s += heard_s
    cores = {name: (after[name] - before[name]) / wall_s for name in before}
    cores["server, of a second of audio"] = (after["server"] - before["server"]) / heard_s
    seen.cores.append(cores | {"generator": (time.process_time() - own) / wall_s})


def bare(decoders: Decoders, side: str, streams: int, seconds: float, seen: Seen) -> None:
    found = decoders.live(BOUNDS[side], streams=streams, duration_s=seconds, ramp_s=RAMP_S)
    seen.lags_ms.append(found["latencies_ms"])
    seen.cores.append({"decoders": found["cores"]})


def holds(row: dict[str, Any]) -> bool:
    return row["recognitions"] > 0 and not row.get("lost") and row["p95_ms"] <= FINAL_LIMIT_MS


def capacity(rows: list[dict[str, Any]], side: str) -> int:
    """Return the largest load up to which everything held."""
    found = 0
    for row in rows:
        if not holds(row[side]):
            break
        found = row["streams"]
    return found


class Loads(msgspec.Struct, frozen=True):
    """What is asked of all sides: for each load so many rounds of so many seconds after the ramp.

    Loads are numbers of streams, or shares of what bare decoders would need to fill all processors.
    """

    streams: tuple[int, ...]
    levels: tuple[float, ...]
    rounds: int
    seconds: float

    def of(self, full: float) -> list[int]:
        """Return the numbers of streams, where `full` fill all processors."""
        return list(self.streams) or [max(1, round(level * full)) for level in self.levels]


async def measure(
    name: str,
    timed: list[load.Utterance],
    workload: Workload,
    request: dict[str, Any],
    loads: Loads,
    flame: Path | None = None,
) -> dict[str, Any]:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    whole = msgspec.structs.replace(workload, utterances=workload.whole)
    shares = {"all": await trio.to_thread.run_sync(cost, whole)}
    shares["speech"] = await trio.to_thread.run_sync(cost, workload)
    full = processors / shares["speech"]
    print(f"\n{name}: a bare decoder needs {1000 * shares['speech']:.1f} ms CPU per second of live audio,", end=" ")
    print(f"so {processors} processors carry {full:.0f} streams at most;", end=" ")
    print(f"{1000 * shares['all']:.1f} ms if it gets all of the audio")
    rows: list[dict[str, Any]] = []
    asked = loads.of(full)
    decoders = Decoders(workload, streams=max(asked), processes=processors)
    async with local_server() as server:
        plan = load.Plan.for_url(server.url, timed, packet_ms=PACKET_MS, **request)
        await load.run(plan, streams=2, duration_s=2, ramp_s=1)  # warm
        for streams in asked:
            seen = {side: Seen() for side in SIDES}
            for number in range(loads.rounds):
                for side in [*SIDES][number % len(SIDES) :] + [*SIDES][: number % len(SIDES)]:
                    if side == "ours":
                        async with flame_graph(server, flame if (streams, number) == (asked[-1], 0) else None):
                            await ours(server, plan, streams, loads.seconds, seen[side])
                    else:
                        await trio.to_thread.run_sync(bare, decoders, side, streams, loads.seconds, seen[side])
            row = {"streams": streams, "level": streams / full} | {side: seen[side].row() for side in SIDES}
            rows.append(row)
            show(row)
            if not any(holds(row[side]) for side in SIDES):
                break
    decoders.close()
    result = {
        "workload": name,
        "bare_cpu_ms_per_audio_s": {side: 1000 * share for side, share in shares.items()},
        "capacity": {side: capacity(rows, side) for side in SIDES},
        "rows": rows,
    }
    found = result["capacity"]
    for side in BOUNDS:
        if found[side]:
            ratio = found["ours"] / found[side]
            print(f"{name}: {found['ours']} streams, {SIDES[side]} {found[side]}: {ratio:.2f}")
    return result


def rounds(side: dict[str, Any]) -> str:
    return "/".join(f"{value:.0f}" for value in side["rounds_p95_ms"]) + " ms"


def show(row: dict[str, Any]) -> None:
    mine = row["ours"]
    cores = mine["cores"]
    bounds = "".join(
        f"  |  {SIDES[side]} p50 {row[side]['p50_ms']:7.1f} p95 {rounds(row[side])}"
        f"  cores {row[side]['cores']['decoders']:.2f}"
        for side in BOUNDS
    )
    print(
        f"  {row['streams']:4d} streams  ours p50 {mine['p50_ms']:7.1f} p95 {rounds(mine)} of"
        f" {mine['recognitions']}  (after END_OF_SPEECH p50 {mine['final_p50_ms']:.1f} p95 {mine['final_p95_ms']:.1f},"
        f" start p95 {mine['start_p95_ms']:.1f})  lost {mine['lost']}  right {mine['right']:.0%}"
        f"  server {1000 * cores['server, of a second of audio']:.1f} ms/s"
        f"  cores: server {cores['server']:.2f} workers {cores['workers']:.2f} generator {cores['generator']:.2f}"
        + bounds,
        flush=True,
    )


@asynccontextmanager
async def flame_graph(server: LocalServer, file: Path | None) -> AsyncIterator[None]:
    """Sample the server's process for as long as the block takes, where that is wanted."""
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if file is None or spy is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    command = [
        spy,
        "record",
        "--pid",
        str(server.pid),
        "--rate",
        "50",
        "--duration",
        "unlimited",
        "--output",
        str(file),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        await trio.to_thread.run_sync(process.wait)


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only")
    parser.add_argument("--levels", type=lambda text: tuple(map(float, text.split(","))), default=LEVELS)
    parser.add_argument("--streams", type=lambda text: tuple(map(int, text.split(","))), default=())
    parser.add_argument("--flame", action="store_true")
    arguments = parser.parse_args()
    loads = Loads(arguments.streams, arguments.levels, arguments.rounds, arguments.seconds)
    results: list[dict[str, Any]] = []
    for name, (timed, workload, request) in workloads(arguments.data).items():
        if arguments.only not in (None, name):
            continue
        flame = arguments.json.with_name(f"flame-{name}.svg") if arguments.flame and arguments.json else None
        results.append(trio.run(measure, name, timed, workload, request, loads, flame))
    report.write(arguments.json, "capacity", results, limit_ms=FINAL_LIMIT_MS, **msgspec.structs.asdict(loads))
    pictures.capacity(arguments.json, results, SIDES, FINAL_LIMIT_MS)


if __name__ == "__main__":
    main()
