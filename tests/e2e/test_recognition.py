"""The main job: a client streams real recordings and gets events and results."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import trio

from asr_trio.client import FinalResult, PartialResult, SpeechEnded, SpeechStarted, paced, packets
from asr_trio.protocol.messages import ResultStatus, SessionStatus

from .recordings import samples, silence, table, wav
from .serving import events_of, names, results, running, settled

pytestmark = pytest.mark.shared

SLM = "builtin:slm/general"


@pytest.fixture(scope="module")
def sentence(shared):
    """A short clear sentence of free speech at 16 kHz, with silence behind it, and its transcript."""
    rows = table(shared / "data/free/refs.tsv")
    row = min((row for row in rows if "libri-clean" in row["path"]), key=lambda row: len(row["transcript"]))
    pcm, rate_hz = samples(shared / "data/free" / row["path"])
    assert rate_hz == 16_000
    return np.concatenate([pcm, silence(1.5)]), row["transcript"]


async def test_free_speech_with_all_events_in_order(sentence):
    pcm, _ = sentence
    async with running() as server, server.connect() as session:
        events = await events_of(
            session.recognize(
                paced(wav(pcm, 16_000), bytes_per_s=32_000, speed=2.0),
                lm=SLM,
                parameters={"decoder.partialResultEnabled": True, "decoder.partialResultInterval": 100},
            )
        )
        assert isinstance(events[0], SpeechStarted)
        assert isinstance(events[-1], FinalResult)
        assert [name for name, _ in itertools.groupby(names(events))][:2] == ["SpeechStarted", "PartialResult"]
        assert sum(isinstance(event, SpeechEnded) for event in events) == 1
        assert all(event.text for event in events if isinstance(event, PartialResult))
        final = events[-1].result
        assert final.result_status is ResultStatus.RECOGNIZED
        assert final.alternatives[0].text
        assert final.alternatives[0].lm == SLM
        words = final.alternatives[0].words
        assert all(
            word.start_time < word.end_time <= later.start_time + 1e-6 for word, later in itertools.pairwise(words)
        )
        assert final.start_time <= words[0].start_time
        assert words[-1].end_time <= final.end_time


async def test_packetisation_changes_nothing(sentence):
    pcm, _ = sentence
    audio = wav(pcm, 16_000)
    heard = {}
    async with running() as server:
        for packet_bytes in (640, 6400, 4096, 1001, len(audio)):
            async with server.connect() as session:  # a new one each: the decoder gets to know a session's channel
                events = await events_of(session.recognize(audio, lm=SLM, packet_bytes=packet_bytes))
            heard[packet_bytes] = (names(events), results(events))
    first = heard[640]
    assert first[1][0].alternatives[0].text
    for found in heard.values():
        assert found == first


async def test_ten_recognitions_in_one_session_and_a_worker_only_while_one_runs(sentence):
    pcm, _ = sentence
    audio = wav(pcm[: 16_000 * 3], 16_000)
    async with running() as server, server.connect() as session:
        texts = set()
        for _ in range(10):
            final = await session.recognize(audio, lm=SLM).final()
            texts.add(final.text)
            assert session.status is SessionStatus.IDLE
        assert all(texts)
        await settled(lambda: not server.pool.workers_leased)
        assert sum(server.pool.restarts.values()) == 0


async def test_audio_at_16_khz_8_khz_and_mu_law_all_give_results(shared):
    row = next(row for row in table(shared / "data/tel/refs.tsv") if "misc" in row["path_pcm"])
    narrow, rate_hz = samples(shared / "data/tel" / row["path_pcm"])
    assert rate_hz == 8000
    mulaw = (shared / "data/tel" / row["path_ulaw"]).read_bytes()
    async with running() as server:

        async def recognise(audio, content_type):
            async with server.connect() as session:
                return await session.recognize(audio, lm=SLM, content_type=content_type).final()

        as_wav = await recognise(wav(narrow, 8000), "audio/wav")
        as_raw = await recognise(narrow.tobytes(), "audio/raw;rate=8000")
        as_mulaw = await recognise(mulaw, "audio/wav")
    assert as_wav.text
    assert as_raw.text == as_wav.text
    assert as_mulaw.status is ResultStatus.RECOGNIZED


async def test_cancel_gives_no_result_and_the_next_recognition_works(sentence):
    pcm, _ = sentence

    async def until_speech(audio):
        for packet in packets(audio, 3200):
            yield packet
        await trio.sleep_forever()

    async with running() as server, server.connect() as session:
        recognition = session.recognize(
            until_speech(pcm[:48_000].tobytes()), lm=SLM, content_type="audio/raw;rate=16000"
        )
        assert isinstance(await anext(recognition), SpeechStarted)
        await session.cancel()
        assert await events_of(recognition) == []
        assert session.status is SessionStatus.IDLE
        assert (await session.recognize(wav(pcm, 16_000), lm=SLM).final()).text


async def test_silence_gives_no_speech_and_nothing_at_all_too():
    async with running() as server, server.connect() as session:
        for audio in (wav(silence(2), 16_000), silence(2).tobytes(), b"", b"\0"):
            events = await events_of(session.recognize(audio, lm=SLM))
            assert names(events) == ["FinalResult"]
            assert events[0].status is ResultStatus.NO_SPEECH


async def test_continuous_mode_gives_a_result_for_every_segment_and_a_last_one(shared):
    path = shared / "data/long/wav/libri8629_0_clean.wav"
    truth = [row for row in table(shared / "data/long/segments.tsv") if path.name in row["file"]]
    pcm, rate_hz = samples(path)
    async with running() as server, server.connect() as session:
        events = await events_of(
            session.recognize(
                wav(pcm, rate_hz), lm=SLM, parameters={"decoder.continuousMode": True, "endpointer.waitEnd": 600}
            )
        )
    found = results(events)
    assert [result.last_segment for result in found] == [False] * (len(found) - 1) + [True]
    assert [result.segment_index for result in found] == list(range(len(found)))
    spoken = [result for result in found if result.alternatives]
    assert len(spoken) == len(truth)
    for result, row in zip(spoken, truth, strict=True):
        assert result.start_time <= float(row["start_s"]) + 0.1
        assert result.end_time >= float(row["end_s"]) - 0.1
    assert sum(isinstance(event, SpeechEnded) for event in events) <= 1


async def test_sessions_are_apart_and_do_not_disturb_each_other(sentence):
    pcm, _ = sentence
    audio = wav(pcm[: 16_000 * 2], 16_000)
    texts = []
    async with running(recognizer={"cost_units": 10_000.0, "workers": 8, "workers_idle": 2}) as server:

        async def one():
            async with server.connect() as session:
                texts.append((await session.recognize(audio, lm=SLM).final()).text)

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(one)
    assert len(texts) == 6
    assert len(set(texts)) == 1


@pytest.mark.parametrize(("container", "subtype"), [("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16")])
async def test_compressed_audio_is_heard_while_it_comes_in(sentence, container, subtype):
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("av")
    pcm, _ = sentence
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([pcm, silence(4.0)]), 16_000, format=container, subtype=subtype)
    audio = file.getvalue()
    heard = trio.Event()

    async def held_back():
        """Yield the end only once speech was found in what came before."""
        for start in range(0, len(audio) - 500, 500):
            yield audio[start : start + 500]
        with trio.fail_after(30):
            await heard.wait()
        yield audio[-500:]

    async with running() as server, server.connect() as session:
        events = []
        async for event in session.recognize(held_back(), lm=SLM):
            events.append(event)
            if isinstance(event, SpeechStarted):
                heard.set()
        assert names(events)[:2] == ["SpeechStarted", "SpeechEnded"]
        (usual,) = results(await events_of(session.recognize(wav(pcm, 16_000), lm=SLM)))
        (found,) = results(events)
        assert found.result_status is ResultStatus.RECOGNIZED
        assert found.end_time == pytest.approx(usual.end_time, abs=0.2)
