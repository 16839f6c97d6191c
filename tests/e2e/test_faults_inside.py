"""Faults of the server's own parts: a worker that dies or hangs costs one recognition, in bounded time."""

from __future__ import annotations

import io
import os
import signal

import numpy as np
import pytest
import trio

from asr_trio.client import RequestRefusedError, packets
from asr_trio.protocol.messages import CreateSession, ResultStatus, SessionStatus, StartRecognition
from asr_trio.protocol.writer import serialize
from tests.audio.signals import babble, noise, pcm16
from tests.probes.peer import BINARY, RawPeer, frame
from tests.processes import children, ended, fork_server, state_of

from .recordings import samples, table, wav
from .serving import events_of, results, running, settled

pytestmark = pytest.mark.shared

SLM = "builtin:slm/general"
RAW = "audio/raw;rate=16000"


@pytest.fixture(scope="module")
def speech(shared):
    row = next(row for row in table(shared / "data/free/refs.tsv") if "libri-clean" in row["path"])
    pcm, _ = samples(shared / "data/free" / row["path"])
    return pcm[: 16_000 * 3]


async def leased_worker(server):
    """Return the process that serves the only running recognition."""
    with trio.fail_after(60):
        while True:
            idle = {worker.pid for worker in server.pool._idle}
            busy = set(children(fork_server())) - idle
            if server.pool.workers_leased == 1 and len(busy) == 1:
                return busy.pop()
            await trio.sleep(0.01)


async def held_open(audio):
    for packet in packets(audio, 3200):
        yield packet
    await trio.sleep_forever()


async def live(audio):
    """Go on speaking."""
    while True:
        for packet in packets(audio, 3200):
            yield packet
            await trio.sleep(0.1)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV])
async def test_a_worker_lost_in_the_middle_of_speech_fails_its_recognition_and_nothing_else(speech, fault):
    async with (
        running(recognizer={"hang_timeout_s": 6.0 if fault == signal.SIGSTOP else 60.0}) as server,
        server.connect() as session,
        server.connect() as other,
        trio.open_nursery() as nursery,
    ):
        heard = []
        ended = trio.Event()

        async def recognise():
            audio = live(speech.tobytes())
            heard.extend(await events_of(session.recognize(audio, lm=SLM, content_type=RAW)))
            ended.set()

        await settled(lambda: len(children(fork_server())) == server.pool.workers_idle)  # nothing but idle workers
        nursery.start_soon(recognise)
        os.kill(await leased_worker(server), fault)
        with trio.fail_after(30):
            await ended.wait()
        assert results(heard)[-1].result_status is ResultStatus.FAILURE
        assert session.status is SessionStatus.IDLE
        assert (await session.recognize(wav(speech, 16_000), lm=SLM).final()).text
        assert (await other.recognize(wav(speech, 16_000), lm=SLM).final()).text


async def test_stopped_workers_with_nothing_to_do_fail_their_recognitions_in_time():
    """Nothing is owed by any of them: the first waits for audio, the second for speech, the third for a pause's end."""
    said = noise(0.3), babble(1.0), noise(0.4)
    waits = {
        "audio": b"",
        "speech": pcm16(said[0]),
        "the end of a pause": pcm16(np.concatenate(said)),
    }
    for_ever = {"noInputTimeout.enabled": "false", "recognitionTimeout.enabled": "false"}
    async with (
        running(recognizer={"hang_timeout_s": 1.0, "workers_idle": len(waits)}) as server,
        trio.open_nursery() as nursery,
    ):
        heard = {}

        async def recognise(name):
            async with server.connect() as session:
                audio = session.recognize(held_open(waits[name]), lm=SLM, content_type=RAW, parameters=for_ever)
                heard[name] = await events_of(audio)
                assert session.status is SessionStatus.IDLE

        await settled(lambda: server.pool.workers_idle == len(waits))
        stopped = [worker.pid for worker in server.pool._idle]
        for name in waits:
            nursery.start_soon(recognise, name)
        await settled(lambda: sum(one.lm_label == SLM for one in server.server.services.recognitions) == len(waits))
        await trio.sleep(0.5)  # the audio is in, and has been decoded
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        with trio.fail_after(30):
            await settled(lambda: len(heard) == len(waits))
        assert {name: results(events)[-1].result_status for name, events in heard.items()} == dict.fromkeys(
            waits, ResultStatus.FAILURE
        )
        assert server.pool.restarts["hung"] == len(waits)


async def test_a_worker_that_is_stopped_while_it_is_idle_costs_nobody_anything(speech):
    async with running() as server, server.connect() as session:
        worker = server.pool._idle[-1]  # the next one to be leased
        os.kill(worker.pid, signal.SIGSTOP)
        await settled(lambda: state_of(worker.pid)[0] == "T")
        assert (await session.recognize(wav(speech, 16_000), lm=SLM).final()).text
        await ended(worker.pid)


