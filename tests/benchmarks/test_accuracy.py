"""The benchmark of accuracy on a few recordings: it measures both sides, the scores too, and draws all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.usefixtures("shared")
def test_one_command_measures_both_sides_and_draws_it(tmp_path):
    sets = ["home", "oog"]
    report, picture = tmp_path / "accuracy.json", tmp_path / "accuracy.svg"
    command = [sys.executable, "-m", "benchmarks.bench_accuracy", "--only", ",".join([*sets, "word times", "scores"])]
    done = subprocess.run(
        [*command, "--limit", "80", "--json", report, "--plot", picture],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "| home (1) |" in done.stdout
    found = json.loads(report.read_text())["results"]
    assert list(found["sets"]) == sets
    for both in [*found["sets"].values(), found["word_times"]]:
        assert [row["engine"] for row in both] == ["PocketSphinx", "asr-trio"]
    assert all(0 <= row["words_wrong_percent"] <= 100 for row in found["sets"]["home"])
    assert all(row["edges"] and row["median_ms"] <= 50 for row in found["word_times"])
    for what in ("sentences of grammars", "words of grammars", "words of free speech"):
        scores = found["scores"][what]
        assert sum(count for *_, count in scores["bins"]) == scores["n"]
    curve = found["scores"]["rejection by grammars"]["curve"]
    for share in ("covered_lost", "crossed_rejected"):
        assert [row[share] for row in curve] == sorted(row[share] for row in curve)
    assert (curve[0]["crossed_rejected"], curve[-1]["crossed_rejected"]) == (0.0, 1.0)
    pytest.importorskip("matplotlib")
    for title in ("Rejection", "Reliability of scores", "Word times"):
        assert title in picture.read_text()


def test_a_set_that_there_is_not_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_accuracy", "--only", "hme"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "hme" in done.stderr
