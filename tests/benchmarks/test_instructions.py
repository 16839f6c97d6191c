"""The hot paths execute no more instructions than they did; see `benchmarks.instructions.count`."""

from __future__ import annotations

import json

import pytest

from benchmarks.instructions import count

HERE = {"python": {count.interpreter(): {"calibration": 100, "parser": 1000, "session": 2000}}, "core": {}}
ELSEWHERE = {"python": {"another": {"calibration": 200, "parser": 2000, "session": 4000}}, "core": {}}


@pytest.mark.parametrize(
    ("expected", "parser", "faults"),
    [(HERE, 1029, 0), (HERE, 1031, 1), (HERE, 969, 1), (ELSEWHERE, 1149, 0), (ELSEWHERE, 1151, 1)],
)
def test_a_count_out_of_bounds_is_told(expected, parser, faults, monkeypatch):
    monkeypatch.setattr(count, "compiler", lambda: "none")
    assert len(count.judge({"calibration": 100, "parser": parser, "session": 2000}, {}, expected)) == faults


@pytest.mark.slow
def test_the_hot_paths_execute_no_more_instructions_than_they_did():
    if tool := count.missing_tool():
        pytest.skip(f"{tool} is missing")
    expected = json.loads(count.EXPECTED.read_text())
    assert count.judge(count.count_python(), count.count_core(), expected) == []
