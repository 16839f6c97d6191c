"""The body of a result (protocol reference, section 9)."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given

from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol.messages import ResultStatus
from asr_trio.protocol.results import (
    Alternative,
    Interpretation,
    SegmentResult,
    Word,
    decode_result,
    encode_result,
    wants_xml,
)
from tests.protocol.strategies import FINAL_RESULTS, PARTIAL_RESULTS

YES = SegmentResult(
    result_status=ResultStatus.RECOGNIZED,
    alternatives=(
        Alternative(
            text="sim",
            score=97,
            lm="session:yes_no",
            words=(Word(text="sim", score=97, start_time=0.52, end_time=0.8),),
            interpretations=(Interpretation(value="sim", score=97), Interpretation(value={"a": [1, None]}, score=9)),
        ),
    ),
    start_time=0.32,
    end_time=1.2,
)


def test_json_of_a_result_to_the_byte():
    assert encode_result(YES) == (
        "application/json",
        (
            b'{"alternatives":[{"text":"sim","words":[{"text":"sim","score":97,"start_time":0.52,"end_time":0.8}],'
            b'"score":97,"lm":"session:yes_no","interpretations":["sim",{"a":[1,null]}],"interpretation_scores":[97,9]}],'
            b'"segment_index":0,"last_segment":true,"final_result":true,"start_time":0.32,"end_time":1.2,'
            b'"result_status":"RECOGNIZED"}'
        ),
    )


def test_json_without_alternatives_to_the_byte():
    assert encode_result(SegmentResult(result_status=ResultStatus.NO_SPEECH))[1] == (
        b'{"alternatives":[],"segment_index":0,"last_segment":true,"final_result":true,"start_time":0.0,'
        b'"end_time":0.0,"result_status":"NO_SPEECH"}'
    )


def test_xml_of_a_result_to_the_byte():
    assert encode_result(YES, "application/xml") == (
        "application/xml",
        (
            b"<?xml version='1.0' encoding='utf-8'?><recognition_result><alternatives><alternative><text>sim</text>"
            b"<words><word><text>sim</text><score>97</score><start_time>0.52</start_time><end_time>0.8</end_time></word>"
            b"</words><score>97</score><lm>session:yes_no</lm><interpretations><interpretation>sim</interpretation>"
            b'<interpretation>{"a":[1,null]}</interpretation></interpretations><interpretation_scores>'
            b"<interpretation_score>97</interpretation_score><interpretation_score>9</interpretation_score>"
            b"</interpretation_scores></alternative></alternatives><segment_index>0</segment_index>"
            b"<last_segment>true</last_segment><final_result>true</final_result><start_time>0.32</start_time>"
            b"<end_time>1.2</end_time><result_status>RECOGNIZED</result_status></recognition_result>"
        ),
    )


def test_failure_says_why():
    failure = SegmentResult(result_status=ResultStatus.FAILURE, error_code="ERR_INTERNAL_ERROR", message="It: died")
    for accept in (None, "application/xml"):
        assert decode_result(*encode_result(failure, accept)) == failure


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        (None, False),
        ("", False),
        ("application/json", False),
        ("application/xml", True),
        ("text/xml", True),
        ("APPLICATION/XML; charset=utf-8", True),
        ("application/xml, application/json", True),
        ("application/json, application/xml", False),
        ("*/*", False),
        ("image/png", False),
        ("image/png, application/xml", True),
    ],
)
def test_accept_chooses(accept, xml):
    assert wants_xml(accept) is xml


@given(FINAL_RESULTS | PARTIAL_RESULTS)
def test_what_is_written_is_read_again(result):
    read = decode_result(*encode_result(result))
    assert read.result_status == result.result_status
    assert (read.final_result, read.last_segment) == (result.final_result, result.last_segment)
    assert [item.text for item in read.alternatives] == [item.text for item in result.alternatives]
    assert [item.words and item.words[0].text for item in read.alternatives] == [
        item.words and item.words[0].text for item in result.alternatives
    ]
    assert [len(item.interpretations) for item in read.alternatives] == [
        len(item.interpretations) for item in result.alternatives
    ]


@pytest.mark.parametrize("value", [10**40, math.nan, math.inf, "\ud800", {1: 2}, {"k": b"bytes"}, [()], object])
def test_any_interpretation_can_be_written(value):
    odd = SegmentResult(
        result_status=ResultStatus.RECOGNIZED,
        alternatives=(Alternative(text="\udfff", score=1, interpretations=(Interpretation(value=value, score=1),)),),
        start_time=math.nan,
    )
    for accept in (None, "application/xml"):
        content_type, body = encode_result(odd, accept)
        assert len(decode_result(content_type, body).alternatives) == 1
    assert json.loads(encode_result(odd)[1])["start_time"] == 0.0


# --- documents of other servers


def test_old_documents_are_read():
    old = decode_result(
        "application/json",
        b'{"alternatives":[{"index":1,"text":"a","score":80.6,"interpretations":["x"]}],"extra":1}',
        ResultStatus.RECOGNIZED,
    )
    assert (old.result_status, old.final_result, old.last_segment) == (ResultStatus.RECOGNIZED, True, True)
    assert old.alternatives[0].interpretations == (Interpretation(value="x", score=81),)


def test_partial_is_known_by_its_status():
    assert not decode_result("application/json", b"{}", ResultStatus.PROCESSING).final_result


def test_empty_body_has_no_alternatives():
    assert decode_result("application/json", b"", ResultStatus.CANCELED) == SegmentResult(
        result_status=ResultStatus.CANCELED
    )


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'{"alternatives":{}}'),
        ("application/json", b'{"result_status":"FINE"}'),
        ("application/json", b"\xff"),
        ("application/json", b"[" * 100_000),
        ("application/xml", b"<a>"),
        ("application/xml", b"<recognition_result><segment_index>x</segment_index></recognition_result>"),
        ("application/xml", b"\x00"),
    ],
)
def test_rubbish_is_a_protocol_error(content_type, body):
    with pytest.raises(RemoteProtocolError):
        decode_result(content_type, body)


def test_entities_of_a_document_are_not_resolved(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    body = (
        f'<!DOCTYPE r [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
        "<recognition_result><alternatives><alternative><text>&e;</text></alternative></alternatives>"
        "</recognition_result>"
    )
    (found,) = decode_result("application/xml", body.encode(), ResultStatus.RECOGNIZED).alternatives
    assert "secret" not in found.text
