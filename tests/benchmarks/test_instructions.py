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


@pytest.mark.parametrize(("least", "faults"), [(1029, 0), (1031, 1)])
def test_a_count_out_of_bounds_is_taken_again_with_other_layouts(least, faults, monkeypatch):
    parser = [1100, 1200, least, 1300]
    monkeypatch.setattr(count, "count_core", dict)
    monkeypatch.setattr(count, "compiler", lambda: "none")
    monkeypatch.setattr(
        count, "count_python", lambda layout=0: {"calibration": 100, "parser": parser[layout], "session": 2000}
    )
    assert len(count.check(HERE)[1]) == faults


@pytest.mark.slow
def test_the_hot_paths_execute_no_more_instructions_than_they_did():
    if tool := count.missing_tool():
        pytest.skip(f"{tool} is missing")
    expected = json.loads(count.EXPECTED.read_text())
    assert count.check(expected)[1] == []
