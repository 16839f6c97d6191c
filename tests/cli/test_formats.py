"""Transcripts in every format, from one pair of results."""

from __future__ import annotations

import json

from asr_trio.cli import formats
from asr_trio.protocol.messages import ResultStatus
from asr_trio.protocol.results import Alternative, SegmentResult, Word

WORDS = (
    Word(text="turn", score=90, start_time=0.5, end_time=0.8),
    Word(text='"on"', score=80, start_time=0.9, end_time=1.0),
)
SEGMENTS = [
    SegmentResult(
        result_status=ResultStatus.RECOGNIZED,
        alternatives=(Alternative(text='turn "on"', score=85, lm="builtin:slm/general", words=WORDS),),
        start_time=0.3,
        end_time=1.4,
    ),
    SegmentResult(result_status=ResultStatus.NO_MATCH, segment_index=1, start_time=2.0, end_time=2.5),
    SegmentResult(
        result_status=ResultStatus.RECOGNIZED,
        alternatives=(Alternative(text="off", score=70),),
        segment_index=2,
        start_time=3661.0,
        end_time=3662.9996,
    ),
]


def test_text_has_a_line_per_recognised_segment() -> None:
    assert formats.as_txt(SEGMENTS) == 'turn "on"\noff\n'


def test_json_holds_every_result_with_its_words() -> None:
    documents = json.loads(formats.as_json(SEGMENTS))
    assert [document["result_status"] for document in documents] == ["RECOGNIZED", "NO_MATCH", "RECOGNIZED"]
    assert documents[0]["alternatives"][0]["words"][1]["end_time"] == 1.0


def test_srt_numbers_only_what_was_said_and_rounds_times_up_into_the_next_second() -> None:
    assert formats.as_srt(SEGMENTS) == (
        '1\n00:00:00,300 --> 00:00:01,400\nturn "on"\n\n2\n01:01:01,000 --> 01:01:03,000\noff\n\n'
    )


def test_vtt_begins_with_its_header_and_uses_points() -> None:
    assert formats.as_vtt(SEGMENTS[:1]) == 'WEBVTT\n\n00:00:00.300 --> 00:00:01.400\nturn "on"\n\n'


def test_textgrid_covers_the_time_line_without_holes_and_doubles_quotes() -> None:
    grid = formats.as_textgrid(SEGMENTS[:1])
    lines = [line.strip() for line in grid.splitlines()]
    assert 'text = "turn ""on"""' in lines
    starts = [line.split(" = ")[1] for line in lines if line.startswith("xmin")]
    ends = [line.split(" = ")[1] for line in lines if line.startswith("xmax")]
    words_start = len(starts) - 5  # "", turn, "", on, ""
    assert starts[words_start + 1 :] == ends[words_start:-1]
    assert (starts[words_start], ends[-1]) == ("0.000", "1.400")


def test_a_transcript_of_nothing_is_still_a_valid_document() -> None:
    assert formats.as_txt([]) == formats.as_srt([]) == ""
    assert formats.as_json([]) == "[]\n"
    assert formats.as_vtt([]) == "WEBVTT\n\n"
    assert "intervals: size = 1" in formats.as_textgrid([])
