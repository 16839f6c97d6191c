from __future__ import annotations

import json
import math
import wave
from pathlib import Path

import pytest

from asr_trio.cli import bench
from asr_trio.client.load import Observation


def observation(final_ms: float = 10.0, *, status: str = "RECOGNIZED") -> Observation:
    answered = not math.isnan(final_ms)
    return Observation(
        started_s=0.0,
        status=status,
        start_ms=2.0,
        final_ms=final_ms,
        speech_to_result_ms=final_ms + 1000 if answered else math.nan,
    )


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100), (0, 1)])
def test_percentile_is_a_value_that_occurred(percent, value):
    assert bench.percentile(range(1, 101), percent) == value


def test_percentile_of_nothing_is_nothing():
    assert math.isnan(bench.percentile([], 95))


def test_latency_holds_up_to_the_limit():
    row = bench.summarize([observation(bench.FINAL_LIMIT_MS)] * 3, 3)
    assert row["holds"]
    assert (row["streams"], row["recognitions"], row["final_p95_ms"]) == (3, 3, bench.FINAL_LIMIT_MS)
    assert not bench.summarize([observation(bench.FINAL_LIMIT_MS + 1)], 1)["holds"]


def test_an_unanswered_recognition_does_not_hold():
    row = bench.summarize([observation()] * 50 + [observation(math.nan, status="ERROR_BUSY")], 51)
    assert row["unanswered"] == 1
    assert not row["holds"]
    assert row["statuses"] == {"RECOGNIZED": 50, "ERROR_BUSY": 1}


def test_nothing_observed_does_not_hold():
    assert not bench.summarize([], 1)["holds"]


def write_wav(path: Path, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(width)
        stream.setframerate(8000)
        stream.writeframes(bytes(channels * width * 4000))
    return path


def test_utterance_has_the_length_of_its_file(tmp_path):
    utterance = bench.read_utterance(write_wav(tmp_path / "a.wav"), "text")
    assert (utterance.sample_rate_hz, utterance.speech_end_s, utterance.text) == (8000, 0.5, "text")


@pytest.mark.parametrize(("channels", "width"), [(2, 2), (1, 1)])
def test_other_formats_are_refused(tmp_path, channels, width):
    with pytest.raises(bench.BenchmarkError, match="16-bit mono"):
        bench.read_utterance(write_wav(tmp_path / "a.wav", channels, width))


def test_no_file_and_no_wav_are_told(tmp_path):
    with pytest.raises(bench.BenchmarkError, match=r"none\.wav"):
        bench.read_utterance(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(bench.BenchmarkError, match=r"text\.wav"):
        bench.read_utterance(tmp_path / "text.wav")


def test_grammar_file_or_uri(tmp_path):
    grammar = tmp_path / "g.abnf"
    grammar.write_bytes(b"#ABNF 1.0;")
    assert bench.grammar_or_uri(str(grammar)) == {"body": b"#ABNF 1.0;", "content_type": "application/srgs"}
    assert bench.grammar_or_uri("builtin:slm/general")["content_type"] == "text/uri-list"


@pytest.mark.slow
@pytest.mark.shared
def test_latency_command_measures_a_server_of_its_own(shared, capsys):
    recording = shared / "data/home/wav/v2j_what_time_is_it.wav"
    grammar = shared / "data/grammars/home.abnf"
    assert bench.latency([recording], lm=str(grammar), seconds=0.5, json=True) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["statuses"] == {"RECOGNIZED": row["recognitions"]}
    assert row["final_p50_ms"] > 0
