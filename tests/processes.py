"""What the kernel says of processes: those of servers under test."""

from __future__ import annotations

import os
from pathlib import Path

import trio


def children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in lists for child in children.read_text().split()]


def fork_server(of: int | None = None) -> int:
    """Return the fork server of a process, of this one by default; other tests may have servers running in theirs."""
    candidates = children(of or os.getpid())
    (pid,) = (pid for pid in candidates if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return pid


def parent_of(pid: int) -> int:
    return int(state_of(pid)[1])


def state_of(pid: int) -> list[str]:
    """Return the fields of a process from its state letter on; "-" for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["-", "0"]


def has_ended(pid: int) -> bool:
    return state_of(pid)[0] in "Z-"


async def ended(pid: int) -> None:
    with trio.fail_after(60):
        while not has_ended(pid):  # noqa: ASYNC110 - nobody but its parent is told
            await trio.sleep(0.01)
