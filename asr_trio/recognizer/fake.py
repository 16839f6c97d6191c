"""A scripted engine: results that are written down beforehand, for tests of everything around a recogniser.

It takes the seat of any engine, in the same worker processes and through the same frames. The script is the option
``script`` of a configured model: a list of segments, each a mapping with ``text`` ("" for nothing understood) and
optionally ``score``, ``partials`` (texts), ``work_s`` (seconds that the
result takes, with signs of life), ``crash`` or ``hang`` (true). Segments of a recognition take the entries in
turn, the last one for ever after. Words share the time of the segment evenly.
"""

from __future__ import annotations

import os
import time
from typing import ClassVar, Final

import msgspec

from asr_trio.errors import AcousticModelError
from asr_trio.protocol.results import Alternative, Word
from asr_trio.recognizer.base import SAMPLE_RATE_HZ, DecoderSettings, LanguageModel, Pulse, Recognition, no_pulse
from asr_trio.settings import ModelSettings

BYTES_PER_S: Final = 2 * SAMPLE_RATE_HZ
CRASH_STATUS: Final = 86


class ScriptedSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens in one segment."""

    text: str = ""
    score: int = 90
    partials: tuple[str, ...] = ()
    crash: bool = False
    hang: bool = False
    work_s: float = 0.0


class FakeEngine:
    """Plays a script."""

    fork_safe: ClassVar[bool] = True

    def __init__(self, name: str, settings: ModelSettings) -> None:
        """Read the script.

        Raises:
            AcousticModelError: it is none.
        """
        try:
            self._script = msgspec.convert(settings.options.get("script", [{}]), tuple[ScriptedSegment, ...])
        except msgspec.ValidationError as error:
            raise AcousticModelError(f"model {name!r}: its script cannot be read: {error}") from error
        if not self._script:
            raise AcousticModelError(f"model {name!r}: its script is empty")

    def open(
        self,
        models: tuple[LanguageModel, ...],
        settings: DecoderSettings,  # noqa: ARG002
        channel_state: bytes,  # noqa: ARG002
        pulse: Pulse = no_pulse,
    ) -> Recognition:
        """Begin at the start of the script."""
        return _FakeRecognition(self._script, models[0].lm, pulse)


class _FakeRecognition:
    def __init__(self, script: tuple[ScriptedSegment, ...], lm: str, pulse: Pulse) -> None:
        self._script = script
        self._pulse = pulse
        self._lm = lm
        self._segments = 0
        self._start_s = 0.0
        self._heard_bytes = 0
        self._told = 0

    @property
    def _now(self) -> ScriptedSegment:
        return self._script[min(self._segments, len(self._script)) - 1]

    def start_segment(self, start_s: float) -> None:
        self._segments += 1
        self._start_s, self._heard_bytes, self._told = start_s, 0, 0

    def accept(self, pcm: bytes) -> None:
        self._heard_bytes += len(pcm)

    def partial(self) -> tuple[Alternative, ...]:
        if self._told >= len(self._now.partials):
            return ()
        self._told += 1
        return (Alternative(text=self._now.partials[self._told - 1], score=self._now.score, lm=self._lm),)

    def pause(self) -> None:
        """Nothing is prepared."""

    def resume(self) -> None:
        """Nothing was prepared."""

    def finish_segment(self, end_s: float) -> tuple[Alternative, ...]:
        if self._now.crash:
            os._exit(CRASH_STATUS)
        if self._now.hang:
            time.sleep(3600)
        until_s = time.monotonic() + self._now.work_s
        while time.monotonic() < until_s:
            self._pulse()
        texts = self._now.text.split()
        if not texts:
            return ()
        share_s = (end_s - self._start_s) / len(texts)
        words = tuple(
            Word(
                text=text,
                score=self._now.score,
                start_time=round(self._start_s + index * share_s, 3),
                end_time=round(self._start_s + (index + 1) * share_s, 3),
            )
            for index, text in enumerate(texts)
        )
        return (Alternative(text=self._now.text, score=self._now.score, lm=self._lm, words=words),)

    def channel_state(self) -> bytes:
        return str(self._segments).encode()

    def close(self) -> None:
        self._segments = 0
