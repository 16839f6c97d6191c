"""The C core against its peers, in one run: resampling, the whole front end, endpointing.

    python -m benchmarks.bench_dsp [--quick] [--out FOLDER] [--speech FOLDER] [--ten FOLDER]

Prints tables and writes FOLDER/dsp.json and pictures (where matplotlib is installed). Peers that are not installed are
left out with a word: soxr, scipy, samplerate (libsamplerate). `--speech` is a folder with recordings and
a table segments.tsv (file, start_s, end_s, condition) of the utterances in them; `--ten` the test set of the TEN voice
detector (github.com/TEN-framework/ten-vad), whose clips are heard between two pauses of 2 s, clean and in noise.

Speed is audio seconds per second of processor time of this thread, the median of rounds that take turns among all
candidates, so that a busy machine slows all of them alike. Latency is the time of the input that has been fed less the
time of the newest output sample. Voice detectors are compared in bench_vad.py.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from asr_trio.audio import dsp
from asr_trio.audio.core import ffi, lib
from asr_trio.audio.endpointer import fill_config
from benchmarks import machine

OUT_HZ = 16_000
BLOCK_S = 0.02
RATES_HZ = (8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000)
Block = np.ndarray[Any, np.dtype[np.int16]]
Stream = Callable[[Block], Block]


# --- candidates -------------------------------------------------------------------------------------------------------


def candidates() -> tuple[dict[str, Callable[[int], Stream]], list[str]]:
    """Return what makes a stream of each resampler for a rate, and words about those that are missing."""
    found: dict[str, Callable[[int], Stream]] = {}
    missing = []
    for quality in ("default", "fast", "best"):
        found[f"asr_dsp {quality}"] = lambda rate_hz, quality=quality: dsp.Resampler(rate_hz, quality=quality).process
    for simd in dsp.simd_levels()[:-1]:
        found[f"asr_dsp {simd}"] = lambda rate_hz, simd=simd: dsp.Resampler(rate_hz, simd=simd).process
    try:
        import soxr

        for quality in ("HQ", "VHQ"):
            found[f"soxr {quality}"] = lambda rate_hz, quality=quality: (
                soxr.ResampleStream(rate_hz, OUT_HZ, 1, dtype="int16", quality=quality).resample_chunk
            )
    except ImportError:
        missing.append("soxr is not installed")
    try:
        import samplerate

        for quality in ("sinc_fastest", "sinc_medium", "sinc_best"):
            found[f"libsamplerate {quality[5:]}"] = lambda rate_hz, quality=quality: _libsamplerate(
                samplerate, rate_hz, quality
            )
    except ImportError:
        missing.append("samplerate (libsamplerate) is not installed")
    return found, missing


def _libsamplerate(samplerate: Any, rate_hz: int, quality: str) -> Stream:
    resampler = samplerate.Resampler(quality, channels=1)
    ratio = OUT_HZ / rate_hz

    def process(block: Block) -> Block:
        out = resampler.process(block.astype(np.float32), ratio)
        return np.clip(np.rint(out), -32768, 32767).astype(np.int16)

    return process


def whole_file(make: Callable[[int], Stream], samples: Block, rate_hz: int) -> Block:
    """Resample a recording in 20 ms blocks, with silence behind it that drives the rest out."""
    process = make(rate_hz)
    padded = np.concatenate([samples, np.zeros(rate_hz // 2, np.int16)])
    return np.concatenate([process(block) for block in blocks_of(padded, rate_hz)])[: len(samples) * OUT_HZ // rate_hz]


def blocks_of(samples: Block, rate_hz: int) -> list[Block]:
    size = int(rate_hz * BLOCK_S)
    return [samples[start : start + size].copy() for start in range(0, len(samples) - size + 1, size)]


# --- resampling -----------------------------------------------------------------------------------------------------


def sine(frequency_hz: float, rate_hz: int, amplitude: float, seconds: float = 1.0) -> Block:
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.rint(amplitude * np.sin(2 * np.pi * frequency_hz * t)).astype(np.int16)


def fit(samples: Block, frequency_hz: float) -> tuple[float, float]:
    """Return (amplitude of the sine, root mean square of the rest); both ends are left out."""
    y = samples[2_500:-2_500].astype(float)
    t = 2 * np.pi * frequency_hz * np.arange(len(y)) / OUT_HZ
    base = np.stack([np.sin(t), np.cos(t), np.ones_like(t)], axis=1)
    weights, *_ = np.linalg.lstsq(base, y, rcond=None)
    return float(np.hypot(*weights[:2])), float(np.sqrt(np.mean((y - base @ weights) ** 2)))


def db(ratio: float) -> float:
    return 20 * float(np.log10(max(ratio, 1e-9)))


def quality_of(make: Callable[[int], Stream], rate_hz: int, points: int) -> dict[str, float]:
    """Measure with int16 in and out, whose own floor is near 95 dB for a full-scale and 100 for a half-scale sine."""
    amplitude = 32767 * 10 ** (-1 / 20)
    measured, rest = fit(whole_file(make, sine(997, rate_hz, amplitude), rate_hz), 997)
    nyquist_hz = min(rate_hz, OUT_HZ) / 2
    edge = 0.0
    images = 0.0
    for part in (*np.linspace(0.05, 0.85, points), *np.linspace(0.86, 0.97, points)):
        gain, leak = fit(whole_file(make, sine(part * nyquist_hz, rate_hz, 16_384), rate_hz), part * nyquist_hz)
        if abs(db(gain / 16_384)) < 0.1:
            edge = float(part)
        if part <= 0.9:
            images = max(images, leak * np.sqrt(2) / 16_384)
    alias = 0.0
    if rate_hz > OUT_HZ:
        for frequency_hz in np.linspace(OUT_HZ / 2, rate_hz / 2, points):
            out = whole_file(make, sine(frequency_hz, rate_hz, 16_384), rate_hz)[2_500:-2_500]
            alias = max(alias, float(np.std(out)) * np.sqrt(2) / 16_384)
    return {
        "sinad_db": db(measured / np.sqrt(2) / rest),
        "edge_of_nyquist": edge,
        "spurious_db": db(images),
        "alias_db": db(alias) if rate_hz > OUT_HZ else float("nan"),
    }


def latency_of(make: Callable[[int], Stream], rate_hz: int) -> list[float]:
    """Return the latency behind each block of the steady state, in ms."""
    process = make(rate_hz)
    fed = made = 0
    latencies_ms = []
    for index, block in enumerate(blocks_of(np.zeros(rate_hz * 4, np.int16), rate_hz)):
        fed += len(block)
        made += len(process(block))
        if index >= 50:
            latencies_ms.append(1_000 * (fed / rate_hz - made / OUT_HZ))
    return latencies_ms


def speeds(makers: dict[str, Callable[[int], Stream]], rate_hz: int, rounds: int) -> dict[str, float]:
    samples = np.random.default_rng(0).integers(-20_000, 20_000, rate_hz * 4).astype(np.int16)
    blocks = blocks_of(samples, rate_hz)
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, make in makers.items():
            process = make(rate_hz)
            start = time.thread_time()
            for block in blocks:
                process(block)
            times[name].append(time.thread_time() - start)
    return {name: len(blocks) * BLOCK_S / statistics.median(values) for name, values in times.items()}


def bench_resamplers(*, quick: bool) -> dict[str, Any]:
    makers, missing = candidates()
    report: dict[str, Any] = {"missing": missing, "rates": {}}
    try:
        from scipy.signal import resample_poly
    except ImportError:
        resample_poly = None
        report["missing"].append("scipy is not installed")
    for rate_hz in (8_000, 44_100, 48_000) if quick else RATES_HZ:
        rows: dict[str, dict[str, Any]] = {}
        fast = speeds(makers, rate_hz, 5 if quick else 15)
        for name, make in makers.items():
            latencies_ms = latency_of(make, rate_hz)
            rows[name] = {
                "speed": fast[name],
                "latency_ms": statistics.mean(latencies_ms),
                "latency_max_ms": max(latencies_ms),
                "latencies_ms": latencies_ms,
                **quality_of(make, rate_hz, 6 if quick else 23),
            }
        if resample_poly is not None:
            samples = np.random.default_rng(0).integers(-20_000, 20_000, rate_hz * 10).astype(np.float64)
            start = time.thread_time()
            resample_poly(samples, OUT_HZ // np.gcd(OUT_HZ, rate_hz), rate_hz // np.gcd(OUT_HZ, rate_hz))
            rows["scipy resample_poly (whole file)"] = {"speed": 10 / (time.thread_time() - start)}
        report["rates"][rate_hz] = rows
        print_resamplers(rate_hz, rows)
    return report


def print_resamplers(rate_hz: int, rows: dict[str, dict[str, Any]]) -> None:
    print(f"\n{rate_hz} Hz -> {OUT_HZ} Hz, int16, 20 ms blocks")
    titles = f"{'latency ms (max)':>19}{'SINAD dB':>10}{'0.1 dB edge':>13}{'spurious':>10}{'alias':>9}"
    print(f"{'':34}{'x real time':>12}{titles}")
    for name, row in rows.items():
        line = f"{name:34}{row['speed']:12.0f}"
        if "sinad_db" in row:
            latency = f"{row['latency_ms']:.1f} ({row['latency_max_ms']:.1f})"
            alias = f"{row['alias_db']:9.1f}" if row["alias_db"] == row["alias_db"] else f"{'-':>9}"
            line += (
                f"{latency:>19}{row['sinad_db']:10.1f}{row['edge_of_nyquist']:13.2f}{row['spurious_db']:10.1f}{alias}"
            )
        print(line)


# --- the whole front end ----------------------------------------------------------------------------------------------


def speechlike(seconds: float, rate_hz: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a buzz in syllables, with pauses of 2 s between 2 s of it."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(130 + 20 * np.sin(2 * np.pi * 0.7 * t)) / rate_hz
    sound = sum(np.sin(k * phase + k) / k for k in range(1, 20)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))
    return 3_000 * sound * (t % 4 > 2) + np.random.default_rng(0).normal(0, 10, len(t))


def bench_frontend(rounds: int) -> dict[str, Any]:
    report: dict[str, Any] = {}
    seconds = 20
    cases = [("mulaw", 8_000), ("pcm_s16", 8_000), ("pcm_s16", 16_000), ("pcm_s16", 44_100), ("float32", 48_000)]
    print(f"\nfront end, 20 ms packets through everything{'x real time':>20}{'bytes':>9}{'of them waiting audio':>23}")
    for encoding, rate_hz in cases:
        samples = np.clip(np.rint(speechlike(seconds, rate_hz)), -32768, 32767).astype(np.int16)
        data = {
            "mulaw": lambda samples=samples: dsp.ulaw_encode(samples),
            "pcm_s16": samples.tobytes,
            "float32": lambda samples=samples: (samples / 32768).astype(np.float32).tobytes(),
        }[encoding]()
        audio_format = dsp.AudioFormat(encoding, rate_hz)
        size = int(rate_hz * BLOCK_S) * audio_format.frame_bytes
        packets = [data[start : start + size] for start in range(0, len(data), size)]
        for vad in ("learned", "energy"):
            settings = dsp.EndpointerSettings(continuous=True, vad=vad)
            times = []
            for _ in range(rounds):
                frontend = dsp.Frontend(audio_format, settings)
                start = time.thread_time()
                for packet in packets:
                    frontend.process(packet)
                times.append(time.thread_time() - start)
            total, waiting = state_bytes(audio_format, settings)
            name = f"{encoding} {rate_hz} Hz, {vad} detector"
            report[name] = {"speed": seconds / statistics.median(times), "bytes": total, "waiting_bytes": waiting}
            print(f"{name:43}{report[name]['speed']:20.0f}{total:9}{waiting:23}")
    return report


def state_bytes(audio_format: dsp.AudioFormat, settings: dsp.EndpointerSettings) -> tuple[int, int]:
    """Return the size of a front end that shares its table, and how much of it keeps audio for later."""
    config = ffi.new("asr_frontend_config *")
    lib.asr_frontend_defaults(config)
    config.sample_rate_hz = audio_format.sample_rate_hz
    fill_config(ffi.addressof(config, "endpointer"), settings)
    own = lib.asr_frontend_size(config)
    resampler = ffi.new("asr_resampler_config *")
    lib.asr_resampler_defaults(resampler)
    resampler.in_rate_hz = audio_format.sample_rate_hz
    table = ffi.new("unsigned char[]", lib.asr_resampler_table_size(resampler))
    lib.asr_resampler_table_init(table, len(table), resampler)
    config.table = ffi.cast("asr_resampler_table *", table)
    shared = lib.asr_frontend_size(config)
    with_ring = lib.asr_endpointer_size(ffi.addressof(config, "endpointer"))
    config.endpointer.enabled = 0
    return min(own, shared), with_ring - lib.asr_endpointer_size(ffi.addressof(config, "endpointer"))


# --- endpointing ------------------------------------------------------------------------------------------------------


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


# --- pictures ---------------------------------------------------------------------------------------------------------


def draw(report: dict[str, Any], folder: Path) -> None:
    try:
        import matplotlib as mpl
    except ImportError:
        print("\nmatplotlib is not installed: no pictures")
        return
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "asr_dsp"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4))
    for rate_hz in (8_000, 44_100, 48_000):
        for quality, style in (("default", "-"), ("fast", ":")):
            frequencies_hz, gains_db = response(rate_hz, quality)
            axes.plot(frequencies_hz / 1000, gains_db, style, label=f"{rate_hz / 1000:g} kHz, {quality}", linewidth=1)
    axes.set(
        xlabel="kHz", ylabel="dB", xlim=(0, 12), ylim=(-130, 5), title="Frequency response of the resampler to 16 kHz"
    )
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    save(figure, folder / "dsp_response.svg")

    figure, all_axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True)
    for axes, rate_hz in zip(all_axes, (8_000, 44_100, 48_000), strict=True):
        rows = report["resampler"]["rates"][rate_hz]
        for name in ("asr_dsp default", "soxr HQ", "libsamplerate medium"):
            if name in rows:
                axes.hist(rows[name]["latencies_ms"], bins=np.arange(0, 120, 2), label=name, histtype="step")
        axes.set(title=f"{rate_hz} Hz", xlabel="latency, ms")
    all_axes[0].set_ylabel("blocks of 20 ms")
    all_axes[0].legend(fontsize=7)
    save(figure, folder / "dsp_latency.svg")

    figure, axes = plt.subplots(figsize=(8, 3.5))
    rates = list(report["resampler"]["rates"])
    names = [name for name in ("asr_dsp default", "asr_dsp sse2", "soxr HQ", "soxr VHQ", "libsamplerate medium")
             if name in report["resampler"]["rates"][rates[0]]]  # fmt: skip
    for index, name in enumerate(names):
        values = [report["resampler"]["rates"][rate_hz][name]["speed"] for rate_hz in rates]
        axes.bar(np.arange(len(rates)) + 0.8 * index / len(names), values, 0.8 / len(names), label=name)
    axes.set_xticks(np.arange(len(rates)) + 0.3, [f"{rate_hz / 1000:g} kHz" for rate_hz in rates])
    axes.set(ylabel="times real time", title="From Python, int16, blocks of 20 ms")
    axes.legend(fontsize=7)
    save(figure, folder / "dsp_speed.svg")


def response(rate_hz: int, quality: str) -> tuple[Any, Any]:
    """Return (Hz, dB): the transform of the impulse response at every phase, as the table holds it."""
    divisor = int(np.gcd(OUT_HZ, rate_hz))
    up, down = OUT_HZ // divisor, rate_hz // divisor
    length = 900
    rows = []
    for shift in range(down):  # each place in the period of the input shows other taps
        impulse = np.zeros(2 * length, np.float32)
        impulse[length - shift] = 1.0
        rows.append(dsp.resample(impulse, rate_hz, quality=quality))
    # input sample `length - shift` is seen by output n at the distance n down - (length - shift) up, in 1/(rate up) s
    taps: dict[int, float] = {}
    for shift, row in enumerate(rows):
        for n in np.nonzero(row)[0]:
            taps[int(n) * down - (length - shift) * up] = float(row[n])
    first = min(taps)
    dense = np.zeros(max(taps) - first + 1)
    for place, value in taps.items():
        dense[place - first] = value
    size = 1 << int(np.ceil(np.log2(len(dense) * 8)))
    spectrum = np.abs(np.fft.rfft(dense, size))
    frequencies_hz = np.fft.rfftfreq(size, 1 / (rate_hz * up))
    keep = frequencies_hz < 12_000
    step = max(1, int(keep.sum()) // 1_500)
    return frequencies_hz[keep][::step], 20 * np.log10(spectrum[keep][::step] / spectrum[0] + 1e-9)


def save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    print(f"wrote {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rates and coarse sweeps")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--speech", type=Path, help="folder with segments.tsv and its recordings")
    parser.add_argument("--ten", type=Path, help="folder with the test set of the TEN voice detector")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"machine": machine.describe(), "simd": dsp.simd_levels()}
    report["resampler"] = bench_resamplers(quick=arguments.quick)
    for word in report["resampler"]["missing"]:
        print(word)
    report["frontend"] = bench_frontend(5 if arguments.quick else 15)
    if arguments.speech:
        report["endpointer"] = bench_endpointer(arguments.speech, 700)
    if arguments.ten:
        report["padded"] = bench_padded(arguments.ten)
    draw(report, arguments.out)
    (arguments.out / "dsp.json").write_text(json.dumps(report, indent=1, default=float) + "\n", encoding="utf-8")
    print(f"wrote {arguments.out / 'dsp.json'}")


if __name__ == "__main__":
    main()
