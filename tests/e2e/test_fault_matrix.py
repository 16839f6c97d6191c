"""Each fault inside, in each state of a session: a typed outcome in bounded time, and the server is as new after it.

The endpointer is off, so that silence is speech and the states need no recordings. What a client can do in each state
by vanishing is in tests/probes/test_hostile_peers.py, the same matrix without processes in
tests/session/test_reachable.py.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import pocketsphinx
import pytest
import trio

from asr_trio.client import Grammar, RequestRefusedError
from asr_trio.errors import AsrError
from asr_trio.protocol.messages import CreateSession, ResultStatus, SessionStatus, StartRecognition
from asr_trio.protocol.writer import serialize
from asr_trio.server.app import Server
from tests.probes.peer import BINARY, RawPeer, close_code, frame
from tests.processes import children, fork_server

from .recordings import silence
from .serving import events_of, results, running, settings, settled
from .test_grammars import YES_NO

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
SLM = "builtin:slm/general"
WORKS = {ResultStatus.RECOGNIZED, ResultStatus.NO_MATCH}
"""Of room tone that is taken for speech."""
HEARD = {"endpointer.enabled": "false"}


async def held(*packets):
    for packet in packets:
        yield packet
    await trio.sleep_forever()


def workers():
    return children(fork_server())


def kill_workers():
    strike(signal.SIGKILL)


def stop_workers():
    strike(signal.SIGSTOP)


def strike(number):
    for pid in workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_fork_server():
    os.kill(fork_server(), signal.SIGKILL)


FAULTS = {"workers killed": kill_workers, "workers stopped": stop_workers, "fork server killed": kill_fork_server}


async def idle(session):
    return None


def listening(*packets, parameters=HEARD):
    async def run(session):
        return await events_of(
            session.recognize(held(*packets), lm=SLM, content_type="audio/raw", parameters=parameters)
        )

    return run


async def decoding(session):
    """All audio is sent; the result is awaited."""
    return await events_of(session.recognize(silence(8).tobytes(), lm=SLM, content_type="audio/raw", parameters=HEARD))


async def defining(session):
    words = " | ".join(f"w{number}" for number in range(8000))
    return await session.define_grammar("large", YES_NO.replace("yes", f"yes | {words}"))


STATES = {
    "idle": idle,
    "listening without audio": listening(),
    "listening in silence": listening(silence(1).tobytes(), parameters={}),
    "in speech": listening(silence(1).tobytes()),
    "all audio sent": decoding,
    "a grammar being compiled": defining,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_in_any_state_has_an_outcome_in_time_and_leaves_nothing(fault):
    """There is a session in each state when the fault strikes."""
    capacity = {"workers_idle": len(STATES), "workers": 2 * len(STATES), "cost_units": 1000.0, "hang_timeout_s": 2.0}
    async with running(recognizer=capacity, limits={"session_expiry_s": 5.0}) as server:
        outcomes = {}

        async def live_through(state):
            async with server.connect() as session:
                try:
                    outcomes[state] = await STATES[state](session)
                except AsrError as error:
                    outcomes[state] = error

        async with trio.open_nursery() as nursery:
            for state in STATES:
                nursery.start_soon(live_through, state)
            await settled(lambda: server.pool.workers_leased == len(STATES) - 1)
            FAULTS[fault]()
        for state, outcome in outcomes.items():
            check_outcome(outcome, state)
        await settled(lambda: not server.pool.workers_leased, within_s=40)
        await as_new(server)


def check_outcome(outcome, state):
    """A grammar is defined or refused; a recognition is refused or ends with a last result, never with a lost line."""
    if outcome is None or isinstance(outcome, str | RequestRefusedError):
        return
    assert isinstance(outcome, list), (state, outcome)
    assert results(outcome)[-1].result_status in {
        ResultStatus.FAILURE,
        ResultStatus.NO_MATCH,
        ResultStatus.RECOGNIZED,
        ResultStatus.NO_INPUT_TIMEOUT,
        ResultStatus.RECOGNITION_TIMEOUT,
    }, state


async def as_new(server):
    await settled(lambda: server.pool.ready and server.pool.workers_idle, within_s=40)
    with trio.fail_after(40):
        while True:
            async with server.connect() as session:
                try:
                    final = await session.recognize(silence(0.5).tobytes(), lm=Grammar(YES_NO)).final()
                except RequestRefusedError:  # the idle worker that was stopped is found out by being asked
                    continue
                if final.status is ResultStatus.NO_SPEECH:
                    assert session.status is SessionStatus.IDLE
                    return


async def test_a_worker_that_runs_out_of_memory_fails_its_recognition_and_nothing_else():
    async with running() as server, server.connect() as session, server.connect() as other:
        leave_no_memory(server.pool._idle[-1].pid)  # the next one to be leased
        # What loading has left on the heap is enough for half a minute.
        assert await last_status(session, seconds=60) in {ResultStatus.FAILURE, "refused"}
        assert await last_status(other) in WORKS
        assert await last_status(session) in WORKS
        await settled(lambda: not server.pool.workers_leased)


def leave_no_memory(pid):
    resource.prlimit(pid, resource.RLIMIT_AS, (2**20, 2**20))


async def last_status(session, *, seconds=1):
    try:
        audio = silence(seconds).tobytes()
        found = await events_of(session.recognize(audio, lm=SLM, content_type="audio/raw", parameters=HEARD))
    except RequestRefusedError:
        return "refused"
    return results(found)[-1].result_status


async def test_model_files_that_go_away_cost_nothing_until_they_are_needed_and_readiness_says_so(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(Path(pocketsphinx.get_model_path()) / "en-us", model)
    files = {
        "acoustic": str(model / "en-us"),
        "dictionary": str(model / "cmudict-en-us.dict"),
        "lm": str(model / "en-us.lm.bin"),
    }
    async with running(recognizer={"models": {"general": files}}) as server, server.connect() as session:
        model.rename(tmp_path / "away")
        assert await last_status(session) in WORKS  # loaded once, shared by all
        kill_fork_server()
        await settled(lambda: server.pool.restarts["fork server"] >= 2, within_s=40)  # tried again and again
        assert not server.server.services.ready
        (tmp_path / "away").rename(model)
        await settled(lambda: server.server.services.ready, within_s=60)
        assert await last_status(session) in WORKS


async def test_the_wall_clock_may_jump(monkeypatch):
    """Deadlines hang on the monotonic clock; the wall clock names sessions and stamps log lines, no more."""
    real = time.time
    async with running() as server, server.connect() as session:
        for jump_s in (10 * 365 * 86_400, -20 * 365 * 86_400):
            monkeypatch.setattr(time, "time", lambda jump_s=jump_s: real() + jump_s)
            assert await last_status(session) in WORKS
            async with server.connect() as other:
                assert await last_status(other) in WORKS
        assert session.open


async def test_a_drain_is_over_in_its_time_though_a_worker_hangs():
    async with trio.open_nursery() as nursery:
        server = Server(settings(server={"drain_timeout_s": 0.5, "close_timeout_s": 60.0}))
        ended = trio.Event()

        async def serve(*, task_status=trio.TASK_STATUS_IGNORED):
            await server.run(task_status=task_status)
            ended.set()

        addresses = await nursery.start(serve)
        async with await RawPeer.connect(addresses.ws_port) as peer:  # answers no close frame
            await peer.upgrade()
            start = StartRecognition(content_type="text/uri-list", content_id=None, body=SLM.encode())
            await peer.send(frame(BINARY, serialize(CreateSession())) + frame(BINARY, serialize(start)))
            await settled(lambda: server.services.pool.workers_leased == 1)
            stop_workers()
            server.drain()
            began_s = trio.current_time()
            await ended.wait()
            assert trio.current_time() - began_s < 20  # neither the worker's patience nor the peer's
            assert close_code(await peer.end()) == 1001
