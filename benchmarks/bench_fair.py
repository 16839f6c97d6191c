"""Fairness: what live callers notice of a client that sends an hour of audio at once, and of one heavy live stream.

    python -m benchmarks.bench_fair [--data ../shared/data] [--streams 12] [--seconds 20] [--rounds 2] [--json FILE]

Live callers speak digits, at live pace, over and over. Alternating: alone, beside a client whose hour of speech arrives
as fast as the server takes it (free speech, continuous mode), and beside a live caller of free speech. Told is the 95th
percentile from END_OF_SPEECH to the result over all rounds of a kind, and its change.

The sender of the hour is a process of its own, as it would be on another machine, and gives way to everything else;
what it takes of this machine all the same is told. The bound is in the same run: callers beside a process that does
nothing but count, at the lowest priority that there is. Processors share their units and their memory with each other,
and nobody who keeps one busy can be noticed less.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import mean
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
SETTLE_S = 4.0
"""For a sender to start and to have sent what the server takes at once."""
SENDER_NICENESS = 19
COUNT = """
import itertools, os
os.nice(19)
if hasattr(os, "SCHED_IDLE"):
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
for _ in itertools.count(): pass
"""


Scene = Callable[[LocalServer, Path], AbstractAsyncContextManager[int | None]]
"""What happens beside the callers, of the server and the recordings; gives the process that does it if not this one."""


@asynccontextmanager
async def nobody(_server: LocalServer, _data: Path) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def a_counter(_server: LocalServer, _data: Path) -> AsyncIterator[None]:
    """Have another process count, at the priority of batch audio."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.run_process, [sys.executable, "-c", COUNT], check=False))
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def an_hour_at_once(server: LocalServer, data: Path) -> AsyncIterator[int]:
    """Have another process send an hour in packets of a megabyte, without waiting for anything."""
    command = [sys.executable, "-m", "benchmarks.bench_fair", "--data", str(data), "--send-to", server.url]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(partial(trio.run_process, command, check=False))
        yield process.pid
        nursery.cancel_scope.cancel()


async def send_an_hour(url: str, data: Path) -> None:
    """Send an hour of speech, as that process."""
    os.nice(SENDER_NICENESS)
    speech, _, _ = workloads(data)["free"]
    rate = speech[0].sample_rate_hz

    async def packets() -> AsyncIterator[bytes]:
        audio, sent = bytearray(), 0
        for utterance in itertools.cycle(speech):
            audio += utterance.pcm + bytes(rate)
            if len(audio) >= PACKET_BYTES:
                yield bytes(audio)
                sent += len(audio)
                audio.clear()
            if sent >= HOUR_S * rate * 2:
                return

    async with connect(url) as session:
        parameters = {"decoder.continuousMode": True, "recognitionTimeout.enabled": False}
        async for _ in session.recognize(
            packets(), lm="builtin:slm/general", parameters=parameters, content_type=f"audio/raw;rate={rate}"
        ):
            pass


@asynccontextmanager
async def a_heavy_caller(server: LocalServer, data: Path) -> AsyncIterator[None]:
    speech, _, _ = workloads(data)["free"]
    plan = load.Plan.for_url(server.url, speech)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(load.run, plan, streams=1, duration_s=3600.0, ramp_s=0.0))
        yield
        nursery.cancel_scope.cancel()


SCENES: dict[str, Scene] = {
    "alone": nobody,
    "a counter": a_counter,
    "an hour at once": an_hour_at_once,
    "a heavy caller": a_heavy_caller,
}


async def measure(data: Path, streams: int, seconds: float, rounds: int) -> dict[str, Any]:
    digits, _, request = workloads(data)["digits"]
    finals: dict[str, list[float]] = {name: [] for name in SCENES}
    cores: dict[str, list[float]] = {name: [] for name in SCENES}
    sender_cores: dict[str, list[float]] = {name: [] for name in SCENES}
    async with local_server() as server:
        plan = load.Plan.for_url(server.url, digits, **request)
        await load.run(plan, streams=streams, duration_s=2.0, ramp_s=1.0)
        for round_number in range(rounds):
            for name, scene in SCENES.items():
                async with scene(server, data) as sender:
                    await trio.sleep(SETTLE_S)
                    before, sender_before_s, began_s = cpu_seconds(server.pid), taken_s(sender), trio.current_time()
                    same = msgspec.structs.replace(plan, seed=round_number)
                    seen = await load.run(same, streams=streams, duration_s=seconds, ramp_s=2.0)
                    after, took_s = cpu_seconds(server.pid), trio.current_time() - began_s
                    sender_cores[name].append((taken_s(sender) - sender_before_s) / took_s)
                finals[name] += [one.final_ms for one in seen]
                cores[name].append(sum(after[part] - before[part] for part in after) / took_s)
                await trio.sleep(SETTLE_S)
    return {
        name: report.percentiles(finals[name])
        | {"cores": mean(cores[name]), "sender_cores": mean(sender_cores[name]), "values": finals[name]}
        for name in SCENES
    }


def taken_s(process: int | None) -> float:
    return 0.0 if process is None else cpu_seconds(process)["server"]


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--streams", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--send-to", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send_to:
        trio.run(send_an_hour, arguments.send_to, arguments.data)
        return
    results = trio.run(partial(measure, arguments.data, arguments.streams, arguments.seconds, arguments.rounds))
    usual = results["alone"]["p95"]
    for name, row in results.items():
        change = row["p95"] / usual - 1
        print(
            f"{name:16} n {row['n']:4}  p50 {row['p50']:6.1f}  p95 {row['p95']:6.1f} ms ({change:+.0%})"
            f"  server and workers {row['cores']:.2f} cores, sender {row['sender_cores']:.2f}"
        )
    report.write(arguments.json, "fair", results, streams=arguments.streams, seconds=arguments.seconds)


if __name__ == "__main__":
    main()
