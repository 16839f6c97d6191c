"""Fairness: what live callers notice of a client that sends an hour of audio at once, and of one heavy live stream.

    python -m benchmarks.bench_fair [--data ../shared/data] [--streams 12] [--seconds 20] [--rounds 2] [--json FILE]

Live callers speak digits, at live pace, over and over. Alternating: alone, beside a client whose hour of speech arrives
as fast as the server takes it (free speech, continuous mode), and beside a live caller of free speech. Told is the 95th
percentile from END_OF_SPEECH to the result over all rounds of a kind, and its change.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from asr_trio.cli.bench import LocalServer, local_server
from asr_trio.client import connect, load
from benchmarks import report
from benchmarks.bench_capacity import workloads
from benchmarks.processes import cpu_seconds

HOUR_S = 3600
PACKET_BYTES = 1 << 20
SETTLE_S = 2.0


@asynccontextmanager
async def nobody(_server: LocalServer, _speech: list[load.Utterance]) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def an_hour_at_once(server: LocalServer, speech: list[load.Utterance]) -> AsyncIterator[None]:
    """Send an hour in packets of a megabyte, without waiting for anything."""

    async def packets() -> AsyncIterator[bytes]:
        rate = speech[0].sample_rate_hz
        audio, sent = bytearray(), 0
        for utterance in itertools.cycle(speech):
            audio += utterance.pcm + bytes(rate)
            if len(audio) >= PACKET_BYTES:
                yield bytes(audio)
                sent += len(audio)
                audio.clear()
            if sent >= HOUR_S * rate * 2:
                return

    async def send() -> None:
        async with connect(server.url) as session:
            parameters = {"decoder.continuousMode": True, "recognitionTimeout.enabled": False}
            kind = f"audio/raw;rate={speech[0].sample_rate_hz}"
            async for _ in session.recognize(
                packets(), lm="builtin:slm/general", parameters=parameters, content_type=kind
            ):
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_heavy_caller(server: LocalServer, speech: list[load.Utterance]) -> AsyncIterator[None]:
    plan = load.Plan.for_url(server.url, speech)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(load.run, plan, streams=1, duration_s=3600.0, ramp_s=0.0))
        yield
        nursery.cancel_scope.cancel()


SCENES = {"alone": nobody, "an hour at once": an_hour_at_once, "a heavy caller": a_heavy_caller}


async def measure(data: Path, streams: int, seconds: float, rounds: int) -> dict[str, Any]:
    found = workloads(data)
    digits, _, request = found["digits"]
    speech, _, _ = found["free"]
    finals: dict[str, list[float]] = {name: [] for name in SCENES}
    cores: dict[str, list[float]] = {name: [] for name in SCENES}
    async with local_server() as server:
        plan = load.Plan.for_url(server.url, digits, **request)
        await load.run(plan, streams=streams, duration_s=2.0, ramp_s=1.0)
        for round_number in range(rounds):
            for name, scene in SCENES.items():
                async with scene(server, speech):
                    await trio.sleep(SETTLE_S)
                    before, began_s = cpu_seconds(server.pid), trio.current_time()
                    same = msgspec.structs.replace(plan, seed=round_number)
                    seen = await load.run(same, streams=streams, duration_s=seconds, ramp_s=2.0)
                    after, took_s = cpu_seconds(server.pid), trio.current_time() - began_s
                finals[name] += [one.final_ms for one in seen]
                cores[name].append(sum(after[part] - before[part] for part in after) / took_s)
                await trio.sleep(SETTLE_S)
    return {name: report.percentiles(finals[name]) | {"cores": sum(cores[name]) / len(cores[name])} for name in SCENES}


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--streams", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    results = trio.run(partial(measure, arguments.data, arguments.streams, arguments.seconds, arguments.rounds))
    usual = results["alone"]["p95"]
    for name, row in results.items():
        change = row["p95"] / usual - 1
        print(
            f"{name:16} n {row['n']:4}  p50 {row['p50']:6.1f}  p95 {row['p95']:6.1f} ms ({change:+.0%})"
            f"  server and workers {row['cores']:.2f} cores"
        )
    report.write(arguments.json, "fair", results, streams=arguments.streams, seconds=arguments.seconds)


if __name__ == "__main__":
    main()
