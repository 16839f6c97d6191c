"""The state machines of a session and of a recognition, as tables.

**The session.** A connection begins without a session. CREATE_SESSION makes one, idle. START_RECOGNITION makes it
listen: audio is wanted. When no more audio is wanted (speech has ended, or the client has sent its last packet) it is
recognising; the last result makes it idle again. RELEASE_SESSION, expiry or the loss of the connection closes it, and
nothing leads out of that. CANCEL_RECOGNITION makes it idle from anywhere and swallows the result.

Clients pipeline, repeat themselves and speak too late, so what a message means out of order is part of the machine:
`ANSWERS` has it for every state. The rules behind its cells: an answer with ``Error-Code`` ends a session of the Python
and Kotlin clients, so what does no harm is acknowledged or refused without one; an unasked answer to SEND_AUDIO kills
the Android client, so late audio is dropped without a word; a second START_RECOGNITION must leave the first one alone.

**The recognition.** It waits for speech, hears a segment, and decodes. In simple mode the first segment is the only
one, and its end ends the listening. In continuous mode the end of a segment leads back to waiting, while its
hypotheses are still to come: segments are decoded in order, behind the endpointer. Nobody can know that a segment
closed by silence was the last, so when audio or patience ends while waiting, a further result closes the recognition,
after those of the segments before it. A segment that the end of the audio cut off is known to be the last, and its
own result closes the recognition. `TRANSITIONS` has every trigger that means something in a phase; any other is what
a finished or cancelled recognition still had to say, or was overtaken by a timer, and is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from asr_trio.protocol.messages import (
    CancelRecognition,
    ClientMessage,
    CreateSession,
    DefineGrammar,
    GetParameters,
    InterpretText,
    ReleaseSession,
    SendAudio,
    SessionStatus,
    SetParameters,
    StartInputTimers,
    StartRecognition,
)


class Key(Enum):
    """An enumeration whose members are keys of tables on the way of every packet: Enum's own hash is Python code."""

    __hash__ = object.__hash__


class State(Key):
    """What a session is doing."""

    NO_SESSION = auto()
    IDLE = auto()
    LISTENING = auto()
    RECOGNIZING = auto()
    CLOSED = auto()


WIRE_STATUS: Final[Mapping[State, SessionStatus]] = {
    State.NO_SESSION: SessionStatus.IDLE,
    State.IDLE: SessionStatus.IDLE,
    State.LISTENING: SessionStatus.LISTENING,
    State.RECOGNIZING: SessionStatus.RECOGNIZING,
    State.CLOSED: SessionStatus.IDLE,
}
"""``Session-Status`` must stand in every message, also before there is a session."""


class Answer(Enum):
    """What a session does with a message."""

    ACCEPT = auto()
    """Do what it asks."""
    ACKNOWLEDGE = auto()
    """SUCCESS, and nothing else: what it asks is already so."""
    REFUSE_MILDLY = auto()
    """INVALID_ACTION without Error-Code: harmless, and the code would end the session of some clients."""
    REFUSE = auto()
    """INVALID_ACTION with Error-Code."""
    DROP = auto()
    """Nothing at all."""


MESSAGE_TYPES: Final[tuple[type[ClientMessage], ...]] = (
    CreateSession,
    SetParameters,
    GetParameters,
    DefineGrammar,
    StartRecognition,
    StartInputTimers,
    SendAudio,
    CancelRecognition,
    ReleaseSession,
    InterpretText,
)

