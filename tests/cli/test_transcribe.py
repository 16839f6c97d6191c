"""``asr-trio transcribe``: several files, patterns, standard input, forms of output, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asr_trio.cli.recording import Recording
from asr_trio.cli.transcription import _duration_s
from tests.live import LiveServer

ROOT = Path(__file__).parents[2]
DEADLINE_S = 90

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(recording: Recording, tmp_path: Path) -> Path:
    for name in ("one.wav", "two.wav"):
        shutil.copy(recording.path, tmp_path / name)
    (tmp_path / "silence.raw").write_bytes(bytes(32_000))
    return tmp_path


def transcribe(folder: Path, server: LiveServer, *arguments: str, stdin: Path | None = None) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "asr_trio.cli.main", "transcribe", "--url", server.ws_url, *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=stdin.read_bytes() if stdin is not None else b"",
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_patterns_are_files_in_order_and_each_has_its_name(live_server: LiveServer, folder: Path) -> None:
    code, out, errors = transcribe(folder, live_server, "*.wav")
    assert (code, errors) == (0, "")
    lines = out.splitlines()
    assert lines[::2] == ["# one.wav", "# two.wav"]
    assert all("he was not" in line for line in lines[1::2])


def test_json_of_several_files_is_a_line_for_each(live_server: LiveServer, folder: Path) -> None:
    code, out, _ = transcribe(folder, live_server, "two.wav", "one.wav", "--json")
    assert code == 0
    documents = [json.loads(line) for line in out.splitlines()]
    assert [document["file"] for document in documents] == ["two.wav", "one.wav"]
    assert documents[0]["results"][0]["alternatives"][0]["words"][0]["text"] == "he"


def test_standard_input_and_one_file_is_a_plain_document(live_server: LiveServer, folder: Path) -> None:
    code, out, _ = transcribe(folder, live_server, "-", "-f", "srt", stdin=folder / "one.wav")
    assert code == 0
    assert out.startswith("1\n00:00:00,")
    code, out, _ = transcribe(folder, live_server, "one.wav", "--json")
    assert json.loads(out)[0]["result_status"] == "RECOGNIZED"


def test_a_file_for_each_recording(live_server: LiveServer, folder: Path) -> None:
    code, out, _ = transcribe(folder, live_server, "*.wav", "-f", "textgrid", "--output-dir", "transcripts")
    assert (code, out) == (0, "")
    assert sorted(path.name for path in (folder / "transcripts").iterdir()) == ["one.TextGrid", "two.TextGrid"]


def test_exit_codes_tell_nothing_recognised_from_not_read(live_server: LiveServer, folder: Path) -> None:
    assert transcribe(folder, live_server, "silence.raw", "--raw")[0] == 1
    code, out, errors = transcribe(folder, live_server, "none.wav", "one.wav")
    assert code == 2
    assert "he was not" in out  # the others are done all the same
    assert errors == "asr-trio: none.wav: No such file or directory\n"
    assert transcribe(folder, live_server, "none*.wav")[0] == 2
    assert "no option --jsn" in transcribe(folder, live_server, "one.wav", "--jsn")[2]


def test_lengths_are_known_before_decoding_where_a_header_says_them(folder: Path, recording: Recording) -> None:
    size_bytes = recording.path.stat().st_size
    assert _duration_s(recording.path, size_bytes, "application/octet-stream") == pytest.approx(2.99, abs=0.2)
    assert _duration_s(folder / "silence.raw", 32_000, "audio/raw") == 1.0
    assert _duration_s(folder / "silence.raw", 32_000, "application/octet-stream") is None
    assert _duration_s(Path("-"), None, "audio/raw") is None
