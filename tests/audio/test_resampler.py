"""The resampler's numbers, each in the name of its test, against sines fitted by least squares and a NumPy twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_trio.audio.dsp import Resampler, resample, simd_levels
from asr_trio.errors import AudioFormatError

RATES_HZ = (8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000)
ODD_RATES_HZ = (7_999, 44_101)
OUT_HZ = 16_000
EDGE = 1_500  # samples at each end that the filter's start and end reach


def sine(frequency_hz, rate_hz, *, amplitude=16_384.0, seconds=1.0):
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(int(rate_hz * seconds)) / rate_hz)


def fit(samples, frequency_hz):
    """Return (amplitude of the sine, root mean square of everything else), both ends left out."""
    y = samples[EDGE:-EDGE].astype(float)
    t = 2 * np.pi * frequency_hz * np.arange(EDGE, EDGE + len(y)) / OUT_HZ
    base = np.stack([np.sin(t), np.cos(t), np.ones_like(t)], axis=1)
    weights, *_ = np.linalg.lstsq(base, y, rcond=None)
    return np.hypot(*weights[:2]), np.sqrt(np.mean((y - base @ weights) ** 2))


def db(ratio):
    return 20 * np.log10(max(ratio, 1e-12))


@pytest.mark.parametrize("rate_hz", RATES_HZ + ODD_RATES_HZ)
def test_passband_is_flat_within_0_1_db_to_0_90_of_nyquist_and_clean_to_minus_95_db(rate_hz):
    nyquist_hz = min(rate_hz, OUT_HZ) / 2
    for part in (0.03, 0.3, 0.5, 0.7, 0.85, 0.9):
        amplitude, rest = fit(resample(sine(part * nyquist_hz, rate_hz).astype(np.float32), rate_hz), part * nyquist_hz)
        assert abs(db(amplitude / 16_384)) < 0.1
        assert db(rest * np.sqrt(2) / 16_384) < -95


@pytest.mark.parametrize("rate_hz", [rate_hz for rate_hz in RATES_HZ + ODD_RATES_HZ if rate_hz > OUT_HZ])
def test_alias_rejection_is_95_db_from_nyquist_on(rate_hz):
    for frequency_hz in np.linspace(OUT_HZ / 2, rate_hz / 2, 12):
        samples = resample(sine(frequency_hz, rate_hz).astype(np.float32), rate_hz)[EDGE:-EDGE]
        assert db(np.std(samples) * np.sqrt(2) / 16_384) < -95


def ideal(samples, rate_hz):
    """Resample whole periods without error, by their spectrum."""
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(OUT_HZ // 2 + 1, complex)
    bins = min(len(spectrum), len(kept))
    kept[:bins] = spectrum[:bins]
    return np.fft.irfft(kept, OUT_HZ) * OUT_HZ / rate_hz


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_sinad_of_int16_is_that_of_an_ideal_resampler_within_0_1_db(rate_hz):
    """997 Hz at -1 dBFS. Rounded in and out, no resampler reaches 95 dB at 11.025, 12 and 22.05 kHz: int16 does not."""
    amplitude = 32_767 * 10 ** (-1 / 20)
    samples = np.rint(sine(997, rate_hz, amplitude=amplitude)).astype(np.int16)
    sinads_db = []
    for out in (resample(np.tile(samples, 3), rate_hz), np.tile(np.rint(ideal(samples, rate_hz)), 3)):
        measured, rest = fit(out, 997)
        sinads_db.append(db(measured / np.sqrt(2) / rest))
    ours_db, ideal_db = sinads_db
    assert ours_db > ideal_db - 0.1
    assert ours_db > 94


@pytest.mark.parametrize(("rate_hz", "limit_ms"), [(8_000, 9.0), (44_100, 4.2), (48_000, 4.2)])
def test_delay_is_within_its_limit(rate_hz, limit_ms):
    resampler = Resampler(rate_hz)
    assert 1_000 * resampler.delay_s <= limit_ms
    block = rate_hz // 50
    made = sum(len(resampler.process(np.zeros(block, np.int16))) for _ in range(10))
    assert (10 * 0.02 - made / OUT_HZ) * 1_000 <= limit_ms


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_output_is_aligned_with_the_input(rate_hz):
    click = np.zeros(rate_hz // 5, np.float32)
    click[rate_hz // 25] = 1.0
    out = resample(click, rate_hz)
    assert np.argmax(out) == OUT_HZ // 25
    assert len(out) == OUT_HZ // 5


@settings(max_examples=8, deadline=None)
@given(sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=12))
@pytest.mark.parametrize("simd", simd_levels())
@pytest.mark.parametrize("rate_hz", [7_999, 8_000, 11_025, 16_000, 24_000, 44_100, 48_000])
def test_output_is_bit_identical_however_the_input_is_split(rate_hz, simd, sizes):
    samples = np.random.default_rng(4).integers(-32768, 32768, sum(sizes) + 500).astype(np.int16)
    whole = Resampler(rate_hz, simd=simd)
    expected = np.concatenate([whole.process(samples), whole.flush()])
    split = Resampler(rate_hz, simd=simd)
    edges = np.cumsum([0, *sizes, 500])
    parts = [split.process(samples[a:b]) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate([*parts, split.flush()]), expected)
    assert len(expected) == -(-len(samples) * OUT_HZ // rate_hz)


@pytest.mark.parametrize("rate_hz", RATES_HZ + ODD_RATES_HZ)
def test_simd_levels_agree_within_1_lsb(rate_hz):
    samples = np.random.default_rng(5).integers(-32768, 32768, rate_hz).astype(np.int16)
    outputs = []
    for simd in simd_levels():
        resampler = Resampler(rate_hz, simd=simd)
        outputs.append(np.concatenate([resampler.process(samples), resampler.flush()]).astype(int))
    for other in outputs[1:]:
        assert np.abs(outputs[0] - other).max() <= 1


def test_twin_in_numpy_gives_the_same_within_1e_4():
    """48 kHz -> 16 kHz as one convolution in double precision with the impulse response that the core shows."""
    impulse = np.zeros(2_000, np.float32)
    impulse[999] = 1.0  # its time is output 333, so that the outputs sample the response at every third place ...
    rows = [resample(np.roll(impulse, -shift), 48_000) for shift in range(3)]  # ... and three of them show all of it
    response = np.stack(rows, axis=1).reshape(-1)[999 - 600 : 999 + 601].astype(float)
    samples = np.random.default_rng(6).normal(0, 1, 9_000).astype(np.float32)
    twin = np.convolve(samples.astype(float), response)[600 : 600 + len(samples)][::3]
    np.testing.assert_allclose(resample(samples, 48_000), twin, atol=1e-4)


def test_int16_is_rounded_half_to_even_and_saturated():
    loud = np.where(np.arange(4_000) % 40 < 20, 32767, -32768).astype(np.int16)
    out = resample(loud, 8_000)
    assert out.max() == 32767
    assert out.min() == -32768
    exact = resample((loud / 2).astype(np.float32), 8_000)
    rounded = resample((loud / 2).astype(np.int16), 8_000)
    np.testing.assert_array_equal(rounded, np.rint(resample(np.trunc(loud / 2).astype(np.float32), 8_000)))
    assert exact.dtype == np.float32


@pytest.mark.parametrize("rate_hz", [44_100, OUT_HZ])
def test_not_a_number_does_not_stay(rate_hz):
    samples = np.zeros(4_000, np.float32)
    samples[7] = np.nan
    samples[9] = np.inf
    assert np.isfinite(resample(samples, rate_hz)).all()


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_other_qualities_pass_speech_unchanged(quality):
    for rate_hz in (8_000, 44_100, 48_000):
        amplitude, _ = fit(resample(sine(1_000, rate_hz).astype(np.float32), rate_hz, quality=quality), 1_000)
        assert abs(db(amplitude / 16_384)) < 0.02
    assert (
        Resampler(8_000, quality="fast").delay_s < Resampler(8_000).delay_s < Resampler(8_000, quality="best").delay_s
    )


def test_any_rational_pair():
    for in_hz, out_hz in [(16_000, 8_000), (16_000, 48_000), (8_000, 44_100), (12_345, 54_321), (192_000, 16_000)]:
        count = in_hz // 2
        t = np.arange(count) / in_hz
        out = resample(np.sin(2 * np.pi * 440 * t).astype(np.float32), in_hz, out_hz)
        assert len(out) == -(-count * out_hz // in_hz)
        middle = slice(len(out) // 4, len(out) // 2)
        expected = np.sin(2 * np.pi * 440 * np.arange(len(out)) / out_hz)
        np.testing.assert_allclose(out[middle], expected[middle], atol=1e-4)


def test_equal_rates_change_nothing():
    samples = np.random.default_rng(7).integers(-32768, 32768, 999).astype(np.int16)
    np.testing.assert_array_equal(resample(samples, 16_000), samples)


def test_reset_begins_a_new_stream():
    samples = np.random.default_rng(8).integers(-32768, 32768, 3_000).astype(np.int16)
    resampler = Resampler(44_100)
    first = np.concatenate([resampler.process(samples), resampler.flush()])
    resampler.reset()
    np.testing.assert_array_equal(np.concatenate([resampler.process(samples), resampler.flush()]), first)


@pytest.mark.parametrize(("in_hz", "out_hz"), [(0, 16_000), (16_000, 0), (10**6, 16_000), (768_000, 1_000)])
def test_impossible_rates_are_refused(in_hz, out_hz):
    with pytest.raises(AudioFormatError):
        Resampler(in_hz, out_hz)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="int16 or float32"):
        Resampler(8_000).process(np.zeros(4))
    with pytest.raises(TypeError, match="int16 or float32"):
        Resampler(8_000).process(np.zeros((2, 2), np.int16))


def test_use_after_flush_is_refused():
    resampler = Resampler(8_000)
    resampler.flush()
    with pytest.raises(RuntimeError, match="state"):
        resampler.process(np.zeros(4, np.int16))
