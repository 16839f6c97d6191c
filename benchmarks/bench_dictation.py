"""Dictation through the whole server by a model of free speech: from the end of speech to the result.

    python -m benchmarks.bench_dictation --engine whisper --acoustic FOLDER [--every 10] [--no-partials] [--json FILE]

Starts a server with the model, plays recordings of free speech at live pace, and prints JSON: latency, partial results,
and the processor time of decoding for a second of audio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from asr_trio.client import FinalResult, PartialResult, SpeechEnded, connect
from benchmarks import corpus
from benchmarks.machine import describe
from tests.live import LiveServer, serve

PACKET_BYTES = 6400
PACKET_S = 0.2
SILENCE = bytes(64_000)


async def live(pcm: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(pcm), PACKET_BYTES):
        yield pcm[start : start + PACKET_BYTES]
        await trio.sleep(PACKET_S)


async def measure(url: str, paths: list[Path], *, partials: bool) -> dict[str, float]:
    latencies_ms: list[float] = []
    n_partials = 0
    for path in paths:
        ended_s = None
        async with connect(url) as session:
            async for event in session.recognize(
                live(corpus.read_audio(path) + SILENCE),
                lm="builtin:slm/dictation",
                parameters={"decoder.partialResultEnabled": partials},
                content_type="audio/raw;rate=16000",
            ):
                if isinstance(event, SpeechEnded):
                    ended_s = event.received_s
                n_partials += isinstance(event, PartialResult)
                if isinstance(event, FinalResult) and ended_s is not None:
                    latencies_ms.append(1000 * (event.received_s - ended_s))
    return {
        "recordings": len(paths),
        "latency_ms_median": round(statistics.median(latencies_ms), 1),
        "latency_ms_p95": round(sorted(latencies_ms)[int(0.95 * len(latencies_ms))], 1),
        "partials_a_recording": round(n_partials / len(paths), 1),
    }


def decoding_share(server: LiveServer) -> float:
    """Return the processor time of decoding for a second of audio."""
    with urllib.request.urlopen(f"{server.http_url}/metrics") as answer:
        lines = [line.split() for line in answer.read().decode().splitlines() if not line.startswith("#")]
    values = {line[0]: float(line[1]) for line in lines if len(line) == 2}
    return round(values["asr_decode_cpu_seconds_total"] / values["asr_audio_seconds_total"], 3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="whisper")
    parser.add_argument("--acoustic", type=Path, help="the model's folder")
    parser.add_argument("--every", type=int, default=10, help="take every so many-th recording")
    parser.add_argument("--no-partials", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    paths = [pair.path for pair in corpus.free_pairs()][:: arguments.every]
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "asr.toml"
        model = {"engine": arguments.engine}
        if arguments.acoustic:
            model["acoustic"] = os.fspath(arguments.acoustic.resolve())
        lines = [f"{key} = {json.dumps(value)}" for key, value in model.items()]
        configuration.write_text("\n".join(["[recognizer.models.dictation]", *lines]) + "\n")
        with serve(Path(folder), ASR_TRIO_CONFIG=str(configuration)) as server:
            report = trio.run(lambda: measure(server.ws_url, paths, partials=not arguments.no_partials))
            report["cpu_per_audio_s"] = decoding_share(server)
    text = json.dumps({"benchmark": "dictation", "machine": describe(), **report}, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
