"""The voice detectors: against a NumPy twin that reads the same table, and by what they must and must not hear."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from asr_trio.audio.dsp import Vad, VadMode, ffi, lib

FRAME = 160
RATE = 16_000
WEIGHTS = Path(__file__).parents[2] / "csrc" / "src" / "vad_weights.c"
UNIT = 4096.0
AUDIBLE = 11.0

Pcm = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


def speech_probabilities(pcm: Pcm) -> Floats:
    """One probability for each 10 ms of a recording."""
    vad = Vad()
    return np.concatenate([vad.process(pcm), vad.flush()])[: len(pcm) // FRAME].astype(np.float64)


def calls(pcm: Pcm) -> Floats:
    """What the core answers to each frame, look-ahead and all."""
    vad = Vad()
    return np.concatenate([np.zeros(vad.lookahead_frames), vad.process(pcm)]).astype(np.float64)


# ---- the twin ------------------------------------------------------------


@cache
def table(name: str) -> Floats:
    """Read one array of vad_weights.c."""
    match = re.search(rf"{name}(?:\[[^\]]*\])+ = \{{(.*?)\}};", WEIGHTS.read_text(), re.DOTALL)
    assert match, name
    return np.array([float(text) for text in re.findall(r"-?\d[\d.e+-]*", match[1])])


@cache
def matrix(name: str) -> tuple[Floats, Floats, Floats]:
    """Weights as [outputs, inputs], scales, biases."""
    scale, bias = table(f"{name}_scale"), table(f"{name}_bias")
    return table(f"{name}_weight").reshape(-1, len(scale), 2).transpose(1, 0, 2).reshape(len(scale), -1), scale, bias


def product(name: str, fixed: Floats) -> Floats:
    """int8 matrix times int16 vector, scaled."""
    weight, scale, bias = matrix(name)
    return (weight @ fixed) * scale + bias


def fix(values: Floats) -> Floats:
    """Round to 12 fractional bits in 16."""
    return np.clip(np.rint(values * UNIT), -32768, 32767)


def sigmoid(x: Floats) -> Floats:
    """Logistic function."""
    return 1 / (1 + np.exp(-x))


def recur(name: str, inputs: Floats, state: Floats) -> Floats:
    """One step of a gated recurrent layer."""
    of_input, of_state = (
        np.split(product(f"{name}_input", inputs), 3),
        np.split(product(f"{name}_state", fix(state)), 3),
    )
    reset, keep = sigmoid(of_input[0] + of_state[0]), sigmoid(of_input[1] + of_state[1])
    fresh = np.tanh(of_input[2] + reset * of_state[2])
    return fresh + keep * (state - fresh)


def mel_bands() -> list[Floats]:
    """32 triangles from 60 to 7600 Hz, each with unit sum, over the bins of a 512-point transform."""
    edges = np.linspace(*(2595 * np.log10(1 + hz / 700) for hz in (60.0, 7600.0)), 34)
    edges_hz = 700 * (10 ** (edges / 2595) - 1)
    bins_hz = np.arange(257) * RATE / 512
    triangles = [np.interp(bins_hz, edges_hz[i : i + 3], [0, 1, 0], left=0, right=0) for i in range(32)]
    return [triangle / triangle.sum() for triangle in triangles]


def twin_features(pcm: Pcm) -> tuple[Floats, Floats]:
    """[frames, 36]: bands, level, peak, voicing, period; and [frames, 32]: floors."""
    count = len(pcm) // FRAME
    padded = np.concatenate([np.zeros(352), pcm.astype(np.float64)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 512)[::FRAME][:count]
    power = np.square(np.abs(np.fft.rfft(windows * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)))))
    energy = power @ np.array(mel_bands()).T
    bands, level = np.log2(energy / 16 + 1), np.log2(energy.mean(axis=1) / 16 + 1)
    even = np.zeros((count, 256))
    even[:, 2:64] = np.sqrt(power[:, 2:64])
    even[:, 193:255] = even[:, 63:1:-1]
    lags = np.fft.fft(even).real
    rows, best = np.arange(count), lags[:, 20:107].argmax(axis=1) + 20
    before, at, after = lags[rows, best - 1], lags[rows, best], lags[rows, best + 1]
    bend = before - 2 * at + after
    shift = np.where(bend < -1e-6, 0.5 * (before - after) / np.minimum(bend, -1e-6), 0).clip(-0.5, 0.5)
    voicing = np.maximum(at - 0.25 * (before - after) * shift, 0) / (lags[:, 0] + 64)
    peak, floor = np.zeros(count), np.zeros((count, 32))
    for t in range(count):
        if t < 4:
            peak[t], floor[t] = level[t], bands[t]
            continue
        peak[t] = max(level[t], peak[t - 1] - 0.01)
        gap = bands[t] - floor[t - 1]
        floor[t] = floor[t - 1] + np.where(gap < 0, 0.25 * gap, np.minimum(gap, 0.01))
    return np.column_stack([bands, level, peak, voicing, np.log2((best + shift) / 8)]), floor


def twin(pcm: Pcm) -> Floats:
    """What the C core's calls answer, computed from the definition."""
    frames, floors = twin_features(pcm)
    padded = np.concatenate([np.zeros((2, 36)), frames])
    answer_weight = table("asr_vad_answer_weight").reshape(2, -1)
    first, second = np.zeros(len(matrix("vad_first_input")[1]) // 3), np.zeros(len(matrix("vad_second_input")[1]) // 3)
    answers = [0.0]  # the step of frames 0 and 1 answers with the call of frame 1
    for step in range(len(frames) // 2):
        inputs = np.concatenate([padded[2 * step : 2 * step + 4].ravel(), floors[2 * step + 1]])
        fixed = fix((inputs - table("asr_vad_input_mean")) * table("asr_vad_input_scale"))
        hidden = fix(np.maximum(product("vad_dense", fixed), 0))
        first = recur("vad_first", hidden, first)
        second = recur("vad_second", fix(first), second)
        answer = sigmoid(answer_weight @ np.concatenate([first, second]) + table("asr_vad_answer_bias"))
        audible = padded[2 * step : 2 * step + 4, 32].max() >= AUDIBLE
        answers += list(answer if audible else 0.5 * answer)
    answers[:3] = [0.0, 0.0, 0.0]
    return np.array(answers[: len(frames)])


def buzz(seconds: float, level_db: float, seed: int = 1) -> Pcm:
    """A voice-like sound: a gliding pulse train through two resonances, in syllables, over a little noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    phase = np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * t)) / RATE
    sound = np.zeros(len(t))
    for k in range(1, 25):
        hz = 120.0 * k
        gain = 1 / (1 + ((hz - 600) / 150) ** 2) + 0.5 / (1 + ((hz - 1700) / 250) ** 2)
        sound += gain * np.cos(2 * np.pi * k * phase)
    sound *= np.clip(np.sin(2 * np.pi * 2.5 * t) * 2 + 0.8, 0, 1)
    sound = sound / np.abs(sound).max() + 0.001 * rng.standard_normal(len(t))
    return np.rint(sound * 32767 * 10 ** (level_db / 20)).clip(-32768, 32767).astype(np.int16)


@pytest.mark.parametrize("level_db", [-3, -30, -60])
def test_learned_detector_equals_its_twin_within_0_002(level_db: float) -> None:
    pcm = buzz(3.0, level_db)
    np.testing.assert_allclose(calls(pcm), twin(pcm), atol=0.002)


def test_twin_holds_on_noise_and_digital_silence() -> None:
    rng = np.random.default_rng(3)
    pcm = np.concatenate([np.zeros(8000), rng.standard_normal(16000) * 800, np.zeros(8000)]).astype(np.int16)
    np.testing.assert_allclose(calls(pcm), twin(pcm), atol=0.002)


# ---- the interface ------------------------------------------------------------


@pytest.mark.parametrize("mode", ["learned", "energy"])
def test_probabilities_lie_between_0_and_1_and_repeat_after_reset(mode: VadMode) -> None:
    vad = Vad(mode)
    pcm = np.concatenate([buzz(1.0, -20), np.full(1600, 32767, np.int16), np.full(1600, -32768, np.int16)])
    first = vad.process(pcm)
    vad.reset()
    assert np.array_equal(vad.process(pcm), first)
    assert first.min() >= 0
    assert first.max() <= 1


def test_learned_detector_answers_30_ms_late() -> None:
    vad = Vad()
    assert vad.lookahead_frames == 3
    assert len(vad.process(buzz(0.2, -10))) == 17
    assert len(vad.flush()) == 3


def test_learned_detector_hears_no_further_than_its_lookahead() -> None:
    pcm = buzz(1.0, -20)
    changed = pcm.copy()
    changed[50 * FRAME :] = 0
    assert np.array_equal(speech_probabilities(pcm)[:47], speech_probabilities(changed)[:47])


def test_state_fits_in_4_kib() -> None:
    assert lib.asr_vad_size(lib.ASR_VAD_LEARNED) <= 4096


@pytest.mark.parametrize(
    ("memory", "size", "mode", "status"),
    [
        (None, 1 << 16, 0, "ASR_E_MEMORY"),
        ("some", 8, 0, "ASR_E_MEMORY"),
        ("some", 1 << 16, 7, "ASR_E_ARGUMENT"),
        ("some", 1 << 16, -1, "ASR_E_ARGUMENT"),
    ],
)
def test_init_refuses(memory: Any, size: int, mode: int, status: str) -> None:
    held = ffi.new("double[]", 1 << 13)
    assert lib.asr_vad_init(ffi.NULL if memory is None else held, size, ffi.cast("asr_vad_mode", mode)) == getattr(
        lib, status
    )


def test_process_refuses_null() -> None:
    held, answer, frame = ffi.new("double[]", 1 << 13), ffi.new("float *"), ffi.new("int16_t[160]")
    assert lib.asr_vad_init(held, 1 << 16, lib.ASR_VAD_LEARNED) == lib.ASR_OK
    vad = ffi.cast("asr_vad *", held)
    for arguments in ((ffi.NULL, frame, answer), (vad, ffi.NULL, answer), (vad, frame, ffi.NULL)):
        assert lib.asr_vad_process(*arguments) == lib.ASR_E_ARGUMENT


# ---- what it hears ------------------------------------------------------------


def sounds() -> dict[str, Pcm]:
    """Four seconds each of what is no speech."""
    rng = np.random.default_rng(5)
    t = np.arange(4 * RATE) / RATE
    ring = (np.sin(2 * np.pi * 440 * t) + np.sin(2 * np.pi * 480 * t)) * (t % 3 < 2)
    digits = sum(np.sin(2 * np.pi * hz * t) for hz in (770, 1336)) * (t % 0.2 < 0.1)
    made = {
        "digital silence": 0 * t,
        "one bit of dither": np.sign(rng.standard_normal(len(t))) / 32768,
        "white noise -60 dBFS": rng.standard_normal(len(t)) * 0.001,
        "white noise -26 dBFS": rng.standard_normal(len(t)) * 0.05,
        "hum": 0.05 * np.sin(2 * np.pi * 50 * t) + 0.02 * np.sin(2 * np.pi * 150 * t),
        "ring-back": 0.1 * ring,
        "DTMF": 0.1 * np.asarray(digits),
        "offset": 0 * t + 0.1,
    }
    return {name: np.rint(x * 32767).clip(-32768, 32767).astype(np.int16) for name, x in made.items()}


@pytest.mark.parametrize("name", list(sounds()))
def test_less_than_a_tenth_of_what_is_no_speech_is_taken_for_it(name: str) -> None:
    assert (speech_probabilities(sounds()[name]) > 0.5).mean() < 0.1


def auc(scores: Floats, labels: npt.NDArray[np.bool_]) -> float:
    """Probability that a frame of speech scores above one without."""
    ranks = np.argsort(np.argsort(scores, kind="stable")) + 1
    positives = labels.sum()
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * (~labels).sum()))


@pytest.mark.shared
@pytest.mark.parametrize(("gain_db", "least"), [(0, 0.93), (-30, 0.85)])
def test_read_speech_scores_above_its_pauses(shared: Path, gain_db: float, least: float) -> None:
    soundfile = pytest.importorskip("soundfile")
    folder = shared / "data" / "free"
    words: dict[str, list[tuple[float, float]]] = {}
    with (folder / "words_8629.tsv").open(newline="") as table_file:
        for row in csv.DictReader(table_file, delimiter="\t"):
            words.setdefault(row["path"], []).append((float(row["start_s"]), float(row["end_s"])))
    scores, labels = [], []
    for path, spans in list(words.items())[:6]:
        pcm, _ = soundfile.read(folder / path, dtype="int16")
        score = speech_probabilities(np.rint(pcm * 10 ** (gain_db / 20)).astype(np.int16))
        label = np.zeros(len(score), bool)
        for start_s, end_s in spans:
            label[round(start_s * 100) : round(end_s * 100)] = True
        scores.append(score)
        labels.append(label)
    assert auc(np.concatenate(scores), np.concatenate(labels)) > least
