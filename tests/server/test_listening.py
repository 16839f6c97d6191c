"""Packets in, findings out, whatever the packets are."""

from __future__ import annotations

import io
import wave
from contextlib import AsyncExitStack

import numpy as np
import pytest
import trio
import trio.testing

from asr_trio.audio.endpointer import EndpointerEvent
from asr_trio.audio.frontend import EndpointerSettings
from asr_trio.server.listening import Listening
from asr_trio.server.pool import WorkerPool
from asr_trio.settings import RecognizerSettings

WHOLE = EndpointerSettings(enabled=False)


def made(limit_bytes: int = 1_000_000) -> Listening:
    return Listening(WHOLE, WorkerPool(RecognizerSettings()), limit_bytes=limit_bytes, raw_rate_hz=16_000)


def worked_off(listening: Listening) -> list[EndpointerEvent]:
    found = []
    while listening.has_work:
        found += listening.step()
    return found


def noise(seconds: float) -> bytes:
    return np.random.default_rng(1).integers(-3000, 3000, int(16_000 * seconds), dtype="<i2").tobytes()


def as_wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(pcm)
    return file.getvalue()


@pytest.mark.parametrize("content_type", ["audio/raw", "audio/wav"])
@pytest.mark.parametrize("packet_bytes", [7, 640, 1_000_000])
def test_findings_do_not_depend_on_the_packets(content_type, packet_bytes):
    pcm = noise(1.3)
    audio = pcm if content_type == "audio/raw" else as_wav(pcm)
    listening = made()
    found = []
    for at in range(0, len(audio), packet_bytes):
        last = at + packet_bytes >= len(audio)
        listening.push(audio[at : at + packet_bytes], last=last, content_type=content_type)
        found += worked_off(listening)
    assert listening.ended
    assert listening.position_s == pytest.approx(1.3)
    assert b"".join(event.pcm for event in found if hasattr(event, "pcm")) == pcm


def test_a_long_packet_is_worked_off_in_slices():
    listening = made()
    listening.push(noise(3.0), last=False, content_type="audio/raw")
    listening.step()
    assert listening.has_work
    assert listening.position_s < 1


async def test_compressed_audio_is_decoded_by_another_process():
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(noise(1.5), "<i2"), 16_000, format="FLAC")
    audio = file.getvalue()
    async with trio.open_nursery() as nursery:
        pool = WorkerPool(RecognizerSettings(workers_idle=1))
        await nursery.start(pool.run)
        listening = Listening(WHOLE, pool, limit_bytes=1_000_000, raw_rate_hz=16_000)
        async with AsyncExitStack() as processes:
            listening.push(audio[:5000], last=False, content_type="audio/flac")
            listening.push(audio[5000:], last=True, content_type="audio/flac")
            assert listening.step() == []
            assert listening.wants_decompression
            while listening.has_work:
                if listening.wants_decompression:
                    await listening.decompress(processes)
                listening.step()
            assert listening.ended
            assert listening.position_s == pytest.approx(1.5)
        nursery.cancel_scope.cancel()


def test_no_audio_at_all_ends_at_zero():
    listening = made()
    listening.push(b"", last=True, content_type=None)
    assert worked_off(listening) == []
    assert (listening.ended, listening.position_s) == (True, 0.0)


async def test_who_has_more_waits_for_room_or_the_end():
    listening = made(limit_bytes=1000)
    for how in (listening.step, listening.close):
        listening.push(bytes(1000), last=False, content_type="audio/raw")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listening.room)
            await trio.testing.wait_all_tasks_blocked()
            assert nursery.child_tasks
            how()
    assert not listening.has_work
