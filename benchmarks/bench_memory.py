"""Memory: of a worker at work, over thousands of recognitions, and of sessions that do nothing.

    python -m benchmarks.bench_memory [--recognitions 200 | 5000] [--only digits] [--sessions 2000] [--idle-s 40]
                                      [--json FILE]

A worker's private memory is what would come free if it ended (Linux: smaps_rollup), read after each recognition while
the worker is still leased. One process serves them all; it is not replaced by age. Beside it: a decoder of PocketSphinx
alone in a process, with the same options.

Idle sessions: so many clients connect, create a session, and wait. Told is what the server's process grew by, for each,
and what it costs while nothing happens; that is long enough for every client to be pinged.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from typing import Any

import numpy as np
import trio

from asr_trio.cli.bench import local_server
from asr_trio.client import load
from asr_trio.recognizer import base
from asr_trio.server.pool import WorkerPool
from asr_trio.settings import RecognizerSettings
from benchmarks import report
from benchmarks.bare_pocketsphinx import Workload
from benchmarks.bench_capacity import workloads
from benchmarks.processes import cpu_seconds, private_bytes, resident_bytes

MIB = 1 << 20
OPEN_AT_ONCE = 50
BARE = """
import json, sys
from pocketsphinx import Decoder
from benchmarks.processes import private_bytes
import os
options, words, grammar = json.loads(sys.stdin.read())
decoder = Decoder(loglevel="FATAL", **options)
for word, phones in words.items():
    decoder.add_word(word, phones, False)
if grammar:
    decoder.add_jsgf_string("load", grammar)
    decoder.activate_search("load")
