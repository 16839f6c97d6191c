"""The body of a RECOGNITION_RESULT as values: what the recogniser finds and the wire carries.

Times are seconds from the start of the audio stream of the recognition (not of the segment); scores are 0-100.
"""

from __future__ import annotations

from typing import Any

import msgspec

from asr_trio.protocol.messages import ResultStatus


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One recognised word; times increase strictly from word to word."""

    text: str
    score: int
    start_time: float
    end_time: float


class Interpretation(msgspec.Struct, frozen=True, kw_only=True):
    """A semantic result: any JSON value (a string for literal tags) and its score."""

    value: Any
    score: int


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One hypothesis for a segment."""

    text: str
    score: int
    lm: str = ""
    words: tuple[Word, ...] = ()
    interpretations: tuple[Interpretation, ...] = ()


class SegmentResult(msgspec.Struct, frozen=True, kw_only=True):
    """A whole result document.

    Attributes:
        alternatives: best first; empty for anything but RECOGNIZED and PROCESSING.
        segment_index: counts segments of one recognition from 0.
        last_segment: no further result follows.
        final_result: False only for partial results.
        start_time: start of the segment, margins included.
        end_time: its end, margins included.
    """

    result_status: ResultStatus
    alternatives: tuple[Alternative, ...] = ()
    segment_index: int = 0
    last_segment: bool = True
    final_result: bool = True
    start_time: float = 0.0
    end_time: float = 0.0
