"""The examples of the documentation, each run as its reader would, against a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from asr_trio.cli.recording import Recording
from tests.live import LiveServer
from tests.microphone import plug_in

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
TESTED = {
    "recognize_file.py",
    "dictation.py",
    "ivr_turn.py",
    "microphone.py",
    "recognize_file.mjs",
    "home_assistant.py",
    "asterisk_eagi.py",
}
DEADLINE_S = 90

pytestmark = pytest.mark.slow


def run(program: str, *arguments: object, **environment: str) -> str:
    interpreter = [sys.executable] if program.endswith(".py") else ["node", "--experimental-websocket"]
    path = os.pathsep.join((str(ROOT), environment.pop("PYTHONPATH", "")))
    done = subprocess.run(
        [*interpreter, str(EXAMPLES / program), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def silence(path: Path, seconds: int) -> Path:
    with wave.open(str(path), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(16_000)
        sink.writeframes(bytes(32_000 * seconds))
    return path


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == TESTED


def test_recognize_file(live_server: LiveServer, recording: Recording) -> None:
    lines = run("recognize_file.py", live_server.ws_url, recording.path, recording.path).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{recording.path.name}: he was not") for line in lines)


def test_dictation(live_server: LiveServer, recording: Recording) -> None:
    written = run("dictation.py", live_server.ws_url, recording.path)
    assert "  he was" in written
    assert "s  he was not" in written


def test_a_caller_who_barges_in_stops_the_prompt(live_server: LiveServer, recording: Recording) -> None:
    lines = run("ivr_turn.py", live_server.ws_url, recording.path, 20).splitlines()
    assert lines[1] == "prompt: stopped, the caller is speaking"
    assert lines[2].startswith("caller: ")


def test_a_caller_who_says_nothing_has_time_from_the_end_of_the_prompt(live_server: LiveServer, tmp_path: Path) -> None:
    lines = run("ivr_turn.py", live_server.ws_url, silence(tmp_path / "nobody.wav", 1), 0.2).splitlines()
    assert lines[1].startswith("prompt: played to its end")
    assert lines[2] == "caller: NO_INPUT_TIMEOUT []"


def test_microphone(live_server: LiveServer, recording: Recording, tmp_path: Path) -> None:
    plug_in(tmp_path)
    written = run("microphone.py", live_server.ws_url, PYTHONPATH=str(tmp_path), RECORDING=str(recording.path))
    assert written.startswith("Speak.\n…\n")
    assert "he was not" in written.splitlines()[-1]


def test_recognize_file_in_node(live_server: LiveServer, recording: Recording) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    lines = run("recognize_file.mjs", live_server.ws_url, recording.path).splitlines()
    assert lines[-1].startswith("he was not")
