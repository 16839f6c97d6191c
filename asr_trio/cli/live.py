"""Showing a live recognition on a terminal: partial hypotheses in place, events and results as lines."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterable, Mapping
from typing import TextIO

from asr_trio import client
from asr_trio.cli import formats
from asr_trio.protocol.results import SegmentResult


class Display:
    """Writes events with their time since the start of the audio."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._start_s = time.monotonic()
        self._shown = ""

    def start(self) -> None:
        """Take now as time zero."""
        self._start_s = time.monotonic()

    def line(self, text: str) -> None:
        """Write a line with its time, over a partial hypothesis if one is shown."""
        self._erase()
        self._stream.write(f"{time.monotonic() - self._start_s:7.2f} s  {text}\n")
        self._stream.flush()

    def partial(self, text: str) -> None:
        """Show a partial hypothesis: in place on a terminal, as a line elsewhere."""
        if not self._live:
            self.line(f"partial          {text}")
            return
        self._erase()
        self._shown = f"{time.monotonic() - self._start_s:7.2f} s  … {text}"[-200:]
        self._stream.write(self._shown)
        self._stream.flush()

    def _erase(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._shown = ""


async def show(
    session: client.Session,
    audio: AsyncIterable[bytes],
    display: Display,
    *,
    lm: list[client.LanguageModel],
    parameters: Mapping[str, str],
    content_type: str,
) -> list[SegmentResult]:
    """Recognise `audio`, show what happens, and return the results."""
    results: list[SegmentResult] = []
    display.start()
    async for event in session.recognize(audio, lm=lm, parameters=dict(parameters), content_type=content_type):
        match event:
            case client.SpeechStarted():
                display.line("start of speech")
            case client.SpeechEnded():
                display.line("end of speech")
            case client.PartialResult(result=result):
                display.partial(formats.text_of(result))
            case client.FinalResult(result=result):
                results.append(result)
                display.line(describe(result))
    return results


def describe(result: SegmentResult) -> str:
    """Return one line that says what a result says."""
    if not result.alternatives:
        return f"{result.result_status}"
    best = result.alternatives[0]
    meanings = "".join(f"  → {meaning.value!r}" for meaning in best.interpretations if meaning.value != best.text)
    return f"{result.result_status}       {best.text}  ({best.score} %){meanings}"
