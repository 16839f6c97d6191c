"""The body of a RECOGNITION_RESULT as values: what the recogniser finds and the wire carries.

Times are seconds from the start of the audio stream of the recognition (not of the segment); scores are 0-100.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from lxml import etree

from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol.messages import ResultStatus


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One recognised word; times increase strictly from word to word."""

    text: str
    score: int
    start_time: float
    end_time: float

    def repeats(self, told: Word | None) -> bool:
        """Tell whether what was heard here has been told, where the last word told of the same audio is `told`.

        It has where most of this word lies before the end of that one. And where the two share most of the shorter one:
        one side of a cut may hear only the beginning of a word that the other hears whole.
        """
        if told is None:
            return False
        shared_s = min(self.end_time, told.end_time) - max(self.start_time, told.start_time)
        shorter_s = min(self.end_time - self.start_time, told.end_time - told.start_time)
        return (self.start_time + self.end_time) / 2 < told.end_time or shared_s > shorter_s / 2


class Interpretation(msgspec.Struct, frozen=True, kw_only=True):
    """A semantic result: any JSON value (a string for literal tags) and its score."""

    value: Any
    score: int


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One hypothesis for a segment."""

    text: str
    score: int
    lm: str = ""
    words: tuple[Word, ...] = ()
    interpretations: tuple[Interpretation, ...] = ()


class SegmentResult(msgspec.Struct, frozen=True, kw_only=True):
    """A whole result document.

    Attributes:
        alternatives: best first; empty for anything but RECOGNIZED and PROCESSING.
        segment_index: counts segments of one recognition from 0.
        last_segment: no further result follows.
        final_result: False only for partial results.
        start_time: start of the segment, margins included.
        end_time: its end, margins included.
        error_code: for FAILURE: what went wrong, as in the ``Error-Code`` header of a RESPONSE; "" is left out.
        message: the same for people.
    """

    result_status: ResultStatus
    alternatives: tuple[Alternative, ...] = ()
    segment_index: int = 0
    last_segment: bool = True
    final_result: bool = True
    start_time: float = 0.0
    end_time: float = 0.0
    error_code: str = ""
    message: str = ""


# --- the document on the wire -----------------------------------------------------------------------------------

JSON_TYPE: Final = "application/json"
XML_TYPE: Final = "application/xml"

_TIME_DIGITS: Final = 3


def _scalars(result: SegmentResult) -> dict[str, Any]:
    scalars: dict[str, Any] = {
        "segment_index": result.segment_index,
        "last_segment": result.last_segment,
        "final_result": result.final_result,
        "start_time": _seconds(result.start_time),
        "end_time": _seconds(result.end_time),
        "result_status": str(result.result_status),
    }
    if result.error_code:
        scalars |= {"error_code": result.error_code, "message": _plain_json(result.message)}
    return scalars


def _seconds(time_s: float) -> float:
    # Clients need a number in every result: "not known" is the start of the audio.
    return round(float(time_s), _TIME_DIGITS) if math.isfinite(time_s) else 0.0


def _plain_json(value: Any) -> Any:
    """Return an interpretation as a value that any JSON reader takes (no lone surrogates, numbers within a double)."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_plain_json(str(key)): _plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return _plain_json(str(value))
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _plain_json(str(value))


def _alternative_tree(alternative: Alternative) -> dict[str, Any]:
    tree: dict[str, Any] = {"text": _plain_json(alternative.text)}
    if alternative.words:
        tree["words"] = [
            {
                "text": _plain_json(word.text),
                "score": word.score,
                "start_time": _seconds(word.start_time),
                "end_time": _seconds(word.end_time),
            }
            for word in alternative.words
        ]
    tree["score"] = alternative.score
    tree["lm"] = _plain_json(alternative.lm)
    if alternative.interpretations:
        tree["interpretations"] = [_plain_json(item.value) for item in alternative.interpretations]
        tree["interpretation_scores"] = [item.score for item in alternative.interpretations]
    return tree


def _encode_json(result: SegmentResult) -> bytes:
    tree = {"alternatives": [_alternative_tree(alternative) for alternative in result.alternatives]}
    data = msgspec.json.encode(tree | _scalars(result))
    # Both can only stand inside strings here. Python takes any line with ASR for a start line, .NET searches the
    # whole message for header names with colon and blank.
    return data.replace(b"ASR", b"\\u0041SR").replace(b": ", b"\\u003a ")


def _encode_xml(result: SegmentResult) -> bytes:
    root = etree.Element("recognition_result")
    alternatives = etree.SubElement(root, "alternatives")
    for alternative in result.alternatives:
        element = etree.SubElement(alternatives, "alternative")
        _add_text(element, "text", alternative.text)
        if alternative.words:
            words = etree.SubElement(element, "words")
            for word in alternative.words:
                item = etree.SubElement(words, "word")
                _add_text(item, "text", word.text)
                _add_text(item, "score", word.score)
                _add_text(item, "start_time", _seconds(word.start_time))
                _add_text(item, "end_time", _seconds(word.end_time))
        _add_text(element, "score", alternative.score)
        _add_text(element, "lm", alternative.lm)
        if alternative.interpretations:
            values = etree.SubElement(element, "interpretations")
            scores = etree.SubElement(element, "interpretation_scores")
            for interpretation in alternative.interpretations:
                value = interpretation.value
                # A structured result stands as JSON text: the schema knows only text.
                text = value if isinstance(value, str) else msgspec.json.encode(_plain_json(value)).decode()
                _add_text(values, "interpretation", text)
                _add_text(scores, "interpretation_score", interpretation.score)
    for name, scalar in _scalars(result).items():
        _add_text(root, name, str(scalar).lower() if isinstance(scalar, bool) else scalar)
    data: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True).replace(b"\n", b"")
    return data.replace(b"ASR", b"&#65;SR").replace(b": ", b"&#58; ")


