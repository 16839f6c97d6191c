from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol.messages import (
    CancelRecognition,
    CreateSession,
    InterpretText,
    Method,
    SendAudio,
    SetParameters,
    StartRecognition,
)
from asr_trio.protocol.parser import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    ClientParser,
    parse_client_message,
    parse_server_message,
)
from asr_trio.protocol.writer import serialize
from tests.golden.shapes import PCM, SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_shape_of_sdk_is_understood(name):
    data, message = SHAPES[name]
    assert parse_client_message(data) == message


@pytest.mark.parametrize("name", SHAPES)
def test_canonical_form_of_a_shape_parses_to_the_same(name):
    _, message = SHAPES[name]
    assert parse_client_message(serialize(message)) == message


@pytest.mark.parametrize("name", SHAPES)
def test_every_truncation_is_a_message_or_a_protocol_error(name):
    data, _ = SHAPES[name]
    for length in range(min(len(data), 200)):
        try:
            parse_client_message(data[:length])
        except RemoteProtocolError:
            continue


# Audio without a length is everything that follows.
_DECLARED = [
    name
    for name, (data, message) in SHAPES.items()
    if PCM not in data and not (isinstance(message, SendAudio) and b"Content-Length" not in data)
]


@pytest.mark.parametrize("name", _DECLARED)
@pytest.mark.parametrize("trailing", [b"\r\n", b"\n", b"\0\0", b"\r\n\r\n\0"])
def test_trailing_line_ends_and_zeros_change_nothing_but_undeclared_audio(name, trailing):
    data, message = SHAPES[name]
    assert parse_client_message(data + trailing) == message


@pytest.mark.parametrize(
    "data",
    [
        b"asr 2.3 CREATE_SESSION\r\n",
        b"",
        b"\n",
        b"ASR",
        b"ASR 2.3",
        b"ASR CREATE_SESSION 2.3",
        b"ASR 1.0 CREATE_SESSION\n",
        b"ASR 3.0 CREATE_SESSION\n",
        b"ASR 2. CREATE_SESSION\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xfe\x00",
        b"ASR 2.3 MAKE_TEA\r\n\r\n",
        b"ASR 2.3 RESPONSE\r\n\r\n",
        b"ASR 2.3 DEFINE_GRAMMAR\r\nContent-Type: application/srgs\r\n\r\n#ABNF",
        b"ASR 2.3 INTERPRET_TEXT\r\n\r\n",
        b"ASR 2.3 SEND_AUDIO\r\nContent-Length: many\r\n\r\nxx",
        b"ASR 2.3 SEND_AUDIO\r\nContent-Length: -1\r\n\r\nxx",
        b"ASR 2.3 SEND_AUDIO\r\nContent-Length: \xd9\xa3\r\n\r\nxx",
        b"ASR 2.3 START_RECOGNITION\r\nContent-Length: 1e3\r\n\r\nxx",
    ],
)
def test_rubbish_is_a_protocol_error(data):
    with pytest.raises(RemoteProtocolError):
        parse_client_message(data)


def test_error_names_the_method_that_was_sent():
    with pytest.raises(RemoteProtocolError) as caught:
        parse_client_message(b"ASR 2.3 define_grammar\r\n\r\n")
    assert caught.value.method == Method.DEFINE_GRAMMAR
    with pytest.raises(RemoteProtocolError) as caught:
        parse_client_message(b"rubbish")
    assert caught.value.method == ""


@pytest.mark.parametrize("version", ["2.0", "2.2", "2.3", "2.4", "2.17"])
def test_any_minor_version_is_accepted(version):
    assert parse_client_message(f"ASR {version} CANCEL_RECOGNITION\r\n\r\n".encode()) == CancelRecognition()


def test_message_and_header_names_in_any_case():
    data = b"ASR 2.3 start_recognition\r\ncontent-type: TEXT/URI-LIST; charset=UTF-8\r\nACCEPT: a/b\r\n\r\nbuiltin:x"
    assert parse_client_message(data) == StartRecognition(accept="a/b", content_type="text/uri-list", body=b"builtin:x")


def test_a_value_keeps_its_colons_and_inner_blanks():
    data = b"ASR 2.3 SET_PARAMETERS\r\nhints.words:  one:2 [W AH N],  two \r\n\r\n"
    assert parse_client_message(data) == SetParameters(parameters={"hints.words": "one:2 [W AH N],  two"})


