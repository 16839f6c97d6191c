"""The NumPy classes beside the resampler: framer, voice detector, endpointer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_trio.audio.container import AudioFormat
from asr_trio.dsp import Endpointer, EndpointerSettings, Framer, Frontend, SpeechAudio, SpeechStart, Vad
from tests.audio.signals import noise, pcm16, sentence


def int16(samples):
    return np.frombuffer(pcm16(samples), "<i2")


SENTENCE = int16(sentence())
SIZES = st.lists(st.integers(1, 6_000), min_size=1, max_size=8)


def split(sizes):
    """Cut the sentence into parts of these sizes, over and over."""
    edges = itertools.takewhile(lambda edge: edge < len(SENTENCE), itertools.accumulate(itertools.cycle(sizes)))
    return np.split(SENTENCE, list(edges))


def twin_log_mel(samples, *, frame=400, hop=160, bands=40, low_hz=20.0, high_hz=7600.0, pre_emphasis=0.97):
    """Log-mel energies in double precision, written from the definition."""
    fft_size = 512
    mel = lambda hz: 1127 * np.log(1 + np.asarray(hz) / 700)  # noqa: E731
    centres = np.linspace(mel(low_hz), mel(high_hz), bands + 2)
    bins = mel(np.arange(fft_size // 2 + 1) * 16_000 / fft_size)
    weights = np.maximum(0, 1 - np.abs(bins[None] - centres[1:-1, None]) / (centres[1] - centres[0]))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(frame) + 0.5) / frame)
    padded = np.concatenate([[0], samples]) / 32768
    rows = []
    for start in range(0, len(samples) - frame + 1, hop):
        cut = padded[start : start + frame + 1] - padded[start + 1 : start + frame + 1].mean()
        power = np.abs(np.fft.rfft((cut[1:] - pre_emphasis * cut[:-1]) * window, fft_size)) ** 2
        rows.append(np.log(weights @ power + 1e-10))
    return np.array(rows)


def test_log_mel_agrees_with_its_twin_within_2e_3():
    rows, _ = Framer().process(SENTENCE)
    np.testing.assert_allclose(rows, twin_log_mel(SENTENCE.astype(float)), atol=2e-3)


@pytest.mark.parametrize("frame_samples", [3, 8, 160, 1000, 4096])
def test_spectrum_of_every_size_agrees_with_numpy_within_1e_4(frame_samples):
    """One band over everything sees all bins of the transform."""
    samples = np.random.default_rng(2).integers(-20_000, 20_000, frame_samples).astype(np.int16)
    framer = Framer(
        frame_samples=frame_samples, pre_emphasis=0, remove_offset=False, hann_window=False, mel_bands=1, mel_low_hz=0,
        mel_high_hz=8_000,
    )  # fmt: skip
    rows, levels = framer.process(samples)
    size = max(8, 1 << (frame_samples - 1).bit_length())
    power = np.abs(np.fft.rfft(samples / 32768, size)) ** 2
    mel = 1127 * np.log(1 + np.arange(size // 2 + 1) * 16_000 / size / 700)
    half = mel[-1] / 2
    expected = np.log(np.sum(np.maximum(0, 1 - np.abs(mel - half) / half) * power) + 1e-10)
    assert rows[0, 0] == pytest.approx(expected, abs=1e-4)
    assert levels[0] == pytest.approx(10 * np.log10(2 * np.mean((samples / 32768) ** 2) + 1e-10), abs=1e-3)


def test_frames_are_the_samples_themselves():
    framer = Framer(
        frame_samples=160, hop_samples=200, pre_emphasis=0, remove_offset=False, hann_window=False, mel_bands=0
    )
    rows, _ = framer.process(SENTENCE[:1000])
    for index, row in enumerate(rows):
        np.testing.assert_array_equal(row, SENTENCE[200 * index : 200 * index + 160] / np.float32(32768))
    assert len(rows) == 5


def test_offset_is_removed():
    framer = Framer(frame_samples=160, pre_emphasis=0, hann_window=False, mel_bands=0)
    rows, levels = framer.process(np.full(480, 1234, np.int16))
    assert np.abs(rows).max() < 1e-6
    assert levels == pytest.approx([-100.0] * 3)


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 1_500), min_size=1, max_size=10))
@pytest.mark.parametrize("hop_samples", [100, 160, 400, 700])
def test_frames_do_not_depend_on_how_the_input_is_split(hop_samples, sizes):
    whole, whole_levels = Framer(hop_samples=hop_samples).process(SENTENCE[: sum(sizes)])
    framer = Framer(hop_samples=hop_samples)
    parts = [framer.process(SENTENCE[a:b]) for a, b in itertools.pairwise(itertools.accumulate([0, *sizes]))]
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in parts]), whole)
    np.testing.assert_array_equal(np.concatenate([levels for _, levels in parts]), whole_levels)


def test_framer_can_begin_again():
    framer = Framer()
    first, _ = framer.process(SENTENCE[:1000])
    framer.reset()
    np.testing.assert_array_equal(framer.process(SENTENCE[:1000])[0], first)


@pytest.mark.parametrize(
    "options", [{"frame_samples": 0}, {"mel_high_hz": 9_000}, {"pre_emphasis": 1.0}, {"mel_bands": 500}]
)
def test_impossible_framing_is_refused(options):
    with pytest.raises(ValueError, match="range"):
        Framer(**options)


@pytest.mark.parametrize("mode", ["learned", "energy"])
def test_vad_tells_speech_from_noise(mode):
    vad = Vad(mode)
    probabilities = np.concatenate([vad.process(SENTENCE), vad.flush()])
    assert len(probabilities) == len(SENTENCE) // 160
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert probabilities[110:210].mean() > 0.6
    assert probabilities[30:90].mean() < 0.2
    assert probabilities[260:].mean() < 0.2


@pytest.mark.parametrize("mode", ["learned", "energy"])
@settings(max_examples=20, deadline=None)
@given(sizes=SIZES)
def test_vad_does_not_depend_on_how_the_input_is_split(mode, sizes):
    whole = Vad(mode).process(SENTENCE)
    vad = Vad(mode)
    np.testing.assert_array_equal(np.concatenate([vad.process(part) for part in split(sizes)]), whole)
    vad.reset()
    np.testing.assert_array_equal(vad.process(SENTENCE), whole)


def marks_and_audio(events):
    """Return (events without audio, all audio): how audio is divided into events depends on the calls."""
    audio = b"".join(event.pcm for event in events if isinstance(event, SpeechAudio))
    return [event for event in events if not isinstance(event, SpeechAudio)], audio


def test_endpointer_and_frontend_find_the_same():
    settings_ = EndpointerSettings(continuous=True)
    endpointer, frontend = Endpointer(settings_), Frontend(AudioFormat("pcm_s16", 16_000), settings_)
    assert marks_and_audio(endpointer.process(SENTENCE)) == marks_and_audio(frontend.process(SENTENCE.tobytes()))
    assert endpointer.flush() == frontend.flush()
    assert endpointer.position_s == frontend.position_s == len(SENTENCE) / 16_000


@settings(max_examples=20, deadline=None)
@given(sizes=SIZES)
def test_segments_do_not_depend_on_how_the_input_is_split(sizes):
    whole = marks_and_audio(Endpointer().process(SENTENCE))
    endpointer = Endpointer()
    parts = [endpointer.process(part) for part in split(sizes)]
    assert marks_and_audio(list(itertools.chain.from_iterable(parts))) == whole
    assert isinstance(whole[0][0], SpeechStart)


def test_auto_level_hears_the_background():
    background = noise(4, amplitude=100)
    background[16_000:35_000] += sentence()[16_000:35_000]
    loud, quiet = int16(background), int16(background * 0.02)
    auto = EndpointerSettings(level_mode=1, level_threshold=1.0)
    assert any(isinstance(event, SpeechStart) for event in Endpointer(auto).process(loud))
    assert not any(isinstance(event, SpeechStart) for event in Endpointer(auto).process(quiet))
