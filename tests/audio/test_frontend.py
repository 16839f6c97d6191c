"""The front end: any packets in, the same segments out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_trio.audio.container import AudioFormat
from asr_trio.audio.frontend import (
    EndpointerSettings,
    Frontend,
    SpeechAudio,
    SpeechEnd,
    SpeechPause,
    SpeechResume,
    SpeechStart,
)
from asr_trio.errors import AudioFormatError
from tests.audio.signals import noise, pcm16, sentence

PCM_16K = AudioFormat("pcm_s16", 16_000, 1)
DEFAULT = EndpointerSettings()


def listen(data, audio_format=PCM_16K, endpointer=DEFAULT, *, packets=(640,), **options):
    """Return (events without audio, audio of each segment), the data cut into `packets` over and over."""
    frontend = Frontend(audio_format, endpointer, **options)
    events = []
    sizes = itertools.cycle(packets)
    position = 0
    while position < len(data):
        size = next(sizes)
        events += frontend.process(data[position : position + size])
        position += size
    events += frontend.flush()
    assert frontend.position_s == pytest.approx(
        len(data) / audio_format.frame_bytes / audio_format.sample_rate_hz, abs=1e-4
    )
    return split_audio(events)


def split_audio(events):
    marks, segments = [], []
    for event in events:
        if isinstance(event, SpeechAudio):
            segments[-1] += event.pcm
            continue
        marks.append(event)
        if isinstance(event, SpeechStart):
            segments.append(b"")
    return marks, segments


def bounds(marks):
    """Return the starts and ends among the marks."""
    return [mark for mark in marks if isinstance(mark, SpeechStart | SpeechEnd)]


def test_one_sentence_gives_one_segment_with_its_margins():
    marks, segments = listen(pcm16(sentence()))
    start, end = bounds(marks)
    assert isinstance(start, SpeechStart)
    assert isinstance(end, SpeechEnd)
    assert start.start_s == pytest.approx(1.0 - 0.2, abs=0.08)
    assert start.decided_s <= 1.0 + 0.2
    assert end.end_s == pytest.approx(2.2 + 0.4, abs=0.08)
    assert end.reason == "silence"
    assert end.decided_s == pytest.approx(2.2 + 1.0, abs=0.08)
    assert len(segments[0]) / 2 == round((end.end_s - start.start_s) * 16_000)


def test_segment_holds_the_very_samples_of_the_input():
    data = pcm16(sentence())
    marks, segments = listen(data)
    begin = 2 * round(marks[0].start_s * 16_000)
    assert segments[0] == data[begin : begin + len(segments[0])]


@settings(max_examples=25, deadline=None)
@given(packets=st.lists(st.integers(1, 5_000), min_size=1, max_size=8))
@pytest.mark.parametrize(
    ("encoding", "rate_hz"), [("mulaw", 8_000), ("pcm_s16", 44_100), ("pcm_s24", 48_000), ("pcm_s16", 16_000)]
)
def test_output_does_not_depend_on_how_the_input_is_split(encoding, rate_hz, packets):
    audio_format = AudioFormat(encoding, rate_hz, 1)
    data = np.random.default_rng(3).bytes(rate_hz // 3 * audio_format.frame_bytes)
    endpointer = EndpointerSettings(continuous=True, wait_end_ms=100, tail_margin_ms=50, max_segment_duration_ms=1000)
    assert listen(data, audio_format, endpointer, packets=packets) == listen(
        data, audio_format, endpointer, packets=(10**9,)
    )


def test_sentences_do_not_depend_on_how_the_input_is_split():
    data = pcm16(np.concatenate([sentence(8_000), sentence(8_000)]))
    audio_format = AudioFormat("pcm_s16", 8_000, 1)
    endpointer = EndpointerSettings(continuous=True)
    whole = listen(data, audio_format, endpointer, packets=(10**9,))
    assert [type(mark) for mark in bounds(whole[0])] == [SpeechStart, SpeechEnd] * 2
    for packets in [(320,), (3200,), (4096,), (1, 7, 333)]:
        assert listen(data, audio_format, endpointer, packets=packets) == whole


def test_simple_mode_ends_with_the_first_segment():
    data = pcm16(np.concatenate([sentence(), sentence()]))
    assert len(listen(data)[1]) == 1
    assert len(listen(data, endpointer=EndpointerSettings(continuous=True))[1]) == 2


def test_pause_shorter_than_wait_end_stays_inside_the_segment():
    data = pcm16(np.concatenate([sentence(trail_s=0.3), sentence(lead_s=0.3)]))
    marks, segments = listen(data, endpointer=EndpointerSettings(continuous=True))
    assert len(segments) == 1
    assert bounds(marks)[1].end_s == pytest.approx(1 + 1.2 + 0.6 + 1.2 + 0.4, abs=0.08)


def test_a_pause_is_told_before_the_wait_is_over_and_taken_back_when_speech_goes_on():
    data = pcm16(np.concatenate([sentence(trail_s=0.3), sentence(lead_s=0.3)]))
    marks, _ = listen(data, endpointer=EndpointerSettings(continuous=True))
    assert [type(mark) for mark in marks] == [SpeechStart, SpeechPause, SpeechResume, SpeechPause, SpeechEnd]
    _, first, resumed, second, end = marks
    assert first.decided_s == pytest.approx(2.2 + 0.25, abs=0.08)
    assert resumed.decided_s == pytest.approx(2.2 + 0.6, abs=0.1)
    assert second.decided_s == pytest.approx(end.decided_s - 1.0 + 0.25, abs=0.02)


def test_a_short_wait_tells_a_pause_after_half_of_it():
    marks, _ = listen(pcm16(sentence()), endpointer=EndpointerSettings(wait_end_ms=200))
    pause, end = marks[-2:]
    assert isinstance(pause, SpeechPause)
    assert end.decided_s - pause.decided_s == pytest.approx(0.1, abs=0.011)


@pytest.mark.parametrize("tail_margin_ms", [100, 400])
def test_audio_up_to_the_pause_is_given_out_before_it(tail_margin_ms):
    frontend = Frontend(PCM_16K, EndpointerSettings(tail_margin_ms=tail_margin_ms))
    events = frontend.process(pcm16(sentence()))
    (pause,) = (index for index, event in enumerate(events) if isinstance(event, SpeechPause))
    given_s = sum(len(event.pcm) for event in events[:pause] if isinstance(event, SpeechAudio)) / 32_000
    assert events[0].start_s + given_s == pytest.approx(events[pause].end_s)


def test_end_of_audio_inside_speech_ends_the_segment():
    marks, _ = listen(pcm16(sentence(trail_s=0.0)))
    assert marks[-1].reason == "audio_ended"
    assert marks[-1].end_s == pytest.approx(2.2, abs=0.02)


def test_without_endpointer_the_whole_audio_is_one_segment():
    data = pcm16(noise(0.505))
    marks, segments = listen(data, endpointer=EndpointerSettings(enabled=False))
    assert segments == [data]
    assert (marks[0].start_s, marks[1].end_s, marks[1].reason) == (0.0, 0.505, "audio_ended")


@pytest.mark.parametrize("endpointer", [DEFAULT, EndpointerSettings(enabled=False)])
def test_no_audio_gives_no_event(endpointer):
    assert listen(b"", endpointer=endpointer) == ([], [])


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "onset_s"), [("1688-142285-0005", 0.16), ("1688-142285-0007", 0.14), ("367-130732-0000", 0.0)]
)
def test_a_noisy_voice_in_a_line_that_opens_is_heard_from_its_beginning(shared, name, onset_s):
    samples, _ = soundfile.read(shared / "data" / "free" / "flac" / f"libri-other-{name}.flac", dtype="int16")
    events, _ = listen(bytes(32_000) + samples.tobytes())
    assert isinstance(events[0], SpeechStart)
    assert 1.0 - DEFAULT.head_margin_ms / 1000 <= events[0].start_s <= 1.0 + onset_s


@pytest.mark.shared
@pytest.mark.parametrize(("name", "end_s"), [("theo_02", 2.38), ("theo_08", 3.89), ("nicolas_10", 1.73)])
def test_the_wait_begins_within_40_ms_of_the_end_of_a_word_that_ends_in_silence(shared, name, end_s):
    samples, rate_hz = soundfile.read(shared / "data" / "digits_fsdd" / "wav" / f"str_{name}.wav", dtype="int16")
    silence = np.rint(noise(2.0, rate_hz, amplitude=2.0)).astype(np.int16)
    events, _ = listen(samples.tobytes() + silence.tobytes(), AudioFormat("pcm_s16", rate_hz))
    assert isinstance(events[-1], SpeechEnd)
    assert -0.02 <= events[-1].decided_s - end_s - DEFAULT.wait_end_ms / 1000 <= 0.04


def test_background_noise_is_no_speech():
    assert listen(pcm16(noise(4, amplitude=60)))[0] == []


def test_long_speech_is_cut_without_losing_a_sample():
    data = pcm16(sentence(speech_s=7))
    marks, segments = listen(data, endpointer=EndpointerSettings(continuous=True, max_segment_duration_ms=3000))
    ends = [mark for mark in marks if isinstance(mark, SpeechEnd)]
    starts = [mark for mark in marks if isinstance(mark, SpeechStart)]
    assert {end.reason for end in ends[:-1]} == {"max_segment"}
    assert len(ends) >= 3
    assert [start.start_s for start in starts[1:]] == [end.end_s for end in ends[:-1]]
    assert all(end.end_s - start.start_s <= 3.0 for start, end in zip(starts, ends, strict=True))
    begin = 2 * round(starts[0].start_s * 16_000)
    assert b"".join(segments) == data[begin : begin + sum(map(len, segments))]


def test_segment_after_a_cut_repeats_the_overlap():
    endpointer = EndpointerSettings(continuous=True, max_segment_duration_ms=4000, segment_overlap_ms=500)
    marks, _ = listen(pcm16(sentence(speech_s=7)), endpointer=endpointer)
    ends = [mark.end_s for mark in marks if isinstance(mark, SpeechEnd)]
    starts = [mark.start_s for mark in marks if isinstance(mark, SpeechStart)]
    assert starts[1] == pytest.approx(ends[0] - 0.5)


def test_loudness_threshold_keeps_quiet_speech_out():
    data = pcm16(sentence() * 0.1)
    assert len(listen(data, endpointer=EndpointerSettings(level_mode=2, level_threshold=0.1))[1]) == 1
    assert len(listen(data, endpointer=EndpointerSettings(level_mode=2, level_threshold=10.0))[1]) == 0
    assert len(listen(data, endpointer=EndpointerSettings(level_mode=0, level_threshold=10.0))[1]) == 1


@pytest.mark.parametrize(("auto_level_len_ms", "segments"), [(350, 0), (10_000, 1)])
def test_background_counts_once_it_has_been_listened_to(auto_level_len_ms, segments):
    """Speech of 4 % at most over noise of 2 %: too quiet by 3 % above the background, loud enough above nothing."""
    speech = sentence()
    noisy = speech + noise(len(speech) / 16_000 + 0.01, amplitude=800.0, seed=5)[: len(speech)]
    endpointer = EndpointerSettings(level_mode=1, level_threshold=3.0, auto_level_len_ms=auto_level_len_ms)
    assert len(listen(pcm16(noisy), endpointer=endpointer)[1]) == segments


def test_position_and_level_follow_the_stream():
    frontend = Frontend(PCM_16K, DEFAULT)
    tone = 16_384 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    frontend.process(pcm16(tone)[:16_001])
    assert frontend.position_s == pytest.approx(0.5, abs=0.04)
    assert frontend.level_dbfs == pytest.approx(-6.02, abs=0.1)


def test_every_encoding_carries_the_same_sentence():
    samples = sentence()
    integers = np.rint(samples).astype(np.int64)
    encoded = {
        "pcm_u8": (integers // 256 + 128).astype(np.uint8).tobytes(),
        "pcm_s24": b"".join(int(value * 256).to_bytes(3, "little", signed=True) for value in integers),
        "pcm_s32": (integers * 65536).astype("<i4").tobytes(),
        "float32": (integers / 32768).astype("<f4").tobytes(),
        "float64": (integers / 32768).astype("<f8").tobytes(),
    }
    expected = listen(pcm16(samples))
    for encoding, data in encoded.items():
        marks, segments = listen(data, AudioFormat(encoding, 16_000, 1))
        if encoding == "pcm_u8":
            assert len(segments) == 1
        else:
            assert (marks, segments) == expected


def test_first_of_many_channels_is_heard():
    left = np.rint(sentence()).astype("<i2")
    stereo = np.stack([left, np.full_like(left, 12_000)], axis=1).tobytes()
    assert listen(stereo, AudioFormat("pcm_s16", 16_000, 2), packets=(333,)) == listen(left.tobytes())


@pytest.mark.parametrize(("rate_hz", "channels"), [(0, 1), (999, 1), (400_000, 1), (16_000, 0), (16_000, 33)])
def test_impossible_format_is_refused(rate_hz, channels):
    with pytest.raises(AudioFormatError):
        Frontend(AudioFormat("pcm_s16", rate_hz, channels), DEFAULT)


def test_use_after_flush_is_refused():
    frontend = Frontend(PCM_16K, DEFAULT)
    frontend.flush()
    with pytest.raises(RuntimeError, match="state"):
        frontend.process(b"\0\0")
    with pytest.raises(RuntimeError, match="state"):
        frontend.flush()
