from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pocketsphinx
import pytest

from asr_trio.errors import AcousticModelError
from asr_trio.recognizer.channel import Band, Bands, Channel
from asr_trio.recognizer.features import (
    FFT_SIZE,
    FeatureParameters,
    FrontEnd,
    SegmentFeatures,
    read_parameters,
    with_deltas,
)
from asr_trio.recognizer.guarded import GuardedDecoder
from asr_trio.recognizer.models import package_model_folder
from tests.recognizer.audio import read_pcm

BANDS = Bands(wide=Band([0.0] * 13), narrow=Band([1.0] * 13))


def front_end() -> FrontEnd:
    return FrontEnd(read_parameters(str(package_model_folder() / "en-us")))


def noise(samples: int) -> bytes:
    return np.random.default_rng(1).normal(0, 3000, samples).astype("<i2").tobytes()


def cepstra(pcm: bytes, block_bytes: int) -> np.ndarray:
    features = SegmentFeatures(front_end(), Channel(front_end(), BANDS))
    blocks = [features.feed(pcm[at : at + block_bytes]) for at in range(0, len(pcm), block_bytes)]
    return np.concatenate([*blocks, features.finish()])[:, 0]


def test_parameters_of_the_package_model() -> None:
    parameters = read_parameters(str(package_model_folder() / "en-us"))
    assert (parameters.nfilt, parameters.upperf, parameters.transform) == (25, 6800.0, "dct")
    assert parameters.remove_noise


@pytest.mark.parametrize("block_bytes", [320, 1000, 32000])
def test_blocks_of_any_size_give_the_same_frames(block_bytes: int) -> None:
    pcm = noise(16000)
    whole = cepstra(pcm, len(pcm))
    assert whole.shape == (99, 13)
    np.testing.assert_array_equal(cepstra(pcm, block_bytes), whole)


def twin(pcm: bytes, tables: FrontEnd, warp: int) -> np.ndarray:
    """Return cepstra as they are defined, in double precision, of the frames that are whole."""
    n_filters = tables.parameters.nfilt
    orders = np.arange(tables.parameters.ncep)
    cosines = np.cos(np.pi / n_filters * np.outer(np.arange(n_filters) + 0.5, orders)) * np.sqrt(2 / n_filters)
    cosines[:, 0] /= np.sqrt(2)
    lifter = tables.parameters.lifter
    cosines *= 1 + lifter / 2 * np.sin(orders * np.pi / lifter)
    return np.asarray(twin_levels(pcm, tables, warp, n_filters) @ cosines)


