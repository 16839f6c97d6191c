"""The JavaScript client: its own tests under Node, and its types under TypeScript where that is at hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_javascript_unit_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    files = sorted(str(file) for file in Path(__file__).parent.glob("*.test.mjs"))
    assert files
    done = subprocess.run([node, "--test", *files], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_javascript_types() -> None:
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip("the TypeScript compiler (npm install -g typescript) is not installed")
    done = subprocess.run(
        [compiler, "-p", "asr_trio/console"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:]
