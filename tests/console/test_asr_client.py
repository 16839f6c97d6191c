"""The JavaScript client: its own tests under Node, and its types under TypeScript where that is at hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from asr_trio.cli.recording import Recording
from tests.live import LiveServer

ROOT = Path(__file__).parents[2]


def test_javascript_unit_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    files = sorted(str(file) for file in Path(__file__).parent.glob("*.test.mjs"))
    assert files
    done = subprocess.run([node, "--test", *files], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_every_call_works_against_a_real_server(live_server: LiveServer, recording: Recording) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, "--experimental-websocket", "tests/console/live.mjs", live_server.ws_url, str(recording.path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "all well\n", done.stderr


def test_javascript_types() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    command = [npm, "exec", "--yes", "--package", "typescript@5.9", "--", "tsc", "-p", "asr_trio/console"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if "npm error" in done.stderr:
        pytest.skip("npm could not get the TypeScript compiler")
    assert done.returncode == 0, done.stdout[-8000:]
