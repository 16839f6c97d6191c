"""How each SDK reads a message of the server, hazards included (protocol reference, section 15).

Models of behaviour, written by us from its description. What a reader returns is what the application behind that SDK
sees; a ChokedError is what there ends the connection, loses the message or hides a result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

NAMES = {"RESPONSE", "START_OF_SPEECH", "END_OF_SPEECH", "RECOGNITION_RESULT"}
STATES = {"IDLE", "LISTENING", "RECOGNIZING"}
OUTCOMES = {"SUCCESS", "FAILURE", "INVALID_ACTION", "INVALID_MESSAGE"}
FINAL_CODES = {
    "RECOGNIZED", "NO_MATCH", "NO_INPUT_TIMEOUT", "MAX_SPEECH", "EARLY_SPEECH", "RECOGNITION_TIMEOUT", "NO_SPEECH",
    "CANCELED", "FAILURE",
}  # fmt: skip


class ChokedError(Exception):
    """The SDK would lose this message, a header of it, or the connection."""


class Seen(msgspec.Struct):
    """A message as an SDK understood it. `document` is the body where that is JSON."""

    name: str
    headers: dict[str, str]
    body: bytes = b""
    document: dict[str, Any] | None = None


Reader: TypeAlias = Callable[[bytes], Seen]


def need(condition: object, reason: str) -> None:
    if not condition:
        raise ChokedError(reason)


def with_document(seen: Seen) -> Seen:
    if seen.body and not seen.body.startswith(b"<"):
        seen.document = json.loads(seen.body)
    return seen


def python(data: bytes) -> Seen:
    """Every line is looked at, body included: ``ASR`` in it starts a message, a second colon loses a header."""
    name, headers = "", {}
    for line in data.decode().split("\n"):
        if "ASR" in line:
            tokens = line.split()
            need(len(tokens) >= 3, "the start line is short")
            need(not name, "a line other than the first looks like a start line")
            name = tokens[2]
        elif line.count(":") == 1:
            key, value = line.split(":")
            headers[key.strip()] = value.strip()
    need(name in NAMES, "the name is unknown")
    need("Session-Status" in headers or "Result" in headers, "there is no status")
    length = int(headers.get("Content-Length", "0"))
    seen = with_document(Seen(name, headers, data[-length:] if length else b""))
    if name == "RECOGNITION_RESULT":
        need({"Result-Status", "Session-Status"} <= set(headers), "a result without status")
        if seen.document and headers["Result-Status"] == "PROCESSING":
            need(seen.document["alternatives"], "a partial result without alternatives")
    return seen


def java(data: bytes) -> Seen:
    """The reference decoder: any line end; what the callbacks unbox must be there and of the right kind."""
    headers: dict[str, str] = {}
    position = data.index(b"\n") + 1
    start = data[:position].decode().rstrip("\r\n").split(" ")
    need(len(start) == 3 and start[0] == "ASR" and start[1].startswith("2"), "the start line is none")
    body = b""
    while position < len(data):
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        line = data[position:end].decode().rstrip("\r")
        position = end + 1
        if not line:
            body = data[position : position + int(headers.get("Content-Length", "0"))]
            break
        key, _, value = line.partition(":")
        headers["-".join(part.capitalize() for part in key.split("-"))] = value.strip()
    seen = with_document(Seen(start[2], headers, body))
    need(0 <= int(headers["Handle"]) < 2**63, "the handle is no long")
    need(headers.get("Session-Status") in STATES, "there is no status")
    if seen.name == "RESPONSE":
        need(headers.get("Method"), "the method is null")
        need(headers.get("Result") in OUTCOMES, "the result is null")
    if seen.name == "RECOGNITION_RESULT":
        need(headers["Content-Type"] in {"application/json", "application/xml"}, "the content type is unknown")
        if seen.document is not None:
            _read_java_result(seen.document)
    return seen


def _read_java_result(document: dict[str, Any]) -> None:
    need(isinstance(document["final_result"], bool) and isinstance(document["last_segment"], bool), "no truth value")
    need(not document["final_result"] or document["result_status"] in FINAL_CODES, "a status that the enum lacks")
    for name in ("start_time", "end_time", "segment_index"):
        need(isinstance(document[name], int | float), f"{name} is null")
    for alternative in document["alternatives"]:
        need(isinstance(alternative["score"], int), "the score is no int")
        scores = alternative.get("interpretation_scores", [])
        need(len(scores) >= len(alternative.get("interpretations", [])), "scores are missing")
        for word in alternative.get("words", []):
            need({"start_time", "end_time"} <= set(word), "a word without times")
            need(isinstance(word["score"], int), "the score of a word is no int")


_CPP_VALUE = re.compile(r"[A-Za-z0-9 \-/.,_()<>:]*")


def cpp(data: bytes) -> Seen:
    """Each line loses its last byte unseen; a character outside the tokenizer's set loses every later header."""
    first, *lines = data.split(b"\n")
    start = first[:-1].decode().split(" ")
    need(len(start) == 3, "the start line is none")
    headers: dict[str, str] = {}
    for raw in lines:
        line = raw[:-1].decode("utf-8", "replace")
        if not line:
            if "Content-Length" in headers:
                break
            continue
        key, colon, value = line.partition(":")
        value = value.lstrip(" ")
        if not colon or value == "ASR" or not _CPP_VALUE.fullmatch(value):
            break
        need(value == value.rstrip(), "trailing blanks become part of the value")
        headers.setdefault(key, value)
    length = int(headers.get("Content-Length", "0"))
    seen = with_document(Seen(start[2], headers, data[-length:] if length else b""))
    if seen.name == "RECOGNITION_RESULT":
        need(length, "the body is lost")
        if seen.document is not None:
            need(seen.document.get("result_status") in FINAL_CODES | {"PROCESSING"}, "the code is not initialised")
            final = seen.document.get("final_result", headers["Result-Status"] == "RECOGNIZED")
            need(final or seen.document["alternatives"], "a partial result without alternatives")
    return seen


