"""The figures that docs/scaling.md plans with are those that the server counts with."""

from __future__ import annotations

from pathlib import Path

from asr_trio.recognizer.models import GRAMMAR_COST_UNITS, STATISTICAL_COST_UNITS
from benchmarks.sim_admission import Load, simulate

TEXT = " ".join((Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8").split())
NODE_UNITS = 160


def test_the_units_are_those_of_the_server():
    grammar, free = GRAMMAR_COST_UNITS, STATISTICAL_COST_UNITS["balanced"]
    assert f"{grammar:g} for a recognition with a small grammar and {free:g} for free speech" in TEXT


def test_a_hundred_machines_are_worked_out_from_them():
    units = Load().units_per_call
    assert (
        f"{units:.2f} cost units each on average: 100 two-core nodes at {50 * units / NODE_UNITS:.0%}"
        in TEXT.replace(" %", "%")
    )


def test_one_cell_of_the_table_comes_out_of_the_simulation():
    refused = simulate(1, NODE_UNITS, 0.8, Load(), 1200.0, 1)["refused"]
    assert f"| 80% | {refused:.2%} |" in TEXT
