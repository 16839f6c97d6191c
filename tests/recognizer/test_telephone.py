"""Cepstra of telephone speech: the network, its stream, and how it finds its way into a recognition."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from asr_trio.recognizer.bands import model_bands
from asr_trio.recognizer.channel import Bands, Channel
from asr_trio.recognizer.features import WARPS, FrontEnd, SegmentFeatures, read_parameters
from asr_trio.recognizer.models import package_model_folder
from asr_trio.recognizer.telephone import Layer, Telephone, TelephoneNetwork, TelephoneStream
from asr_trio.settings import ModelSettings
from tests.recognizer.test_features import front_end, twin_levels

FILTERS, REACH = 5, 2


def package_bands() -> Bands:
    return model_bands(ModelSettings(), 13)


def small_network() -> TelephoneNetwork:
    rng = np.random.default_rng(3)
    inputs = FILTERS * (2 * REACH + 1)
    sizes = [(inputs, 8), (8, 4), (4 + inputs, 3)]
    layers = [Layer.of(rng.normal(0, 1, size), rng.normal(0, 1, size[1])) for size in sizes]
    return TelephoneNetwork(mean=[0.0] * FILTERS, reach=REACH, layers=layers)


def small_levels(frames: int) -> np.ndarray:
    return np.random.default_rng(4).normal(0, 2, (frames, FILTERS)).astype(np.float32)


def slowly(network: TelephoneNetwork, levels: np.ndarray) -> np.ndarray:
    """Return what the network makes of whole levels, frame by frame and in double precision."""
    cepstra = []
    for frame in range(len(levels)):
        near = np.clip(np.arange(frame - REACH, frame + REACH + 1), 0, len(levels) - 1)
        inputs = values = levels[near].astype(float).ravel()
        for layer in network.layers[:-1]:
            weights, biases = layer.arrays()
            values = np.maximum(0.0, values @ weights.astype(float) + biases)
        weights, biases = network.layers[-1].arrays()
        cepstra.append(np.concatenate([values, inputs]) @ weights.astype(float) + biases)
    return np.array(cepstra)


def test_a_layer_is_kept_within_half_a_step() -> None:
    weights = np.random.default_rng(5).normal(0, 1, (6, 3)) * [0.01, 1, 100]
    weights[:, 1] = 0.0
    kept, biases = Layer.of(weights, np.array([1.0, -2.0, 0.5])).arrays()
    assert (kept.dtype, biases.tolist()) == (np.float32, [1.0, -2.0, 0.5])
    assert (np.abs(kept - weights) <= np.abs(weights).max(axis=0) / 127 * 0.501 + 1e-9).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("block", [1, 3, 6, 100])
def test_a_stream_gives_what_the_network_makes_of_the_whole(frames: int, block: int) -> None:
    network, levels = small_network(), small_levels(frames)
    stream = TelephoneStream(Telephone(network))
    fed = [stream.feed(levels[at : at + block]) for at in range(0, frames, block)]
    assert sum(map(len, fed)) == max(0, frames - REACH)
    np.testing.assert_allclose(np.concatenate([*fed, stream.finish()]), slowly(network, levels), rtol=1e-4, atol=1e-3)


def test_a_stream_of_nothing_ends_with_nothing() -> None:
    assert TelephoneStream(Telephone(small_network())).finish().shape == (0, 3)


def test_the_network_of_the_package_is_small_and_fits_its_model() -> None:
    assert len(resources.files("asr_trio.recognizer").joinpath("telephone.json").read_bytes()) <= 60_000
    band = package_bands().narrow
    assert band.telephone is not None
    assert len(band.mean) == front_end().telephone_filters
    frames = 2 * band.telephone.reach + 3
    assert band.telephone.cepstra(np.zeros((frames, len(band.mean)), np.float32)).shape == (3, 13)


def telephone_noise(seconds: float) -> bytes:
    spectrum = np.fft.rfft(np.random.default_rng(6).normal(0, 3000, int(16_000 * seconds)))
    spectrum[np.fft.rfftfreq(int(16_000 * seconds), 1 / 16_000) > 3400] = 0
    return np.fft.irfft(spectrum).astype("<i2").tobytes()


def voice_front_end() -> FrontEnd:
    return FrontEnd(read_parameters(str(package_model_folder() / "en-us")), WARPS)


@pytest.mark.parametrize("make", [front_end, voice_front_end])
def test_over_a_telephone_the_levels_of_the_filters_that_hear_come(make) -> None:
    tables = make()
    channel = Channel(tables, package_bands())
    features = SegmentFeatures(tables, channel)
    pcm = telephone_noise(1.0)
    assert channel.telephone is None
    found = np.concatenate([features.feed(pcm[:20_000]), features.feed(pcm[20_000:])])
    assert channel.telephone is package_bands().narrow.telephone
    wanted = twin_levels(pcm, tables, tables.plain, tables.telephone_filters)
    np.testing.assert_allclose(found[:, 0], wanted, atol=1e-3)
    assert channel.subtract_mean(found).shape == found.shape


def test_a_telephone_is_known_again_with_its_mean() -> None:
    tables = voice_front_end()
    channel = Channel(tables, package_bands())
    channel.subtract_mean(SegmentFeatures(tables, channel).feed(telephone_noise(1.0)))
    for _ in range(2):
        again = Channel(tables, package_bands(), state=channel.to_bytes())
        assert again.telephone is channel.telephone is not None
        np.testing.assert_array_equal(again.mean, channel.mean)
        channel.end_segment()


def test_another_model_takes_a_telephone_as_it_comes(tmp_path) -> None:
    bands = model_bands(ModelSettings(acoustic=tmp_path), 13)
    assert (bands.narrow.telephone, len(bands.narrow.mean)) == (None, 13)


def test_sound_that_is_wide_never_meets_the_network() -> None:
    tables = front_end()
    channel = Channel(tables, package_bands())
    pcm = np.random.default_rng(6).normal(0, 3000, 16_000).astype("<i2").tobytes()
    assert SegmentFeatures(tables, channel).feed(pcm).shape == (98, 1, 13)
    assert channel.telephone is None
