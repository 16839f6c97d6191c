"""One recognition: from START_RECOGNITION's SUCCESS to its last result.

It walks through the phases of :mod:`asr_trio.session.states` and says what the client is to be told. Time that it
needs comes from the caller; its timers are the session's.

Two clocks limit the wait for speech. The caller's clock always does. A time that a client set itself also runs out on
that much audio without speech, since a file may arrive much faster than it would be spoken; counted where the
decisions of the endpointer fall, so that the size of packets changes nothing.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec

from asr_trio.errors import AsrError
from asr_trio.protocol.messages import (
    EndOfSpeech,
    RecognitionResult,
    ResultStatus,
    SendAudio,
    ServerMessage,
    SessionStatus,
    StartOfSpeech,
)
from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.protocol.results import Alternative, SegmentResult, Word, encode_result
from asr_trio.session.events import (
    AudioEnded,
    AudioProcessed,
    PartialDecoded,
    PushAudio,
    RecognitionEvent,
    RecognitionFailed,
    SegmentDecoded,
    SpeechEnded,
    SpeechStarted,
)
from asr_trio.session.overlap import part_at_cuts
from asr_trio.session.selection import select_alternatives
from asr_trio.session.states import TRANSITIONS, Phase, Trigger
from asr_trio.session.timers import Timer, Timers

_MS_PER_S: Final = 1000


class Recognition:
    """A running recognition.

    Args:
        number: its number in events and effects.
        parameters: what holds for it.
        accept: the request's ``Accept`` header.
        handle: the session's handle.
        timers: the session's timers; NO_INPUT and RECOGNITION belong to the recognition.
        max_speech_s: how long a segment may be, where the endpointer does not cut it.
        language: tag of the language that it recognises.
        now_s: the time of its beginning.
    """

    def __init__(
        self,
        *,
        number: int,
        parameters: RecognitionParameters,
        accept: str | None,
        handle: int,
        timers: Timers,
        max_speech_s: float,
        language: str,
        now_s: float,
    ) -> None:
        self.number = number
        self._parameters = parameters
        self._accept = accept
        self._handle = handle
        self._timers = timers
        cut = parameters.continuous_mode and parameters.endpointer_enabled
        self._max_speech_s = math.inf if cut else max_speech_s
        self._language = language
        self._phase = Phase.WAITING
        self._audio_complete = False
        self._content_type: str | None = None
        self._timers_started = False
        self._undecoded: deque[float] = deque()
        """Where the segments start whose hypotheses are not there, the running one included."""
        self._segment_index = 0
        self._closing_status = ResultStatus.NO_SPEECH
        self._silence_start_s = 0.0
        """Where the last segment ended."""
        self._told: Word | None = None
        """The last word of the results so far."""
        """Up to where results have told the words."""
        self._no_input_origin_s = 0.0
        """Position in the audio from which a client's own no-input time counts."""
        self._position_s = 0.0
        if parameters.start_input_timers:
            self.start_input_timers(now_s)

    @property
    def status(self) -> SessionStatus:
        """The state of the session while this recognition runs."""
        if self._phase is Phase.ENDED:
            return SessionStatus.IDLE
        if not self._audio_complete and (self._phase is Phase.WAITING or self._phase is Phase.SPEAKING):
            return SessionStatus.LISTENING
        return SessionStatus.RECOGNIZING

    @property
    def ended(self) -> bool:
        """The last result was sent."""
        return self._phase is Phase.ENDED

    @property
    def speech_found(self) -> bool:
        """Speech has begun at least once."""
        return bool(self._undecoded) or self._segment_index > 0

    # --- what the client does -----------------------------------------------------------------------------------

    def start_input_timers(self, now_s: float) -> None:
        """Start the enabled timers; nothing happens where they were started before."""
        if self._timers_started:
            return
        self._timers_started = True
        self._no_input_origin_s = self._position_s
        self._start_no_input_timer(now_s)
        if self._undecoded:
            self._start_recognition_timer(now_s)

    def push(self, packet: SendAudio) -> PushAudio:
        """Take a packet of audio."""
        if packet.audio and self._content_type is None:
            self._content_type = _audio_type(packet.content_type, self._parameters.media_type.lower())
        if packet.last_packet:
            # From here the audio decides whether there is speech: no clock needs to.
            self._audio_complete = True
            self._timers.cancel(Timer.NO_INPUT)
        return PushAudio(audio=packet.audio, last=packet.last_packet, content_type=self._content_type)

    # --- what happens -------------------------------------------------------------------------------------------

    def handle(self, event: RecognitionEvent, now_s: float) -> list[ServerMessage]:
        """Take an event of this recognition and return what the client is to be told."""
        match event:
            case SpeechStarted():
                return self._speech_started(event, now_s)
            case SpeechEnded():
                return self._speech_ended(event, now_s)
            case AudioProcessed():
                return self._audio_processed(event.position_s)
            case AudioEnded():
                return self._audio_ended(event.position_s)
            case PartialDecoded():
                return self._partial_decoded(event)
            case SegmentDecoded():
                return self._segment_decoded(event, now_s)
            case RecognitionFailed():
                return self.fail(event.error)

    def expire(self, timer: Timer) -> list[ServerMessage]:
        """Take the expiry of one of its timers."""
        if timer is Timer.NO_INPUT:
            return self._no_input()
        return self.end(Trigger.RECOGNITION_EXPIRED, ResultStatus.RECOGNITION_TIMEOUT)

    def fail(self, error: AsrError) -> list[ServerMessage]:
        """End with a FAILURE result that says why."""
        return self.end(Trigger.FAILED, ResultStatus.FAILURE, error)

    def end(self, trigger: Trigger, status: ResultStatus, error: AsrError | None = None) -> list[ServerMessage]:
        """End at once with a result without alternatives; segments that are not decoded are given up."""
        if not self._move(trigger):
            return []
        return [self._closing_result(status, error)]

    def _move(self, trigger: Trigger) -> bool:
        """Enter the next phase; False where the trigger means nothing in this one."""
        phase = TRANSITIONS[self._phase].get(trigger)
        if phase is None:
            return False
        self._phase = phase
        return True

    def _speech_started(self, event: SpeechStarted, now_s: float) -> list[ServerMessage]:
        if self._phase is Phase.WAITING and self._no_input_runs_out_at(event.decided_s, inclusive=False):
            return self._no_input_on_audio()
        if not self._move(Trigger.SPEECH_STARTED):
            return []
        self._timers.cancel(Timer.NO_INPUT)
        self._undecoded.append(event.start_s)
        if not self._parameters.endpointer_enabled:
            return []
        if len(self._undecoded) == 1:
            self._start_recognition_timer(now_s)
        return [StartOfSpeech(handle=self._handle)]

    def _speech_ended(self, event: SpeechEnded, now_s: float) -> list[ServerMessage]:
        if self._speech_overran_at(event.decided_s):
            return self._speech_overran()
        final = event.audio_ended or not self._parameters.continuous_mode
        if not self._move(Trigger.SPEECH_ENDED if final else Trigger.SEGMENT_ENDED):
            return []
        self._silence_start_s = event.end_s
        if not final:
            # The clock waits for the segment's result: a decoder that lags holds the endpointer up.
            self._no_input_origin_s = event.end_s
            return []
        if not self._parameters.endpointer_enabled:
            # Without an endpointer nobody knows when speech began: the decoder's time counts from the end.
            self._start_recognition_timer(now_s)
            return []
        # Some clients stop their audio for good at any END_OF_SPEECH: none between segments, none at their end.
        return [] if self._parameters.continuous_mode else [EndOfSpeech(handle=self._handle)]

    def _audio_processed(self, position_s: float) -> list[ServerMessage]:
        self._position_s = max(self._position_s, position_s)
        if self._phase is Phase.WAITING and self._no_input_runs_out_at(position_s, inclusive=True):
            return self._no_input_on_audio()
        if self._speech_overran_at(position_s):
            return self._speech_overran()
        return []

    def _audio_ended(self, position_s: float) -> list[ServerMessage]:
        if messages := self._audio_processed(position_s):
            return messages
        if not self._move(Trigger.AUDIO_ENDED):
            return []
        self._timers.cancel(Timer.NO_INPUT)
        self._closing_status = ResultStatus.NO_SPEECH if self._parameters.endpointer_enabled else ResultStatus.NO_MATCH
        return self._close_if_decoded()

    def _speech_overran_at(self, position_s: float) -> bool:
        """Tell whether the running segment, still open there, has become too long."""
        return self._phase is Phase.SPEAKING and position_s > self._undecoded[-1] + self._max_speech_s

    def _speech_overran(self) -> list[ServerMessage]:
        # It did so there, wherever the packet ends that showed it.
        self._position_s = self._undecoded[-1] + self._max_speech_s
        return self.end(Trigger.SPEECH_OVERRAN, ResultStatus.MAX_SPEECH)

    def _no_input_on_audio(self) -> list[ServerMessage]:
        # The time ran out there, wherever the packet ends that showed it.
        self._position_s = self._no_input_origin_s + self._parameters.no_input_timeout_ms / _MS_PER_S
        return self._no_input()

    def _no_input(self) -> list[ServerMessage]:
        if not self._move(Trigger.NO_INPUT_EXPIRED):
            return []
        self._timers.cancel(Timer.NO_INPUT)
        self._closing_status = ResultStatus.NO_INPUT_TIMEOUT
        return self._close_if_decoded()

    def _close_if_decoded(self) -> list[ServerMessage]:
        if self._phase is not Phase.CLOSING or self._undecoded:
            return []
        self._phase = Phase.ENDED
        return [self._closing_result(self._closing_status)]

    def _partial_decoded(self, event: PartialDecoded) -> list[ServerMessage]:
        # A partial of a segment that has ended, while a later one runs, would be out of date when it arrives.
        if len(self._undecoded) != 1 or not self._move(Trigger.PARTIAL_DECODED):
            return []
        alternatives = select_alternatives(event.alternatives, self._parameters, self._language, partial=True)
        if not alternatives or not self._parameters.partial_results_enabled:
            return []
        result = SegmentResult(
            result_status=ResultStatus.PROCESSING,
            alternatives=alternatives,
            segment_index=self._segment_index,
            last_segment=False,
            final_result=False,
            start_time=event.start_s,
            end_time=event.end_s,
        )
        return [self._result(result, SessionStatus.LISTENING)]

    def _segment_decoded(self, event: SegmentDecoded, now_s: float) -> list[ServerMessage]:
        segments_ended = len(self._undecoded) - (self._phase is Phase.SPEAKING)
        if segments_ended <= 0 or not self._move(Trigger.SEGMENT_DECODED):
            return []
        self._undecoded.popleft()
        last = self._phase is Phase.DECODING and not self._undecoded
        if last:
            self._phase = Phase.ENDED
        told, self._told = part_at_cuts(
            event.alternatives,
            told=self._told if self._told and event.start_s < self._told.end_time else None,
            end_s=event.end_s,
            next_start_s=self._undecoded[0] if self._undecoded else math.inf,
        )
        alternatives = select_alternatives(told, self._parameters, self._language)
        result = SegmentResult(
            result_status=ResultStatus.RECOGNIZED if alternatives else ResultStatus.NO_MATCH,
            alternatives=alternatives,
            segment_index=self._segment_index,
            last_segment=last,
            start_time=event.start_s,
            end_time=event.end_s,
        )
        self._segment_index += 1
        messages = [self._result(result, SessionStatus.IDLE if last else SessionStatus.LISTENING)]
        # Segments are decoded one after the other: the time of the next one counts from its turn.
        self._timers.cancel(Timer.RECOGNITION)
        if self._undecoded:
            self._start_recognition_timer(now_s)
        elif self._phase is Phase.WAITING:
            self._start_no_input_timer(now_s)
        return messages + self._close_if_decoded()

    # --- timers -------------------------------------------------------------------------------------------------

    def _start_no_input_timer(self, now_s: float) -> None:
        waiting = self._phase is Phase.WAITING and not self._audio_complete
        if waiting and self._timers_started and self._parameters.no_input_timer_enabled:
            self._timers.set(Timer.NO_INPUT, now_s + self._parameters.no_input_timeout_ms / _MS_PER_S)

    def _start_recognition_timer(self, now_s: float) -> None:
        if self._timers_started and self._parameters.recognition_timer_enabled:
            self._timers.set(Timer.RECOGNITION, now_s + self._parameters.recognition_timeout_ms / _MS_PER_S)

    def _no_input_runs_out_at(self, position_s: float, *, inclusive: bool) -> bool:
        """Tell whether the client's own no-input time has run out on the audio."""
        parameters = self._parameters
        if not (self._timers_started and parameters.no_input_timer_enabled and parameters.no_input_timeout_explicit):
            return False
        elapsed_ms = round((position_s - self._no_input_origin_s) * _MS_PER_S)
        return elapsed_ms >= parameters.no_input_timeout_ms + (0 if inclusive else 1)

    # --- results ------------------------------------------------------------------------------------------------

    def _closing_result(self, status: ResultStatus, error: AsrError | None = None) -> RecognitionResult:
        self._timers.cancel(Timer.NO_INPUT, Timer.RECOGNITION)
        start_s = self._undecoded[0] if self._undecoded else self._silence_start_s
        result = SegmentResult(
            result_status=status,
            segment_index=self._segment_index,
            start_time=start_s,
            end_time=max(start_s, self._position_s),
            error_code=error.code if error else "",
            message=error.wire_message if error else "",
        )
        return self._result(result, SessionStatus.IDLE)

    def _result(self, result: SegmentResult, status: SessionStatus) -> RecognitionResult:
        content_type, body = encode_result(result, self._accept)
        return RecognitionResult(
            handle=self._handle,
            result_status=result.result_status,
            session_status=status,
            content_type=content_type,
            body=body,
        )


