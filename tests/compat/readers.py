"""How each official SDK reads a message of the server, with everything that makes it choke turned into an assertion.

These are models of behaviour, written by us: what a reader returns is what the application behind that SDK sees, and an
AssertionError is what there ends the connection, loses a header or hides a result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

RESULT_CODES = {
    "RECOGNIZED", "NO_MATCH", "NO_INPUT_TIMEOUT", "MAX_SPEECH", "EARLY_SPEECH", "RECOGNITION_TIMEOUT", "NO_SPEECH",
    "FAILURE",
}  # fmt: skip
STATES = {"IDLE", "LISTENING", "RECOGNIZING"}


class Seen(msgspec.Struct):
    """A message as an SDK understood it."""

    name: str
    headers: dict[str, str]
    body: dict[str, Any] | None


Reader: TypeAlias = Callable[[bytes], Seen]


def python(data: bytes) -> Seen:
    """Every line is looked at, body included: ``ASR`` in it starts a message, a second colon loses a header."""
    text = data.decode()
    name, headers = "", {}
    starts = 0
    for line in text.split("\n"):
        if "ASR" in line:
            starts += 1
            name = line.split()[2]
        elif line.count(":") == 1:
            key, value = line.split(":")
            headers[key.strip()] = value.strip()
    assert starts == 1, "a line other than the first looks like a start line"
    assert name in {"RESPONSE", "START_OF_SPEECH", "END_OF_SPEECH", "RECOGNITION_RESULT"}, name
    assert "Session-Status" in headers or "Result" in headers
    length = int(headers.get("Content-Length", "0"))
    return Seen(name, headers, json.loads(data[-length:]) if length else None)


def java(data: bytes) -> Seen:
    """Any line end; what the callbacks unbox must be there and of the right kind."""
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first.startswith("ASR 2"), first
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    seen = Seen(first.split(" ")[2], headers, None)
    assert headers["session-status"] in STATES
    int(headers["handle"])
    if seen.name == "RESPONSE":
        assert headers["method"]
        assert headers["result"] in {"SUCCESS", "FAILURE", "INVALID_ACTION", "INVALID_MESSAGE"}
    if seen.name == "RECOGNITION_RESULT":
        assert headers["content-type"] == "application/json"
        length = int(headers["content-length"])
        seen.body = json.loads(rest[:length])
        assert isinstance(seen.body["final_result"], bool)
        if seen.body["final_result"]:
            _java_result(seen.body)
    return seen


def _java_result(body: dict[str, Any]) -> None:
    assert body["result_status"] in RESULT_CODES | {"CANCELED"}
    assert isinstance(body["last_segment"], bool)
    for number in (body["start_time"], body["end_time"], body["segment_index"]):
        assert isinstance(number, int | float)
    for alternative in body["alternatives"]:
        assert isinstance(alternative["score"], int)
        scores = alternative.get("interpretation_scores", [])
        assert len(scores) >= len(alternative.get("interpretations", []))
        for word in alternative.get("words", []):
            assert isinstance(word["score"], int)
            assert word["end_time"] > word["start_time"] >= 0


_CPP_VALUE = re.compile(r"[A-Za-z0-9 \-/.,_()<>:]+")


def cpp(data: bytes) -> Seen:
    """Each line loses its last byte unseen; a character outside the tokenizer's set loses every later header."""
    name, headers = "", {}
    for line in data.decode("latin-1").split("\n"):
        if line == "\r" and "Content-Length" in headers:
            break
        if not line.rstrip("\r"):
            continue
        assert line.endswith("\r") or "Content-Length" in headers, "the last byte of this line is lost"
        line = line[:-1]  # noqa: PLW2901 - as the SDK does, whatever the byte is
        key, colon, value = line.partition(":")
        if not colon:
            words = line.split(" ")
            assert words[0] == "ASR"
            name = words[2]
            continue
        value = value.lstrip(" ")
        assert _CPP_VALUE.fullmatch(value), f"every header after {key!r} is lost"
        assert value != "ASR"
        assert value == value.rstrip(), "trailing blanks become part of the value"
        headers.setdefault(key, value)
    length = int(headers.get("Content-Length", "0"))
    seen = Seen(name, headers, json.loads(data[len(data) - length :]) if length else None)
    if seen.body is not None:
        assert seen.body["result_status"] in RESULT_CODES | {"PROCESSING", "CANCELED"}, "an uninitialised code"
        if not seen.body.get("final_result", headers["Result-Status"] == "RECOGNIZED"):
            assert seen.body["alternatives"], "a partial result without alternatives is undefined behaviour"
    return seen


_DOTNET_ORDER = ("Result: ", "Handle: ", "Session-Status: ", "Method: ", "Expires: ", "Message: ", "Error-Code: ")


def dotnet(data: bytes) -> Seen:
    """Lines are searched for ``Name: `` in a fixed order; a result must lie on one line, partials begin with ``[{``."""
    lines = [line.strip("\n") for line in data.decode().split("\r")]
    name = lines[0][lines[0].rindex(" ") + 1 :]
    headers: dict[str, str] = {}
    for line in lines:
        if "ASR 2.3" in line:
            continue
        for label in _DOTNET_ORDER:
            if label in line:
                headers[label[:-2]] = line.replace(label, "")
                break
    assert "Session-Status" in headers, "the message is dropped with error 4026"
    assert headers["Session-Status"] in STATES
    seen = Seen(name, headers, None)
    if name == "RECOGNITION_RESULT":
        status = next(line for line in lines if "Result-Status: " in line).replace("Result-Status: ", "")
        documents = [line for line in lines if "{" in line]
        assert len(documents) == 1
        seen.body = json.loads(documents[0])
        if status == "PROCESSING":
            assert "[{" in documents[0]
        else:
            assert status in RESULT_CODES
            assert seen.body["alternatives"] is not None
        for alternative in seen.body["alternatives"]:
            if alternative.get("interpretations"):
                assert alternative["interpretation_scores"]
    return seen


_KOTLIN_NAMES = {
    "CANCEL_RECOGNITION", "CREATE_SESSION", "START_RECOGNITION", "SEND_AUDIO", "RELEASE_SESSION", "RECOGNITION_RESULT",
    "RESPONSE", "START_OF_SPEECH", "END_OF_SPEECH", "START_INPUT_TIMERS",
}  # fmt: skip


def kotlin(data: bytes) -> Seen:
    """Exactly version 2.3; head and body divided; the length must be the body's; a second colon cuts a value."""
    parts = data.decode().split("\r\n\r\n")
    assert len(parts) >= 2, "an index out of range"
    first, *lines = parts[0].split("\r\n")
    protocol, version, name = first.split(" ")
    assert (protocol, version) == ("ASR", "2.3")
    assert name in _KOTLIN_NAMES
    headers: dict[str, str] = {}
    for line in lines:
        pieces = line.split(":")
        assert len(pieces) == 2, "the value is cut at its colon"
        headers[pieces[0]] = pieces[1].strip()
    body = data[data.index(b"\r\n\r\n") + 4 :]
    assert len(body) == int(headers.get("Content-Length", "0")), "BodySizeMismatch"
    return Seen(name, headers, json.loads(body) if body else None)
