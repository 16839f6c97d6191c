"""What the benchmarks of this folder share: where the recordings are, options, and how a report is written."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from benchmarks import machine

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
"""The development recordings; see the folder's own README."""


def options(document: str | None) -> argparse.ArgumentParser:
    """Return a parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a report; pictures go beside it")
    return parser


def write(file: Path | None, benchmark: str, results: Any, **settings: Any) -> None:
    """Write a report, if one is wanted: machine and commit, how it was run, what came out."""
    if file is None:
        return
    document = {"benchmark": benchmark, "machine": machine.describe(), **settings, "results": results}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def percentiles(values: list[float]) -> dict[str, float]:
    """Return number, median and tail of what is known."""
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return {"n": 0, "p50": math.nan, "p95": math.nan}
    return {
        "n": len(known),
        "p50": known[math.ceil(len(known) * 0.50) - 1],
        "p95": known[math.ceil(len(known) * 0.95) - 1],
    }
