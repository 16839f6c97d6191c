"""Every command in the documents is executed: here, in the order of its page, or where `ELSEWHERE` says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from asr_trio.cli.recording import Recording
from tests.microphone import plug_in

from .test_commands import DOCUMENTS, ROOT

CI: Final = (ROOT / ".ci" / "run").read_text("utf-8")
ELSEWHERE: Final = {
    ".venv/bin/pip install --quiet . && .venv/bin/asr-trio serve --open": "benchmarks/newcomer.py",
    ".venv/bin/pip install --quiet . && .venv/bin/asr-trio demo": ".ci/run, by its wheel",
    "tests/run": ".ci/run",
    "--editable '.[lint]'": ".ci/run, by its installation",
    ".venv/bin/ruff format": ".ci/run",
    ".venv/bin/mkdocs": ".ci/run",
    "setup.py build_ext": ".ci/run, by its installation",
    "pip install -e '.[bench]'": "by who measures; tests/benchmarks starts each",
    "benchmarks.": "tests/benchmarks",
    "asr-trio bench": "tests/cli/test_bench.py",
    "asr-trio models add": "tests/cli/test_models.py",
    "pip install 'asr-trio[whisper]'": ".ci/run, by its installation",
    "curl -s": "tests/examples/test_rest_documentation.py",
}
"""Commands, by a part of them, and what executes them instead."""

NOT_UNDERSTOOD: Final = (
    "transcribe *.wav --lm",
    "transcribe answers/*.wav",
    "turn-on-the-light.wav",
    "transcribe turn",
)
"""The recording that stands in for the reader's says something else: exit code 1, nothing recognised."""

LIVE: Final = {"asr-trio serve": "is ready", "asr-trio listen": "RECOGNIZED"}
"""Commands that go on until they are interrupted, and what they have said by then."""

DEADLINE_S: Final = 120
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"[Ss]ave this as `([\w.]+)`.*?\n```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Return every command of a document and what it shows below it ("" where nothing)."""
    for language, block in _BLOCK.findall(text):
        joined = block.replace("\\\n", " ")
        if language in {"sh", "bash"}:
            for line in joined.splitlines():
                command = re.sub(r"\s+#.*$", "", line).strip()
                if command:
                    yield command, ""
        elif language == "console":
            for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", joined, re.MULTILINE):
                yield command, shown


PAGES: Final = [page for page in DOCUMENTS if list(commands(page.read_text("utf-8")))]


@pytest.fixture
def desk(tmp_path: Path, recording: Recording) -> tuple[Path, dict[str, str]]:
    """A folder with what the reader is taken to have, and the environment of a shell in it."""
    for name in ("talk.wav", "speech.wav", "turn-on-the-light.wav", "answers/first.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(recording.path, tmp_path / name)
    plug_in(tmp_path)
    program = tmp_path / "bin" / "asr-trio"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m asr_trio.cli.main "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "RECORDING": str(recording.path),
        "ASR_TRIO_SERVER__PORT": "0",
        "ASR_TRIO_SERVER__HTTP_PORT": "0",
        "ASR_TRIO_RECOGNIZER__WORKERS_IDLE": "1",
        "ASR_TRIO_RECOGNIZER__HANG_TIMEOUT_S": "60",
    }
    return tmp_path, environment


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_work(page: Path, desk: tuple[Path, dict[str, str]]) -> None:
    folder, environment = desk
    text = page.read_text("utf-8")
    for name, content in _FILE.findall(text):
        (folder / name).write_text(content)
    for command, shown in commands(text):
        if any(part in command for part in ELSEWHERE):
            continue
        here = command.replace(".venv/bin/asr-trio", "asr-trio").replace("/etc/asr-trio", ".").replace("sudo ", "")
        signs = [said for start, said in LIVE.items() if here.startswith(start)]
        if signs:
            live(here, signs[0], folder, environment)
            continue
        done = subprocess.run(
            ["bash", "-c", here],
            cwd=folder,
            env=environment,
            input="secret\n",
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            start_new_session=True,  # no terminal: a password is read from standard input
        )
        good = {0, 1} if any(part in command for part in NOT_UNDERSTOOD) else {0}
        assert done.returncode in good, f"{command}\n{done.stdout}{done.stderr}"
        assert textwrap.dedent(shown).strip() in done.stdout, done.stdout


def live(command: str, said: str, folder: Path, environment: dict[str, str]) -> None:
    """Run a command until it has said something, then interrupt it."""
    log = folder / "log"
    # A run of the tests in the background ignores SIGINT, and what it starts would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("w") as output:
        program = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=folder, env=environment, stdout=output, stderr=output
        )
    signal.signal(signal.SIGINT, before)
    try:
        deadline_s = time.monotonic() + DEADLINE_S
        while said not in log.read_text():
            assert program.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.1)
        program.send_signal(signal.SIGINT)
        assert program.wait(DEADLINE_S) in {0, 130}, log.read_text()
    finally:
        program.kill()
        program.wait()


def test_what_is_said_to_be_executed_by_ci_is() -> None:
    everything = [command for page in PAGES for command, _ in commands(page.read_text("utf-8"))]
    for part, where in ELSEWHERE.items():
        assert any(part in command for command in everything), f"{part} stands in no document any more"
        if where == ".ci/run":
            assert part.split()[0] in CI