def twin_levels(pcm: bytes, tables: FrontEnd, warp: int, n_filters: int) -> np.ndarray:
    """Return the logarithms of the energies of the lowest filters less their noise."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    emphasised = samples - tables.parameters.alpha * np.concatenate([[0.0], samples[:-1]])
    windows = np.lib.stride_tricks.sliding_window_view(emphasised, tables.window_samples)[::160]
    hamming = np.hamming(tables.window_samples)
    mel = np.abs(np.fft.rfft(windows * hamming, FFT_SIZE)) ** 2 @ tables.filters[warp][:, :n_filters]
    power, noise, floor, peak = mel[0], mel[0] / 20, mel[0] / 20, np.zeros(len(mel[0]))
    clean = np.empty_like(mel)
    for number, energies in enumerate(mel):
        power = 0.7 * power + 0.3 * energies
        noise = noise + (power - noise) * np.where(power >= noise, 0.005, 0.5)
        signal = np.maximum(power - noise, 1.0)
        floor = floor + (signal - floor) * np.where(signal >= floor, 0.005, 0.5)
        peak = 0.85 * peak
        heard = np.where(signal < 0.85 * peak, 0.2 * peak, signal)
        peak = np.maximum(peak, signal)
        gains = np.clip(np.maximum(heard, floor) / power, 1 / 20, 20)
        for band in range(len(gains)):
            clean[number, band] = energies[band] * gains[max(0, band - 4) : band + 5].mean()
    return np.asarray(np.log(clean + 1e-4))


@pytest.mark.parametrize("warps", [(1.0,), (0.9, 1.0)])
def test_cepstra_are_those_of_their_definition_within_a_thousandth(warps: tuple[float, ...]) -> None:
    tables = FrontEnd(read_parameters(str(package_model_folder() / "en-us")), warps)
    loud, rng = np.repeat([30, 3000, 100, 8000, 1], 4000), np.random.default_rng(2)
    pcm = (rng.normal(0, 1, len(loud)) * loud).clip(-32768, 32767).astype("<i2").tobytes()
    features = SegmentFeatures(tables, Channel(tables, BANDS))
    found = features.feed(pcm)
    assert found.dtype == np.float32
    for warp in range(len(warps)):
        wanted = twin(pcm, tables, warp)
        assert wanted.std() > 5
        np.testing.assert_allclose(found[:, warp], wanted, atol=1e-3)


def test_deltas_follow_the_definition() -> None:
    ramp = np.arange(20.0, dtype=np.float32)[:, None] ** 2
    features = with_deltas(ramp)
    assert features.shape == (20, 3)
    assert features[10].tolist() == [100.0, 12.0**2 - 8.0**2, (13.0**2 - 9.0**2) - (11.0**2 - 7.0**2)]


@pytest.mark.parametrize("text", ["-feat s3_1x39", "-agc max", "-transform wavelet", "-nfft 1024", "-wlen 0.04"])
def test_front_end_that_is_not_ours_is_refused(tmp_path, text: str) -> None:
    (tmp_path / "feat.params").write_text(text)
    with pytest.raises(AcousticModelError):
        FrontEnd(read_parameters(str(tmp_path)))


@pytest.mark.shared
def test_words_have_the_times_that_the_front_end_of_the_decoder_gives(shared: Path) -> None:
    folder = package_model_folder()
    options = {"hmm": str(folder / "en-us"), "dict": str(folder / "cmudict-en-us.dict"), "lm": None, "bestpath": False}
    theirs, ours = pocketsphinx.Decoder(loglevel="FATAL", **options), GuardedDecoder(n_cepstra=13, options=options)
    words = ["and", "gradually", "as", "i", "did", "so"]
    arcs = [(number, number + 1, 1.0, word) for number, word in enumerate(words)]
    theirs.add_fsg("g", theirs.create_fsg("g", 0, len(words), arcs))
    fsg = f"FSG_BEGIN g\nN {len(words) + 1}\nS 0\nF {len(words)}\n"
    fsg += "".join(f"T {number} {number + 1} 1 {word}\n" for number, word in enumerate(words)) + "FSG_END\n"
    ours.add_graph("g", fsg)
    theirs.activate_search("g")
    ours.activate("g")
    pcm = read_pcm(shared / "data" / "free" / "flac" / "libri-clean-8629-261140-0000.flac")[: 2 * 32000]
    theirs.start_utt()
    for at in range(0, len(pcm), 1920):
        theirs.process_raw(pcm[at : at + 1920])
    theirs.end_utt()
    ours.start()
    ours.process(cepstra_without_mean(pcm) - np.array([40, 3, -1] + [0] * 10, dtype=np.float32))
    ours.end()
    wanted = [(segment.word, segment.start_frame) for segment in theirs.seg() if segment.start_frame >= 0]
    found = [(segment.word, segment.start) for segment in ours.segments()]
    assert len(found) > len(words)
    assert [word for word, _ in found] == [word for word, _ in wanted]
    assert all(abs(here - there) <= 1 for (_, here), (_, there) in zip(found, wanted, strict=True))


def cepstra_without_mean(pcm: bytes) -> np.ndarray:
    features = SegmentFeatures(front_end(), Channel(front_end(), BANDS))
    return np.concatenate([features.feed(pcm), features.finish()])[:, 0].astype(np.float32)


def test_defaults_are_those_of_the_decoder() -> None:
    config = pocketsphinx.Config()
    for name in ("nfilt", "transform", "lifter", "alpha", "wlen", "ncep", "remove_noise", "remove_dc", "doublebw"):
        ours, theirs = getattr(FeatureParameters(), name), config[name]
        assert ours == pytest.approx(theirs) if isinstance(theirs, float) else ours == theirs, name


def test_a_warped_mel_scale_puts_a_tone_where_the_plain_one_has_a_lower_one() -> None:
    stretched = FrontEnd(read_parameters(str(package_model_folder() / "en-us")), warps=(1.0, 1.1))
    bins_hz = np.arange(FFT_SIZE // 2 + 1) * 16_000 / FFT_SIZE
    centres = [np.average(bins_hz, weights=filters[:, 12]) for filters in (stretched.filters[0], stretched.filters[1])]
    assert centres[1] / centres[0] == pytest.approx(1.1, abs=0.02)


def test_a_warp_that_would_leave_the_audio_is_left_out() -> None:
    parameters = msgspec.structs.replace(FeatureParameters(), upperf=7600.0)
    assert FrontEnd(parameters, warps=(0.9, 1.0, 1.04, 1.1)).warps == (0.9, 1.0, 1.04)


def test_deltas_of_several_warps_are_those_of_each() -> None:
    several = np.random.default_rng(3).normal(size=(30, 2, 13)).astype(np.float32)
    together = with_deltas(several)
    assert together.shape == (30, 2, 39)
    np.testing.assert_array_equal(together[:, 1], with_deltas(several[:, 1]))
