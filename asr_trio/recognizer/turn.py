"""How the scheduler treats a worker: it comes after the server, and what it begins it may finish.

A decoder's working set is larger than the caches of a core. Where more workers want a core than there are cores, taking
turns of the usual 1.4 ms costs half as much processor time again as the work itself: six decoders of free speech on two
cores took 135 to 160 ms for a second of audio where two of them take 95 to 99, in turns of 20 ms 109 and of 100 ms 102.
So workers ask for longer turns. Whoever has short ones, as the server and everything else has, still interrupts them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from typing import Final

LIVE_NICENESS: Final = 5
"""The server hears all callers and takes little time: on a full machine it goes first."""
BATCH_NICENESS: Final = 10
"""Beyond that of live audio."""
LIVE_TURN_NS: Final = 20_000_000
"""A caller's result waits for so long behind another's speech."""
BATCH_TURN_NS: Final = 100_000_000
"""The longest that Linux grants: whose turn is long is interrupted first by whoever wakes up."""

_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274}
"""Numbers of a system call that the C library has no function for. Linux heeds turns since 6.12."""


class _Attributes(ctypes.Structure):
    """``struct sched_attr`` of Linux, first version; its runtime is the length of a turn."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def decode_live() -> None:
    """Have this process go after the server, in long turns."""
    _go_after(LIVE_NICENESS, LIVE_TURN_NS)


def decode_batch() -> None:
    """Have this process go after live audio."""
    _go_after(BATCH_NICENESS, BATCH_TURN_NS)


def give_way() -> None:
    """Leave this process what nobody else wants: next to nothing where other programs keep all processors busy."""
    if hasattr(os, "SCHED_IDLE"):  # Linux: who wakes up interrupts it at once, however little it had
        with contextlib.suppress(OSError):  # where a container or a unit refuses it, the niceness stands
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _go_after(niceness: int, turn_ns: int) -> None:
    wanted_niceness = os.nice(niceness)
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        size = ctypes.sizeof(_Attributes)
        wanted = _Attributes(size=size, policy=os.SCHED_OTHER, nice=wanted_niceness, runtime=turn_ns)
        ctypes.CDLL(None).syscall(number, 0, ctypes.byref(wanted), 0)  # where it is refused turns stay as they are
