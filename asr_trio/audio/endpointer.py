"""What the endpointer is told and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import msgspec

from asr_trio.audio.core import SAMPLE_RATE_HZ, VAD_MODES, VadMode, ffi, goes_on, lib, scratch

_LONGEST_MS: Final = 60_000
"""The C core keeps the audio of every margin in memory; longer ones are cut to this."""
_SHORTEST_SEGMENT_MS: Final = 1_000
"""A segment must hold at least a word; a smaller limit is raised to this."""


class EndpointerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the protocol, section 10. Values beyond what the core can do are brought to the nearest it can.

    Attributes:
        enabled: False makes one segment of the whole audio.
        head_margin_ms: audio kept before speech.
        tail_margin_ms: audio kept after speech.
        wait_end_ms: silence that ends a segment.
        level_mode: 0 loudness does not matter, 1 speech is louder than the background by `level_threshold`, 2 speech is
            louder than `level_threshold`.
        level_threshold: mean magnitude of 10 ms in percent of full scale.
        auto_level_len_ms: how long the background is listened to in mode 1.
        use_tone_detectors: telephone tones are no speech, and DTMF digits are told.
        max_segment_duration_ms: longer speech is cut at its quietest place; 0 for no limit.
        segment_overlap_ms: audio before such a cut that the next segment repeats.
        continuous: find segment after segment, not only the first.
        vad: which voice detector.
    """

    enabled: bool = True
    head_margin_ms: int = 200
    tail_margin_ms: int = 400
    wait_end_ms: int = 1000
    level_mode: int = 0
    level_threshold: float = 0.0
    auto_level_len_ms: int = 350
    use_tone_detectors: bool = True
    max_segment_duration_ms: int = 0
    segment_overlap_ms: int = 0
    continuous: bool = False
    vad: VadMode = "learned"


class SpeechStart(msgspec.Struct, frozen=True, kw_only=True):
    """A segment begins at `start_s`, head margin included; `decided_s` of the input were known by then."""

    start_s: float
    decided_s: float


class SpeechAudio(msgspec.Struct, frozen=True, kw_only=True):
    """The next audio of the segment: 16 kHz mono signed 16-bit little-endian."""

    pcm: bytes


class SpeechEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The segment ends at `end_s`, tail margin included."""

    end_s: float
    decided_s: float
    reason: Literal["silence", "max_segment", "audio_ended"]


class SpeechPause(msgspec.Struct, frozen=True, kw_only=True):
    """A quarter of a second without speech (half of `wait_end_ms` where that is less): the segment may be over.

    All audio up to the decision has been given out, as far as the tail margin allows: up to `end_s`.
    """

    end_s: float
    decided_s: float


class SpeechResume(msgspec.Struct, frozen=True, kw_only=True):
    """It is not: speech goes on after a SpeechPause."""

    decided_s: float


class Dtmf(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody pressed a key: one of ``0-9 * # A-D``."""

    digit: str
    start_s: float
    end_s: float


EndpointerEvent: TypeAlias = SpeechStart | SpeechAudio | SpeechPause | SpeechResume | SpeechEnd | Dtmf

_REASONS: Final[dict[int, Literal["silence", "max_segment", "audio_ended"]]] = {
    lib.ASR_END_SILENCE: "silence",
    lib.ASR_END_MAX_SEGMENT: "max_segment",
    lib.ASR_END_AUDIO: "audio_ended",
}


def fill_config(config: Any, settings: EndpointerSettings) -> None:
    """Write `settings` into an ``asr_endpointer_config`` that holds its defaults."""
    config.enabled = settings.enabled
    config.continuous = settings.continuous
    config.head_margin_ms = _bounded_ms(settings.head_margin_ms)
    config.tail_margin_ms = _bounded_ms(settings.tail_margin_ms)
    config.wait_end_ms = _bounded_ms(settings.wait_end_ms)
    config.level_mode = min(max(settings.level_mode, lib.ASR_LEVEL_OFF), lib.ASR_LEVEL_FIXED)
    config.level_threshold_percent = min(max(settings.level_threshold, 0.0), 100.0)
    config.auto_level_len_ms = _bounded_ms(settings.auto_level_len_ms)
    config.use_tone_detectors = settings.use_tone_detectors
    longest = settings.max_segment_duration_ms
    config.max_segment_duration_ms = min(max(longest, _SHORTEST_SEGMENT_MS), 2**31) if longest > 0 else 0
    config.segment_overlap_ms = _bounded_ms(settings.segment_overlap_ms)
    config.vad_mode = VAD_MODES[settings.vad]


def _bounded_ms(value_ms: int) -> int:
    return min(max(value_ms, 0), _LONGEST_MS)


def drive(process: Callable[..., int], handle: Any, data: Any, count: int) -> list[EndpointerEvent]:
    """Have a front end or endpointer take all of `data` (a pointer to `count` units) and return what it tells.

    Raises:
        RuntimeError: the object is in use by another thread, or was flushed.
    """
    found: list[EndpointerEvent] = []
    counts, output = scratch.counts, scratch.output
    used = 0
    more = True
    while more:
        counts[0], counts[1], counts[2] = count - used, scratch.pcm_room, scratch.EVENTS
        status = process(handle, data + used if used else data, counts, *output)
        more = bool(status) and goes_on(status)
        used += counts[0]
        if told := counts[2]:  # most packets tell nothing
            found += _read_events(told)
    return found


def drive_out(flush: Callable[..., int], handle: Any) -> list[EndpointerEvent]:
    """End the input of a front end or endpointer and return what it still tells.

    Raises:
        RuntimeError: the object is in use by another thread, or was flushed.
    """
    found: list[EndpointerEvent] = []
    counts = scratch.counts
    more = True
    while more:
        counts[1], counts[2] = scratch.pcm_room, scratch.EVENTS
        more = goes_on(flush(handle, *scratch.output))
        found += _read_events(counts[2])
    return found


def _read_events(count: int) -> list[EndpointerEvent]:
    return [_read_event(scratch.events[index], scratch.pcm) for index in range(count)]


def _read_event(event: Any, pcm: Any) -> EndpointerEvent:
    match event.type:
        case lib.ASR_EVENT_SPEECH_AUDIO:
            size = 2 * (event.end - event.start)
            return SpeechAudio(pcm=ffi.buffer(pcm + event.pcm_offset, size)[:])
        case lib.ASR_EVENT_SPEECH_START:
            return SpeechStart(start_s=event.start / SAMPLE_RATE_HZ, decided_s=event.decided / SAMPLE_RATE_HZ)
        case lib.ASR_EVENT_SPEECH_END:
            return SpeechEnd(
                end_s=event.end / SAMPLE_RATE_HZ,
                decided_s=event.decided / SAMPLE_RATE_HZ,
                reason=_REASONS[event.detail],
            )
        case lib.ASR_EVENT_SPEECH_PAUSE:
            return SpeechPause(end_s=event.end / SAMPLE_RATE_HZ, decided_s=event.decided / SAMPLE_RATE_HZ)
        case lib.ASR_EVENT_SPEECH_RESUME:
            return SpeechResume(decided_s=event.decided / SAMPLE_RATE_HZ)
        case _:
            return Dtmf(digit=chr(event.detail), start_s=event.start / SAMPLE_RATE_HZ, end_s=event.end / SAMPLE_RATE_HZ)
