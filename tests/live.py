"""A server in a process of its own, as a user starts it, for tests that come from outside: browser, Node, curl."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 30.0
# A machine that runs tests may be busy; these tests ask what the server does, not how soon.
_PATIENCE = {
    "ASR_TRIO_RECOGNIZER__HANG_TIMEOUT_S": "60",
    "ASR_TRIO_LIMITS__RESULT_TIMEOUT_S": "100",
    "ASR_TRIO_LIMITS__COMMAND_TIMEOUT_S": "60",
}
_READY = re.compile(r"WebSocket on port (\d+), HTTP on port (\d+)")


class LiveServer:
    """A server that is ready; `log` is what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], ws_port: int, http_port: int, log: Path) -> None:
        self._process = process
        self.pid = process.pid
        self.ws_url = f"ws://127.0.0.1:{ws_port}/asr-server/asr"
        self.http_url = f"http://127.0.0.1:{http_port}"
        self._log = log

    def stop(self) -> None:
        """Ask it to end, as a service manager does."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        return self._process.wait(_STOP_DEADLINE_S)

    def kill(self) -> None:
        """End it without a chance to tidy up, as a system that is out of memory does."""
        self._process.kill()

    def reload(self) -> None:
        """Have it read its files again, and wait until it has."""
        told = self._told()
        self._process.send_signal(signal.SIGHUP)
        deadline_s = time.monotonic() + _START_DEADLINE_S
        while self._told() == told:
            assert time.monotonic() < deadline_s, self.log
            time.sleep(0.05)

    def _told(self) -> int:
        return self.log.count('"reloaded"') + self.log.count('"not reloaded"')

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")


@contextmanager
def serve(folder: Path, *options: str, **environment: str) -> Iterator[LiveServer]:
    """Run ``asr-trio serve`` on free ports; it must end by SIGTERM with code 0."""
    with started(folder, *options, **environment) as server:
        yield server
        server.stop()
        assert server.wait() == 0, server.log


@contextmanager
def started(folder: Path, *options: str, **environment: str) -> Iterator[LiveServer]:
    """Run ``asr-trio serve`` on free ports, however it ends."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "asr_trio.cli.main", "serve", "--port", "0", "--http-port", "0", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **_PATIENCE, **environment},
        )
    try:
        yield LiveServer(process, *_ports(process, log), log)
    finally:
        process.kill()
        process.wait()


def _ports(process: subprocess.Popen[bytes], log: Path) -> tuple[int, int]:
    deadline_s = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline_s and process.poll() is None:
        ready = _READY.search(log.read_text("utf-8", "replace"))
        if ready:
            return int(ready[1]), int(ready[2])
        time.sleep(0.05)
    raise AssertionError("the server did not start:\n" + log.read_text("utf-8", "replace"))
