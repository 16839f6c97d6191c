"""Models of how the SDKs read server messages, hazards included (protocol reference, section 15).

Each takes the bytes of a WebSocket message and returns what that SDK would have understood, or raises where it would
choke. They are ours, written from the description of the behaviour; no SDK code is in them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

SERVER_NAMES = {"RESPONSE", "START_OF_SPEECH", "END_OF_SPEECH", "RECOGNITION_RESULT"}
NO_JSON = "application/xml"


@dataclass
class Understood:
    name: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class ChokedError(Exception):
    """The SDK would lose this message, its later headers, or the connection."""


def need(condition, reason):
    if not condition:
        raise ChokedError(reason)


def read_document(message: Understood):
    if message.headers["Content-Type"] == NO_JSON:
        return None
    return json.loads(message.body)


# --- Python: decodes all, takes any line with ASR for a start line, ignores lines with other than one colon


def python(data: bytes) -> Understood:
    lines = data.decode("utf-8").split("\n")
    name = None
    headers = {}
    for line in lines:
        if "ASR" in line:
            tokens = line.split()
            need(len(tokens) >= 3, "start line is short")
            need(name is None, "a second start line")
            name = tokens[2]
        elif line.count(":") == 1:
            key, value = line.split(":")
            headers[key.strip()] = value.strip()
    need(name in SERVER_NAMES, "unknown name")
    length = int(headers.get("Content-Length", 0))
    message = Understood(name, headers, data[-length:] if length else b"")
    need("Session-Status" in headers or "Result" in headers, "no status")
    if name == "RECOGNITION_RESULT":
        need({"Result-Status", "Session-Status"} <= set(headers), "result without status")
        document = read_document(message)
        if document and headers["Result-Status"] == "PROCESSING":
            need(document["alternatives"], "partial without alternatives")
    return message


# --- Java: the reference decoder


JAVA_RESULT_CODES = {
    "RECOGNIZED",
    "NO_MATCH",
    "NO_INPUT_TIMEOUT",
    "MAX_SPEECH",
    "EARLY_SPEECH",
    "RECOGNITION_TIMEOUT",
    "NO_SPEECH",
    "CANCELED",
    "FAILURE",
}


def java(data: bytes) -> Understood:
    headers = {}
    position = data.index(b"\n") + 1
    start = data[:position].decode().rstrip("\r\n").split(" ")
    need(len(start) == 3 and start[0] == "ASR" and start[1].startswith("2"), "start line")
    body = b""
    while position < len(data):
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        line = data[position:end].decode().rstrip("\r")
        position = end + 1
        if not line:
            length = int(headers.get("content-length", 0))
            body = data[position : position + length]
            break
        key, _, value = line.partition(":")
        headers[key.lower()] = value.strip()
    canonical = {"-".join(part.capitalize() for part in key.split("-")): value for key, value in headers.items()}
    message = Understood(start[2], canonical, body)
    need(0 <= int(headers["handle"]) < 2**63, "handle is no long")
    need(headers.get("session-status"), "no status")
    if message.name == "RESPONSE":
        need(headers.get("method"), "null method")
        need(headers.get("result") in {"SUCCESS", "FAILURE", "INVALID_ACTION", "INVALID_MESSAGE"}, "null result")
    if message.name == "RECOGNITION_RESULT":
        need(headers["content-type"] in {"application/json", "application/xml"}, "content type")
        document = read_document(message)
        if document is not None:
            need(isinstance(document["start_time"], int | float), "start_time is null")
            need(isinstance(document["end_time"], int | float), "end_time is null")
            if document["final_result"]:
                need(document["result_status"] in JAVA_RESULT_CODES, "status that the enum lacks")
            for alternative in document["alternatives"]:
                need(isinstance(alternative["score"], int), "score is no int")
                meanings = alternative.get("interpretations", [])
                need(len(alternative.get("interpretation_scores", [])) >= len(meanings), "scores are missing")
                for word in alternative.get("words", []):
                    need({"start_time", "end_time"} <= set(word), "word without times")
    return message


# --- C++: cuts the last byte of each line, stops at the first character that its tokenizer does not know


CPP_VALUE = re.compile(r"[A-Za-z0-9 \-/.,_()<>:]*")


def cpp(data: bytes) -> Understood:
    lines = data.split(b"\n")
    start = lines[0][:-1].decode().split(" ")
    need(len(start) == 3, "start line")
    headers: dict[str, str] = {}
    for raw in lines[1:]:
        line = raw[:-1].decode("utf-8", "replace")
        if not line:
            if "Content-Length" in headers or len(raw) == len(data):
                break
            continue
        key, colon, value = line.partition(":")
        value = value.lstrip(" ")
        if not colon or value == "ASR" or not CPP_VALUE.fullmatch(value):
            break
        headers.setdefault(key, value)
    length = int(headers.get("Content-Length", "0"))
    message = Understood(start[2], headers, data[-length:] if length else b"")
    if message.name == "RECOGNITION_RESULT":
        need(length, "body is lost")
        document = read_document(message)
        if document is not None:
            need(isinstance(document.get("result_status"), str), "status is not initialised")
            need(document["final_result"] or document["alternatives"], "partial without alternatives")
    return message


# --- .NET: splits at CR, searches "Name: " anywhere in a line, body included


DOTNET_NAMES = ("Result", "Handle", "Session-Status", "Method", "Expires", "Message", "Error-Code")


def dotnet(data: bytes) -> Understood:
    lines = [line.strip("\n") for line in data.decode("utf-8").split("\r")]
    headers: dict[str, str] = {}
    name = lines[0].rpartition(" ")[2]
    for line in lines:
        if "ASR 2.3" in line:
            continue
        for key in DOTNET_NAMES:
            position = line.find(f"{key}: ")
            if position >= 0:
                need(key not in headers, f"{key} is read twice")
                headers[key] = line[position + len(key) + 2 :]
                break
    need(headers.get("Session-Status"), "no status")
    if "Expires" in headers:
        int(headers["Expires"])
    message = Understood(name, headers)
    if name == "RECOGNITION_RESULT":
        body = data.decode("utf-8").split("\r\n\r\n", 1)[1]
        message.body = body.encode()
        message.headers["Content-Type"] = NO_JSON if body.startswith("<") else "application/json"
        document = read_document(message)
        if document is not None:
            need("\n" not in body, "the document is not on one line")
            need(document["alternatives"] is not None, "alternatives are null")
            need(not document["alternatives"] or "[{" in body, "no [{ for a partial")
            for alternative in document["alternatives"]:
                need("interpretations" not in alternative or "interpretation_scores" in alternative, "no scores")
    return message


# --- Kotlin: exact version, exact length, value up to the second colon


def kotlin(data: bytes) -> Understood:
    parts = data.decode("utf-8").split("\r\n\r\n")
    body = parts[1].encode()
    lines = parts[0].split("\r\n")
    start = lines[0].split(" ")
    need(start[0] == "ASR" and start[1] == "2.3" and start[2] in SERVER_NAMES, "start line")
    headers = {}
    for line in lines[1:]:
        pieces = line.split(":")
        headers[pieces[0].strip()] = pieces[1].strip()
    if "Content-Length" in headers:
        need(int(headers["Content-Length"]) == len(body), "body size mismatch")
    return Understood(start[2], headers, body)


# --- Android and iOS, the older mobile SDKs


def android(data: bytes) -> Understood:
    text = data.decode("utf-8")
    need("\r\n\r\n" in text, "no blank line")
    head, _, body = text.partition("\r\n\r\n")
    lines = head.split("\r\n")
    match = re.fullmatch(r"ASR 2\.\d+ ([A-Z_]+)", lines[0])
    need(match, "start line")
    headers = {}
    for line in lines[1:]:
        pieces = line.split(":")
        need(len(pieces) >= 2 and pieces[1].strip(), "empty value")
        headers[pieces[0]] = pieces[1].strip()
    return Understood(match[1], headers, body.encode())


def ios(data: bytes) -> Understood:
    text = data.decode("utf-8")
    need("\r\n\r\n" in text, "no blank line")
    head, _, body = text.partition("\r\n\r\n")
    lines = head.split("\r\n")
    headers = {}
    for line in lines[1:]:
        key = line.partition(":")[0]
        headers[key] = line.rpartition(":")[2].strip()
    return Understood(lines[0].split(" ")[2], headers, body.encode())


CLIENTS = (python, java, cpp, dotnet, kotlin, android, ios)


def check_all(data: bytes) -> dict[str, Understood]:
    """Read a message with every model; what matters to all of them must be the same."""
    understood = {client.__name__: client(data) for client in CLIENTS}
    reference = understood["java"]
    for client, message in understood.items():
        assert message.name == reference.name, client
        for key in ("Method", "Result", "Session-Status", "Error-Code"):
            assert message.headers.get(key) == reference.headers.get(key), (client, key)
        if reference.body:
            assert message.body == reference.body, client
    return understood
