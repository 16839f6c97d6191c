"""The short form of the soak test; ``python -m benchmarks.soak --seconds 3600`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import soak


@pytest.fixture(autouse=True)
def server_of_this_checkout(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.mark.shared
@pytest.mark.slow
async def test_mixed_traffic_with_workers_killed_gives_no_wrong_result_and_no_leak(shared):
    recordings = [path.read_bytes() for path in sorted((shared / "data/digits_fsdd/wav").glob("*.wav"))[:5]]
    report = await soak.run(recordings, seconds=6, clients=3, seed=1)
    assert report["wrong"] == []
    assert report["leaks"] == {}
    assert report["did"]["listen_to_the_end"] > 0
    assert report["passed"]
