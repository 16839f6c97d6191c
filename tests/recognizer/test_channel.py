"""What is learnt of a caller: mean, band, voice."""

from __future__ import annotations

import numpy as np
import pytest

from asr_trio.recognizer.channel import WARP_FRAMES, Bands, Channel
from asr_trio.recognizer.features import WARPS, FrontEnd, SegmentFeatures, read_parameters
from asr_trio.recognizer.models import package_model_folder
from tests.recognizer.test_features import BANDS, front_end, noise


def known_channel() -> Channel:
    channel = Channel(front_end(), BANDS)
    channel.decide(np.ones((1, 25)))
    return channel


def test_running_mean_converges_to_the_mean_of_the_channel() -> None:
    channel = known_channel()
    shifted = np.random.default_rng(2).normal(5.0, 1.0, (4000, 1, 13))
    for at in range(0, 4000, 6):
        last = channel.subtract_mean(shifted[at : at + 6])
    assert abs(last.mean()) < 0.3


def test_channel_travels_as_bytes_and_rubbish_starts_afresh() -> None:
    channel = known_channel()
    channel.subtract_mean(np.ones((300, 1, 13)) * 7)
    frame = np.ones((1, 1, 13))
    again = Channel(front_end(), BANDS, state=channel.to_bytes())
    np.testing.assert_array_equal(again.subtract_mean(frame), channel.subtract_mean(frame))
    for rubbish in (b"", b"\xff\xff"):
        assert not Channel(front_end(), BANDS, state=rubbish).is_known


@pytest.mark.parametrize(("cutoff_hz", "narrow"), [(8000, False), (5500, False), (4000, True), (3400, True)])
def test_band_is_told_by_the_audio(cutoff_hz: float, narrow: bool) -> None:
    spectrum = np.fft.rfft(np.frombuffer(noise(16000), "<i2").astype(float))
    spectrum[np.fft.rfftfreq(16000, 1 / 16000) > cutoff_hz] = 0
    pcm = np.fft.irfft(spectrum).astype("<i2").tobytes()
    channel = Channel(front_end(), BANDS)
    features = SegmentFeatures(front_end(), channel)
    assert len(features.feed(pcm[: 32000 // 4])) == 0
    assert len(features.feed(pcm[32000 // 4 :])) + len(features.finish()) == 99
    assert Channel(front_end(), BANDS, state=channel.to_bytes()).to_bytes() == channel.to_bytes()
    assert channel.is_known
    assert channel._narrow is narrow


def test_the_next_segment_outweighs_what_is_carried_over() -> None:
    channel = known_channel()
    channel.subtract_mean(np.zeros((1000, 1, 13)))
    channel.end_segment()
    channel.subtract_mean(np.ones((150, 1, 13)))
    assert channel.mean[0, 0] == pytest.approx(0.5)


def voice_front_end() -> FrontEnd:
    return FrontEnd(read_parameters(str(package_model_folder() / "en-us")), WARPS)


def hears(channel: Channel, warp: float, *, frames: int, gain: float) -> None:
    """Let one warp fit better by so much a frame."""
    channel.compare_warps(np.tile(np.where(np.array(WARPS) == warp, gain, 0.0), (frames, 1)))


def voice_channel(bands: Bands = BANDS, *, narrow: bool = False) -> Channel:
    channel = Channel(voice_front_end(), bands)
    mel = np.ones((1, 25))
    if narrow:
        mel[:, voice_front_end().above_telephone] = 0.0
    channel.decide(mel)
    return channel


def test_the_warp_that_fits_is_chosen_once_it_gains_enough() -> None:
    channel = voice_channel()
    hears(channel, 1.08, frames=10, gain=0.1)  # not against the prior of two steps
    assert channel.warp == WARPS.index(1.0)
    hears(channel, 1.08, frames=60, gain=0.1)
    assert channel.warp == WARPS.index(1.08)
    hears(channel, 1.08, frames=10, gain=0.1)  # the whole segment anew, not more of it
    assert channel.warp == WARPS.index(1.0)


def test_what_was_compared_adds_up_over_segments_and_is_settled_between_them() -> None:
    channel = voice_channel()
    channel.subtract_mean(np.arange(7.0)[None, :, None] * np.ones((100, 7, 13)))
    for settled in (False, True):
        hears(channel, 1.04, frames=WARP_FRAMES // 2, gain=0.02)
        assert not channel.is_settled
        channel.end_segment()
        assert channel.is_settled is settled
    assert (channel.warp, channel.row) == (WARPS.index(1.04), 0)
    assert channel.mean.shape == (1, 13)
    assert channel.mean[0, 0] == pytest.approx(4 * 100 / 130)
    again = Channel(voice_front_end(), BANDS, state=channel.to_bytes())
    assert (again.warp, again.warps, again.to_bytes()) == (channel.warp, channel.warps, channel.to_bytes())


def test_a_caller_is_trusted_whose_voice_is_settled_and_who_was_heard_for_a_while() -> None:
    channel = voice_channel()
    channel.subtract_mean(np.zeros((200, 7, 13)))
    assert not channel.is_trusted
    hears(channel, 1.04, frames=WARP_FRAMES, gain=0.02)
    channel.end_segment()
    assert channel.is_trusted
    assert Channel(voice_front_end(), BANDS, state=channel.to_bytes()).is_trusted
    short = voice_channel(narrow=True)
    assert short.is_settled
    assert not short.is_trusted


def test_an_open_voice_travels_as_bytes_too() -> None:
    channel = voice_channel()
    hears(channel, 0.92, frames=50, gain=1.0)
    channel.end_segment()
    again = Channel(voice_front_end(), BANDS, state=channel.to_bytes())
    assert not again.is_settled
    assert (again.warp, again.to_bytes()) == (WARPS.index(0.92), channel.to_bytes())
    assert not Channel(front_end(), BANDS, state=channel.to_bytes()).is_known  # of another front end


@pytest.mark.parametrize("bands", [BANDS, Bands(BANDS.wide, BANDS.wide)])
@pytest.mark.parametrize("narrow", [False, True])
def test_the_voice_cannot_be_told_over_a_telephone(bands: Bands, narrow: bool) -> None:
    channel = voice_channel(bands, narrow=narrow)
    channel.subtract_mean(np.ones((50, 7, 13)))
    for _ in range(2):
        assert channel.is_settled is narrow
        channel.end_segment()
        channel = Channel(voice_front_end(), bands, state=channel.to_bytes())
    assert channel.warps == (slice(3, 4) if narrow else slice(0, 7))
    assert WARPS[channel.warp] == 1.0
