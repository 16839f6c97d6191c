"""Latency as a caller feels it: over a real socket, audio at live pace, on an otherwise idle server or beside others.

    python -m benchmarks.bench_latency [--seconds 30] [--streams 1] [--only digits] [--data FOLDER] [--json FILE]

For small grammars (`digits`) and free speech (`free`): START_RECOGNITION to its answer (the first one compiles the
grammar and is given apart), true onset to START_OF_SPEECH and to the first partial result (asked for every 100 ms), end
of the last word to END_OF_SPEECH, END_OF_SPEECH to RECOGNITION_RESULT. A bound stands beside them in the same run: a
message there and back on the same connection (GET_PARAMETERS), which no answer can beat.

All speech comes after half a second of silence. Onset and end of digits, which stand in silence, are where the level of
the recording first and last stands 10 dB above its background and within 40 dB of its loudest 10 ms. Sentences were cut
out of longer recordings, and half of them begin with what was left of the one before: theirs are where PocketSphinx,
told the text, finds the first and the last word (forced alignment, with no endpointer in front of it).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pocketsphinx
import trio

from asr_trio.cli.bench import local_server, percentile
from asr_trio.client import connect, load
from asr_trio.recognizer.grammars import lexicon
from asr_trio.recognizer.guarded import is_filler
from asr_trio.recognizer.models import model_files
from asr_trio.settings import ModelSettings
from benchmarks import pictures, report
from benchmarks.bench_capacity import workloads

ROUND_TRIPS = 100
LEAD_S = 0.5
FRAME_S = 0.01
BELOW_PEAK_DB = 40
ABOVE_BACKGROUND_DB = 10
BACKGROUND_SHARE = 0.1
"""Of the frames: so many are no speech in every recording."""
PACKET_MS = 20
WARM_UP_S = 10.0
"""Two recognitions of a caller at least."""
PARTIALS = {"decoder.partialResultEnabled": "true", "decoder.partialResultInterval": "100"}
TIMES = {
    "start_ms": "START_RECOGNITION answered",
    "onset_ms": "onset to START_OF_SPEECH",
    "partial_ms": "onset to first partial",
    "end_ms": "last word to END_OF_SPEECH",
    "final_ms": "END_OF_SPEECH to result",
}


def by_level(utterance: load.Utterance) -> load.Utterance:
    """Return the utterance after some quiet, with where it begins and ends to be loud."""
    rate = utterance.sample_rate_hz
    size = round(rate * FRAME_S)
    samples = np.frombuffer(utterance.pcm, "<i2").astype(np.float64)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1.0)
    background_db = np.quantile(level_db, BACKGROUND_SHARE)
    (loud,) = np.nonzero(level_db > max(level_db.max() - BELOW_PEAK_DB, background_db + ABOVE_BACKGROUND_DB))
    return marked(utterance, float(loud[0]) * FRAME_S, float(loud[-1] + 1) * FRAME_S)


def by_alignment(utterance: load.Utterance) -> load.Utterance:
    """Return the utterance after some quiet, with where its first word begins and its last one ends."""
    settings = ModelSettings()
    files = model_files("general", settings)
    pronunciations = lexicon("general", settings)
    decoder = pocketsphinx.Decoder(hmm=files.acoustic, dict=files.dictionary, lm=None, loglevel="FATAL")
    for word in utterance.text.split():
        if decoder.lookup_word(word) is None:
            decoder.add_word(word, pronunciations.say(word)[0], False)
    decoder.set_align_text(utterance.text)
    decoder.start_utt()
    decoder.process_raw(utterance.pcm + quiet(utterance.sample_rate_hz), full_utt=True)
    decoder.end_utt()
    words = [found for found in decoder.seg() if not is_filler(found.word)]
    return marked(utterance, words[0].start_frame * FRAME_S, (words[-1].end_frame + 1) * FRAME_S)


def quiet(rate_hz: int) -> bytes:
    return np.random.default_rng(0).integers(-3, 4, round(LEAD_S * rate_hz)).astype("<i2").tobytes()


def marked(utterance: load.Utterance, start_s: float, end_s: float) -> load.Utterance:
    return msgspec.structs.replace(
        utterance,
        pcm=quiet(utterance.sample_rate_hz) + utterance.pcm,
        speech_start_s=LEAD_S + start_s,
        speech_end_s=LEAD_S + end_s,
    )


MARKED = {"digits": by_level, "free": by_alignment}


async def round_trips(url: str) -> list[float]:
    """Measure a request that costs nothing, in milliseconds."""
    times = []
    async with connect(url) as session:
        for _ in range(ROUND_TRIPS):
            began_s = trio.current_time()
            await session.get_parameters("decoder.maxSentences")
            times.append(1e3 * (trio.current_time() - began_s))
    return times


async def measure(data: Path, seconds: float, streams: int, only: str | None) -> list[dict[str, Any]]:
    rows = []
    async with local_server() as server:
        bound = await round_trips(server.url)
        for name, (utterances, _, request) in workloads(data).items():
            if only not in (None, name):
                continue
            spoken = [MARKED[name](one) for one in utterances]
            plan = load.Plan.for_url(server.url, spoken, packet_ms=PACKET_MS, **request)
            first = await load.run(plan, streams=1, duration_s=0.1, ramp_s=0.0)
            # Who starts again at once gets another worker: every one has begun a recognition before.
            await load.run(plan, streams=streams, duration_s=WARM_UP_S, ramp_s=1.0)
            seen = await load.run(plan, streams=streams, duration_s=seconds, ramp_s=min(2.0, streams - 1.0))
            talking = msgspec.structs.replace(plan, parameters=PARTIALS)
            partials = await load.run(talking, streams=streams, duration_s=seconds / 2, ramp_s=0.0)
            times = {time: [getattr(one, time) for one in seen] for time in TIMES}
            times["partial_ms"] = [one.partial_ms for one in partials]
            rows.append(
                {
                    "workload": name,
                    "streams": streams,
                    "round_trip_ms": report.percentiles(bound),
                    "first_start_ms": first[0].start_ms,
                    "generator_late_ms": percentile([one.late_ms for one in seen], 95),
                    "right": sum(one.text == one.expected for one in seen) / max(1, len(seen)),
                }
                | {time: report.percentiles(values) | {"values": values} for time, values in times.items()}
            )
    return rows


def show(row: dict[str, Any]) -> None:
    bound = row["round_trip_ms"]
    print(f"{row['workload']}, {row['streams']} callers: first START {row['first_start_ms']:.1f} ms; ", end="")
    print(f"a message there and back p50 {bound['p50']:.1f} p95 {bound['p95']:.1f} ms")
    for time, name in TIMES.items():
        one = row[time]
        print(f"  {name:30} n {one['n']:4}  p50 {one['p50']:8.1f}  p95 {one['p95']:8.1f}")


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    rows = trio.run(partial(measure, arguments.data, arguments.seconds, arguments.streams, arguments.only))
    for row in rows:
        show(row)
    report.write(arguments.json, "latency", rows, seconds=arguments.seconds)
    series = {row["workload"]: [value for value in row["final_ms"]["values"] if value == value] for row in rows}
    pictures.latencies(arguments.json, series, "END_OF_SPEECH to result")


if __name__ == "__main__":
    main()
