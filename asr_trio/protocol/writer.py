"""Messages to bytes, both directions.

What a server writes obeys the net rules of the protocol reference (section 1): exact start line, CRLF everywhere, one
blank after the colon, the blank line always, Session-Status always, ``Message`` last, nothing after the body. What a
client writes is the form that the reference decoder expects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from asr_trio.errors import LocalProtocolError
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
    SendAudio,
    ServerMessage,
    SetParameters,
    StartInputTimers,
    StartOfSpeech,
    StartRecognition,
)

UNKNOWN_METHOD: Final = "UNKNOWN"
"""``Method`` of an answer to something that had no usable name; the header itself must never be missing."""

_SENDABLE_NAME: Final = re.compile(r"[!-9;-~]+")
_SENDABLE_VALUE: Final = re.compile(r"[^\r\n\0\ud800-\udfff]*")

_Fields: TypeAlias = Iterable[tuple[str, object]]


def _frame(name: str, fields: _Fields, body: bytes = b"") -> bytes:
    lines = [f"{headers.START_WORD} {headers.VERSION} {name}"]
    lines += [f"{field}: {value}" for field, value in fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# --- server to client -------------------------------------------------------------------------------------------


def _response(message: Response) -> bytes:
    fields: list[tuple[str, object]] = [
        (headers.HANDLE, message.handle),
        (headers.METHOD, message.method if headers.is_safe_name(message.method) else UNKNOWN_METHOD),
        (headers.RESULT, message.result),
        (headers.SESSION_STATUS, message.session_status),
    ]
    if message.expires_ms is not None:
        fields.append((headers.EXPIRES, message.expires_ms))
    odd: list[tuple[str, object]] = []
    for name, text in message.parameters.items():
        if not headers.is_safe_name(name):
            continue
        if headers.is_plain(text):
            fields.append((name, text))
        elif value := headers.single_line(text):
            odd.append((name, value))
    if message.error_code is not None:
        fields.append((headers.ERROR_CODE, message.error_code))
    if message.message and (text := headers.plain_value(message.message)):
        fields.append((headers.MESSAGE, text))
    # Values that a client set itself (hints, tags) may stop the C++ client's tokenizer: nothing must come after.
    return _frame("RESPONSE", fields + odd)


def _start_of_speech(message: StartOfSpeech) -> bytes:
    return _frame(
        "START_OF_SPEECH", ((headers.HANDLE, message.handle), (headers.SESSION_STATUS, message.session_status))
    )


def _end_of_speech(message: EndOfSpeech) -> bytes:
    return _frame("END_OF_SPEECH", ((headers.HANDLE, message.handle), (headers.SESSION_STATUS, message.session_status)))


def _recognition_result(message: RecognitionResult) -> bytes:
    fields = (
        (headers.HANDLE, message.handle),
        (headers.RESULT_STATUS, message.result_status),
        (headers.SESSION_STATUS, message.session_status),
        (headers.CONTENT_LENGTH, len(message.body)),
        (headers.CONTENT_TYPE, message.content_type),
    )
    return _frame("RECOGNITION_RESULT", fields, message.body)


# --- client to server -------------------------------------------------------------------------------------------


def _client_fields(pairs: Iterable[tuple[str, str | None]]) -> _Fields:
    for name, value in pairs:
        if value is None:
            continue
        if not _SENDABLE_NAME.fullmatch(name) or not _SENDABLE_VALUE.fullmatch(value):
            raise LocalProtocolError(f"The header {name!r} cannot be sent with this value")
        yield name, value.strip()


def _with_body(name: str, pairs: Iterable[tuple[str, str | None]], content_type: str | None, body: bytes) -> bytes:
    framing = ((headers.CONTENT_LENGTH, str(len(body))), (headers.CONTENT_TYPE, content_type))
    return _frame(name, _client_fields((*pairs, *framing)), body)


def _create_session(message: CreateSession) -> bytes:
    pairs = (
        (headers.USER_AGENT, message.user_agent),
        (headers.LOGGING_TAG, message.logging_tag),
        (headers.CHANNEL_IDENTIFIER, message.channel_identifier),
    )
    return _frame(Method.CREATE_SESSION, _client_fields(pairs))


def _set_parameters(message: SetParameters) -> bytes:
    return _frame(Method.SET_PARAMETERS, _client_fields(message.parameters.items()))


def _get_parameters(message: GetParameters) -> bytes:
    return _frame(Method.GET_PARAMETERS, _client_fields((name, "") for name in message.names))


def _define_grammar(message: DefineGrammar) -> bytes:
    pairs = ((headers.CONTENT_ID, message.content_id),)
    return _with_body(Method.DEFINE_GRAMMAR, pairs, message.content_type, message.body)


def _start_recognition(message: StartRecognition) -> bytes:
    pairs = (
        (headers.ACCEPT, message.accept),
        *message.parameters.items(),
        (headers.CONTENT_ID, message.content_id),
    )
    return _with_body(Method.START_RECOGNITION, pairs, message.content_type, message.body)


def _send_audio(message: SendAudio) -> bytes:
    pairs = ((headers.LAST_PACKET, "true" if message.last_packet else "false"),)
    return _with_body(Method.SEND_AUDIO, pairs, message.content_type, message.audio)


def _interpret_text(message: InterpretText) -> bytes:
    pairs = (
        (headers.TEXT, message.text),
        (headers.ACCEPT, message.accept),
        (headers.CONTENT_ID, message.content_id),
    )
    return _with_body(Method.INTERPRET_TEXT, pairs, message.content_type, message.body)


_WRITERS: Final[Mapping[type, Callable[[Any], bytes]]] = {
    Response: _response,
    StartOfSpeech: _start_of_speech,
    EndOfSpeech: _end_of_speech,
    RecognitionResult: _recognition_result,
    CreateSession: _create_session,
    SetParameters: _set_parameters,
    GetParameters: _get_parameters,
    DefineGrammar: _define_grammar,
    StartRecognition: _start_recognition,
    StartInputTimers: lambda _: _frame(Method.START_INPUT_TIMERS, ()),
    SendAudio: _send_audio,
    CancelRecognition: lambda _: _frame(Method.CANCEL_RECOGNITION, ()),
    ReleaseSession: lambda _: _frame(Method.RELEASE_SESSION, ()),
    InterpretText: _interpret_text,
}


def serialize(message: ClientMessage | ServerMessage) -> bytes:
    """Write one WebSocket (binary) message.

    Raises:
        LocalProtocolError: a client's header cannot hold what it was given.
    """
    return _WRITERS[type(message)](message)
