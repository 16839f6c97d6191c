"""Endpointing against labels: where segments begin and end, and when that is decided.

    python -m benchmarks.bench_endpointer [--speech FOLDER] [--ten FOLDER] [--json FILE]

`--speech` is a folder with recordings and a table segments.tsv (file, start_s, end_s, condition) of the utterances in
them; `--ten` the TEN-VAD test set (github.com/TEN-framework/ten-vad), whose clips are heard between two
pauses of 2 s, clean and in noise.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from asr_trio.audio import dsp
from benchmarks import machine

OUT_HZ = 16_000
BLOCK_S = 0.02
Block = np.ndarray[Any, np.dtype[np.int16]]


def bench_endpointer(folder: Path, wait_end_ms: int) -> dict[str, Any]:
    """Compare the segments found with those labelled; utterances nearer than wait_end count as one."""
    labels: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    with (folder / "segments.tsv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            spans = labels[row["file"], row["condition"]]
            start, end = float(row["start_s"]), float(row["end_s"])
            if spans and start - spans[-1][1] < wait_end_ms / 1000:
                spans[-1][1] = end
            else:
                spans.append([start, end])
    report = {}
    titles = f"{'start error ms':>17}{'decided after':>15}{'end error':>13}{'lost ms':>9}"
    print(f"\n{'endpointing':36}{'found':>10}{'extra':>7}{titles}")
    settings = dsp.EndpointerSettings(continuous=True, wait_end_ms=wait_end_ms)
    for (name, condition), spans in labels.items():
        found = segments_of(folder / name, settings)
        starts, decisions, ends, lost = [], [], [], 0.0
        extra = [span for span in found if not any(span[0] < end and span[1] > start for start, end in spans)]
        matched = 0
        for start, end in spans:
            match = [span for span in found if span[0] < end and span[1] > start]
            if match:
                matched += 1
                starts.append(1_000 * (match[0][0] + settings.head_margin_ms / 1_000 - start))
                decisions.append(1_000 * (match[0][2] - start))
                ends.append(1_000 * (match[-1][1] - settings.tail_margin_ms / 1_000 - end))
                lost += 1_000 * (max(0.0, match[0][0] - start) + max(0.0, end - match[-1][1]))
        row = {
            "labelled": len(spans),
            "found": matched,
            "extra": len(extra),
            "start_error_ms": percentiles(starts),
            "start_decided_after_ms": percentiles(decisions),
            "end_error_ms": percentiles(ends),
            "lost_ms": lost,
        }
        report[f"{Path(name).stem} ({condition})"] = row
        print(
            f"{Path(name).stem:36}{matched:>5} of {len(spans):<2}{len(extra):6}"
            f"{row['start_error_ms'][0]:9.0f}/{row['start_error_ms'][1]:5.0f}"
            f"{row['start_decided_after_ms'][0]:9.0f}/{row['start_decided_after_ms'][1]:5.0f}"
            f"{row['end_error_ms'][0]:7.0f}/{row['end_error_ms'][1]:5.0f}{lost:9.0f}"
        )
    print("median/95th percentile; lost: labelled speech that no segment holds")
    return report


def bench_padded(folder: Path) -> dict[str, Any]:
    """Endpointing of whole clips: labels are seconds and 1 for speech, in one line beside each recording."""
    report = {}
    titles = f"{'started after ms':>18}{'ended after ms':>17}{'missed':>8}{'false starts':>14}{'lost ms':>9}"
    print(f"\n{'clips between pauses, 16 kHz':36}{titles}")
    settings = dsp.EndpointerSettings(continuous=True)
    for snr_db in (None, 20, 10):
        started, ended, missed, false_starts, lost = [], [], 0, 0, 0.0
        for index, path in enumerate(sorted(folder.glob("*.wav"))):
            fields = path.with_suffix(".scv").read_text().strip().split(",")[1:]
            spans = [(float(a), float(b)) for a, b, label in zip(*[iter(fields)] * 3, strict=True) if label == "1"]
            samples = np.frombuffer(path.read_bytes()[44:], "<i2").astype(float)
            level = np.sqrt(np.mean(samples**2)) * (10 ** (-snr_db / 20) if snr_db is not None else 0.0)
            pause = np.zeros(2 * OUT_HZ)
            padded = np.concatenate([pause, samples, pause])
            padded += np.random.default_rng(index).normal(0, max(level, 2.0), len(padded))
            first, last = spans[0][0] + 2.0, spans[-1][1] + 2.0
            found = decisions(np.clip(np.rint(padded), -32768, 32767).astype(np.int16), settings)
            inside = [segment for segment in found if segment[0] < last and segment[2] > first]
            false_starts += len(found) - len(inside)
            if not inside:
                missed += 1
                continue
            started.append(1_000 * (inside[0][1] - first))
            ended.append(1_000 * (inside[-1][3] - last))
            lost += 1_000 * (max(0.0, inside[0][0] - first) + max(0.0, last - inside[-1][2]))
        name = "clean" if snr_db is None else f"white noise, {snr_db} dB"
        report[name] = {
            "started_after_ms": percentiles(started),
            "ended_after_ms": percentiles(ended),
            "missed": missed,
            "false_starts": false_starts,
            "lost_ms": lost,
        }
        print(
            f"{name:36}{percentiles(started)[0]:12.0f}/{percentiles(started)[1]:5.0f}"
            f"{percentiles(ended)[0]:11.0f}/{percentiles(ended)[1]:5.0f}{missed:8}{false_starts:14}{lost:9.0f}"
        )
    return report


def decisions(samples: Block, settings: dsp.EndpointerSettings) -> list[tuple[float, float, float, float]]:
    """Return (start, when it was decided, end, when that was decided) of each segment."""
    endpointer = dsp.Endpointer(settings)
    events = endpointer.process(samples) + endpointer.flush()
    starts = [event for event in events if isinstance(event, dsp.SpeechStart)]
    ends = [event for event in events if isinstance(event, dsp.SpeechEnd)]
    return [(a.start_s, a.decided_s, b.end_s, b.decided_s) for a, b in zip(starts, ends, strict=True)]


def percentiles(values: list[float]) -> tuple[float, float]:
    return (float(np.percentile(values, 50)), float(np.percentile(values, 95))) if values else (float("nan"),) * 2


def segments_of(path: Path, settings: dsp.EndpointerSettings) -> list[tuple[float, float, float]]:
    """Return (start, end, when the start was decided) of each segment."""
    reader = dsp.AudioReader(default_format=dsp.AudioFormat("pcm_s16", OUT_HZ))
    samples = reader.feed(path.read_bytes(), last=True)
    assert reader.format is not None
    frontend = dsp.Frontend(reader.format, settings)
    size = int(reader.format.sample_rate_hz * BLOCK_S) * reader.format.frame_bytes
    events: list[dsp.EndpointerEvent] = []
    for start in range(0, len(samples), size):
        events += frontend.process(samples[start : start + size])
    events += frontend.flush()
    starts = [event for event in events if isinstance(event, dsp.SpeechStart)]
    ends = [event for event in events if isinstance(event, dsp.SpeechEnd)]
    return [(start.start_s, end.end_s, start.decided_s) for start, end in zip(starts, ends, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--ten", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine.describe()}
    if arguments.speech:
        report["endpointer"] = bench_endpointer(arguments.speech, 700)
    if arguments.ten:
        report["padded"] = bench_padded(arguments.ten)
    if len(report) == 1:
        print("nothing to hear: give --speech or --ten")
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
