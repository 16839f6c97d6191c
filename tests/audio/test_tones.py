"""Telephone tones never start speech, and dialled keys are told."""

from __future__ import annotations

import numpy as np
import pytest

from asr_trio.audio.container import AudioFormat
from asr_trio.audio.dsp import ulaw_encode
from asr_trio.audio.frontend import Dtmf, EndpointerSettings, Frontend, SpeechEnd, SpeechStart
from tests.audio.signals import noise, pcm16, sentence

KEYS_HZ = {
    key: (row_hz, column_hz)
    for row_hz, keys in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for key, column_hz in zip(keys, (1209, 1336, 1477, 1633), strict=True)
}

CALL_PROGRESS = {
    "ring_back_us": ((440, 480), 2.0, 1.0),
    "busy_us": ((480, 620), 0.5, 0.5),
    "dial_us": ((350, 440), 2.0, 0.5),
    "ring_back_eu": ((425,), 1.0, 1.0),
    "busy_br": ((425,), 0.25, 0.25),
    "ring_back_uk": ((400, 450), 0.4, 0.2),
    "special_information": ((950,), 0.33, 0.03),
    "fax_calling": ((1100,), 0.5, 1.0),
    "modem_answer": ((2100,), 2.0, 0.2),
    "bell_answer": ((2225,), 2.0, 0.2),
}


def tone(frequencies_hz, seconds, rate_hz, *, amplitude=1500.0):
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return sum(amplitude * np.sin(2 * np.pi * frequency_hz * t + frequency_hz) for frequency_hz in frequencies_hz)


def listen(samples, rate_hz=8_000, *, mulaw=False, tones=True):
    settings = EndpointerSettings(continuous=True, use_tone_detectors=tones)
    data = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    frontend = Frontend(AudioFormat("mulaw" if mulaw else "pcm_s16", rate_hz, 1), settings)
    return frontend.process(ulaw_encode(data) if mulaw else data.tobytes()) + frontend.flush()


def keys(events):
    return "".join(event.digit for event in events if isinstance(event, Dtmf))


def dial(digits, rate_hz, *, on_s=0.07, off_s=0.06, off_frequency=0.0):
    parts = [noise(0.5, rate_hz)]
    for digit in digits:
        frequencies_hz = [frequency_hz * (1 + off_frequency) for frequency_hz in KEYS_HZ[digit]]
        parts += [tone(frequencies_hz, on_s, rate_hz), np.zeros(int(off_s * rate_hz))]
    samples = np.concatenate([*parts, np.zeros(rate_hz)])
    return samples + noise(len(samples) / rate_hz + 0.001, rate_hz, seed=5)[: len(samples)]


@pytest.mark.parametrize(("rate_hz", "mulaw"), [(8_000, True), (8_000, False), (16_000, False)])
@pytest.mark.parametrize("off_frequency", [-0.015, 0.0, 0.015])
def test_every_key_is_told_and_none_starts_speech(rate_hz, mulaw, off_frequency):
    digits = "".join(KEYS_HZ) + "0055"
    events = listen(dial(digits, rate_hz, off_frequency=off_frequency), rate_hz, mulaw=mulaw)
    assert keys(events) == digits
    assert len(events) == len(digits)


def test_key_has_its_times_within_20_ms():
    (event,) = listen(dial("7", 8_000, on_s=0.2), 8_000)
    assert event.start_s == pytest.approx(0.5, abs=0.02)
    assert event.end_s == pytest.approx(0.7, abs=0.02)


def test_key_that_the_end_of_the_audio_cuts_is_told():
    assert keys(listen(tone(KEYS_HZ["3"], 0.3, 8_000))) == "3"


@pytest.mark.parametrize("pair_hz", [(697, 1270), (735, 1209), (697, 1100)])
def test_other_pairs_are_no_keys(pair_hz):
    assert keys(listen(np.concatenate([tone(pair_hz, 0.3, 8_000), np.zeros(8_000)]))) == ""


@pytest.mark.parametrize(("rate_hz", "mulaw"), [(8_000, True), (16_000, False)])
@pytest.mark.parametrize("name", CALL_PROGRESS)
def test_call_progress_never_starts_speech(name, rate_hz, mulaw):
    frequencies_hz, on_s, off_s = CALL_PROGRESS[name]
    cadence = [tone(frequencies_hz, on_s, rate_hz), np.zeros(int(off_s * rate_hz))] * int(5 / (on_s + off_s))
    samples = np.concatenate([np.zeros(rate_hz), *cadence])
    samples = samples + noise(len(samples) / rate_hz + 0.001, rate_hz, amplitude=30)[: len(samples)]
    assert listen(samples, rate_hz, mulaw=mulaw) == []


def test_speech_after_a_tone_is_found():
    events = listen(np.concatenate([tone((425,), 1.0, 16_000), sentence()]), 16_000)
    start, *_, end = (event for event in events if isinstance(event, SpeechStart | SpeechEnd))
    assert start.start_s == pytest.approx(2.0 - 0.2, abs=0.08)
    # the loud tone leaves the learned detector unsure of the noise
    assert end.end_s == pytest.approx(3.2 + 0.4, abs=0.4)


def test_tone_after_speech_ends_the_segment():
    samples = np.concatenate([sentence(trail_s=0.3), tone((425,), 3.0, 16_000)])
    ends = [event for event in listen(samples, 16_000) if isinstance(event, SpeechEnd)]
    assert [end.reason for end in ends] == ["silence"]
    assert ends[0].decided_s < 2.2 + 0.3 + 1.2


def test_without_tone_detectors_no_key_is_told():
    assert keys(listen(dial("159#", 8_000), 8_000, tones=False)) == ""


def test_speech_is_no_tone():
    data = sentence(speech_s=5)
    assert pcm16(data)
    assert listen(data, 16_000) == listen(data, 16_000, tones=False)
