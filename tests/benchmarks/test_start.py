"""Benchmarks are run by hand and rarely; that each still finds what it measures is seen on every change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
BENCHMARKS = sorted(path.name for path in FOLDER.glob("bench_*.py"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_tells_its_options(name):
    done = subprocess.run(
        [sys.executable, str(FOLDER / name), "--help"],
        env=os.environ | {"PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout or "--out" in done.stdout