print(private_bytes(os.getpid()))
"""


def bare_mib(workload: Workload) -> float:
    """Return the private memory of a process that holds one decoder of PocketSphinx, less that of Python."""

    def run(program: str, given: str) -> int:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, input=given, cwd=report.ROOT, capture_output=True, text=True, check=True)
        return int(done.stdout)

    empty = "import os, pocketsphinx; from benchmarks.processes import private_bytes; print(private_bytes(os.getpid()))"
    given = json.dumps([workload.options, workload.words, workload.grammar])
    return (run(BARE, given) - run(empty, "")) / MIB


# --- workers ------------------------------------------------------------------------------------------------------


def utterances(workload: Workload) -> Iterator[list[bytes]]:
    return cycle([[step.pcm for step in utterance if step.pcm] for utterance in workload.utterances])


async def recognize(pool: WorkerPool, model: base.LanguageModel, speech: list[bytes]) -> tuple[int, int]:
    """Recognise an utterance; return the worker and its private memory."""
    async with pool.lease(1.0) as worker:
        await worker.open((model,), base.DecoderSettings())
        worker.start_segment(0.0)
        for pcm in speech:
            worker.send_audio(pcm)
            await worker.catch_up()
        worker.end_segment(1.0)
        while not isinstance(await worker.receive(), base.Final):
            pass
        return worker.pid, private_bytes(worker.pid)


async def workers(kind: str, workload: Workload, request: dict[str, Any], recognitions: int) -> dict[str, Any]:
    lasting = {"recycle_recognitions": 10**9, "recycle_rss_bytes": 1 << 40, "hang_timeout_s": 600.0}
    settings = RecognizerSettings(workers_idle=1, workers=1, **lasting)
    seen: dict[int, list[int]] = {}
    async with trio.open_nursery() as nursery:
        pool = WorkerPool(settings)
        await nursery.start(pool.run)
        if kind == "free":
            model: base.LanguageModel = pool.registry.statistical("builtin:slm/general")
        else:
            compiled = await pool.compile(base.Compile(text=request["body"], content_type=None, lm="session:g"))
            model = base.GrammarModel(compiled=compiled.compiled, digest=compiled.digest, lm="session:g")
        for speech in islice(utterances(workload), recognitions):
            pid, private = await recognize(pool, model, speech)
            seen.setdefault(pid, []).append(private)
        nursery.cancel_scope.cancel()
    sizes = max(seen.values(), key=len)
    tail = np.array(sizes[len(sizes) // 4 :]) / MIB
    slope = float(np.polyfit(np.arange(len(tail)), tail, 1)[0]) * 1000 if len(tail) > 2 else float("nan")
    return {
        "kind": kind,
        "recognitions": len(sizes),
        "first_mib": sizes[0] / MIB,
        "p50_mib": float(np.median(sizes)) / MIB,
        "last_mib": sizes[-1] / MIB,
        "largest_mib": max(sizes) / MIB,
        "slope_mib_per_1000": slope,
        "bare_mib": bare_mib(workload),
    }


# --- idle sessions ------------------------------------------------------------------------------------------------


async def idle_sessions(count: int, idle_s: float) -> dict[str, Any]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * count + 256)), hard))
    room = str(count + 2 * OPEN_AT_ONCE)
    limits = {
        "ASR_TRIO_LIMITS__CONNECTIONS_PER_ADDRESS": room,
        "ASR_TRIO_LIMITS__CONNECTIONS": room,
        "ASR_TRIO_LIMITS__SESSIONS": room,
        "ASR_TRIO_LIMITS__SESSIONS_PER_USER": room,
        "ASR_TRIO_LIMITS__SESSION_EXPIRY_S": "3600",
    }
    async with local_server(limits) as server, trio.open_nursery() as nursery:
        for _ in range(OPEN_AT_ONCE):  # code and buffers are there
            await nursery.start(one_session, server.url)
        before = resident_bytes(server.pid)
        for _ in range(0, count, OPEN_AT_ONCE):
            async with trio.open_nursery() as opening:
                for _ in range(OPEN_AT_ONCE):
                    opening.start_soon(nursery.start, one_session, server.url)
        await trio.sleep(2.0)
        after, cpu_s = resident_bytes(server.pid), cpu_seconds(server.pid)["server"]
        await trio.sleep(idle_s)
        idle_cores = (cpu_seconds(server.pid)["server"] - cpu_s) / idle_s
        held = await trio.to_thread.run_sync(server.metric, "asr_sessions")
        nursery.cancel_scope.cancel()
    return {
        "sessions": int(held),
        "kib_each": (after - before) / 1024 / (held - OPEN_AT_ONCE),
        "idle_cores": idle_cores,
        "idle_s": idle_s,
    }


async def one_session(url: str, *, task_status: trio.TaskStatus[None]) -> None:
    async with load.Caller(load.Plan.for_url(url, [])).session():
        task_status.started()
        await trio.sleep_forever()


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--recognitions", type=int, default=200, help="of each kind; 0 leaves workers out")
    parser.add_argument("--only", help="workload of the workers")
    parser.add_argument("--sessions", type=int, default=2000, help="0 leaves them out")
    parser.add_argument("--idle-s", type=float, default=40.0)
    arguments = parser.parse_args()
    results: dict[str, Any] = {"workers": []}
    for kind, (_, bare, request) in workloads(arguments.data).items() if arguments.recognitions else ():
        if arguments.only not in (None, kind):
            continue
        row = trio.run(partial(workers, kind, bare, request, arguments.recognitions))
        results["workers"].append(row)
        print(
            f"{kind:8} private memory of a worker: first {row['first_mib']:.1f}, median {row['p50_mib']:.1f}, last "
            f"{row['last_mib']:.1f}, largest {row['largest_mib']:.1f} MiB over {row['recognitions']} recognitions, "
            f"slope {row['slope_mib_per_1000']:+.2f} MiB in 1000; a bare decoder {row['bare_mib']:.1f} MiB",
            flush=True,
        )
    if arguments.sessions:
        row = results["sessions"] = trio.run(partial(idle_sessions, arguments.sessions, arguments.idle_s))
        print(f"{row['sessions']} idle sessions: {row['kib_each']:.1f} KiB each, {row['idle_cores']:.2%} of a core")
    report.write(arguments.json, "memory", results)


if __name__ == "__main__":
    main()
