"""A recorded session is one private file of bounded size, and plays again."""

from __future__ import annotations

import stat

import pytest

from asr_trio.client import Grammar, RequestRefusedError
from asr_trio.client.replay import compare, recorded_answers, replay
from asr_trio.protocol.recording import read_entries

from .recordings import silence
from .serving import running
from .test_grammars import YES_NO


async def record(folder, **bounds):
    """Record a session with a success, a refusal and an interpretation."""
    async with running(record={"folder": str(folder), **bounds}) as server, server.connect() as session:
        await session.set_parameters({"decoder.maxSentences": 2})
        await session.recognize(silence(1).tobytes(), lm=Grammar(YES_NO)).final()
        with pytest.raises(RequestRefusedError):
            await session.recognize(b"", lm="builtin:slm/none").final()
        assert (await session.interpret("yes", lm=Grammar(YES_NO))).interpretations == ["affirmed"]
    (path,) = folder.iterdir()
    return path


async def test_a_recorded_session_plays_again_with_the_same_answers_and_differences_are_seen(tmp_path, monkeypatch):
    path = await record(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    entries = list(read_entries(path.read_bytes().splitlines(keepends=True)))
    assert {entry.side for entry in entries} == {"client", "server"}
    assert b"ASR 2.3 RESPONSE" in entries[1].data
    async with running() as server:
        heard = await replay(entries, server.url, speed=100)
    assert compare(recorded_answers(entries), heard) == []
    monkeypatch.setattr("asr_trio.client.replay.PATIENCE_S", 1.0)  # answers will be missing
    async with running(limits={"grammar_bytes": 10}) as server:
        heard = await replay(entries, server.url, speed=100)
    different = compare(recorded_answers(entries), heard)
    assert different
    assert different[0].then["result"] == "SUCCESS"
    assert different[0].now["result"] == "FAILURE"


async def test_a_recording_is_cut_at_its_bound_and_the_session_is_not(tmp_path):
    path = await record(tmp_path, session_bytes=2000)
    assert path.stat().st_size <= 2100
    assert b'"complete":false' in path.read_bytes()
