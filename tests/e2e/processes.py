"""The processes of a server that runs in the test's own process."""

from __future__ import annotations

import os
from pathlib import Path


def children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in lists for child in children.read_text().split()]


def fork_server() -> int:
    """Return the fork server of this process; other tests may have left servers of their own running."""
    (pid,) = (pid for pid in children(os.getpid()) if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return pid