def _audio_type(of_packet: str | None, announced: str) -> str | None:
    """Return the type of the audio: that of its first packet, or else ``Media-Type``.

    The SDKs write their packets' type themselves; what their users can set is ``Media-Type``. So a sampling rate that
    stands only there counts too.
    """
    if not of_packet:
        return announced or None
    rates = [part.strip() for part in announced.split(";")[1:] if part.strip().startswith("rate=")]
    return f"{of_packet};{rates[0]}" if rates and "rate=" not in of_packet else of_packet


def interpretation_result(
    alternatives: tuple[Alternative, ...],
    *,
    parameters: RecognitionParameters,
    accept: str | None,
    handle: int,
    language: str,
) -> RecognitionResult:
    """Return the RECOGNITION_RESULT of INTERPRET_TEXT: interpretations, no words, no times of audio."""
    settings = msgspec.structs.replace(parameters, word_details=0)
    chosen = select_alternatives(alternatives, settings, language)
    result = SegmentResult(
        result_status=ResultStatus.RECOGNIZED if chosen else ResultStatus.NO_MATCH, alternatives=chosen
    )
    content_type, body = encode_result(result, accept)
    return RecognitionResult(
        handle=handle,
        result_status=result.result_status,
        session_status=SessionStatus.IDLE,
        content_type=content_type,
        body=body,
    )
