"""The short form of the soak test; ``benchmarks/soak.py --seconds 3600`` is the long one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


def _load_soak(monkeypatch):
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    specification = importlib.util.spec_from_file_location("soak", folder / "soak.py")
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "soak", module)
    specification.loader.exec_module(module)
    return module


@pytest.mark.shared
@pytest.mark.slow
async def test_mixed_traffic_with_workers_killed_gives_no_wrong_result_and_no_leak(shared, monkeypatch):
    soak = _load_soak(monkeypatch)
    recordings = [path.read_bytes() for path in sorted((shared / "data/digits_fsdd/wav").glob("*.wav"))[:5]]
    report = await soak.run(recordings, seconds=6, clients=3, seed=1)
    assert report["wrong"] == []
    assert report["leaks"] == {}
    assert report["did"]["listen_to_the_end"] > 0
    assert report["passed"]
