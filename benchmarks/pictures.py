"""Pictures of the reports, where matplotlib is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KNOWN = importlib.util.find_spec("matplotlib") is not None


def _figure(columns: int) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(1, columns, figsize=(5 * columns, 3.5), squeeze=False, layout="constrained")


def latencies(file: Path | None, series: Mapping[str, Sequence[float]], title: str) -> None:
    """Draw a histogram and the distribution function of latencies in milliseconds beside a report."""
    if file is None or not KNOWN:
        return
    figure, axes = _figure(2)
    for name, values in series.items():
        known = sorted(values)
        axes[0][0].hist(known, bins=30, histtype="step", label=name)
        shares = [(index + 1) / len(known) for index in range(len(known))]
        axes[0][1].step(known, shares, where="post", label=name)
    for axis, label in zip(axes[0], ("recognitions", "share"), strict=True):
        axis.set_xlabel(f"{title}, ms")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[0][1].axhline(0.95, color="grey", linewidth=0.8, linestyle=":")
    axes[0][1].legend()
    figure.savefig(file.with_suffix(".png"), dpi=110)


def capacity(file: Path | None, results: Sequence[Mapping[str, Any]], limit_ms: float) -> None:
    """Draw the 95th percentile of the latency over the load, of both sides."""
    if file is None or not KNOWN or not results:
        return
    figure, axes = _figure(len(results))
    for axis, result in zip(axes[0], results, strict=True):
        streams = [row["streams"] for row in result["rows"]]
        for side, style in (("ours", "o-"), ("bound", "s--")):
            label = "asr-trio" if side == "ours" else "bare PocketSphinx"
            axis.plot(streams, [row[side]["p95_ms"] for row in result["rows"]], style, label=label)
        axis.axhline(limit_ms, color="grey", linewidth=0.8, linestyle=":")
        axis.set_yscale("log")
        axis.set_xlabel("live streams")
        axis.set_ylabel("95th percentile of the latency, ms")
        axis.set_title(result["workload"])
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(file.with_suffix(".png"), dpi=110)
