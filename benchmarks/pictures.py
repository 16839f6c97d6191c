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
    mpl.rcParams["svg.hashsalt"] = "asr_trio"
    mpl.rcParams["svg.fonttype"] = "none"
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


def capacity(
    file: Path | None, results: Sequence[Mapping[str, Any]], sides: Mapping[str, str], limit_ms: float
) -> None:
    """Draw the 95th percentile of the latency over the load, of all sides."""
    if file is None or not KNOWN or not results:
        return
    figure, axes = _figure(len(results))
    for axis, result in zip(axes[0], results, strict=True):
        streams = [row["streams"] for row in result["rows"]]
        for (side, label), style in zip(sides.items(), ("o-", "s--", "^:"), strict=True):
            axis.plot(streams, [row[side]["p95_ms"] for row in result["rows"]], style, label=label)
        axis.axhline(limit_ms, color="grey", linewidth=0.8, linestyle=":")
        axis.set_yscale("log")
        axis.set_xlabel("live streams")
        axis.set_ylabel("95th percentile of the latency, ms")
        axis.set_title(result["workload"])
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(file.with_suffix(".png"), dpi=110)


def accuracy(file: Path | None, found: Mapping[str, Any]) -> None:
    """Draw what `bench_accuracy` found of scores and word times; what was not measured stays empty."""
    if file is None or not KNOWN:
        return
    figure, ((curve, calibration, times),) = _figure(3)
    if scores := found.get("scores"):
        _rejection(curve, scores["rejection by grammars"]["curve"])
        for what in ("sentences of grammars", "words of grammars", "words of free speech"):
            calibration.plot(*zip(*(bin_[:2] for bin_ in scores[what]["bins"]), strict=True), "o-", label=what)
    calibration.plot((0, 1), (0, 1), color="grey", linewidth=0.8, linestyle=":")
    calibration.set(xlabel="score / 100, mean of a tenth", ylabel="share that is right", title="Reliability of scores")
    for name, errors_ms in found.get("word_time_errors_ms", {}).items():
        times.hist(errors_ms, bins=range(-205, 206, 10), histtype="step", label=name)
    times.axvspan(-50, 50, color="grey", alpha=0.15)
    times.set(xlabel="too late, ms", ylabel="starts and ends of words", title="Word times against a forced alignment")
    for axis in (curve, calibration, times):
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8)
    figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)


def _rejection(axis: Any, curve: Sequence[Mapping[str, Any]]) -> None:
    """Draw what is refused rightly over what is refused wrongly, for every threshold of the score."""
    for what, label in (
        ("oog_rejected", "outside the grammar"),
        ("crossed_rejected", "recordings under other grammars"),
        ("nospeech_rejected", "no speech"),
    ):
        if curve[0][what] is not None and curve[0]["right_lost"] is not None:
            axis.plot([row["right_lost"] for row in curve], [row[what] for row in curve], label=label)
    axis.set(xlim=(0, 0.3), ylim=(0.7, 1), xlabel="right results lost", ylabel="rejected", title="Rejection")
