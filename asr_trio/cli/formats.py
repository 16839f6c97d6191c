"""Transcripts as text, JSON, subtitles and Praat TextGrids. Pure: results in, text out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from asr_trio.protocol.results import SegmentResult

Format: TypeAlias = Literal["txt", "json", "srt", "vtt", "textgrid"]

SUFFIXES: Final[dict[Format, str]] = {
    "txt": ".txt",
    "json": ".json",
    "srt": ".srt",
    "vtt": ".vtt",
    "textgrid": ".TextGrid",
}


def text_of(segment: SegmentResult) -> str:
    """Return the best text of a segment, or ""."""
    return segment.alternatives[0].text if segment.alternatives else ""


def as_txt(segments: Sequence[SegmentResult]) -> str:
    """One line a segment."""
    return "".join(f"{text_of(segment)}\n" for segment in segments if segment.alternatives)


def as_json(segments: Sequence[SegmentResult]) -> str:
    """A list of result documents, as the protocol has them."""
    return json.dumps([to_builtins(segment) for segment in segments], ensure_ascii=False, indent=2) + "\n"


def to_builtins(segment: SegmentResult) -> dict[str, Any]:
    """Return a result as plain dicts and lists."""
    document: dict[str, Any] = msgspec.to_builtins(segment)
    return document


def _clock(seconds: float, separator: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{separator}{milliseconds:03}"


def as_srt(segments: Sequence[SegmentResult]) -> str:
    """SubRip subtitles."""
    spoken = [segment for segment in segments if segment.alternatives]
    return "".join(
        f"{number}\n{_clock(segment.start_time, ',')} --> {_clock(segment.end_time, ',')}\n{text_of(segment)}\n\n"
        for number, segment in enumerate(spoken, start=1)
    )


def as_vtt(segments: Sequence[SegmentResult]) -> str:
    """WebVTT subtitles."""
    spoken = (segment for segment in segments if segment.alternatives)
    return "WEBVTT\n\n" + "".join(
        f"{_clock(segment.start_time, '.')} --> {_clock(segment.end_time, '.')}\n{text_of(segment)}\n\n"
        for segment in spoken
    )


def as_textgrid(segments: Sequence[SegmentResult]) -> str:
    """A Praat TextGrid (long form) with a tier of utterances and a tier of words.

    Tiers must cover the time line without holes, so pauses become empty intervals.
    """
    spoken = [segment for segment in segments if segment.alternatives]
    end_s = max((segment.end_time for segment in segments), default=0.0)
    utterances = [(segment.start_time, segment.end_time, text_of(segment)) for segment in spoken]
    words = [
        (word.start_time, word.end_time, word.text) for segment in spoken for word in segment.alternatives[0].words
    ]
    tiers = [("utterances", _without_holes(utterances, end_s)), ("words", _without_holes(words, end_s))]
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end_s:.3f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers, start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end_s:.3f}", f"        intervals: size = {len(intervals)}"]
        for index, (start, end, text) in enumerate(intervals, start=1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{index}]:", f"            xmin = {start:.3f}"]
            lines += [f"            xmax = {end:.3f}", f'            text = "{quoted}"']
    return "\n".join(lines) + "\n"


def _without_holes(intervals: list[tuple[float, float, str]], end_s: float) -> list[tuple[float, float, str]]:
    whole: list[tuple[float, float, str]] = []
    position_s = 0.0
    for start, end, text in intervals:
        if start > position_s:
            whole.append((position_s, start, ""))
        whole.append((max(start, position_s), end, text))
        position_s = end
    if position_s < end_s or not whole:
        whole.append((position_s, end_s, ""))
    return whole


WRITERS: Final[dict[Format, Callable[[Sequence[SegmentResult]], str]]] = {
    "txt": as_txt,
    "json": as_json,
    "srt": as_srt,
    "vtt": as_vtt,
    "textgrid": as_textgrid,
}
