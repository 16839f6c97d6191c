"""``asr-trio bench``: what this machine can do, measured from outside over a real socket at live pace."""

from __future__ import annotations

import json as json_module
import math
import os
import re
import subprocess
import sys
import urllib.request
import wave
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import trio
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from asr_trio.cli import recording
from asr_trio.client import load
from asr_trio.errors import AsrError

READY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 10.0
FINAL_LIMIT_MS: Final = 300.0
"""A caller does not feel less; capacity is the number of streams whose 95th percentile stays below."""
HEADROOM: Final = 0.8
"""Share of the measured capacity that the printed setting admits: live load is not as even as a benchmark's."""
RESOLUTION: Final = 0.05
"""The search for the capacity stops when its bounds are so near."""
STREAMS_MAX: Final = 1024
RAMP_S: Final = 2.0
"""Callers start spread over it, and what begins within it does not count."""
ADMIT_ALL: Final = {
    "ASR_TRIO_RECOGNIZER__COST_UNITS": "1000000",
    "ASR_TRIO_RECOGNIZER__WORKERS": "1024",
    "ASR_TRIO_LOG__LEVEL": "error",
}
"""The server under test must not refuse what is being measured."""

app = App(name="bench", help="Measure latency and capacity of a server on this machine.")

Files = Annotated[list[Path] | None, Parameter(help="WAV files (16-bit, mono); without any a recording is fetched.")]
Lm = Annotated[str, Parameter(help="Language-model URI, or a grammar file.")]
Url = Annotated[str | None, Parameter(help="A running server (ws://); without it one is started for this command.")]
Json = Annotated[bool, Parameter(negative="", help="Print JSON instead of a table.")]


class BenchmarkError(AsrError):
    """A measurement could not be made."""


@app.command
def latency(
    files: Files = None,
    /,
    *,
    lm: Lm = "builtin:slm/general",
    url: Url = None,
    streams: Annotated[int, Parameter(help="Callers at once.")] = 1,
    seconds: Annotated[float, Parameter(help="How long.")] = 20.0,
    json: Json = False,
) -> int:
    """Measure how long a caller waits, with a given number of callers at once."""
    utterances = _utterances(files)
    rows = trio.run(_latency, utterances, lm, url, streams, seconds)
    _print(rows, f"{streams} live streams, {lm}", as_json=json)
    return 0


@app.command
def capacity(
    files: Files = None,
    /,
    *,
    lm: Lm = "builtin:slm/general",
    url: Url = None,
    seconds: Annotated[float, Parameter(help="How long each number of streams is tried.")] = 15.0,
    json: Json = False,
) -> int:
    """Find how many live callers this machine serves, and print the setting that admits as many."""
    utterances = _utterances(files)
    rows, cost_units = trio.run(_capacity, utterances, lm, url, seconds)
    found = max((row["streams"] for row in rows if row["holds"]), default=0)
    _print(rows, f"live streams, {lm}", as_json=json)
    told = Console(stderr=True)
    told.print(f"{found} streams keep the 95th percentile of the final latency under {FINAL_LIMIT_MS:.0f} ms")
    if cost_units > 0 and found:
        told.print(
            f"admit {HEADROOM:.0%} of them:  [bold]recognizer.cost_units = {HEADROOM * found * cost_units:.0f}[/bold]"
        )
    return 0 if found else 1


# --- what the commands and the benchmarks share -------------------------------------------------------------------


class LocalServer(msgspec.Struct, frozen=True):
    """A server process of our own."""

    url: str
    http_url: str
    pid: int

    def metric(self, name: str) -> float:
        """Return the value of a metric without labels, or NaN."""
        with urllib.request.urlopen(f"{self.http_url}/metrics", timeout=5) as answer:  # noqa: S310 - our own URL
            found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else math.nan


@asynccontextmanager
async def local_server(environment: dict[str, str] | None = None) -> AsyncIterator[LocalServer]:
    """Start a server in a process of its own and end it afterwards.

    Raises:
        BenchmarkError: it did not become ready.
    """
    command = [sys.executable, "-m", "asr_trio.cli.main", "serve", "--host", "127.0.0.1", "--port", "0"]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                [*command, "--http-port", "0"],
                env=os.environ | ADMIT_ALL | (environment or {}),
                stderr=subprocess.PIPE,
                check=False,
                deliver_cancel=_stop,
            )
        )
        output = process.stderr
        if output is None:
            raise BenchmarkError("the server has no output")
        told = b""
        with trio.move_on_after(READY_TIMEOUT_S):
            async for chunk in output:
                told += chunk
                if b"asr-trio is ready" in told and told.endswith(b"\n"):
                    break
        ports = dict(re.findall(r"(WebSocket|HTTP) on port (\d+)", told.decode(errors="replace")))
        if "WebSocket" not in ports:
            nursery.cancel_scope.cancel()
            raise BenchmarkError(f"the server did not become ready: {told.decode(errors='replace')[-500:]}")
        nursery.start_soon(_drain, output)
        yield LocalServer(
            url=f"ws://127.0.0.1:{ports['WebSocket']}/asr-server/asr",
            http_url=f"http://127.0.0.1:{ports.get('HTTP', '0')}",
            pid=process.pid,
        )
        nursery.cancel_scope.cancel()


