"""Soak and chaos: mixed traffic and injected faults for as long as you like; nothing may leak, hang or be wrong.

    python -m benchmarks.soak [--data ../shared/data] [--seconds 60 | 3600] [--clients 4] [--json FILE]

The server is a process of its own. First every recording is recognised alone: that is the reference. Then clients do
at random what clients do: recognise (each transcript must be the reference's), cancel in the middle, vanish in the
middle, send rubbish, knock and go. Meanwhile workers are killed and stopped. A recognition may fail only where a worker
was hurt. At the end everything has come back: sessions, recognitions, leases, tasks, descriptors, processes; memory
is judged by its slope after the first third.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sys
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import trio

from asr_trio.cli.bench import local_server
from asr_trio.client import Grammar, connect
from asr_trio.errors import AsrError
from asr_trio.protocol.messages import ResultStatus
from benchmarks import machine

DIGITS = Grammar(
    "#ABNF 1.0 UTF-8;\nlanguage en-US;\nmode voice;\nroot $s;\n"
    "$d = zero | oh | one | two | three | four | five | six | seven | eight | nine;\npublic $s = $d<1-7>;\n",
    content_id="digits",
)
SAMPLE_S = 1.0
SETTLE_S = 20.0
GAUGES = ("asr_sessions", "asr_recognitions_active", "asr_workers_leased", "asr_tasks", "process_open_fds")


class Soak:
    """One run."""

    def __init__(self, url: str, http_url: str, pid: int, recordings: list[bytes], seed: int) -> None:
        self.url = url
        self.http_url = http_url
        self.pid = pid
        self.recordings = recordings
        self.random = random.Random(seed)
        self.reference: dict[int, str] = {}
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.memory: list[tuple[float, float]] = []

    async def metrics(self) -> dict[str, float]:
        text = await trio.to_thread.run_sync(self._scrape)
        found = re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)
        return {
            name: float(value) for name, value in found if name in GAUGES or name == "process_resident_memory_bytes"
        }

    def _scrape(self) -> str:
        with urllib.request.urlopen(f"{self.http_url}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    async def recognise(self, index: int) -> tuple[ResultStatus, str]:
        async with connect(self.url) as session:
            with trio.fail_after(60):
                final = await session.recognize(self.recordings[index], lm=DIGITS).final()
            return final.status, final.text

    async def client(self, stop_s: float) -> None:
        deeds = [self.listen_to_the_end, self.listen_to_the_end, self.cancel, self.vanish, self.rubbish, self.knock]
        while trio.current_time() < stop_s:
            deed = self.random.choice(deeds)
            try:
                await deed(self.random.randrange(len(self.recordings)))
                self.counts[deed.__name__] += 1
            except (AsrError, OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
                self.counts[f"{deed.__name__}: {type(error).__name__}"] += 1
                if isinstance(error, trio.TooSlowError):
                    self.wrong.append(f"{deed.__name__} hung")

    async def listen_to_the_end(self, index: int) -> None:
        status, text = await self.recognise(index)
        self.counts[f"status {status}"] += 1
        if status is ResultStatus.FAILURE:
            self.counts["failures"] += 1
        elif text != self.reference[index]:
            self.wrong.append(f"recording {index}: {text!r} instead of {self.reference[index]!r}")

    async def cancel(self, index: int) -> None:
        async with connect(self.url) as session:
            recognition = session.recognize(self._endless(index), lm=DIGITS)
            await anext(recognition)
            await session.cancel()

    async def vanish(self, index: int) -> None:
        with trio.move_on_after(self.random.random()):
            async with connect(self.url) as session:
                async for _ in session.recognize(self._endless(index), lm=DIGITS):
                    pass

    async def rubbish(self, _index: int) -> None:
        async with connect(self.url) as session:
            for _ in range(20):
                await session._line.send(self.random.randbytes(self.random.randrange(300)))

    async def knock(self, _index: int) -> None:
        host, _, port = self.url.partition("//")[2].partition("/")[0].partition(":")
        stream = await trio.open_tcp_stream(host, int(port))
        await stream.send_all(self.random.choice([b"", b"GET /", b"\x16\x03\x01", self.random.randbytes(100)]))
        await stream.aclose()

    async def _endless(self, index: int) -> Any:
        yield self.recordings[index]
        await trio.sleep_forever()

    async def hurt_workers(self, every_s: float) -> None:
        while True:
            await trio.sleep(every_s * (0.5 + self.random.random()))
            workers = [pid for parent in children(self.pid) for pid in children(parent)]
            if workers:
                fault = self.random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
                try:
                    os.kill(self.random.choice(workers), fault)
                    self.faults[fault.name] += 1
                except ProcessLookupError:
                    continue

    async def watch(self, begin_s: float) -> None:
        while True:
            memory = (await self.metrics())["process_resident_memory_bytes"]
            self.memory.append((trio.current_time() - begin_s, memory))
            await trio.sleep(SAMPLE_S)

    async def settled(self, before: dict[str, float]) -> dict[str, float]:
        """Wait until everything has come back, or long enough; return what stands then."""
        now = await self.metrics()
        with trio.move_on_after(SETTLE_S):
            while any(now[name] > before[name] + (8 if name == "process_open_fds" else 0) for name in GAUGES):
                await trio.sleep(0.5)
                now = await self.metrics()
        return now

    def slope_mib_per_hour(self) -> float:
        tail = self.memory[len(self.memory) // 3 :]
        if len(tail) < 5:
            return float("nan")
        times, sizes = np.array(tail).T
        return float(np.polyfit(times, sizes, 1)[0]) * 3600 / 2**20


def children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        return [int(child) for found in lists for child in found.read_text().split()]
    except OSError:
        return []


async def run(recordings: list[bytes], seconds: float, clients: int, seed: int) -> dict[str, Any]:
    async with local_server({"ASR_TRIO_RECOGNIZER__HANG_TIMEOUT_S": "5"}) as server:
        soak = Soak(server.url, server.http_url, server.pid, recordings, seed)
        for index in range(len(recordings)):
            status, soak.reference[index] = await soak.recognise(index)
            if status is ResultStatus.FAILURE:
                raise RuntimeError(f"recording {index} cannot be recognised at all")
        before = await soak.settled(dict.fromkeys(GAUGES, 0.0) | {"asr_tasks": 1e9, "process_open_fds": 1e9})
        begin_s = trio.current_time()
        async with trio.open_nursery() as background:
            background.start_soon(soak.watch, begin_s)
            background.start_soon(soak.hurt_workers, max(2.0, seconds / 100))
            async with trio.open_nursery() as nursery:
                for _ in range(clients):
                    nursery.start_soon(soak.client, begin_s + seconds)
            background.cancel_scope.cancel()
        after = await soak.settled(before)
        processes = sum(1 + len(children(pid)) for pid in children(server.pid))
    leaks = {name: after[name] - before[name] for name in GAUGES if after[name] > before[name] + 8}
    hurt = sum(soak.faults.values())
    return {
        "benchmark": "soak",
        "machine": machine.describe(),
        "seconds": seconds,
        "clients": clients,
        "seed": seed,
        "did": dict(soak.counts),
        "faults": dict(soak.faults),
        "failures": soak.counts["failures"],
        "wrong": soak.wrong,
        "leaks": leaks,
        "processes_at_the_end": processes,
        "memory_mib": soak.memory[-1][1] / 2**20,
        "memory_slope_mib_per_hour": soak.slope_mib_per_hour(),
        "passed": not soak.wrong and not leaks and soak.counts["failures"] <= 2 * hurt,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    recordings = [path.read_bytes() for path in sorted((arguments.data / "digits_fsdd/wav").glob("*.wav"))[::20]]
    if not recordings:
        sys.exit(f"no recordings below {arguments.data}")
    report = trio.run(partial(run, recordings, arguments.seconds, arguments.clients, arguments.seed))
    print(json.dumps(report, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    sys.exit(0 if report["passed"] else 1)


if __name__ == "__main__":
    main()
