"""The load generator against a real server: what it measures must be what happened."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from asr_trio.cli.bench import read_utterance, summarize
from asr_trio.client import load
from tests.e2e.serving import running

pytestmark = [pytest.mark.shared, pytest.mark.slow]

ADMIT_ALL = {"workers_idle": 2, "workers": 4, "cost_units": 1000.0}


@pytest.fixture
def utterance(shared: Path) -> load.Utterance:
    return read_utterance(shared / "data/home/wav/v2j_what_time_is_it.wav", "what time is it")


async def test_callers_at_live_pace_are_answered_after_their_silence(shared, utterance):
    grammar = (shared / "data/grammars/home.abnf").read_bytes()
    async with running(recognizer=ADMIT_ALL) as server:
        plan = load.Plan.for_url(server.url, [utterance], body=grammar, content_type="application/srgs")
        seen = await load.run(plan, streams=2, duration_s=0.5, ramp_s=0.0)
    assert [one.status for one in seen] == ["RECOGNIZED"] * len(seen)
    assert len(seen) >= 2
    for one in seen:
        assert one.text == one.expected
        assert one.start_ms > 0
        assert one.final_ms > 0
        assert not math.isnan(one.speech_to_result_ms)
    assert summarize(seen, 2)["unanswered"] == 0


async def test_a_refusal_is_an_observation(utterance):
    async with running(recognizer=ADMIT_ALL) as server:
        plan = load.Plan.for_url(server.url, [utterance], body=b"builtin:grammar/no-such")
        seen = await load.run(plan, streams=1, duration_s=0.2, ramp_s=0.0)
    assert {one.status for one in seen} <= {"ERR_FILE_OPEN"}
    assert not summarize(seen, 1)["holds"]


async def test_a_server_that_is_none_is_told(utterance):
    plan = load.Plan.for_url("ws://127.0.0.1:1/asr-server/asr", [utterance])
    with pytest.RaisesGroup(OSError, flatten_subgroups=True):
        await load.run(plan, streams=1, duration_s=0.1, ramp_s=0.1)


def test_only_plain_websocket_urls(utterance):
    with pytest.raises(ValueError, match="no ws:// URL"):
        load.Plan.for_url("wss://example/asr", [utterance])
