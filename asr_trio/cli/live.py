"""Showing a live recognition on a terminal: partial hypotheses in place, events and results as lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterable, Mapping
from typing import Any, Final, TextIO

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

    @property
    def elapsed_s(self) -> float:
        """Time since `start`."""
        return time.monotonic() - self._start_s

    def start(self) -> None:
        """Take now as time zero."""
        self._start_s = time.monotonic()

    def event(self, event: client.RecognitionEvent) -> None:
        """Show what has happened."""
        match event:
            case client.SpeechStarted():
                self.line("start of speech")
            case client.SpeechEnded():
                self.line("end of speech")
            case client.PartialResult(result=result):
                self.partial(formats.text_of(result))
            case client.FinalResult(result=result):
                self.line(describe(result))

    def line(self, text: str) -> None:
        """Write a line with its time, over a partial hypothesis if one is shown."""
        self._erase()
        self._stream.write(f"{self.elapsed_s:7.2f} s  {text}\n")
        self._stream.flush()

    def partial(self, text: str) -> None:
        """Show a partial hypothesis: in place on a terminal, as a line elsewhere."""
        if not self._live:
            self.line(f"partial          {text}")
            return
        self._erase()
        self._shown = f"{self.elapsed_s:7.2f} s  … {text}"[-200:]
        self._stream.write(self._shown)
        self._stream.flush()

    def _erase(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._shown = ""


class JsonLines(Display):
    """Writes each event as a line of JSON, for programs; remarks for people go to standard error."""

    _names: Final = {
        client.SpeechStarted: "speech-start",
        client.SpeechEnded: "speech-end",
        client.PartialResult: "partial",
        client.FinalResult: "result",
    }

    def event(self, event: client.RecognitionEvent) -> None:
        """Write an event with its time in seconds since the start of the audio, and a result as the protocol has it."""
        document: dict[str, Any] = {"event": self._names[type(event)], "time_s": round(self.elapsed_s, 3)}
        if isinstance(event, client.PartialResult | client.FinalResult):
            document["result"] = formats.to_builtins(event.result)
        print(json.dumps(document, ensure_ascii=False), file=self._stream, flush=True)

    def line(self, text: str) -> None:
        """Remark something."""
        print(text, file=sys.stderr)


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
        display.event(event)
        if isinstance(event, client.FinalResult):
            results.append(event.result)
    return results


def describe(result: SegmentResult) -> str:
    """Return one line that says what a result says."""
    if not result.alternatives:
        return f"{result.result_status}"
    best = result.alternatives[0]
    meanings = "".join(f"  → {meaning.value!r}" for meaning in best.interpretations if meaning.value != best.text)
    return f"{result.result_status}       {best.text}  ({best.score} %){meanings}"