ANSWERS: Final[Mapping[State, Mapping[type[ClientMessage], Answer]]] = {
    State.NO_SESSION: {
        CreateSession: Answer.ACCEPT,
        SetParameters: Answer.REFUSE,
        GetParameters: Answer.REFUSE,
        DefineGrammar: Answer.REFUSE,
        StartRecognition: Answer.REFUSE,
        StartInputTimers: Answer.REFUSE_MILDLY,
        SendAudio: Answer.DROP,
        CancelRecognition: Answer.REFUSE_MILDLY,
        ReleaseSession: Answer.ACCEPT,
        InterpretText: Answer.REFUSE,
    },
    State.IDLE: {
        # The C++ client creates again on the same socket after a first recognition without a result.
        CreateSession: Answer.ACCEPT,
        SetParameters: Answer.ACCEPT,
        GetParameters: Answer.ACCEPT,
        DefineGrammar: Answer.ACCEPT,
        StartRecognition: Answer.ACCEPT,
        StartInputTimers: Answer.ACKNOWLEDGE,
        SendAudio: Answer.DROP,
        CancelRecognition: Answer.ACKNOWLEDGE,
        ReleaseSession: Answer.ACCEPT,
        InterpretText: Answer.ACCEPT,
    },
    State.LISTENING: {
        CreateSession: Answer.REFUSE,
        SetParameters: Answer.REFUSE,
        GetParameters: Answer.ACCEPT,
        DefineGrammar: Answer.REFUSE,
        StartRecognition: Answer.REFUSE,
        StartInputTimers: Answer.ACCEPT,
        SendAudio: Answer.ACCEPT,
        CancelRecognition: Answer.ACCEPT,
        ReleaseSession: Answer.ACCEPT,
        InterpretText: Answer.REFUSE,
    },
    State.RECOGNIZING: {
        CreateSession: Answer.REFUSE,
        SetParameters: Answer.REFUSE,
        GetParameters: Answer.ACCEPT,
        DefineGrammar: Answer.REFUSE,
        StartRecognition: Answer.REFUSE,
        # The Python client pipelines it behind START_RECOGNITION: it may come when a short recognition is nearly over.
        StartInputTimers: Answer.ACCEPT,
        SendAudio: Answer.DROP,
        CancelRecognition: Answer.ACCEPT,
        ReleaseSession: Answer.ACCEPT,
        InterpretText: Answer.REFUSE,
    },
    # The Kotlin client sends START_RECOGNITION once more after the answer to RELEASE_SESSION.
    State.CLOSED: dict.fromkeys(MESSAGE_TYPES, Answer.DROP),
}


class Phase(Key):
    """What a recognition is doing."""

    WAITING = auto()
    """For speech."""
    SPEAKING = auto()
    """Inside a segment."""
    DECODING = auto()
    """The last segment has ended; its result, which closes the recognition, is to come."""
    CLOSING = auto()
    """No more speech is awaited; a closing result follows those that are still to come."""
    ENDED = auto()
    """The last result was sent."""


class Trigger(Key):
    """What moves a recognition."""

    SPEECH_STARTED = auto()
    SEGMENT_ENDED = auto()
    """A segment ended that others may follow."""
    SPEECH_ENDED = auto()
    """A segment ended that none can follow."""
    PARTIAL_DECODED = auto()
    SEGMENT_DECODED = auto()
    AUDIO_ENDED = auto()
    """Outside speech."""
    NO_INPUT_EXPIRED = auto()
    RECOGNITION_EXPIRED = auto()
    SPEECH_OVERRAN = auto()
    """A segment has become longer than one may be."""
    FAILED = auto()


TRANSITIONS: Final[Mapping[Phase, Mapping[Trigger, Phase]]] = {
    Phase.WAITING: {
        Trigger.SPEECH_STARTED: Phase.SPEAKING,
        Trigger.SEGMENT_DECODED: Phase.WAITING,
        Trigger.AUDIO_ENDED: Phase.CLOSING,
        Trigger.NO_INPUT_EXPIRED: Phase.CLOSING,
        Trigger.RECOGNITION_EXPIRED: Phase.ENDED,
        Trigger.FAILED: Phase.ENDED,
    },
    Phase.SPEAKING: {
        Trigger.SEGMENT_ENDED: Phase.WAITING,
        Trigger.SPEECH_ENDED: Phase.DECODING,
        Trigger.PARTIAL_DECODED: Phase.SPEAKING,
        Trigger.SEGMENT_DECODED: Phase.SPEAKING,
        Trigger.RECOGNITION_EXPIRED: Phase.ENDED,
        Trigger.SPEECH_OVERRAN: Phase.ENDED,
        Trigger.FAILED: Phase.ENDED,
    },
    Phase.DECODING: {
        Trigger.SEGMENT_DECODED: Phase.DECODING,
        Trigger.RECOGNITION_EXPIRED: Phase.ENDED,
        Trigger.FAILED: Phase.ENDED,
    },
    Phase.CLOSING: {
        Trigger.SEGMENT_DECODED: Phase.CLOSING,
        Trigger.RECOGNITION_EXPIRED: Phase.ENDED,
        Trigger.FAILED: Phase.ENDED,
    },
    Phase.ENDED: {},
}
"""DECODING and CLOSING end by themselves when no segment waits for its hypotheses any more."""
