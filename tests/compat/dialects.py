"""How each official SDK writes its messages: line ends, blank lines, colons, lengths that count something else.

A dialect is a function of a message's parts; what is written when is in `models`. The shapes were measured on the wire
of the SDKs; the code is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

Dialect: TypeAlias = Callable[[str, Mapping[str, str], bytes | None], bytes]
"""Name, headers without the length, body or None, to one WebSocket message."""


def python(name: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """LF; a blank line only before a body; CANCEL and RELEASE end without any line end; URIs are counted as text."""
    if name in {"CANCEL_RECOGNITION", "RELEASE_SESSION"}:
        return f"ASR 2.4 {name}".encode()
    lines = [f"ASR 2.4 {name}", *(f"{key}: {value}" for key, value in headers.items())]
    if body is None:
        return ("\n".join(lines) + "\n").encode()
    length = len(body.decode()) if name == "START_RECOGNITION" else len(body)
    return ("\n".join([*lines, f"Content-Length: {length}"]) + "\n\n").encode() + body


def java(name: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """CRLF; the framing headers come last, and only with a body."""
    content_type = headers.get("Content-Type")
    lines = [f"ASR 2.3 {name}", *(f"{key}: {value}" for key, value in headers.items() if key != "Content-Type")]
    if body is not None:
        lines += [f"Content-Length: {len(body)}", f"Content-Type: {content_type}"]
    return _crlf(lines) + (body or b"")


def cpp(name: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """CRLF; no blank after the colon; headers in alphabetical order; a line end after the declared body, audio too."""
    fields = dict(headers) | ({} if body is None else {"Content-Length": str(len(body))})
    lines = [f"ASR 2.4 {name}", *(f"{key}:{fields[key]}" for key in sorted(fields))]
    return _crlf(lines) + (body + b"\r\n" if body else b"")


def dotnet(name: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """CRLF; a blank line is missing where there is no body; a text's length is its characters and eight more."""
    lines = [f"ASR 2.3 {name}", *(f"{key}: {value}" for key, value in headers.items() if key != "Content-Type")]
    if body is None:
        return _crlf(lines)[: None if name == "SET_PARAMETERS" else -2]
    is_audio = name == "SEND_AUDIO"
    length = len(body) if is_audio else len(body.decode()) + 8
    lines += [f"Content-Length: {length}", f"Content-Type: {headers['Content-Type']}"]
    return _crlf(lines) + body + (b"" if is_audio else b"\r\n")


def dotnet_on_linux(name: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The same with LF: the SDK takes the line end of its platform."""
    head, blank, rest = dotnet(name, headers, body).partition(b"\r\n\r\n")
    if name != "SEND_AUDIO" and rest:
        rest = rest.removesuffix(b"\r\n") + b"\n"
    return head.replace(b"\r\n", b"\n") + blank.replace(b"\r\n", b"\n") + rest


def kotlin(name: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """CRLF; the last audio packet has neither length nor body."""
    lines = [f"ASR 2.3 {name}", *(f"{key}: {value}" for key, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return _crlf(lines) + (body or b"")


def _crlf(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
