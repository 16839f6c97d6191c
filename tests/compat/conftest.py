"""A server in a process of its own, on real sockets, for all conversations."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
PATIENT = {"ASR_TRIO_RECOGNIZER__HANG_TIMEOUT_S": "60", "ASR_TRIO_LIMITS__RESULT_TIMEOUT_S": "60"}
"""A machine that is busy with other tests must not make a slow worker look like a hung one."""


@pytest.fixture(scope="package")
def server_port(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a running server; the conversations need the recordings, so it starts only with them."""
    told = tmp_path_factory.mktemp("server") / "stderr"
    command = [sys.executable, "-m", "asr_trio.cli.main", "serve", "--port", "0", "--http-port", "0"]
    with told.open("wb") as stream:
        process = subprocess.Popen(command, stderr=stream, cwd=Path(__file__).parents[2], env=os.environ | PATIENT)
    try:
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while (found := re.search(r"ready.*WebSocket on port (\d+)", told.read_text(errors="replace"))) is None:
            assert process.poll() is None, told.read_text(errors="replace")
            assert time.monotonic() < deadline_s, "the server did not become ready"
            time.sleep(0.05)
        yield int(found[1])
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        finally:
            process.kill()
            process.wait()