def grammar_or_uri(lm: str) -> dict[str, Any]:
    """Return the body of START_RECOGNITION, and its type, for a URI or a grammar file."""
    path = Path(lm)
    if ":" not in lm and path.is_file():
        return {"body": path.read_bytes(), "content_type": "application/srgs"}
    return {"body": lm.encode(), "content_type": "text/uri-list"}


def summarize(observations: Sequence[load.Observation], streams: int) -> dict[str, Any]:
    """Return the row of a table: percentiles in milliseconds, and whether the latency held."""
    finals = [seen.final_ms for seen in observations if not math.isnan(seen.final_ms)]
    starts = [seen.start_ms for seen in observations if not math.isnan(seen.start_ms)]
    answered = sum(not math.isnan(seen.speech_to_result_ms) for seen in observations)
    row: dict[str, Any] = {
        "streams": streams,
        "recognitions": len(observations),
        "unanswered": len(observations) - answered,
        "start_p95_ms": percentile(starts, 95),
        "final_p50_ms": percentile(finals, 50),
        "final_p95_ms": percentile(finals, 95),
        "final_p99_ms": percentile(finals, 99),
        "late_p99_ms": percentile([seen.late_ms for seen in observations], 99),
        "statuses": dict(Counter(seen.status for seen in observations)),
    }
    row["holds"] = bool(finals) and not row["unanswered"] and row["final_p95_ms"] <= FINAL_LIMIT_MS
    return row


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that is not below `percent` of all values; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def read_utterance(path: Path, text: str = "") -> load.Utterance:
    """Read a WAV file.

    Raises:
        BenchmarkError: it is none, or not 16-bit mono.
    """
    try:
        with wave.open(str(path)) as stream:
            if (stream.getnchannels(), stream.getsampwidth()) != (1, 2):
                raise BenchmarkError(f"{path}: 16-bit mono is wanted")
            return load.Utterance(
                pcm=stream.readframes(stream.getnframes()),
                sample_rate_hz=stream.getframerate(),
                speech_end_s=stream.getnframes() / stream.getframerate(),
                text=text,
            )
    except (OSError, EOFError, wave.Error) as error:
        raise BenchmarkError(f"{path}: {error}") from error


# --- the commands themselves --------------------------------------------------------------------------------------


def _utterances(files: list[Path] | None) -> list[load.Utterance]:
    if files:
        return [read_utterance(path) for path in files]
    sample = recording.find()
    return [read_utterance(sample.path, sample.transcript)]


@asynccontextmanager
async def _server(url: str | None) -> AsyncIterator[tuple[str, Callable[[str], float]]]:
    if url is not None:
        yield url, lambda _name: math.nan
        return
    async with local_server() as server:
        yield server.url, server.metric


async def _latency(
    utterances: list[load.Utterance], lm: str, url: str | None, streams: int, seconds: float
) -> list[dict[str, Any]]:
    async with _server(url) as (address, _):
        plan = load.Plan.for_url(address, utterances, **grammar_or_uri(lm))
        ramp_s = 0.0 if streams == 1 else RAMP_S
        return [summarize(await load.run(plan, streams=streams, duration_s=seconds, ramp_s=ramp_s), streams)]


async def _capacity(
    utterances: list[load.Utterance], lm: str, url: str | None, seconds: float
) -> tuple[list[dict[str, Any]], float]:
    """Double the load until it does not hold, then halve the interval; return the rows and a stream's cost units."""
    rows: list[dict[str, Any]] = []
    costs: list[float] = []
    async with _server(url) as (address, metric):
        plan = load.Plan.for_url(address, utterances, **grammar_or_uri(lm))

        async def holds(streams: int) -> bool:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch_cost, metric, costs)
                row = summarize(await load.run(plan, streams=streams, duration_s=seconds, ramp_s=RAMP_S), streams)
                nursery.cancel_scope.cancel()
            rows.append(row)
            return bool(row["holds"])

        good, bad = 0, 2
        while bad <= STREAMS_MAX and await holds(bad):
            good, bad = bad, 2 * bad
        while bad - good > max(1, RESOLUTION * good):
            middle = (good + bad) // 2
            good, bad = (middle, bad) if await holds(middle) else (good, middle)
    return sorted(rows, key=lambda row: int(row["streams"])), percentile(costs, 50) if costs else 0.0


async def _watch_cost(metric: Callable[[str], float], costs: list[float]) -> None:
    while True:
        await trio.sleep(1.0)
        used = await trio.to_thread.run_sync(metric, "asr_cost_units_used", abandon_on_cancel=True)
        active = await trio.to_thread.run_sync(metric, "asr_recognitions_active", abandon_on_cancel=True)
        if active > 0 and used > 0:
            costs.append(used / active)


async def _stop(process: trio.Process) -> None:
    process.terminate()
    with trio.move_on_after(STOP_TIMEOUT_S):
        await process.wait()
    if process.returncode is None:
        process.kill()


async def _drain(output: trio.abc.ReceiveStream) -> None:
    async for _ in output:
        pass


def _print(rows: list[dict[str, Any]], title: str, *, as_json: bool) -> None:
    if as_json:
        print(json_module.dumps(rows))
        return
    table = Table("streams", "recognitions", "unanswered", "start p95", "final p50", "p95", "p99 ms", title=title)
    for row in rows:
        times = [f"{row[name]:.1f}" for name in ("start_p95_ms", "final_p50_ms", "final_p95_ms", "final_p99_ms")]
        table.add_row(str(row["streams"]), str(row["recognitions"]), str(row["unanswered"]), *times)
    Console().print(table)
