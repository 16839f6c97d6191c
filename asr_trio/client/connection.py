"""Connecting to a server."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import trio
import trio_websocket

from asr_trio.client.errors import ConnectionFailedError
from asr_trio.client.line import Line
from asr_trio.client.session import Session
from asr_trio.errors import AsrError
from asr_trio.protocol.messages import CreateSession

_MESSAGE_BYTES: Final = 16 * 1024 * 1024
_CLOSE_TIMEOUT_S: Final = 2.0


@asynccontextmanager
async def connect(
    url: str,
    *,
    user: str | None = None,
    password: str | None = None,
    tls: ssl.SSLContext | None = None,
    user_agent: str | None = "asr-trio",
    logging_tag: str | None = None,
    channel_identifier: str | None = None,
    parameters: Mapping[str, object] | None = None,
    connect_timeout_s: float = 10.0,
) -> AsyncIterator[Session]:
    """Connect, create a session, and release it at the end.

    Args:
        url: ``ws://host:8025/asr-server/asr`` or ``wss://…``.
        user: for HTTP Basic.
        password: for HTTP Basic.
        tls: the client's TLS context, where the default one will not do.
        user_agent: told to the server.
        logging_tag: told to the server.
        channel_identifier: told to the server.
        parameters: recognition parameters for the whole session.
        connect_timeout_s: time for connection, upgrade and CREATE_SESSION each.

    Raises:
        ConnectionFailedError: no connection came about.
        RequestRefusedError: the server did not create a session.
    """
    create = CreateSession(user_agent=user_agent, channel_identifier=channel_identifier, logging_tag=logging_tag)
    opened = open_websocket(url, user=user, password=password, tls=tls, connect_timeout_s=connect_timeout_s)
    with _plain_exceptions():
        async with opened as line, trio.open_nursery() as nursery:
            session = Session(line, nursery)
            nursery.start_soon(session.receive)
            try:
                with _deadline(connect_timeout_s):
                    await session.request(create)
                    if parameters:
                        await session.set_parameters(parameters)
                yield session
            finally:
                with trio.CancelScope(shield=True), trio.move_on_after(_CLOSE_TIMEOUT_S):
                    await _release(session)
                nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_websocket(
    url: str,
    *,
    user: str | None = None,
    password: str | None = None,
    tls: ssl.SSLContext | None = None,
    connect_timeout_s: float = 10.0,
) -> AsyncIterator[Line]:
    """Connect without a session, for those who speak the protocol themselves.

    Raises:
        ConnectionFailedError: no connection came about.
    """
    headers = []
    if user is not None:
        token = base64.b64encode(f"{user}:{password or ''}".encode())
        headers.append((b"Authorization", b"Basic " + token))
    target = _Target(url)
    stream = await target.open(tls, connect_timeout_s)
    try:
        with _plain_exceptions():
            async with trio.open_nursery() as nursery:
                with _deadline(connect_timeout_s):
                    websocket = await trio_websocket.wrap_client_stream(
                        nursery,
                        stream,
                        target.host_header,
                        target.resource,
                        extra_headers=headers,
                        max_message_size=_MESSAGE_BYTES,
                        receive_buffer_size=None,
                    )
                try:
                    yield Line(websocket)
                finally:
                    with trio.CancelScope(shield=True), trio.move_on_after(_CLOSE_TIMEOUT_S):
                        await websocket.aclose()
                    nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(stream)


class _Target:
    """Where a WebSocket URL points."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            self.port = parts.port or (443 if parts.scheme == "wss" else 80)
        except ValueError as error:
            raise ConnectionFailedError(f"{url} is not a URL: {error}") from None
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            raise ConnectionFailedError(f"{url} is not of the form ws://host:port/path or wss://host:port/path")
        self.secure = parts.scheme == "wss"
        self.host = parts.hostname
        self.host_header = parts.netloc.rpartition("@")[2]
        self.resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    async def open(self, tls: ssl.SSLContext | None, timeout_s: float) -> trio.SocketStream | trio.SSLStream[Any]:
        """Open the TCP or TLS connection."""
        try:
            with _deadline(timeout_s):
                if not self.secure:
                    return await trio.open_tcp_stream(self.host, self.port)
                stream = await trio.open_ssl_over_tcp_stream(
                    self.host, self.port, ssl_context=tls or ssl.create_default_context(), https_compatible=True
                )
                try:
                    await stream.do_handshake()
                except BaseException:
                    await trio.aclose_forcefully(stream)
                    raise
                return stream
        except (OSError, trio.BrokenResourceError) as error:
            raise ConnectionFailedError(f"The server cannot be reached: {error.__cause__ or error}") from error


async def _release(session: Session) -> None:
    if session.open:
        try:
            await session.release()
        except AsrError:
            return


@contextmanager
def _deadline(timeout_s: float) -> Iterator[None]:
    with trio.move_on_after(timeout_s) as scope:
        yield
    if scope.cancelled_caught:
        raise ConnectionFailedError(f"The server did not answer within {timeout_s:g} s")


@contextmanager
def _plain_exceptions() -> Iterator[None]:
    """Let the caller see what was raised without the group of the nursery; a refused upgrade in our own terms."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, trio_websocket.ConnectionRejected):
            raise ConnectionFailedError(
                f"The server refused the connection with HTTP status {error.status_code}", error.status_code
            ) from None
        raise error from error.__cause__
