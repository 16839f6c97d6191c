"""What processes cost, as Linux tells it."""

from __future__ import annotations

import math
import os
from pathlib import Path

PROC = Path("/proc")


def cpu_seconds(root: int) -> dict[str, float]:
    """Return the processor time of a process and of its descendants, living and waited for (Linux; NaN elsewhere)."""
    if not Path("/proc/self/stat").exists():
        return {"server": math.nan, "workers": math.nan}
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    times: dict[int, float] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        own = sum(map(int, fields[11:13]))
        times[pid] = tick_s * (own if pid == root else own + sum(map(int, fields[13:15])))

    def is_below(pid: int) -> bool:
        while pid > 1:
            pid = parents.get(pid, 0)
            if pid == root:
                return True
        return False

    return {"server": times.get(root, math.nan), "workers": sum(value for pid, value in times.items() if is_below(pid))}


def private_bytes(pid: int) -> int:
    """Return the memory that would come free if this process ended."""
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def resident_bytes(pid: int) -> int:
    return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
