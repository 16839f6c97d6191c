"""A session: what one client has asked for and what it is to be told.

The session decides and never acts. Messages, events and the passing of time go in; effects come out, in the order in
which they must be carried out (:mod:`asr_trio.session.events`). Whatever a client sends and whenever it does, the
session answers by the tables of :mod:`asr_trio.session.states` and never raises on the client's account.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn, assert_never

import msgspec

from asr_trio.errors import (
    AsrError,
    BusyError,
    InvalidStateError,
    LocalProtocolError,
    RemoteProtocolError,
)
from asr_trio.protocol.messages import (
    METHODS,
    CancelRecognition,
    ClientMessage,
    CreateSession,
    DefineGrammar,
    GetParameters,
    InterpretText,
    Method,
    ReleaseSession,
    ResultStatus,
    SendAudio,
    ServerMessage,
    SessionStatus,
    SetParameters,
    StartInputTimers,
    StartRecognition,
)
from asr_trio.protocol.parameters import INVALID_VALUE, UNSUPPORTED, RecognitionParameters, describe, update
from asr_trio.session.answers import Answers
from asr_trio.session.events import (
    Close,
    Effect,
    Event,
    Interpret,
    LanguageModelsPrepared,
    OpenRecognition,
    PrepareLanguageModels,
    RecognitionEvent,
    RecognitionOpened,
    RequestEvent,
    RequestFailed,
    Send,
    StopRecognition,
    TextInterpreted,
)
from asr_trio.session.recognition import Recognition, interpretation_result
from asr_trio.session.sources import SessionGrammars
from asr_trio.session.states import ANSWERS, WIRE_STATUS, Answer, State, Trigger
from asr_trio.session.textify import is_available
from asr_trio.session.timers import Timer, Timers
from asr_trio.settings import LimitSettings

CLOSE_NORMAL: Final = 1000
CLOSE_GOING_AWAY: Final = 1001
TIMEOUT_REASON: Final = "Session timeout."
"""The Java client takes a reason that contains ``timeout.`` for an expired session and any other for a failure."""
SHUTDOWN_REASON: Final = "The server is shutting down."


class _Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A START_RECOGNITION that waits for its RecognitionOpened, and what its answer will say besides."""

    message: StartRecognition
    number: int
    parameters: RecognitionParameters
    echoes: dict[str, str]
    notes: tuple[str, ...]


_Request = DefineGrammar | InterpretText | _Opening


def admit_always() -> None:
    """Admit a session: the default of a Session without licences."""


_STATE_OF: Final = {
    SessionStatus.IDLE: State.IDLE,
    SessionStatus.LISTENING: State.LISTENING,
    SessionStatus.RECOGNIZING: State.RECOGNIZING,
}
"""While a recognition runs."""


