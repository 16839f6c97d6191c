"""The C core against its peers, in one run: resampling, and the whole front end.

    python -m benchmarks.bench_dsp [--quick] [--out FOLDER]

Prints tables and writes FOLDER/dsp.json and pictures (where matplotlib is installed). Peers that are not installed are
left out with a word: soxr, samplerate (libsamplerate), av (swresample), libspeexdsp, scipy.

Speed is audio seconds per second of processor time of this thread, the median of rounds that take turns among all
candidates, so that a busy machine slows all of them alike. Latency is the time of the input that has been fed less the
time of the newest output sample. "Ideal" is the sine's own samples resampled without error by a transform of a whole
number of its periods, and rounded: what int16 can hold at most. Voice detectors are compared in bench_vad.py,
segments with labels in bench_endpointer.py.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from asr_trio.audio import dsp
from asr_trio.audio.core import ffi, lib
from asr_trio.audio.endpointer import fill_config
from benchmarks import machine
from benchmarks.resamplers import OUT_HZ, Block, Maker, candidates

BLOCK_S = 0.02
RATES_HZ = (8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def whole_file(make: Maker, samples: Block, rate_hz: int) -> Block:
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


def ideal_sinad_db(rate_hz: int) -> float:
    """SINAD of 997 Hz at -1 dBFS, rounded, resampled without error and rounded again."""
    samples = sine(997, rate_hz, 32767 * 10 ** (-1 / 20))
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(OUT_HZ // 2 + 1, complex)
    bins = min(len(spectrum), len(kept))
    kept[:bins] = spectrum[:bins]
    measured, rest = fit(np.tile(np.rint(np.fft.irfft(kept, OUT_HZ) * OUT_HZ / rate_hz), 2), 997)
    return db(measured / np.sqrt(2) / rest)


def quality_of(make: Maker, rate_hz: int, points: int) -> dict[str, float]:
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


def latency_of(make: Maker, rate_hz: int) -> list[float]:
    """Return the latency behind each block of the steady state, in ms: input held back, and output that comes late."""
    click = np.zeros(rate_hz, np.int16)
    click[rate_hz // 5] = 20_000
    late_s = int(np.abs(whole_file(make, click, rate_hz).astype(int)).argmax()) / OUT_HZ - 0.2
    process = make(rate_hz)
    fed = made = 0
    latencies_ms = []
    for index, block in enumerate(blocks_of(np.zeros(rate_hz * 4, np.int16), rate_hz)):
        fed += len(block)
        made += len(process(block))
        if index >= 50:
            latencies_ms.append(1_000 * (fed / rate_hz - made / OUT_HZ + late_s))
    return latencies_ms


def speeds(makers: dict[str, Maker], rate_hz: int, rounds: int) -> dict[str, float]:
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
        rows["ideal, rounded"] = {"sinad_db": ideal_sinad_db(rate_hz)}
        report["rates"][rate_hz] = rows
        print_resamplers(rate_hz, rows)
    return report


def print_resamplers(rate_hz: int, rows: dict[str, dict[str, Any]]) -> None:
    print(f"\n{rate_hz} Hz -> {OUT_HZ} Hz, int16, 20 ms blocks")
    columns = [
        ("x real time", "speed", ".0f"), ("latency ms", "latency_ms", ".1f"), ("(max)", "latency_max_ms", ".1f"),
        ("SINAD dB", "sinad_db", ".1f"), ("0.1 dB edge", "edge_of_nyquist", ".2f"),
        ("spurious dB", "spurious_db", ".1f"), ("alias dB", "alias_db", ".1f"),
    ]  # fmt: skip
    print(f"{'':34}" + "".join(f"{title:>12}" for title, _, _ in columns))
    for name, row in rows.items():
        cells = [format(row[key], form) if key in row and row[key] == row[key] else "-" for _, key, form in columns]
        print(f"{name:34}" + "".join(f"{cell:>12}" for cell in cells))


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
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"machine": machine.describe(), "simd": dsp.simd_levels()}
    report["resampler"] = bench_resamplers(quick=arguments.quick)
    for word in report["resampler"]["missing"]:
        print(word)
    report["frontend"] = bench_frontend(5 if arguments.quick else 15)
    draw(report, arguments.out)
    (arguments.out / "dsp.json").write_text(json.dumps(report, indent=1, default=float) + "\n", encoding="utf-8")
    print(f"wrote {arguments.out / 'dsp.json'}")


if __name__ == "__main__":
    main()
