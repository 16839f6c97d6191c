"""The programs on docs/python.md and docs/embedding.md are run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asr_trio.cli.recording import Recording
from tests.live import LiveServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
EMBEDDED = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "embedding.md").read_text("utf-8"), re.DOTALL)

EMBEDDED_WRITES = ["21", "True", "SpeechStart", ""]


def test_every_example_is_listed() -> None:
    examples = {path.name for path in (ROOT / "docs" / "examples").iterdir() if path.is_file()}
    assert set(re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE)) == examples
    assert len(PROGRAMS) == 2


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=["trio", "asyncio"])
def test_the_program_works(program: str, live_server: LiveServer, recording: Recording, tmp_path: Path) -> None:
    shutil.copy(recording.path, tmp_path / "speech.wav")
    (tmp_path / "program.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        + program.replace("ws://localhost:8025/asr-server/asr", live_server.ws_url)
    )
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1].startswith("he was not")


@pytest.mark.slow
@pytest.mark.parametrize(("program", "written"), list(zip(EMBEDDED, EMBEDDED_WRITES, strict=True)))
def test_an_embedded_part_works(program: str, written: str, recording: Recording, tmp_path: Path) -> None:
    shutil.copy(recording.path, tmp_path / "speech.wav")
    (tmp_path / "program.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{program}")
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith(written)