def _add_text(parent: etree._Element, name: str, value: object) -> None:
    element = etree.SubElement(parent, name)
    element.text = _NOT_XML.sub(" ", str(value))


# What XML 1.0 cannot hold, and line ends, so that the document stays one line.
_NOT_XML: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def wants_xml(accept: str | None) -> bool:
    """Tell whether an ``Accept`` header asks for XML rather than JSON, which is what everything else gets."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in (accept or "").split(",")]
    known = [kind for kind in kinds if kind in {JSON_TYPE, XML_TYPE, "text/xml", "*/*"}]
    return bool(known) and known[0] in {XML_TYPE, "text/xml"}


def encode_result(result: SegmentResult, accept: str | None = None) -> tuple[str, bytes]:
    """Write a result document.

    Args:
        result: what to write.
        accept: the request's ``Accept`` header.

    Returns:
        The content type (no charset suffix: some clients compare it whole) and the document, one line of UTF-8.
    """
    if wants_xml(accept):
        return XML_TYPE, _encode_xml(result)
    return JSON_TYPE, _encode_json(result)


class _ReadWord(msgspec.Struct):
    text: str = ""
    score: float = 0
    start_time: float = 0.0
    end_time: float = 0.0


class _ReadAlternative(msgspec.Struct):
    text: str = ""
    score: float = 0
    lm: str = ""
    words: list[_ReadWord] = []
    interpretations: list[Any] = []
    interpretation_scores: list[float] = []


class _ReadResult(msgspec.Struct):
    result_status: ResultStatus | None = None
    alternatives: list[_ReadAlternative] = []
    segment_index: int = 0
    last_segment: bool = True
    final_result: bool | None = None
    start_time: float | None = None
    end_time: float | None = None
    error_code: str = ""
    message: str = ""


_JSON_DECODER: Final = msgspec.json.Decoder(_ReadResult)


def _read_xml(body: bytes) -> _ReadResult:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(body, parser)
    tree = {child.tag: child.text or "" for child in root if not len(child) and isinstance(child.tag, str)}
    for name in ("last_segment", "final_result"):
        if name in tree:
            tree[name] = tree[name] == "true"
    alternatives = [
        {
            **{child.tag: child.text or "" for child in element if not len(child)},
            "words": [{part.tag: part.text or "" for part in word} for word in element.iterfind("words/word")],
            "interpretations": [item.text or "" for item in element.iterfind("interpretations/interpretation")],
            "interpretation_scores": [
                item.text or "0" for item in element.iterfind("interpretation_scores/interpretation_score")
            ],
        }
        for element in root.iterfind("alternatives/alternative")
    ]
    return msgspec.convert({**tree, "alternatives": alternatives}, _ReadResult, strict=False)


def decode_result(content_type: str, body: bytes, default_status: ResultStatus = ResultStatus.NONE) -> SegmentResult:
    """Read a result document as any version of the protocol writes it.

    Args:
        content_type: type of the body.
        body: the document; empty stands for a result without alternatives.
        default_status: the ``Result-Status`` header, for documents that carry none.

    Raises:
        RemoteProtocolError: the body is no such document.
    """
    try:
        if not body:
            document = _ReadResult()
        elif content_type.partition(";")[0].strip().lower() in {XML_TYPE, "text/xml"}:
            document = _read_xml(body)
        else:
            document = _JSON_DECODER.decode(body)
    except (msgspec.MsgspecError, etree.XMLSyntaxError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"The result document cannot be read: {error}") from error
    status = document.result_status or default_status
    final = document.final_result if document.final_result is not None else status is not ResultStatus.PROCESSING
    return SegmentResult(
        result_status=status,
        alternatives=tuple(map(_alternative_from, document.alternatives)),
        segment_index=document.segment_index,
        last_segment=document.last_segment,
        final_result=final,
        start_time=document.start_time or 0.0,
        end_time=document.end_time or 0.0,
        error_code=document.error_code,
        message=document.message,
    )


def _alternative_from(read: _ReadAlternative) -> Alternative:
    scores = itertools.chain(read.interpretation_scores, itertools.repeat(read.score))
    return Alternative(
        text=read.text,
        score=round(read.score),
        lm=read.lm,
        words=tuple(
            Word(text=word.text, score=round(word.score), start_time=word.start_time, end_time=word.end_time)
            for word in read.words
        ),
        interpretations=tuple(
            Interpretation(value=value, score=round(score))
            for value, score in zip(read.interpretations, scores, strict=False)
        ),
    )
