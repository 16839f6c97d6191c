"""Fuzzing what reads bytes: audio containers with their codecs, frames between server and workers.

    python -m tests.fuzz_bytes audio --seconds 600    # mutations of real files, through FFmpeg's C code as well
    python -m tests.fuzz_bytes ipc --seconds 600
    python -m tests.fuzz_atheris audio -max_total_time=3600   # coverage-guided, where atheris is installed

Whatever the bytes: samples or an AudioFormatError, frames or a RecognizerError; and what comes out does not depend on
how the bytes were cut. A fault is printed with its input.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import struct
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec

from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.errors import AudioFormatError, RecognizerError
from asr_trio.recognizer import base, ipc

RAW: Final = AudioFormat("pcm_s16", 16_000)
CONTENT_TYPES: Final = (
    None,
    "audio/raw",
    "audio/wav",
    "audio/flac",
    "audio/mpeg",
    "audio/ogg",
    "audio/webm",
    "audio/gsm",
)
SAMPLES_MAX: Final = 1 << 24
"""No fuzzer's file unfolds to more: what it takes to decode is not what is looked for here."""


def read_audio(data: bytes, content_type: str | None, packet_bytes: int) -> tuple[AudioFormat | None, bytes] | None:
    """Read a stream as the server and a worker do together; None where it cannot be decoded."""
    reader = AudioReader(default_format=RAW, content_type=content_type)
    samples = bytearray()
    starts = [*range(0, len(data), packet_bytes), len(data)]
    try:
        for start in starts:
            last = start == len(data)
            samples += reader.feed(data[start : start + packet_bytes], last=last)
            while reader.has_more and len(samples) < SAMPLES_MAX:
                samples += reader.feed(b"", last=last)
            if len(samples) >= SAMPLES_MAX:
                break
    except AudioFormatError:
        return None
    finally:
        reader.close()
    if reader.format is not None:
        assert len(samples) % reader.format.frame_bytes == 0, "half a frame"
    return reader.format, bytes(samples)


def run_audio(data: bytes) -> None:
    """Read a stream twice, cut in two ways; the first two bytes say how and under which name."""
    if len(data) < 2:
        return
    content_type = CONTENT_TYPES[data[0] % len(CONTENT_TYPES)]
    whole = read_audio(data[2:], content_type, len(data))
    cut = read_audio(data[2:], content_type, 1 + data[1] * 7)
    assert (whole is None) == (cut is None), "whether it can be read depends on packets"
    assert whole == cut or (whole and len(whole[1]) >= SAMPLES_MAX), "samples depend on packets"


def run_ipc(data: bytes) -> None:
    """Feed both readers, whole and byte by byte."""
    for make in (ipc.to_worker_reader, ipc.from_worker_reader):
        found: list[list[bytes]] = []
        for size in (1, 5, len(data) or 1):
            frames: list[msgspec.Struct] = []
            reader = make()
            with contextlib.suppress(RecognizerError):
                for start in range(0, len(data), size):
                    frames += reader.feed(data[start : start + size])
            found.append([ipc.encode(frame) for frame in frames])  # bytes: a NaN in a frame is not equal to itself
            assert all(make().feed(frame) for frame in found[-1]), "a frame does not survive being written again"
        # A fault costs the frames that came in one piece with it, and no others.
        for written in found:
            assert found[0][: len(written)] == written, "frames depend on how the stream is cut"


def audio_seeds() -> list[bytes]:
    """Return small files of every kind; those of codecs need soundfile."""
    pcm = bytes(random.Random(1).randbytes(4000))
    head = struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    seeds = [b"RIFF" + struct.pack("<I", 4036) + b"WAVEfmt " + head + b"data" + struct.pack("<I", 4000) + pcm, pcm]
    with contextlib.suppress(ImportError):
        import numpy as np
        import soundfile

        tone = (3000 * np.sin(np.arange(8000) / 9)).astype(np.int16)
        for name, subtype in (
            ("FLAC", "PCM_16"),
            ("OGG", "VORBIS"),
            ("OGG", "OPUS"),
            ("MP3", "MPEG_LAYER_III"),
            ("AIFF", "PCM_16"),
            ("AU", "ULAW"),
            ("RAW", "GSM610"),
            ("WAV", "IMA_ADPCM"),
        ):
            file = io.BytesIO()
            soundfile.write(file, tone, 8000 if subtype == "GSM610" else 16_000, format=name, subtype=subtype)
            seeds.append(file.getvalue())
    return [bytes((number % len(CONTENT_TYPES), 3)) + seed for seed in seeds for number in (0, 1, 3)]


def ipc_seeds() -> list[bytes]:
    """Return streams of frames of both directions."""
    there = [
        base.Open(models=(base.StatisticalModel(name="general", lm="x"),), settings=base.DecoderSettings()),
        base.StartSegment(start_s=0.5),
        base.Audio(pcm=b"\1\2"),
        base.EndSegment(end_s=1.0),
        base.Compile(
            text=b"#JSGF", content_type=None, lm="y", documents={"u": base.Document(text=b"t", content_type="c")}
        ),
        base.Decompress(codec="flac", data=b"fLaC", last=True),
    ]
    back = [
        base.Opened(),
        base.Final(alternatives=(), cpu_s=0.1),
        base.Failed(error="GrammarError", message="m", details={"line": 1}),
        base.Compiled(compiled=b"c", digest="d", missing=("u",)),
        base.Decompressed(pcm=b"\0\0", sample_rate_hz=16_000, has_more=False, finished=True),
    ]
    return [b"".join(map(ipc.encode, frames)) for frames in (there, back)]


TARGETS: Final[dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]]] = {
    "audio": (run_audio, audio_seeds),
    "ipc": (run_ipc, ipc_seeds),
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return the data with a few bytes changed, cut out, doubled or set to extremes, mostly near the front."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        place = int(len(changed) * chance.random() ** 3)
        length = chance.choice((1, 2, 4, 8, 100))
        match chance.randrange(5):
            case 0:
                changed[place : place + 1] = bytes((chance.randrange(256),))
            case 1:
                del changed[place : place + length]
            case 2:
                changed[place:place] = changed[place : place + length]
            case 3:
                changed[place : place + length] = chance.choice((b"\xff", b"\0", b"\x7f", b"\x80")) * length
            case 4:
                changed[place:place] = chance.randbytes(length)
    return bytes(changed)


def run(target: str, seed: int, seeds: list[bytes]) -> None:
    """Try one mutation.

    Raises:
        AssertionError: something else came out than the rules say.
    """
    chance = random.Random(seed)
    data = mutated(chance.choice(seeds), chance)
    try:
        TARGETS[target][0](data)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}\n{data!r}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    seeds = TARGETS[arguments.target][1]()
    deadline_s = time.monotonic() + arguments.seconds
    seed = arguments.seed
    while time.monotonic() < deadline_s:
        run(arguments.target, seed, seeds)
        seed += 1
    sys.stdout.write(f"{seed - arguments.seed} inputs\n")


if __name__ == "__main__":
    main()
