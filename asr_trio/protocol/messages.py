"""The ten client and four server messages as immutable values, and the enumerations of the wire.

Nothing here knows bytes: `parser` and `writer` turn these into frames and back. Header names live verbatim in
`headers`; recognition parameters in `parameters`; the body of a result in `results`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec


class Method(StrEnum):
    """Names of the client messages, as they stand on the start line and in the ``Method`` header."""

    CREATE_SESSION = "CREATE_SESSION"
    SET_PARAMETERS = "SET_PARAMETERS"
    GET_PARAMETERS = "GET_PARAMETERS"
    DEFINE_GRAMMAR = "DEFINE_GRAMMAR"
    START_RECOGNITION = "START_RECOGNITION"
    START_INPUT_TIMERS = "START_INPUT_TIMERS"
    SEND_AUDIO = "SEND_AUDIO"
    CANCEL_RECOGNITION = "CANCEL_RECOGNITION"
    RELEASE_SESSION = "RELEASE_SESSION"
    INTERPRET_TEXT = "INTERPRET_TEXT"


class Result(StrEnum):
    """Outcome of a request."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    INVALID_ACTION = "INVALID_ACTION"
    INVALID_MESSAGE = "INVALID_MESSAGE"


class SessionStatus(StrEnum):
    """State of a session as clients see it."""

    IDLE = "IDLE"
    LISTENING = "LISTENING"
    RECOGNIZING = "RECOGNIZING"


class ResultStatus(StrEnum):
    """Outcome of a recognition."""

    NONE = "NONE"
    PROCESSING = "PROCESSING"
    RECOGNIZED = "RECOGNIZED"
    NO_MATCH = "NO_MATCH"
    NO_INPUT_TIMEOUT = "NO_INPUT_TIMEOUT"
    MAX_SPEECH = "MAX_SPEECH"
    EARLY_SPEECH = "EARLY_SPEECH"
    RECOGNITION_TIMEOUT = "RECOGNITION_TIMEOUT"
    NO_SPEECH = "NO_SPEECH"
    CANCELED = "CANCELED"
    FAILURE = "FAILURE"


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    """Common base; fields hold what the headers said, decoded but not judged."""


# --- client to server -------------------------------------------------------------------------------------------


class CreateSession(_Message, frozen=True, kw_only=True):
    """Opens a session on this connection."""

    user_agent: str | None = None
    channel_identifier: str | None = None
    logging_tag: str | None = None


class SetParameters(_Message, frozen=True, kw_only=True):
    """Sets parameters for the whole session: wire names as sent, in order, values stripped."""

    parameters: dict[str, str] = {}


class GetParameters(_Message, frozen=True, kw_only=True):
    """Asks for parameters; no names means all."""

    names: tuple[str, ...] = ()


class DefineGrammar(_Message, frozen=True, kw_only=True):
    """Compiles a grammar, or names language models, to be referenced as ``session:<content_id>``."""

    content_id: str
    content_type: str | None = None
    body: bytes = b""


class StartRecognition(_Message, frozen=True, kw_only=True):
    """Starts a recognition. `parameters` hold for this recognition only; `body` is a URI list or a grammar."""

    parameters: dict[str, str] = {}
    accept: str | None = None
    content_type: str | None = None
    content_id: str | None = None
    body: bytes = b""


class StartInputTimers(_Message, frozen=True, kw_only=True):
    """Starts the no-input and recognition timers where START_RECOGNITION did not."""


class SendAudio(_Message, frozen=True, kw_only=True):
    """A packet of audio, any size, odd sizes included."""

    audio: bytes = b""
    last_packet: bool = False
    content_type: str | None = None


class CancelRecognition(_Message, frozen=True, kw_only=True):
    """Drops the running recognition and its results."""


class ReleaseSession(_Message, frozen=True, kw_only=True):
    """Ends the session; the server answers and closes the connection."""


class InterpretText(_Message, frozen=True, kw_only=True):
    """Interprets `text` with the language models of `body`, as START_RECOGNITION would name them."""

    text: str
    accept: str | None = None
    content_type: str | None = None
    content_id: str | None = None
    body: bytes = b""


ClientMessage: TypeAlias = (
    CreateSession
    | SetParameters
    | GetParameters
    | DefineGrammar
    | StartRecognition
    | StartInputTimers
    | SendAudio
    | CancelRecognition
    | ReleaseSession
    | InterpretText
)

METHODS: Final[dict[type[ClientMessage], Method]] = {
    CreateSession: Method.CREATE_SESSION,
    SetParameters: Method.SET_PARAMETERS,
    GetParameters: Method.GET_PARAMETERS,
    DefineGrammar: Method.DEFINE_GRAMMAR,
    StartRecognition: Method.START_RECOGNITION,
    StartInputTimers: Method.START_INPUT_TIMERS,
    SendAudio: Method.SEND_AUDIO,
    CancelRecognition: Method.CANCEL_RECOGNITION,
    ReleaseSession: Method.RELEASE_SESSION,
    InterpretText: Method.INTERPRET_TEXT,
}
"""The name of each kind of message."""

# --- server to client -------------------------------------------------------------------------------------------


class Response(_Message, frozen=True, kw_only=True):
    """Answer to any client message but SEND_AUDIO.

    `method` is a Method, or whatever name an invalid message had. `parameters` are echoes and values by wire name.
    """

    handle: int
    method: str
    result: Result
    session_status: SessionStatus
    expires_ms: int | None = None
    parameters: dict[str, str] = {}
    error_code: str | None = None
    message: str | None = None


class StartOfSpeech(_Message, frozen=True, kw_only=True):
    """The endpointer found the start of speech."""

    handle: int
    session_status: SessionStatus = SessionStatus.LISTENING


class EndOfSpeech(_Message, frozen=True, kw_only=True):
    """The endpointer found the end of speech; no more audio is wanted."""

    handle: int
    session_status: SessionStatus = SessionStatus.RECOGNIZING


class RecognitionResult(_Message, frozen=True, kw_only=True):
    """A partial or final result; `body` is the encoded document of type `content_type` (see `results`)."""

    handle: int
    result_status: ResultStatus
    session_status: SessionStatus
    content_type: str
    body: bytes


ServerMessage: TypeAlias = Response | StartOfSpeech | EndOfSpeech | RecognitionResult
