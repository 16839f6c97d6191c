"""What a shell sees: completion, and a browser that opens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live import serve

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_asr_trio
echo "${COMPREPLY[@]}"
"""


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    command = [sys.executable, "-m", "asr_trio.cli.main", "--install-completion", "--shell", "bash", "--output", script]
    subprocess.run(
        command, env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}, check=True, capture_output=True
    )

    def completions(*words: str) -> list[str]:
        done = subprocess.run(["bash", "-c", COMPLETE, "-", script, *words], capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert completions("asr-trio", "tr") == ["transcribe"]
    assert completions("asr-trio", "transcribe", "--outp") == ["--output-dir"]
    assert {"check", "default", "show"} <= set(completions("asr-trio", "config", ""))


def test_serve_opens_its_page(tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    with serve(tmp_path, "--open", BROWSER=str(browser), ASR_TRIO_RECOGNIZER__WORKERS_IDLE="1") as server:
        deadline_s = time.monotonic() + 30
        while not opened.exists():
            assert time.monotonic() < deadline_s, server.log
            time.sleep(0.05)
        port = server.http_url.rpartition(":")[2]
        assert opened.read_text() == f"http://localhost:{port}/\n"
        assert f"The page to speak into: http://localhost:{port}/" in server.log


def test_without_a_page_there_is_none_to_open(tmp_path: Path) -> None:
    with serve(tmp_path, "--open", BROWSER="/bin/false", ASR_TRIO_CONSOLE__ENABLED="false") as server:
        assert "page" not in server.log
