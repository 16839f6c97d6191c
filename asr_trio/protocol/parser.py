"""Bytes to messages, both directions.

Given any bytes, :func:`parse_client_message` and :func:`parse_server_message` return a message or raise
RemoteProtocolError. They are as forgiving as the SDKs' habits need (protocol reference, section 4): lines end at LF
with or without CR, the blank line and the last line end may be missing, header names come in any case and order with or
without a blank after the colon, ``Content-Length`` may be missing or wrong, line 1 may carry a fourth token.

A frame is one start line, header lines up to the first empty line, and a body: everything after that line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeVar

import msgspec

from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol import headers
from asr_trio.protocol.messages import (
    CancelRecognition,
    ClientMessage,
    CreateSession,
    DefineGrammar,
    EndOfSpeech,
    GetParameters,
    InterpretText,
    Method,
    RecognitionResult,
    ReleaseSession,
    Response,
    Result,
    ResultStatus,
    SendAudio,
    ServerMessage,
    SessionStatus,
    SetParameters,
    StartInputTimers,
    StartOfSpeech,
    StartRecognition,
)

MAX_HEADERS: Final = 256
"""Twice as many as there are parameters in all spellings, with room for those of other servers."""
MAX_HEADER_BYTES: Final = 128 * 1024
"""All header lines together; the longest that a client has reason to send is a list of hints."""

_VERSION: Final = re.compile(r"2\.\d{1,4}")
_HANDLE_MAX: Final = 2**63 - 1

# Headers of the frame itself: Kotlin's parameter map may hold any of them, and they are no parameters.
_FRAMING: Final = frozenset(
    name.lower()
    for name in (
        headers.ACCEPT,
        headers.CONTENT_ID,
        headers.CONTENT_LENGTH,
        headers.CONTENT_TYPE,
        headers.USER_AGENT,
    )
)


class _Frame(msgspec.Struct):
    """A message cut into its parts. `values` and `names` (as sent) are keyed by lower-case header name."""

    name: str
    values: dict[str, str]
    names: dict[str, str]
    body: bytes

    def get(self, name: str) -> str | None:
        return self.values.get(name.lower()) or None

    def parameters(self, excluded: frozenset[str]) -> dict[str, str]:
        return {self.names[key]: value for key, value in self.values.items() if key not in excluded}

    def content_length(self) -> int | None:
        text = self.get(headers.CONTENT_LENGTH)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            self.reject("Content-Length is not a number")
        return int(text)

    def content_type(self) -> str | None:
        """Return the media type without its parameters, in lower case."""
        value = self.get(headers.CONTENT_TYPE)
        return value.partition(";")[0].strip().lower() or None if value else None

    def reject(self, reason: str) -> NoReturn:
        raise RemoteProtocolError(reason, method=self.name)


def _split(data: bytes) -> _Frame:
    """Cut a frame into start line, headers and body.

    Raises:
        RemoteProtocolError: the start line is none, or the headers are too many or too long.
    """
    end = data.find(b"\n")
    tokens = (data if end < 0 else data[:end])[:256].rstrip(b"\0").decode("utf-8", "replace").split()
    if len(tokens) < 3 or tokens[0] != headers.START_WORD:
        raise RemoteProtocolError("The first line is not a start line")
    if not _VERSION.fullmatch(tokens[1]):
        raise RemoteProtocolError("The protocol version is not 2.x", method=tokens[2].upper())
    frame = _Frame(name=tokens[2].upper(), values={}, names={}, body=b"")
    position = end + 1 if end >= 0 else len(data)
    start = position
    while position < len(data):
        end = data.find(b"\n", position)
        if end < 0:
            end = len(data)
        line = data[position:end].strip(b"\r\0 \t")
        position = end + 1
        if not line:
            frame.body = data[position:]
            break
        if len(frame.names) >= MAX_HEADERS or position - start > MAX_HEADER_BYTES:
            frame.reject("Too many headers")
        name, _, value = line.decode("utf-8", "replace").partition(":")
        name = name.strip()
        if name:
            key = name.lower()
            frame.names[key] = name
            frame.values[key] = value.strip()
    return frame


def _text_body(frame: _Frame) -> bytes:
    """Return a body of text: all of it, since the SDKs count characters, add eight, or append a line end."""
    frame.content_length()
    return frame.body.rstrip(b"\0\r\n")


def _audio_body(frame: _Frame) -> bytes:
    """Return a body of audio: the declared length, or what there is."""
    length = frame.content_length()
    return frame.body if length is None else frame.body[:length]


def _parse_create_session(frame: _Frame) -> CreateSession:
    return CreateSession(
        user_agent=frame.get(headers.USER_AGENT),
        channel_identifier=frame.get(headers.CHANNEL_IDENTIFIER),
        logging_tag=frame.get(headers.LOGGING_TAG),
    )


def _parse_set_parameters(frame: _Frame) -> SetParameters:
    return SetParameters(parameters=frame.parameters(_FRAMING))


def _parse_get_parameters(frame: _Frame) -> GetParameters:
    return GetParameters(names=tuple(frame.parameters(_FRAMING)))


def _parse_define_grammar(frame: _Frame) -> DefineGrammar:
    content_id = frame.get(headers.CONTENT_ID)
    if content_id is None:
        frame.reject("Content-ID is missing")
    return DefineGrammar(content_id=content_id, content_type=frame.content_type(), body=_text_body(frame))


def _parse_start_recognition(frame: _Frame) -> StartRecognition:
    return StartRecognition(
        parameters=frame.parameters(_FRAMING),
        accept=frame.get(headers.ACCEPT),
        content_type=frame.content_type(),
        content_id=frame.get(headers.CONTENT_ID),
        body=_text_body(frame),
    )


def _parse_send_audio(frame: _Frame) -> SendAudio:
    return SendAudio(
        audio=_audio_body(frame),
        last_packet=(frame.get(headers.LAST_PACKET) or "").lower() in {"true", "1", "yes", "on"},
        # With its parameters: "audio/raw;rate=8000" says what raw audio cannot.
        content_type=(frame.get(headers.CONTENT_TYPE) or "").lower() or None,
    )


def _parse_interpret_text(frame: _Frame) -> InterpretText:
    text = frame.get(headers.TEXT)
    if text is None:
        frame.reject("Text is missing")
    return InterpretText(
        text=text,
        accept=frame.get(headers.ACCEPT),
        content_type=frame.content_type(),
        content_id=frame.get(headers.CONTENT_ID),
        body=_text_body(frame),
    )


_CLIENT_PARSERS: Final[Mapping[str, Callable[[_Frame], ClientMessage]]] = {
    Method.CREATE_SESSION: _parse_create_session,
    Method.SET_PARAMETERS: _parse_set_parameters,
    Method.GET_PARAMETERS: _parse_get_parameters,
    Method.DEFINE_GRAMMAR: _parse_define_grammar,
    Method.START_RECOGNITION: _parse_start_recognition,
    Method.START_INPUT_TIMERS: lambda _: StartInputTimers(),
    Method.SEND_AUDIO: _parse_send_audio,
    Method.CANCEL_RECOGNITION: lambda _: CancelRecognition(),
    Method.RELEASE_SESSION: lambda _: ReleaseSession(),
    Method.INTERPRET_TEXT: _parse_interpret_text,
}


def parse_client_message(data: bytes) -> ClientMessage:
    """Parse one WebSocket message of a client.

    Raises:
        RemoteProtocolError: it is none; its `method` is the name on the start line where there was one.
    """
    return _parse_client(_split(data))


def _parse_client(frame: _Frame) -> ClientMessage:
    parse = _CLIENT_PARSERS.get(frame.name)
    if parse is None:
        frame.reject("The message name is unknown")
    return parse(frame)


class ClientParser:
    """Parses the messages of one client. Its packets of audio begin alike, and what was read once is not read again."""

    def __init__(self) -> None:
        self._head = b"\n\n"  # no message begins so
        self._length: int | None = None
        self._last_packet = False
        self._content_type: str | None = None

    def parse(self, data: bytes) -> ClientMessage:
        """Parse one WebSocket message, as `parse_client_message` does.

        Raises:
            RemoteProtocolError: it is none.
        """
        if data.startswith(self._head):
            start = len(self._head)
            audio = data[start:] if self._length is None else data[start : start + self._length]
            return SendAudio(audio=audio, last_packet=self._last_packet, content_type=self._content_type)
        frame = _split(data)
        message = _parse_client(frame)
        if isinstance(message, SendAudio) and frame.body:  # else there may be no empty line that ends the headers
            self._head = data[: len(data) - len(frame.body)]
            self._length = frame.content_length()
            self._last_packet, self._content_type = message.last_packet, message.content_type
        return message


# --- server to client -------------------------------------------------------------------------------------------

_Word = TypeVar("_Word", Result, ResultStatus, SessionStatus)


def _handle(frame: _Frame) -> int:
    text = frame.get(headers.HANDLE) or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _HANDLE_MAX):
        frame.reject("Handle is not a number")
    return int(text)


def _word(frame: _Frame, name: str, kind: type[_Word]) -> _Word:
    try:
        return kind((frame.get(name) or "").upper())
    except ValueError:
        frame.reject(f"{name} is missing or unknown")


_RESPONSE_HEADERS: Final = _FRAMING | {name.lower() for name in headers.RESPONSE_NAMES}


def _parse_response(frame: _Frame) -> Response:
    expires = frame.get(headers.EXPIRES)
    if expires is not None and not (expires.isascii() and expires.isdigit() and len(expires) <= 18):
        frame.reject("Expires is not a number")
    return Response(
        handle=_handle(frame),
        method=(frame.get(headers.METHOD) or "").upper(),
        result=_word(frame, headers.RESULT, Result),
        session_status=_word(frame, headers.SESSION_STATUS, SessionStatus),
        expires_ms=int(expires) if expires is not None else None,
        parameters=frame.parameters(_RESPONSE_HEADERS),
        error_code=frame.get(headers.ERROR_CODE),
        message=frame.get(headers.MESSAGE),
    )


def _parse_start_of_speech(frame: _Frame) -> StartOfSpeech:
    return StartOfSpeech(handle=_handle(frame), session_status=_word(frame, headers.SESSION_STATUS, SessionStatus))


def _parse_end_of_speech(frame: _Frame) -> EndOfSpeech:
    return EndOfSpeech(handle=_handle(frame), session_status=_word(frame, headers.SESSION_STATUS, SessionStatus))


def _parse_recognition_result(frame: _Frame) -> RecognitionResult:
    return RecognitionResult(
        handle=_handle(frame),
        result_status=_word(frame, headers.RESULT_STATUS, ResultStatus),
        session_status=_word(frame, headers.SESSION_STATUS, SessionStatus),
        content_type=frame.content_type() or "application/json",
        body=_audio_body(frame),
    )


_SERVER_PARSERS: Final[Mapping[str, Callable[[_Frame], ServerMessage]]] = {
    "RESPONSE": _parse_response,
    "START_OF_SPEECH": _parse_start_of_speech,
    "END_OF_SPEECH": _parse_end_of_speech,
    "RECOGNITION_RESULT": _parse_recognition_result,
}


def parse_server_message(data: bytes) -> ServerMessage:
    """Parse one WebSocket message of a server.

    Raises:
        RemoteProtocolError: it is none, or it lacks what a client cannot do without.
    """
    frame = _split(data)
    parse = _SERVER_PARSERS.get(frame.name)
    if parse is None:
        frame.reject("The message name is unknown")
    return parse(frame)
