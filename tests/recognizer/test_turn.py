"""The turns of workers: long ones for live audio, longer ones behind it for files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCHED = Path("/proc/self/sched")
SEEN = """
import os, re
from pathlib import Path
from asr_trio.recognizer import turn

def see():
    sched = Path("/proc/self/sched").read_text()
    print(os.nice(0), os.sched_getscheduler(0), *re.findall(r"se.slice\\s*:\\s*(\\d+)", sched))

see()
turn.decode_live()
see()
turn.decode_batch()
see()
turn.give_way()
see()
"""


@pytest.mark.skipif(not SCHED.exists() or "se.slice" not in SCHED.read_text(), reason="this system does not tell turns")
def test_live_audio_is_decoded_in_long_turns_and_files_in_longer_ones_behind_it() -> None:
    done = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, text=True, check=True)
    (nice, _, usual), live, batch, idle = (tuple(map(int, line.split())) for line in done.stdout.splitlines())
    assert live == (nice + 5, os.SCHED_OTHER, max(usual, 20_000_000))
    assert idle[:2] == (min(19, nice + 15), os.SCHED_IDLE)
    assert batch == (min(19, nice + 15), os.SCHED_OTHER, max(usual, 100_000_000))