def test_a_line_without_colon_is_a_header_without_value():
    assert parse_client_message(b"ASR 2.3 SET_PARAMETERS\nodd\n") == SetParameters(parameters={"odd": ""})


def test_the_last_of_doubled_headers_counts():
    data = b"ASR 2.3 SET_PARAMETERS\na: 1\nA: 2\n"
    assert parse_client_message(data) == SetParameters(parameters={"A": "2"})


def test_headers_that_are_no_utf8_do_not_cost_the_message():
    message = parse_client_message(b"ASR 2.3 CREATE_SESSION\r\nUser-Agent: m\xe9tro\r\nloggingTag: t\r\n\r\n")
    assert message == CreateSession(user_agent="m\ufffdtro", logging_tag="t")


def test_text_of_interpretation_may_hold_colons():
    data = "ASR 2.3 INTERPRET_TEXT\nText: às 10:30\nContent-Type: text/plain\n\nbuiltin:grammar/time".encode()
    assert parse_client_message(data) == InterpretText(
        text="às 10:30", content_type="text/plain", body=b"builtin:grammar/time"
    )


def test_audio_keeps_the_parameters_of_its_type():
    message = parse_client_message(b"ASR 2.3 SEND_AUDIO\nContent-Type: Audio/RAW; rate=8000\n\n")
    assert message == SendAudio(content_type="audio/raw; rate=8000")


def test_audio_without_length_is_all_that_follows():
    assert parse_client_message(b"ASR 2.3 SEND_AUDIO\n\n\r\n\0a\n") == SendAudio(audio=b"\r\n\0a\n")


def test_audio_shorter_than_declared_is_what_there_is():
    assert parse_client_message(b"ASR 2.3 SEND_AUDIO\nContent-Length: 10\n\nabc") == SendAudio(audio=b"abc")


def test_headers_are_bounded_in_number_and_size():
    many = b"".join(b"h%d: 1\n" % i for i in range(MAX_HEADERS + 1))
    with pytest.raises(RemoteProtocolError, match="Too many"):
        parse_client_message(b"ASR 2.3 SET_PARAMETERS\n" + many)
    large = b"a: " + b"x" * MAX_HEADER_BYTES + b"\nb: 1\n"
    with pytest.raises(RemoteProtocolError, match="Too many"):
        parse_client_message(b"ASR 2.3 SET_PARAMETERS\n" + large)


_LINES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"", b"\r", b"Content-Length: 5", b"Content-Length:", b"LastPacket: true", b"Text: a"]),
    ),
    max_size=8,
)
_NAMES = st.sampled_from([*Method, "RESPONSE", "RECOGNITION_RESULT", "START_OF_SPEECH", "END_OF_SPEECH"])
_NEARLY = st.builds(lambda name, lines: b"\n".join([b"ASR 2.3 " + name.encode(), *lines]), _NAMES, _LINES)


@given(st.binary(max_size=300) | _NEARLY)
@example(b"ASR 2.3 SEND_AUDIO\nContent-Length: 99999999999999999999\n\n")
@example("ASR 2.3 SEND_AUDIO\nContent-Length: ²\n\n".encode())
def test_any_bytes_are_a_message_or_a_protocol_error(data):
    for parse in (parse_client_message, parse_server_message):
        try:
            parse(data)
        except RemoteProtocolError:
            continue


_HEAD = b"ASR 2.3 SEND_AUDIO\nLastPacket: false\nContent-Length: 4\n"
_PACKETS = st.builds(
    lambda head, rest: head + rest,
    st.sampled_from(
        [
            _HEAD,
            _HEAD + b"\n",
            _HEAD + b"\r\n",
            _HEAD.replace(b"\n", b"\r\n") + b"\r\n",
            _HEAD.replace(b"4", b"x") + b"\n",
            _HEAD.replace(b"Content-Length: 4\n", b"Content-Type: audio/raw;rate=8000\n\n"),
            _HEAD.replace(b"false", b"true") + b"\n",
        ]
    ),
    st.sampled_from([b"", b"\n", b"\r\n", b"12", b"1234", b"123456", b"a: b\n\n1234"]),
)


def outcome(parse, data):
    try:
        return parse(data)
    except RemoteProtocolError as error:
        return str(error), error.method


@given(st.lists(_PACKETS | _NEARLY, max_size=8))
def test_what_a_client_said_before_changes_nothing(messages):
    parser = ClientParser()
    assert [outcome(parser.parse, data) for data in messages] == [outcome(parse_client_message, m) for m in messages]
