"""Runs inside the container, beside a systemd that is its process 1, and tries the shipped unit as an operator would.

What it finds goes to ``findings.json`` in the folder that is its argument; then the container is switched off.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from asr_trio import client

UNIT = "asr-trio.service"
URL = "ws://127.0.0.1:8025/asr-server/asr"
DEADLINE_S = 60.0


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    return (done.stdout + done.stderr).strip()


def show(name: str) -> str:
    return systemctl("show", "--value", "--property", name, UNIT)


def until(holds: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        if holds():
            return True
        time.sleep(0.1)
    return False


def journal() -> str:
    return subprocess.run(
        ["journalctl", "--no-pager", "--output", "cat", "--unit", UNIT], capture_output=True, text=True, check=False
    ).stdout


def status(pid: int) -> dict[str, str]:
    pairs = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value.strip() for name, _, value in pairs}


async def recognize(seconds: float, begun: Callable[[], None] = lambda: None) -> str:
    """Recognise silence at the pace of speech, and return how it ended."""

    async def audio():
        begun()
        async for packet in client.paced(bytes(int(32_000 * seconds)), bytes_per_s=32_000):
            yield packet

    async with client.connect(URL) as session:
        final = await session.recognize(audio(), lm="builtin:grammar/digits", content_type="audio/raw").final()
        return str(final.status)


def findings() -> dict[str, Any]:
    found: dict[str, Any] = {"start": systemctl("start", UNIT), "state": show("ActiveState")}
    # `start` of a unit of Type=notify comes back when the server has said that it is ready: no waiting here.
    pid = int(show("MainPID"))
    found["recognition"] = trio.run(recognize, 0.5)
    found["process"] = status(pid)
    found["reload"] = systemctl("reload", UNIT)
    found["reloaded"] = until(lambda: '"reloaded"' in journal())
    os.kill(pid, signal.SIGSTOP)  # a hung event loop
    found["restarted"] = until(lambda: show("NRestarts") == "1" and show("ActiveState") == "active")
    found["recognition_after_hang"] = trio.run(recognize, 0.5)
    found["drained"] = trio.run(recognize, 3.0, lambda: subprocess.Popen(["systemctl", "stop", UNIT]))
    found["stopped"] = until(lambda: show("ActiveState") == "inactive")
    found["result"] = (show("Result"), show("ExecMainStatus"))
    analyze = ["systemd-analyze", "security", "--no-pager", UNIT]
    found["security"] = subprocess.run(analyze, capture_output=True, text=True, check=False).stdout
    found["journal"] = journal()
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    try:
        found = findings()
    except Exception as error:  # noqa: BLE001 - told outside
        found = {"error": repr(error), "journal": journal(), "status": systemctl("status", UNIT)}
    (folder / "findings.json").write_text(json.dumps(found))
    systemctl("poweroff")


main()
