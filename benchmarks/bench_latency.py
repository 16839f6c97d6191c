"""Latency as a caller feels it: over a real socket, audio at live pace, one caller on an otherwise idle server.

    python -m benchmarks.bench_latency [--data ../shared/data] [--seconds 30] [--json FILE]

For small grammars (`digits`) and free speech (`free`): START_RECOGNITION to its answer (the first one compiles the
grammar and is given apart), END_OF_SPEECH to RECOGNITION_RESULT, and the end of the last word to the result, which is
the wait for silence and everything after it. A bound stands beside them in the same run: a message there and back on
the same connection (GET_PARAMETERS), which no answer can beat.
"""

from __future__ import annotations

import argparse
import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import trio

from asr_trio.cli.bench import local_server, percentile
from asr_trio.client import connect, load
from benchmarks import machine
from benchmarks.bench_capacity import workloads

ROUND_TRIPS = 100


def summary(values: list[float]) -> dict[str, float]:
    known = [value for value in values if not math.isnan(value)]
    return {"n": len(known), "p50": percentile(known, 50), "p95": percentile(known, 95)}


async def round_trips(url: str) -> dict[str, float]:
    """Measure a request that costs nothing, in milliseconds."""
    times = []
    async with connect(url) as session:
        for _ in range(ROUND_TRIPS):
            began_s = trio.current_time()
            await session.get_parameters("decoder.maxSentences")
            times.append(1e3 * (trio.current_time() - began_s))
    return summary(times)


async def measure(data: Path, seconds: float) -> list[dict[str, Any]]:
    rows = []
    async with local_server() as server:
        bound = await round_trips(server.url)
        for name, (utterances, _, request) in workloads(data).items():
            plan = load.Plan.for_url(server.url, utterances, packet_ms=20, **request)
            first = await load.run(plan, streams=1, duration_s=0.1, ramp_s=0.0)
            seen = await load.run(plan, streams=1, duration_s=seconds, ramp_s=0.0)
            rows.append(
                {
                    "workload": name,
                    "round_trip_ms": bound,
                    "first_start_ms": first[0].start_ms,
                    "start_ms": summary([one.start_ms for one in seen]),
                    "final_ms": summary([one.final_ms for one in seen]),
                    "speech_to_result_ms": summary([one.speech_to_result_ms for one in seen]),
                    "generator_late_ms": percentile([one.late_ms for one in seen], 95),
                }
            )
    return rows


def show(row: dict[str, Any]) -> None:
    print(f"{row['workload']}: first START {row['first_start_ms']:.1f} ms")
    for name in ("round_trip_ms", "start_ms", "final_ms", "speech_to_result_ms"):
        one = row[name]
        print(f"  {name:22} n {one['n']:3}  p50 {one['p50']:8.1f}  p95 {one['p95']:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = trio.run(partial(measure, arguments.data, arguments.seconds))
    for row in rows:
        show(row)
    if arguments.json:
        document = {"benchmark": "latency", "machine": machine.describe(), "results": rows}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
