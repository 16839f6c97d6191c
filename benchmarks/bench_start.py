"""Starts: of the server, of a recognition, of ``asr-trio transcribe``.

    python -m benchmarks.bench_start [--rounds 5] [--starts 60] [--json FILE]

`serve` is from the start of the process until it says that it is ready; `transcribe` is the whole command for one
second of audio. START_RECOGNITION is timed over a real socket with a warm worker: free speech, a grammar that is known,
and 30 words inline that nobody has sent before. Beside them stand what nobody can do without: Python itself, a decoder
of PocketSphinx in a process of its own, and a request that does nothing on the same connection.

The package is compiled to bytecode first, as pip does when it installs one: a source tree need not be.
"""

from __future__ import annotations

import compileall
import random
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from asr_trio.cli.bench import local_server
from asr_trio.client import Session, connect
from asr_trio.protocol.messages import StartRecognition
from benchmarks import report
from benchmarks.bench_decode import dictionary

DECODER = "import pocketsphinx; pocketsphinx.Decoder(loglevel='FATAL')"
DICTIONARY_WORDS = 3000
GRAMMAR_WORDS = 30
SUCCESS_CODES = (0, 1)
"""``transcribe`` ends with 1 where nothing was understood, as in a second of noise."""


def wall_ms(command: list[str]) -> float:
    began_s = time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=report.ROOT, check=False, capture_output=True, text=True)
    if done.returncode not in SUCCESS_CODES:
        raise RuntimeError(done.stderr)
    return 1e3 * (time.perf_counter() - began_s)


async def serve_ms() -> float:
    began_s = trio.current_time()
    async with local_server():
        return 1e3 * (trio.current_time() - began_s)


def second_of_audio(folder: str) -> Path:
    """Write one second of quiet noise; what is said does not change the start."""
    path = Path(folder) / "second.wav"
    noise = random.Random(1).randbytes(16_000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"".join(bytes([value, 0]) for value in noise))
    return path


def grammar(words: list[str]) -> bytes:
    return f"#ABNF 1.0 UTF-8;\nlanguage en-US;\nmode voice;\nroot $w;\npublic $w = {' | '.join(words)};\n".encode()


async def start_ms(session: Session, begin: StartRecognition) -> float:
    began_s = trio.current_time()
    await session.request(begin)
    took_ms = 1e3 * (trio.current_time() - began_s)
    await session.cancel()
    await trio.sleep(0.05)  # the worker is given back
    return took_ms


async def recognition_starts(count: int) -> dict[str, list[float]]:
    words = list(dictionary(DICTIONARY_WORDS))
    choose = random.Random(1)

    def inline(body: bytes) -> StartRecognition:
        return StartRecognition(content_type="application/srgs", content_id="g", body=body)

    def new() -> StartRecognition:
        return inline(grammar(choose.sample(words, GRAMMAR_WORDS)))

    known = inline(grammar(words[:GRAMMAR_WORDS]))
    free = StartRecognition(content_type="text/uri-list", body=b"builtin:slm/general")
    kinds: dict[str, Callable[[], StartRecognition]] = {
        "START, free speech": lambda: free,
        "START, known grammar": lambda: known,
        "START, 30 new words": new,
    }
    found: dict[str, list[float]] = {"a request that does nothing": []}
    async with local_server() as server, connect(server.url) as session:
        for _ in range(count):
            began_s = trio.current_time()
            await session.get_parameters("decoder.maxSentences")
            found["a request that does nothing"].append(1e3 * (trio.current_time() - began_s))
        for name, begin in kinds.items():
            for _ in range(8):  # every idle worker has seen the known one
                await start_ms(session, begin())
            found[name] = [await start_ms(session, begin()) for _ in range(count)]
    return found


def measure(rounds: int, starts: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        transcribe = ["-m", "asr_trio.cli.main", "transcribe", str(second_of_audio(folder))]
        compileall.compile_dir(report.ROOT / "asr_trio", quiet=1)
        wall_ms(transcribe)  # files in the cache
        found = {
            "python -c ''": [wall_ms(["-c", ""]) for _ in range(rounds)],
            "bare decoder": [wall_ms(["-c", DECODER]) for _ in range(rounds)],
            "serve ready": [trio.run(serve_ms) for _ in range(rounds)],
            "transcribe one second": [wall_ms(transcribe) for _ in range(rounds)],
        }
    return found | trio.run(partial(recognition_starts, starts))


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="starts of processes")
    parser.add_argument("--starts", type=int, default=60, help="starts of recognitions, of each kind")
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        name: report.percentiles(values) for name, values in measure(arguments.rounds, arguments.starts).items()
    }
    for name, row in results.items():
        print(f"{name:30} n {row['n']:3}  p50 {row['p50']:8.1f}  p95 {row['p95']:8.1f} ms")
    report.write(arguments.json, "start", results)


if __name__ == "__main__":
    main()
