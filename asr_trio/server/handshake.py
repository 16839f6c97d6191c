"""The upgrade request, read and judged before the WebSocket library sees anything of it.

trio-websocket 0.12.2 ends the process on a header with a byte outside ASCII and holds a rejected peer for ever. So the
head of the request is parsed here with h11, refusals are plain HTTP responses, and the library is given a request that
this module wrote itself (`UpgradeRequest.canonical`): nothing that a peer puts into its headers can reach it.
"""

from __future__ import annotations

import base64
import binascii
import http
from typing import Final
from urllib.parse import unquote, urlsplit

import h11
import msgspec

from asr_trio.errors import ProtocolError

HEAD_BYTES: Final = 16 * 1024
"""A browser with large cookies sends 8 KiB; nobody has a reason for more."""
HEADERS: Final = 100
_NONCE_BYTES: Final = 16  # RFC 6455, section 4.1


class HandshakeError(ProtocolError):
    """The request is answered with an HTTP status instead of an upgrade.

    Attributes:
        status: the HTTP status code.
        headers: further headers of the response.
    """

    def __init__(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

    def response(self) -> bytes:
        """Return the whole HTTP response; the connection is closed after it."""
        body = f"{self}\n".encode()
        lines = [
            f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}",
            *(f"{name}: {value}" for name, value in self.headers),
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class UpgradeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A valid WebSocket upgrade request.

    Attributes:
        path: decoded path without query, slashes collapsed, none at the end.
        headers: names in lower case; of repeated headers the first.
        key: the ``Sec-WebSocket-Key``.
        trailing: bytes that followed the head, as yet unread frames.
    """

    path: str
    headers: dict[str, str]
    key: str
    trailing: bytes = b""

    def canonical(self) -> bytes:
        """Return the request that the WebSocket library gets to see: no extension, no subprotocol, no foreign byte."""
        return (
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {self.key}\r\n\r\n"
        ).encode("ascii")


class RequestReader:
    """Parses the head of one request from bytes handed in."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._received = 0

    def feed(self, data: bytes) -> UpgradeRequest | None:
        """Take the next bytes; return the request once its head is whole.

        Raises:
            HandshakeError: what arrived is not an acceptable upgrade request.
        """
        self._received += len(data)
        try:
            self._h11.receive_data(data)
            event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise HandshakeError(error.error_status_hint or 400, "This is not HTTP/1.1") from None
        if event is h11.NEED_DATA:
            if self._received > HEAD_BYTES:
                raise HandshakeError(431, "The request head is too large")
            return None
        if not isinstance(event, h11.Request):
            raise HandshakeError(400, "This is not an HTTP request")
        return _judge(event, bytes(self._h11.trailing_data[0]))


def normal_path(target: str) -> str:
    """Return the path of a request target: percent-decoded, doubled and trailing slashes removed."""
    try:
        path = urlsplit(target).path if not target.startswith("//") else target.partition("?")[0]
    except ValueError:
        path = target
    return "/" + "/".join(part for part in unquote(path).split("/") if part)


def basic_credentials(authorization: str | None) -> tuple[str, str] | None:
    """Decode an ``Authorization`` header; None where it is absent, empty or not a well-formed Basic one."""
    scheme, _, encoded = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon and user else None


def _judge(event: h11.Request, trailing: bytes) -> UpgradeRequest:
    if len(event.headers) > HEADERS:
        raise HandshakeError(431, "Too many headers")
    if event.http_version != b"1.1":
        raise HandshakeError(505, "HTTP/1.1 is needed")
    headers: dict[str, str] = {}
    for name, value in event.headers:
        headers.setdefault(name.decode("ascii", "replace"), value.decode("latin-1"))
    if event.method != b"GET":
        raise HandshakeError(405, "This port speaks WebSocket only", (("Allow", "GET"),))
    if headers.get("content-length", "0").strip("0") or "transfer-encoding" in headers:
        # Whoever stands in between and believes in the body would see other frames than we do.
        raise HandshakeError(400, "An upgrade request has no body")
    if headers.get("upgrade", "").strip().lower() != "websocket" or "upgrade" not in {
        token.strip().lower() for token in headers.get("connection", "").split(",")
    }:
        raise HandshakeError(426, "This port speaks WebSocket only", (("Upgrade", "websocket"),))
    if headers.get("sec-websocket-version", "").strip() != "13":
        raise HandshakeError(426, "WebSocket version 13 is needed", (("Sec-WebSocket-Version", "13"),))
    key = headers.get("sec-websocket-key", "").strip()
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != _NONCE_BYTES:
        raise HandshakeError(400, "Sec-WebSocket-Key is missing or malformed")
    return UpgradeRequest(
        path=normal_path(event.target.decode("ascii", "replace")), headers=headers, key=key, trailing=trailing
    )
