"""Drives a Session by hand: a clock, and answers to what the session asks of its shell."""

from __future__ import annotations

from asr_trio.protocol.messages import (
    CreateSession,
    RecognitionResult,
    Response,
    SendAudio,
    SessionStatus,
    StartRecognition,
)
from asr_trio.protocol.results import Alternative, Word, decode_result
from asr_trio.session.events import (
    AudioProcessed,
    Close,
    OpenRecognition,
    PushAudio,
    RecognitionOpened,
    SegmentDecoded,
    Send,
    SpeechEnded,
    SpeechStarted,
    StopRecognition,
)
from asr_trio.session.session import Session
from asr_trio.session.states import State
from asr_trio.settings import LimitSettings

FREE = b"builtin:slm/general"
HANDLE = 202501011200000001


def alternative(text, score=90, **fields):
    words = tuple(
        Word(text=word, score=score, start_time=float(i), end_time=i + 0.5) for i, word in enumerate(text.split())
    )
    return Alternative(text=text, score=score, lm="builtin:slm/general", words=words, **fields)


class Driver:
    """A session, the clock that it sees, and shorthands."""

    def __init__(self, **settings):
        limits = settings.pop("limits", {})
        self.now_s = 1000.0
        self.session = Session(LimitSettings(**limits), handle=HANDLE, now_s=self.now_s, **settings)

    # --- inputs

    def receive(self, message):
        return self.session.receive(message, self.now_s)

    def handle(self, event):
        return self.session.handle(event, self.now_s)

    def wait(self, seconds):
        """Let time pass as a shell does: a tick at each deadline."""
        effects = []
        end_s = self.now_s + seconds
        while (deadline_s := self.session.next_deadline_s) is not None and deadline_s <= end_s:
            self.now_s = max(self.now_s, deadline_s)
            effects += self.session.tick(self.now_s)
        self.now_s = end_s
        return effects

    def create(self):
        return self.receive(CreateSession())

    def start(self, accept=None, **parameters):
        """Start a recognition; names of parameters are given with two underscores for the dot."""
        wishes = {name.replace("__", "."): str(value) for name, value in parameters.items()}
        message = StartRecognition(parameters=wishes, accept=accept, content_type="text/uri-list", body=FREE)
        (opening,) = self.receive(message)
        assert isinstance(opening, OpenRecognition), opening
        self.number = opening.recognition
        return self.handle(RecognitionOpened(recognition=self.number, language="en-US"))

    def audio(self, audio=b"\0\0", *, last=False):
        return self.receive(SendAudio(audio=audio, last_packet=last, content_type="audio/raw"))

    def speech(self, start_s=1.0, decided_s=None):
        decided_s = start_s + 0.3 if decided_s is None else decided_s
        return self.handle(SpeechStarted(recognition=self.number, start_s=start_s, decided_s=decided_s))

    def silence(self, end_s=2.0, *, audio_ended=False, decided_s=None):
        decided_s = end_s + 0.6 if decided_s is None else decided_s
        event = SpeechEnded(recognition=self.number, end_s=end_s, decided_s=decided_s, audio_ended=audio_ended)
        return self.handle(event)

    def processed(self, position_s):
        return self.handle(AudioProcessed(recognition=self.number, position_s=position_s))

    def decoded(self, *alternatives, start_s=1.0, end_s=2.0):
        return self.handle(
            SegmentDecoded(recognition=self.number, start_s=start_s, end_s=end_s, alternatives=alternatives)
        )

    def go_to(self, state):
        """Bring the session into a state by the shortest way."""
        if state is State.NO_SESSION:
            return self
        self.create()
        if state in {State.LISTENING, State.RECOGNIZING}:
            self.start()
        if state is State.RECOGNIZING:
            self.speech()
            self.silence()
        if state is State.CLOSED:
            self.session.connection_lost()
        assert self.session.state is state
        return self


# --- outputs


def messages(effects):
    return [effect.message for effect in effects if isinstance(effect, Send)]


def response(effects) -> Response:
    (message,) = messages(effects)
    assert isinstance(message, Response)
    return message


def results(effects):
    """Decode the result documents, each with the wire's status checked against its own."""
    decoded = []
    for message in messages(effects):
        if isinstance(message, RecognitionResult):
            document = decode_result(message.content_type, message.body)
            assert document.result_status == message.result_status
            assert document.last_segment == (message.session_status is SessionStatus.IDLE)
            decoded.append(document)
    return decoded


def result(effects):
    (document,) = results(effects)
    return document


def stops(effects):
    return [effect.recognition for effect in effects if isinstance(effect, StopRecognition)]


def closes(effects):
    return [(effect.code, effect.reason) for effect in effects if isinstance(effect, Close)]


def pushed(effects):
    return [effect for effect in effects if isinstance(effect, PushAudio)]
