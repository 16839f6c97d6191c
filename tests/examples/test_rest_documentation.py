"""Every command of docs/rest.md is run; what it shows as an answer has the shape of the real one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from asr_trio.cli.recording import Recording
from tests.live import LiveServer

PAGE = (Path(__file__).parents[2] / "docs" / "rest.md").read_text("utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) == 4


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_works(command: str, live_server: LiveServer, recording: Recording, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    shutil.copy(recording.path, tmp_path / "speech.wav")
    here = command.replace("http://localhost:8026", live_server.http_url)
    assert here != command
    done = subprocess.run(["bash", "-c", here], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    results = answer if isinstance(answer, list) else [answer["recognition_result"]]
    assert results[0]["result_status"] == "RECOGNIZED"
