"""The endpointer on recorded speech with labelled utterances, and on recordings without any."""

from __future__ import annotations

import csv
from collections import defaultdict

import pytest

from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.audio.frontend import EndpointerSettings, Frontend, SpeechEnd, SpeechStart

pytestmark = pytest.mark.shared

LABEL_S = 0.03
"""How exact the labels are."""
SLACK_S = 0.15
"""How much more than its margins a segment may hold."""
WAIT_END_MS = 700
"""Less than the shortest gap between utterances."""


def segments(path, settings):
    reader = AudioReader(default_format=AudioFormat("pcm_s16", 16_000))
    samples = reader.feed(path.read_bytes(), last=True)
    frontend = Frontend(reader.format, settings)
    events = frontend.process(samples) + frontend.flush()
    starts = [event.start_s for event in events if isinstance(event, SpeechStart)]
    ends = [event.end_s for event in events if isinstance(event, SpeechEnd)]
    return list(zip(starts, ends, strict=True))


@pytest.mark.parametrize("name", ["libri8629_0_clean", "libri8629_1_clean", "libri8629_2_clean", "libri8629_2_tel"])
def test_every_utterance_is_one_segment_within_its_margins(shared, name):
    labels = defaultdict(list)
    with (shared / "data/long/segments.tsv").open() as table:
        for row in csv.DictReader(table, delimiter="\t"):
            labels[row["file"]].append((float(row["start_s"]), float(row["end_s"])))
    settings = EndpointerSettings(continuous=True, wait_end_ms=WAIT_END_MS)
    found = segments(shared / f"data/long/wav/{name}.wav", settings)
    expected = labels[f"wav/{name}.wav"]
    assert len(found) == len(expected)
    for (start_s, end_s), (label_start_s, label_end_s) in zip(found, expected, strict=True):
        assert label_start_s - 0.2 - SLACK_S <= start_s <= label_start_s + LABEL_S
        assert label_end_s - LABEL_S <= end_s <= label_end_s + 0.4 + SLACK_S


def test_short_pauses_stay_inside_the_segment_with_the_default_wait(shared):
    found = segments(shared / "data/long/wav/libri8629_shortpauses_clean.wav", EndpointerSettings(continuous=True))
    assert len(found) == 1


@pytest.mark.parametrize("name", ["digital_zero_10s", "dither_minus80_10s", "cpqd_silence_8k_15s", "dtmf_5_tones"])
def test_silence_and_tones_are_no_speech(shared, name):
    assert segments(shared / f"data/nospeech/wav/{name}.wav", EndpointerSettings(continuous=True)) == []