_DOTNET_ORDER = ("Result", "Handle", "Session-Status", "Method", "Expires", "Message", "Error-Code")


def dotnet(data: bytes) -> Seen:
    """Lines are cut at CR and searched for ``Name: ``, body included; a result must lie on one line."""
    lines = [line.strip("\n") for line in data.decode().split("\r")]
    headers: dict[str, str] = {}
    for line in lines:
        if "ASR 2.3" in line:
            continue
        for name in _DOTNET_ORDER:
            _, found, value = line.partition(f"{name}: ")
            if found:
                need(name not in headers, f"{name} is read twice")
                headers[name] = value
                break
    need(headers.get("Session-Status") in STATES, "the message is dropped with error 4026")
    int(headers.get("Expires", "0"))
    seen = Seen(lines[0].rpartition(" ")[2], headers)
    if seen.name == "RECOGNITION_RESULT":
        seen.body = data.split(b"\r\n\r\n", 1)[1]
        with_document(seen)
        need(b"\n" not in seen.body, "the document is not on one line")
        if seen.document is not None:
            need(seen.document["alternatives"] is not None, "the alternatives are null")
            need(not seen.document["alternatives"] or b"[{" in seen.body, "no [{ that begins a partial result")
            for alternative in seen.document["alternatives"]:
                need(not alternative.get("interpretations") or alternative["interpretation_scores"], "no scores")
    return seen


def kotlin(data: bytes) -> Seen:
    """Exactly version 2.3; head and body divided; the length must be the body's; a second colon cuts a value."""
    head, body = data.decode().split("\r\n\r\n")[:2]
    first, *lines = head.split("\r\n")
    start = first.split(" ")
    need(start[:2] == ["ASR", "2.3"] and start[2] in NAMES, "the start line is none")
    headers: dict[str, str] = {}
    for line in lines:
        pieces = line.split(":")
        headers[pieces[0].strip()] = pieces[1].strip()
    need(int(headers.get("Content-Length", "0")) == len(body.encode()), "BodySizeMismatch")
    return with_document(Seen(start[2], headers, body.encode()))


def android(data: bytes) -> Seen:
    """The mobile SDK of 2018: a blank line, no empty value."""
    head, blank, body = data.decode().partition("\r\n\r\n")
    need(blank, "there is no blank line")
    first, *lines = head.split("\r\n")
    match = re.fullmatch(r"ASR 2\.\d+ ([A-Z_]+)", first)
    if match is None:
        raise ChokedError("the start line is none")
    headers: dict[str, str] = {}
    for line in lines:
        pieces = line.split(":")
        need(len(pieces) >= 2 and pieces[1].strip(), "an empty value")
        headers[pieces[0]] = pieces[1].strip()
    return with_document(Seen(match[1], headers, body.encode()))


def ios(data: bytes) -> Seen:
    """The mobile SDK of 2018: a blank line; a value is what stands behind the last colon."""
    head, blank, body = data.decode().partition("\r\n\r\n")
    need(blank, "there is no blank line")
    first, *lines = head.split("\r\n")
    headers = {line.partition(":")[0]: line.rpartition(":")[2].strip() for line in lines}
    return with_document(Seen(first.split(" ")[2], headers, body.encode()))


READERS: dict[str, Reader] = {reader.__name__: reader for reader in (python, java, cpp, dotnet, kotlin, android, ios)}


def read_by_all(data: bytes) -> dict[str, Seen]:
    """Read a message as every SDK does; what matters to all of them must be the same."""
    seen = {name: reader(data) for name, reader in READERS.items()}
    reference = seen["java"]
    for name, message in seen.items():
        assert message.name == reference.name, name
        for key in ("Method", "Result", "Session-Status", "Error-Code"):
            assert message.headers.get(key) == reference.headers.get(key), (name, key)
        if reference.body:
            assert message.body == reference.body, name
    return seen