async def test_the_fork_server_is_replaced_and_recognition_goes_on(speech):
    async with running() as server, server.connect() as session:
        os.kill(fork_server(), signal.SIGKILL)
        await settled(lambda: server.pool.restarts["fork server"] and server.pool.ready, within_s=30)
        assert (await session.recognize(wav(speech, 16_000), lm=SLM).final()).text


async def test_capacity_is_refused_at_once_and_comes_back(speech):
    async with (
        running(recognizer={"cost_units": 15.0}) as server,
        server.connect() as first,
        server.connect() as second,
    ):
        running_one = first.recognize(held_open(speech.tobytes()), lm=SLM, content_type=RAW)
        await anext(running_one)
        with pytest.raises(RequestRefusedError) as refused:
            await second.recognize(b"", lm=SLM).final()
        assert refused.value.error_code == "ERROR_BUSY"
        await first.cancel()
        await settled(lambda: not server.pool.workers_leased)
        assert (await second.recognize(wav(speech, 16_000), lm=SLM).final()).text


async def test_one_party_has_its_share_of_the_capacity_and_others_have_the_rest(speech):
    share = {"cost_units": 1000.0, "cost_units_per_party": 15.0}
    async with (
        running(recognizer=share) as server,
        server.connect() as first,
        server.connect() as second,
    ):
        running_one = first.recognize(held_open(speech.tobytes()), lm=SLM, content_type=RAW)
        await anext(running_one)
        with pytest.raises(RequestRefusedError, match="one user or address") as refused:
            await second.recognize(b"", lm=SLM).final()
        assert refused.value.error_code == "ERROR_BUSY"
        async with await RawPeer.connect(server.addresses.ws_port, "127.0.0.2") as elsewhere:
            await elsewhere.upgrade()
            start = StartRecognition(content_type="text/uri-list", content_id=None, body=SLM.encode())
            await elsewhere.send(frame(BINARY, serialize(CreateSession())) + frame(BINARY, serialize(start)))
            await settled(lambda: server.pool.workers_leased == 2)
        await first.cancel()
        await settled(lambda: not server.pool.workers_leased)
        assert (await second.recognize(wav(speech, 16_000), lm=SLM).final()).text


async def test_a_client_that_vanishes_frees_its_worker(speech):
    async with running() as server:
        with trio.move_on_after(0.5):
            async with server.connect() as session:
                recognition = session.recognize(held_open(speech.tobytes()), lm=SLM, content_type=RAW)
                await anext(recognition)
                # Cut the line without a word.
                await trio.aclose_forcefully(session._line._websocket._stream)
        await settled(lambda: not server.pool.workers_leased)


async def test_compressed_audio_is_read_by_a_process_of_its_own_that_nobody_else_gets(speech):
    """FFmpeg reads what strangers send: not in the server, and not where another caller's audio will be."""
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("av")
    flac = io.BytesIO()
    soundfile.write(flac, speech, 16_000, format="FLAC")
    async with (
        running() as server,
        server.connect() as other,
        server.connect() as session,
        trio.open_nursery() as nursery,
    ):
        expected = (await other.recognize(wav(speech, 16_000), lm=SLM).final()).text
        heard = []

        async def recognise():
            heard.append(await session.recognize(flac.getvalue(), lm=SLM).final())

        nursery.start_soon(recognise)
        await settled(lambda: server.pool.workers_leased == 2)
        await settled(lambda: heard)
        assert heard[0].text == expected
        await settled(lambda: not server.pool.workers_leased)
        assert server.pool.restarts["recycled"] == 1


async def test_the_loss_of_the_process_that_decodes_compressed_audio_fails_one_recognition(speech):
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("av")
    flac = io.BytesIO()
    soundfile.write(flac, speech, 16_000, format="FLAC")

    async def slowly():
        yield flac.getvalue()[:5000]
        await trio.sleep_forever()

    async with running() as server, server.connect() as session, trio.open_nursery() as nursery:
        heard = []

        async def recognise():
            heard.extend(await events_of(session.recognize(slowly(), lm=SLM)))

        nursery.start_soon(recognise)
        await settled(lambda: server.pool.workers_leased == 2)
        idle = {worker.pid for worker in server.pool._idle}
        for pid in set(children(fork_server())) - idle:
            os.kill(pid, signal.SIGKILL)
        await settled(lambda: heard and results(heard))
        assert results(heard)[-1].result_status is ResultStatus.FAILURE
        assert (await session.recognize(wav(speech, 16_000), lm=SLM).final()).text
