"""Audio that lies: absurd headers, numbers that are none, files that unfold to hours. A result each, on one session."""

from __future__ import annotations

import io
import os
import struct

import numpy as np
import pytest
import trio

from asr_trio.protocol.messages import ResultStatus
from tests.e2e.serving import running, settled

LM = "builtin:grammar/digits"
PCM = bytes(3200)


def fmt(tag=1, channels=1, rate_hz=16_000, bits=16, *, size=16):
    bytes_per_s = rate_hz * channels * bits // 8
    return b"fmt " + struct.pack(
        "<IHHIIHH", size, tag, channels, rate_hz, bytes_per_s & 0xFFFFFFFF, channels * bits // 8 & 0xFFFF, bits
    )


def wav(head, data=PCM, *, data_bytes=None):
    size = len(data) if data_bytes is None else data_bytes
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVE" + head + b"data" + struct.pack("<I", size) + data


def floats(value):
    return np.full(16_000, value, np.float32).tobytes()


def au(rate_hz, channels):
    return b".snd" + struct.pack(">IIIII", 24, 0xFFFFFFFF, 3, rate_hz, channels) + PCM


def flac(samples):
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="FLAC")
    return file.getvalue()


def hours_of_silence():
    return flac(np.zeros(16_000 * 3600, np.int16))


def flac_at(rate_code):
    """Return a FLAC file whose header claims another rate."""
    data = flac(np.zeros(16_000, np.int16))
    return data[:18] + rate_code + data[21:]


LIES = {
    "samples that are no number": lambda: wav(fmt(3, bits=32), floats(np.nan)),
    "infinite samples": lambda: wav(fmt(3, bits=32), floats(np.inf)),
    "samples beyond all measure": lambda: wav(fmt(3, bits=32), floats(1e38)),
    "no rate": lambda: wav(fmt(rate_hz=0)),
    "the highest rate there is": lambda: wav(fmt(rate_hz=0xFFFFFFFF)),
    "a rate that divides by nothing": lambda: wav(fmt(rate_hz=383_999), PCM * 50),
    "no channel": lambda: wav(fmt(channels=0)),
    "65535 channels": lambda: wav(fmt(channels=65_535)),
    "no bits": lambda: wav(fmt(bits=0)),
    "four gigabytes announced": lambda: wav(fmt(), data_bytes=0xFFFFFFFE),
    "a format of four gigabytes": lambda: wav(fmt(size=0xFFFFFFFF)),
    "half a sample": lambda: wav(fmt(), PCM + b"x"),
    "a tag of 256 MiB": lambda: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(100_000),
    "Ogg of rubbish": lambda: b"OggS" + os.urandom(20_000),
    "WebM of rubbish": lambda: b"\x1aE\xdf\xa3" + os.urandom(20_000),
    "one sample a second": lambda: au(1, 1),
    "two thousand million samples a second": lambda: au(0x7FFFFFFF, 1),
    "255 channels": lambda: au(8000, 255),
    "FLAC at 655 350 samples a second": lambda: flac_at(b"\xff\xff\xf2"),
    "FLAC at one sample a second": lambda: flac_at(b"\x00\x00\x12"),
    "an hour in 180 kB": hours_of_silence,
}


async def test_audio_that_lies_costs_its_own_recognition_and_nothing_else():
    pytest.importorskip("av")
    async with running() as server, server.connect() as session:
        for name, lie in LIES.items():
            data = lie()
            with trio.fail_after(40):
                final = await session.recognize(data, lm=LM).final()
            assert final.status in {ResultStatus.FAILURE, ResultStatus.NO_SPEECH, ResultStatus.NO_MATCH}, name
            if final.status is ResultStatus.FAILURE:
                assert final.result.error_code != "ERR_INTERNAL_ERROR", (name, final.result.message)
        await settled(lambda: not server.pool.workers_leased)
        assert server.pool.restarts["died"] == server.pool.restarts["hung"] == 0
