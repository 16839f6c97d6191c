"""Nothing leaves the server that one of the SDKs would choke on."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asr_trio.protocol.messages import (
    EndOfSpeech,
    Method,
    RecognitionResult,
    Response,
    Result,
    ResultStatus,
    SessionStatus,
    StartOfSpeech,
)
from asr_trio.protocol.parser import parse_server_message
from asr_trio.protocol.results import SegmentResult, encode_result
from asr_trio.protocol.writer import serialize
from tests.compat.readers import READERS, ChokedError, read_by_all
from tests.protocol.strategies import FINAL_RESULTS, PARTIAL_RESULTS, RESPONSES

ACCEPTS = st.sampled_from([None, "application/json", "application/xml"])


@given(RESPONSES)
@example(
    Response(
        handle=1,
        method=Method.GET_PARAMETERS,
        result=Result.SUCCESS,
        session_status=SessionStatus.IDLE,
        parameters={"hints.words": ": :a", "loggingTag": ":", "logging.tag": "x Result: FAILURE", "Result": "FAILURE"},
    )
)
def test_every_client_understands_every_response(response):
    data = serialize(response)
    understood = read_by_all(data)
    for message in understood.values():
        assert message.headers["Result"] == response.result
        assert message.headers["Session-Status"] == response.session_status
        assert message.headers.get("Error-Code") == response.error_code
    assert parse_server_message(data).result == response.result


@given(FINAL_RESULTS | PARTIAL_RESULTS, ACCEPTS)
def test_every_client_understands_every_result(result, accept):
    content_type, body = encode_result(result, accept)
    message = RecognitionResult(
        handle=202501011200000001,
        result_status=result.result_status,
        session_status=SessionStatus.LISTENING,
        content_type=content_type,
        body=body,
    )
    data = serialize(message)
    for client, understood in read_by_all(data).items():
        if client != "dotnet":
            assert understood.headers["Result-Status"] == result.result_status
        assert understood.body == body
    assert parse_server_message(data) == message


@pytest.mark.parametrize("message", [StartOfSpeech(handle=1), EndOfSpeech(handle=1)])
def test_every_client_understands_speech_events(message):
    for understood in read_by_all(serialize(message)).values():
        assert understood.headers["Session-Status"] == message.session_status


def test_text_survives_its_escapes():
    text = "ASR \\ASR Result: x"
    _, body = encode_result(SegmentResult(result_status=ResultStatus.FAILURE, error_code="E", message=text))
    assert b"ASR" not in body
    assert b": " not in body
    assert json.loads(body)["message"] == text


def encoded(**fields):
    status = SessionStatus.IDLE
    return serialize(
        Response(handle=1, method="CREATE_SESSION", result=Result.SUCCESS, session_status=status, **fields)
    )


# The models must be able to fail: each of these is what the writer takes care not to send.
@pytest.mark.parametrize(
    ("client", "hazard"),
    [
        ("python", encoded(message="x").replace(b"Message: x", b"Message: ASR")),
        ("python", encoded(message="x").replace(b"Message: x", b"Message: \xff")),
        ("python", encoded().replace(b"RESPONSE", b"HELLO")),
        ("java", encoded().replace(b"Method: CREATE_SESSION\r\n", b"")),
        ("java", encoded().replace(b"Session-Status: IDLE\r\n", b"")),
        ("cpp", encoded().replace(b" RESPONSE", b"  RESPONSE")),
        ("dotnet", encoded(message="x").replace(b"Message: x", b"Message: Result: FAILURE\r\nX-Result: y")),
        ("dotnet", encoded().replace(b"Session-Status: ", b"Session-Status:")),
        ("kotlin", encoded().replace(b"2.3", b"2.4")),
        ("kotlin", encoded().replace(b"\r\n\r\n", b"\r\n")),
        ("kotlin", encoded(message="x").replace(b"Message: x", b"Content-Length: 9")),
        ("android", encoded(message="x").replace(b"Message: x", b"Message: ")),
        ("ios", encoded().replace(b"\r\n\r\n", b"\r\n")),
    ],
)
def test_models_choke_on_hazards(client, hazard):
    with pytest.raises((ChokedError, ValueError, IndexError)):
        READERS[client](hazard)


def test_model_of_cpp_loses_headers_after_a_strange_value():
    data = encoded(message="x").replace(b"Handle: 1", b"Handle: \xc3\xa9")
    assert "Result" not in READERS["cpp"](data).headers
