"""What ``asr-trio transcribe`` does: files to text through a server, one's own or another's."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import trio
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from asr_trio import client
from asr_trio.cli import formats
from asr_trio.cli.embedded import Server, server
from asr_trio.errors import AsrError
from asr_trio.protocol.results import SegmentResult

PACKET_BYTES: Final = 32_000
"""A second of 16 kHz audio: large enough to cost little."""
RAW_BYTES_PER_S: Final = 32_000
_WAV_HEAD_BYTES: Final = 44


class Job:
    """What to do, and what came of it."""

    def __init__(
        self,
        *,
        files: dict[Path, int | None],
        models: list[client.LanguageModel],
        parameters: dict[str, str],
        output_format: formats.Format,
        output_dir: Path | None,
        content_type: str,
    ) -> None:
        self.files = files
        self.models = models
        self.parameters = parameters
        self.output_format = output_format
        self.output_dir = output_dir
        self.content_type = content_type
        self.results: dict[Path, list[SegmentResult]] = {}
        self.failures: dict[Path, str] = {}

    def emit(self, path: Path) -> None:
        """Print or write the transcript of one file."""
        if self.output_format == "json" and self.output_dir is None and len(self.files) > 1:
            results = [formats.to_builtins(segment) for segment in self.results[path]]
            print(json_module.dumps({"file": str(path), "results": results}, ensure_ascii=False), flush=True)
            return
        text = formats.WRITERS[self.output_format](self.results[path])
        if self.output_dir is not None:
            self.output_dir.mkdir(parents=True, exist_ok=True)
            (self.output_dir / (path.stem + formats.SUFFIXES[self.output_format])).write_text(text, encoding="utf-8")
        else:
            if len(self.files) > 1:
                print(f"# {path}")
            sys.stdout.write(text)
            sys.stdout.flush()

    @property
    def exit_code(self) -> int:
        """2 where a file failed, 1 where in one nothing was recognised, else 0."""
        if self.failures:
            return 2
        return 0 if all(any(segment.alternatives for segment in found) for found in self.results.values()) else 1


class _Speed(ProgressColumn):
    """How many times faster than it was spoken."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}x", style="progress.data.speed")


async def transcribe(job: Job, url: str | None, user: str | None, password: str | None, jobs: int) -> int:
    """Do the job; return the exit code.

    Args:
        job: what to do.
        url: a running server; None for one of its own.
        user: who we are there.
        password: and the password.
        jobs: recordings at once.
    """
    limiter = trio.CapacityLimiter(jobs)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} s", style="progress.download"),
        _Speed(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
        speed_estimate_period=60.0,
    )
    durations_s = {path: _duration_s(path, size, job.content_type) for path, size in job.files.items()}
    known = None not in durations_s.values()
    with progress:
        async with server(url, user, password) as target, trio.open_nursery() as nursery:
            finished = {path: trio.Event() for path in job.files}
            total_s = sum(duration_s or 0.0 for duration_s in durations_s.values()) if known else None
            whole = progress.add_task("all", total=total_s, visible=len(job.files) > 1)

            async def one(path: Path) -> None:
                async with limiter:
                    task = progress.add_task(path.name, total=durations_s[path])
                    reached_s = 0.0

                    def reach(position_s: float) -> None:
                        nonlocal reached_s
                        progress.advance(whole, position_s - reached_s)
                        progress.update(task, completed=position_s)
                        reached_s = position_s

                    try:
                        job.results[path] = await _recognize(job, path, target, reach)
                    except AsrError as error:
                        job.failures[path] = str(error)
                    except OSError as error:
                        job.failures[path] = error.strerror or str(error)
                    finally:
                        reach(durations_s[path] or reached_s)
                        progress.remove_task(task)
                        finished[path].set()

            for path in job.files:
                nursery.start_soon(one, path)
            for path, event in finished.items():  # in the order of the command line, each as soon as it can be
                await event.wait()
                if path in job.results:
                    job.emit(path)
                else:
                    print(f"asr-trio: {path}: {job.failures[path]}", file=sys.stderr)
    return job.exit_code


def _duration_s(path: Path, size_bytes: int | None, content_type: str) -> float | None:
    """Return the length of a recording, or None where only decoding it would tell."""
    if size_bytes is None:
        return None
    if content_type == "audio/raw":
        return size_bytes / RAW_BYTES_PER_S
    with path.open("rb") as stream:
        head = stream.read(_WAV_HEAD_BYTES)
    if len(head) < _WAV_HEAD_BYTES or head[:4] != b"RIFF" or head[8:16] != b"WAVEfmt ":
        return None
    bytes_per_s = int.from_bytes(head[28:32], "little")
    return (size_bytes - _WAV_HEAD_BYTES) / bytes_per_s if bytes_per_s else None


async def _recognize(job: Job, path: Path, target: Server, reach: Callable[[float], None]) -> list[SegmentResult]:
    """Return what was said in a file; `reach` is told how far it has got."""
    found: list[SegmentResult] = []
    async with target.connect() as session:
        recognition = session.recognize(
            _packets(path), lm=job.models, parameters=job.parameters, content_type=job.content_type
        )
        async for event in recognition:
            if isinstance(event, client.FinalResult) and event.result.alternatives:
                found.append(event.result)
                reach(event.result.end_time)
    return found


async def _packets(path: Path) -> AsyncIterator[bytes]:
    if str(path) == "-":
        while packet := await trio.to_thread.run_sync(sys.stdin.buffer.read, PACKET_BYTES, abandon_on_cancel=True):
            yield packet
        return
    async with await trio.open_file(path, "rb") as stream:
        while packet := await stream.read(PACKET_BYTES):
            yield packet
