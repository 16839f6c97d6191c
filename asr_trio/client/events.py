"""What a recognition tells its caller."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from asr_trio.protocol.messages import ResultStatus
from asr_trio.protocol.results import SegmentResult


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of events.

    Attributes:
        received_s: Trio time at which the message arrived.
    """

    received_s: float


class SpeechStarted(_Event, frozen=True, kw_only=True):
    """The server found the start of speech."""


class SpeechEnded(_Event, frozen=True, kw_only=True):
    """The server found the end of speech; it wants no more audio."""


class _ResultEvent(_Event, frozen=True, kw_only=True):
    """A result document, decoded."""

    result: SegmentResult

    @property
    def status(self) -> ResultStatus:
        """The outcome."""
        return self.result.result_status

    @property
    def text(self) -> str:
        """Text of the best hypothesis, or ""."""
        return self.result.alternatives[0].text if self.result.alternatives else ""

    @property
    def interpretations(self) -> list[Any]:
        """Interpretations of the best hypothesis, best first."""
        alternatives = self.result.alternatives
        return [found.value for found in alternatives[0].interpretations] if alternatives else []


class PartialResult(_ResultEvent, frozen=True, kw_only=True):
    """What has been understood of the running segment so far."""


class FinalResult(_ResultEvent, frozen=True, kw_only=True):
    """The outcome of a segment; `last` says that the recognition is over."""

    @property
    def last(self) -> bool:
        """No further result follows."""
        return self.result.last_segment


RecognitionEvent: TypeAlias = SpeechStarted | SpeechEnded | PartialResult | FinalResult