class Session:
    """The state of one connection.

    Args:
        limits: bounds and times.
        handle: a 63-bit number that names the session (see :func:`asr_trio.session.handle.make_handle`).
        now_s: the caller's monotonic clock.
        parameters: the operator's defaults.
        admit: called once when CREATE_SESSION makes the session; raises CapacityError to refuse it. What it takes is
            the caller's to give back when the connection ends, where `created` is True.

    Attributes:
        parameters: what holds for recognitions that say nothing else.
        created: `admit` was called and took a place.
        user_agent: what the client calls itself.
    """

    def __init__(
        self,
        limits: LimitSettings,
        *,
        handle: int,
        now_s: float,
        parameters: RecognitionParameters | None = None,
        admit: Callable[[], None] = admit_always,
    ) -> None:
        self._limits = limits
        self._handle = handle
        self._answers = Answers(handle, lambda: self.status)
        self._defaults = parameters or RecognitionParameters()
        self._admit = admit
        self._idle_state = State.NO_SESSION
        self._timers = Timers()
        self._timers.set(Timer.EXPIRY, now_s + limits.create_session_timeout_s)
        self._recognition: Recognition | None = None
        self._request: _Request | None = None
        self._recognitions = 0
        self._grammars = SessionGrammars(limits)
        self._draining = False
        self.parameters = self._defaults
        self.created = False
        self.user_agent: str | None = None

    @property
    def handle_number(self) -> int:
        """The handle in every message."""
        return self._handle

    @property
    def state(self) -> State:
        """What the session is doing."""
        if self._recognition is None:
            return self._idle_state
        return _STATE_OF[self._recognition.status]

    @property
    def status(self) -> SessionStatus:
        """The state as clients see it."""
        return WIRE_STATUS[self.state]

    @property
    def closed(self) -> bool:
        """Nothing that comes will change anything any more."""
        return self._idle_state is State.CLOSED

    @property
    def waiting_for_answer(self) -> bool:
        """A request effect is outstanding: the next client message must wait for its event."""
        return self._request is not None

    @property
    def recognition(self) -> int | None:
        """Number of the running recognition, or None."""
        return self._recognition.number if self._recognition else None

    @property
    def next_deadline_s(self) -> float | None:
        """When to call :meth:`tick` next, or None."""
        return self._timers.next_deadline_s

    # --- client messages ----------------------------------------------------------------------------------------

    def receive(self, message: ClientMessage, now_s: float) -> list[Effect]:
        """Take a message of the client.

        Raises:
            LocalProtocolError: a request is outstanding (see `waiting_for_answer`); the caller has a bug.
        """
        if self._request is not None:
            raise LocalProtocolError("A message was handed in before the request before it was answered")
        self._touch(now_s)
        method = METHODS[type(message)]
        match ANSWERS[self.state][type(message)]:
            case Answer.DROP:
                return []
            case Answer.ACKNOWLEDGE:
                return [self._answers.success(method)]
            case Answer.REFUSE_MILDLY:
                return [self._answers.nothing_to_do(method)]
            case Answer.REFUSE:
                error = InvalidStateError(f"{method} is not possible while the session is {self._state_words()}")
                return [self._answers.failure(method, error)]
            case Answer.ACCEPT:
                try:
                    return self._accept(message, now_s)
                except AsrError as error:
                    return [self._answers.failure(method, error)]

    def malformed(self, error: RemoteProtocolError, now_s: float) -> list[Effect]:
        """Take something that was no message; it costs nothing else."""
        if self.closed:
            return []
        self._touch(now_s)
        return [self._answers.failure(error.method, error)]

    def _accept(self, message: ClientMessage, now_s: float) -> list[Effect]:
        match message:
            case CreateSession():
                return self._create(message, now_s)
            case SetParameters():
                self.parameters, refused = self._updated(message.parameters)
                return [self._answers.success(Method.SET_PARAMETERS, parameters=refused)]
            case GetParameters():
                values = describe(self.parameters, message.names)
                return [self._answers.success(Method.GET_PARAMETERS, parameters=values)]
            case DefineGrammar():
                return self._define_grammar(message)
            case StartRecognition():
                return self._start_recognition(message)
            case InterpretText():
                sources = self._grammars.sources(message)
                self._begin(message)
                return [Interpret(text=message.text, sources=sources, parameters=self.parameters)]
            case StartInputTimers():
                self._running().start_input_timers(now_s)
                return [self._answers.success(Method.START_INPUT_TIMERS)]
            case SendAudio():
                # Some clients begin with an empty packet, whose type says nothing about the audio.
                return [self._running().push(message)] if message.audio or message.last_packet else []
            case CancelRecognition():
                stop = self._stop_recognition(now_s)
                return [*stop, self._answers.success(Method.CANCEL_RECOGNITION), *self._close_if_draining()]
            case ReleaseSession():
                stop = self._stop_recognition(now_s)
                return [*stop, self._answers.success(Method.RELEASE_SESSION), *self._close(CLOSE_NORMAL, "")]
            case _:
                assert_never(message)

    def _create(self, message: CreateSession, now_s: float) -> list[Effect]:
        if self._draining:
            raise BusyError("The server is shutting down")
        if not self.created:
            self._admit()
            self.created = True
        self._idle_state = State.IDLE
        self._grammars.clear()
        self.user_agent = message.user_agent
        wishes = {"Channel-Identifier": message.channel_identifier or "", "loggingTag": message.logging_tag or ""}
        self.parameters, _ = update(self._defaults, wishes)
        self._touch(now_s)
        expires_ms = round(self._limits.session_expiry_s * 1000)
        return [self._answers.success(Method.CREATE_SESSION, expires_ms=expires_ms)]

    def _define_grammar(self, message: DefineGrammar) -> list[Effect]:
        sources = self._grammars.sources(message)
        self._grammars.require_room(message.content_id)
        self._begin(message)
        return [PrepareLanguageModels(sources=sources, parameters=self.parameters)]

    def _start_recognition(self, message: StartRecognition) -> list[Effect]:
        if self._draining:
            raise BusyError("The server is shutting down")
        sources = self._grammars.sources(message)
        parameters, refused = self._updated(message.parameters)
        # .NET parses echoed values strictly, and an error there costs it this answer, without which it sends no audio:
        # values that were not understood stand in the Message.
        bad = [name for name, word in refused.items() if word == INVALID_VALUE]
        opening = _Opening(
            message=message,
            number=self._recognitions,
            parameters=parameters,
            echoes={name: word for name, word in refused.items() if word != INVALID_VALUE},
            notes=(f"Ignored values of {', '.join(bad)}",) if bad else (),
        )
        self._recognitions += 1
        self._begin(opening)
        return [OpenRecognition(recognition=opening.number, sources=sources, parameters=parameters)]

    def _updated(self, wishes: dict[str, str]) -> tuple[RecognitionParameters, dict[str, str]]:
        """Apply a client's wishes; one that needs a package that is not installed is refused like one unknown here."""
        parameters, refused = update(self.parameters, wishes)
        if parameters.textify_enabled and not is_available():
            parameters = msgspec.structs.replace(parameters, textify_enabled=False)
            refused |= {name: UNSUPPORTED for name in wishes if name.lower() == "textify.enabled"}
        return parameters, refused

    def _begin(self, request: _Request) -> None:
        """Wait for an answer of the shell; the client owes nothing meanwhile."""
        self._request = request
        self._timers.cancel(Timer.EXPIRY)

    # --- events -------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Take what happened; events of a recognition that is over are ignored."""
        if isinstance(event, RequestEvent):
            return self._answered(event, now_s)
        return self._happened(event, now_s)

    def _answered(self, event: RequestEvent, now_s: float) -> list[Effect]:
        request, self._request = self._request, None
        if request is None:
            return []
        self._touch(now_s)
        match request, event:
            case DefineGrammar(), LanguageModelsPrepared():
                effects = [self._defined(request, event)]
            case InterpretText(), TextInterpreted():
                result = interpretation_result(
                    event.alternatives,
                    parameters=self.parameters,
                    accept=request.accept,
                    handle=self._handle,
                    language=event.language,
                )
                effects = [self._answers.success(Method.INTERPRET_TEXT), Send(message=result)]
            case _Opening(), RecognitionOpened():
                return self._opened(request, event, now_s)
            case _, RequestFailed():
                message = request.message if isinstance(request, _Opening) else request
                effects = [self._answers.failure(METHODS[type(message)], event.error)]
            case _:
                self._mismatch(request, event)
        return [*effects, *self._close_if_draining()]

    def _defined(self, request: DefineGrammar, event: LanguageModelsPrepared) -> Send:
        try:
            self._grammars.define(request.content_id, event.prepared, event.size_bytes)
        except AsrError as error:
            return self._answers.failure(Method.DEFINE_GRAMMAR, error)
        return self._answers.success(Method.DEFINE_GRAMMAR, notes=event.warnings)

    def _opened(self, opening: _Opening, event: RecognitionOpened, now_s: float) -> list[Effect]:
        self._recognition = Recognition(
            number=opening.number,
            parameters=opening.parameters,
            accept=opening.message.accept,
            handle=self._handle,
            timers=self._timers,
            max_speech_s=self._limits.speech_segment_s,
            language=event.language,
            now_s=now_s,
        )
        notes = (*opening.notes, *event.warnings)
        return [self._answers.success(Method.START_RECOGNITION, parameters=opening.echoes, notes=notes)]

    def _mismatch(self, request: _Request, event: RequestEvent) -> NoReturn:
        raise LocalProtocolError(f"{type(event).__name__} is no answer to {type(request).__name__}")

    def _happened(self, event: RecognitionEvent, now_s: float) -> list[Effect]:
        recognition = self._recognition
        if recognition is None or recognition.number != event.recognition:
            return []
        return self._tell(recognition, recognition.handle(event, now_s), now_s)

    def _tell(self, recognition: Recognition, messages: list[ServerMessage], now_s: float) -> list[Effect]:
        effects: list[Effect] = [Send(message=message) for message in messages]
        if recognition.ended:
            effects += self._stop_recognition(now_s)
            effects += self._close_if_draining()
        return effects

    # --- time and the connection --------------------------------------------------------------------------------

    def tick(self, now_s: float) -> list[Effect]:
        """Take the passing of time: call it at `next_deadline_s`, or at any other moment."""
        effects: list[Effect] = []
        while (timer := self._timers.take_due(now_s)) is not None:
            if timer is Timer.EXPIRY:
                effects += self._expired(now_s)
            else:
                recognition = self._running()
                effects += self._tell(recognition, recognition.expire(timer), now_s)
        return effects

    def _expired(self, now_s: float) -> list[Effect]:
        """End a session whose client is silent; a running recognition gets its result first."""
        effects: list[Effect] = []
        if recognition := self._recognition:
            if recognition.status is SessionStatus.RECOGNIZING:
                # The client waits for us. How long that can take is bounded by the recogniser.
                self._touch(now_s)
                return []
            found = recognition.speech_found
            status = ResultStatus.RECOGNITION_TIMEOUT if found else ResultStatus.NO_INPUT_TIMEOUT
            effects += [Send(message=message) for message in recognition.end(Trigger.FAILED, status)]
            effects += self._stop_recognition(now_s)
        return [*effects, *self._close(CLOSE_NORMAL, TIMEOUT_REASON)]

    def drain(self, now_s: float) -> list[Effect]:  # noqa: ARG002 - every input comes with its time
        """Close as soon as nothing runs: now, or after the running recognition or request."""
        self._draining = True
        return self._close_if_draining()

    def connection_lost(self) -> list[Effect]:
        """Take the end of the connection: what runs is given up."""
        number = self._request.number if isinstance(self._request, _Opening) else self.recognition
        self._close(CLOSE_NORMAL, "")
        return [] if number is None else [StopRecognition(recognition=number)]

    def _touch(self, now_s: float) -> None:
        """Restart the expiry: the client has just been heard, or we owed it an answer until now."""
        limits = self._limits
        time_s = limits.session_expiry_s if self.created else limits.create_session_timeout_s
        if not self.closed:
            self._timers.set(Timer.EXPIRY, now_s + time_s)

    def _running(self) -> Recognition:
        if self._recognition is None:
            raise LocalProtocolError("The state tables let a message through that needs a recognition")
        return self._recognition

    def _stop_recognition(self, now_s: float) -> list[Effect]:
        if self._recognition is None:
            return []
        number = self._recognition.number
        self._recognition = None
        self._timers.cancel(Timer.NO_INPUT, Timer.RECOGNITION)
        self._touch(now_s)
        return [StopRecognition(recognition=number)]

    def _close_if_draining(self) -> list[Effect]:
        busy = self._recognition is not None or self._request is not None
        return [] if busy or not self._draining else self._close(CLOSE_GOING_AWAY, SHUTDOWN_REASON)

    def _close(self, code: int, reason: str) -> list[Effect]:
        if self.closed:
            return []
        self._recognition = None
        self._request = None
        self._idle_state = State.CLOSED
        self._timers.cancel(*Timer)
        self._grammars.clear()
        return [Close(code=code, reason=reason)]

    def _state_words(self) -> str:
        return {State.NO_SESSION: "not created", State.IDLE: "idle"}.get(self.state, self.state.name.lower())
