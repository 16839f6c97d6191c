from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.errors import LocalProtocolError
from asr_trio.protocol.headers import (
    MESSAGE_CHARACTERS,
    RESPONSE_NAMES,
    is_plain,
    is_safe_name,
    plain_value,
    single_line,
)
from asr_trio.protocol.messages import (
    CreateSession,
    DefineGrammar,
    InterpretText,
    Response,
    Result,
    SendAudio,
    SessionStatus,
    SetParameters,
)
from asr_trio.protocol.parser import parse_client_message
from asr_trio.protocol.writer import serialize
from tests.protocol.strategies import TEXTS


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Language model not found", "Language model not found"),
        ("line 3, column 5: rule $pizza is not defined", "line 3, column 5 - rule pizza is not defined"),
        ("unknown words: ação, 'não', \"é\"", "unknown words - acao, nao, e"),
        ("ASR is ASRASR", "Asr is AsrAsr"),
        ("a [b] {c} d=e; f…", "a (b) (c) d-e, f..."),
        ("a\r\nb\tc  d", "a b c d"),
        ("日本", ""),
        ("", ""),
        ("x" * 500, "x" * MESSAGE_CHARACTERS),
    ],
)
def test_plain_value(text, plain):
    assert plain_value(text) == plain
    assert not plain or is_plain(plain)


@given(TEXTS)
def test_any_text_becomes_a_value_that_all_clients_read(text):
    value = plain_value(text)
    assert re.fullmatch(r"(?:[A-Za-z0-9/\-.,_()<>]+(?: [A-Za-z0-9/\-.,_()<>]+)*)?", value)
    assert "ASR" not in value
    assert plain_value(value) == value
    line = single_line(text)
    assert len(line.splitlines()) <= 1
    assert "ASR" not in line
    assert ": " not in line


@pytest.mark.parametrize("name", ["decoder.maxSentences", "Infer-age-enabled", "x", "InvalidParam", "a_b"])
def test_names_that_can_be_echoed(name):
    assert is_safe_name(name)


@pytest.mark.parametrize(
    "name",
    [*RESPONSE_NAMES, "X-Result", "my-SESSION-status", "", "a b", "a:b", "ASR", "xASRx", "é", ".a", "a" * 129, "a\n"],
)
def test_names_that_would_be_misread(name):
    assert not is_safe_name(name)


def test_response_to_the_byte():
    response = Response(
        handle=202501011200000001,
        method="GET_PARAMETERS",
        result=Result.FAILURE,
        session_status=SessionStatus.LISTENING,
        expires_ms=60000,
        parameters={"hints.words": "não:3", "decoder.maxSentences": "3", "Result": "x", "empty": ""},
        error_code="ERR_X",
        message="a: b",
    )
    assert (
        serialize(response)
        == (
            "ASR 2.3 RESPONSE\r\nHandle: 202501011200000001\r\nMethod: GET_PARAMETERS\r\nResult: FAILURE\r\n"
            "Session-Status: LISTENING\r\nExpires: 60000\r\ndecoder.maxSentences: 3\r\nError-Code: ERR_X\r\n"
            "Message: a - b\r\nhints.words: não:3\r\n\r\n"
        ).encode()
    )


@pytest.mark.parametrize("method", ["", "ASR", "A B", "é", "X\r\nResult: SUCCESS"])
def test_response_to_a_nameless_message_has_a_method_all_the_same(method):
    response = Response(handle=1, method=method, result=Result.INVALID_MESSAGE, session_status=SessionStatus.IDLE)
    assert b"\r\nMethod: UNKNOWN\r\n" in serialize(response)


@pytest.mark.parametrize(
    "message",
    [
        CreateSession(user_agent="a\r\nb"),
        SetParameters(parameters={"a:b": "1"}),
        SetParameters(parameters={"": "1"}),
        SetParameters(parameters={"a b": "1"}),
        SetParameters(parameters={"a": "\0"}),
        DefineGrammar(content_id="a\nb"),
        InterpretText(text="\ud800"),
        SendAudio(content_type="a\rb"),
    ],
)
def test_client_does_not_send_what_a_header_cannot_hold(message):
    with pytest.raises(LocalProtocolError):
        serialize(message)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z.]{1,9}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=9),
    )
)
def test_parameters_arrive_as_they_were_sent(parameters):
    sent = SetParameters(parameters={name: value.strip() for name, value in parameters.items()})
    assert parse_client_message(serialize(sent)) == sent
