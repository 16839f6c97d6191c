"""The HTTP port's connections: bounded in number, in all and from one address, and each in time.

anycorn speaks HTTP on each of them. Its own loop of accepting is not used, since that takes any number, waits without
end for a peer that reads nothing, and shields that wait from the end of the server.

What bounds a connection in time: `server.handshake_timeout_s` the TLS handshake, and each request's head together with
the wait for it; `rest.timeout_s` a request, where it is not answered at once; `server.send_timeout_s` what is sent; and
the sum of these two any silence.
"""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, NoReturn

import anycorn
import anyio
import anyio.abc
import structlog
import trio
from anycorn.tcp_server import TCPServer
from anycorn.typing import ConnectionState, TaskGroup
from anycorn.utils import wrap_app
from anycorn.worker_context import AnyioSingleTask, WorkerContext
from anyio.streams.tls import TLSStream
from starlette.applications import Starlette

from asr_trio.config import Settings
from asr_trio.errors import BusyError
from asr_trio.server.descriptors import http_connections_possible
from asr_trio.server.gate import ConnectionGate
from asr_trio.server.observe import Metrics

_GRACE_S: Final = 1.0
"""For what is being sent when the server ends."""
_REFUSAL_TIMEOUT_S: Final = 0.1
_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

log = structlog.get_logger(__name__)


class HttpPort:
    """Serves an application on one listening socket."""

    def __init__(
        self, application: Starlette, settings: Settings, metrics: Metrics, tls: ssl.SSLContext | None
    ) -> None:
        self._handshake_timeout_s = settings.server.handshake_timeout_s
        self._patience = _Patience(settings.server.send_timeout_s)
        self._metrics = metrics
        self._tls = tls
        self._gate = ConnectionGate(
            connections=http_connections_possible(settings),
            connections_per_address=settings.limits.http_connections_per_address,
        )
        self._config = anycorn.Config()
        self._config.keep_alive_timeout = settings.server.handshake_timeout_s
        self._config.read_timeout = math.ceil(settings.rest.timeout_s + settings.server.send_timeout_s)
        self._config.include_server_header = False
        self._config.errorlog = logging.getLogger("asr_trio.http")
        self._application = wrap_app(application, self._config.wsgi_max_body_size, "asgi")  # type: ignore[arg-type]
        self._context = WorkerContext(max_requests=None)

    async def run(self, listening: socket.socket) -> NoReturn:
        """Serve until cancelled; the socket is closed then."""
        async with (
            self._config.log,
            await anyio.abc.SocketListener.from_socket(listening) as listener,
            anyio.create_task_group() as connections,
        ):
            try:
                await listener.serve(self._serve_peer, connections)
            finally:
                self._patience.end()
        raise AssertionError("a listener serves until it is cancelled")

    async def _serve_peer(self, stream: anyio.abc.SocketStream) -> None:
        try:
            with self._gate.admit(_peer_address(stream)), self._metrics.http_connections.track_inprogress():
                await self._converse(stream)
        except BusyError:
            self._metrics.connections_refused.labels("http limit").inc()
            if self._tls is None:  # a handshake would cost what the limit is there to save
                with trio.move_on_after(_REFUSAL_TIMEOUT_S), contextlib.suppress(anyio.BrokenResourceError):
                    await stream.send(_REFUSAL)
        except Exception:  # a fault of ours, or of the library, costs this connection only
            log.exception("fault while an HTTP connection was served")
        finally:
            await anyio.aclose_forcefully(stream)

    async def _converse(self, raw: anyio.abc.SocketStream) -> None:
        stream: Any = raw
        if self._tls is not None:
            try:
                with anyio.fail_after(self._handshake_timeout_s):
                    stream = await TLSStream.wrap(
                        raw, server_side=True, ssl_context=self._tls, standard_compatible=False
                    )
            except (TimeoutError, OSError, anyio.BrokenResourceError, anyio.EndOfStream):  # ssl.SSLError is an OSError
                return
        timer = _IdleTimer()
        bounded: Any = _BoundedStream(stream, self._patience, at_end=timer.end)
        server = _Http1Server(self._application, self._config, self._context, ConnectionState({}), bounded)
        server.idle_task = timer
        await server.run()


class _Http1Server(TCPServer):
    """A connection of anycorn's that stays with HTTP/1.1.

    A peer that speaks HTTP/2 can take no answer and yet never be silent, and nothing above would end it. Over TLS it is
    not offered; without, anycorn has no setting for it.
    """

    async def _read_data(self) -> None:
        http1: Any = self.protocol.protocol
        http1._check_protocol = _stay  # noqa: SLF001
        await super()._read_data()


async def _stay(_request: object) -> None:
    """Take any request as one of HTTP/1.1, as RFC 9110, 7.8, allows: a wish for another protocol may be ignored."""


class _Patience:
    """The time that peers have for taking what they are sent. anycorn shields that from cancellation; this ends it."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._end_s = math.inf
        self._running: set[trio.CancelScope] = set()

    @contextlib.contextmanager
    def scope(self) -> Iterator[trio.CancelScope]:
        """Cancel the block when its time is over."""
        with trio.CancelScope(deadline=min(trio.current_time() + self._timeout_s, self._end_s)) as scope:
            self._running.add(scope)
            try:
                yield scope
            finally:
                self._running.discard(scope)

    def end(self) -> None:
        """Give little time from now on."""
        self._end_s = trio.current_time() + _GRACE_S
        for scope in self._running:
            scope.deadline = min(scope.deadline, self._end_s)


class _BoundedStream:
    """A stream to a peer that must take what it is sent in time; `at_end` is called when nothing more comes from it."""

    def __init__(
        self, stream: anyio.abc.ByteStream, patience: _Patience, *, at_end: Callable[[], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._patience = patience
        self._at_end = at_end

    async def receive(self, max_bytes: int) -> bytes:
        """Receive what has come.

        Raises:
            EndOfStream: no more will come; and what else a stream raises.
        """
        try:
            return await self._stream.receive(max_bytes)
        except Exception:
            await self._at_end()
            raise

    async def send(self, data: bytes) -> None:
        """Send, or cut the connection when it takes too long.

        Raises:
            BrokenResourceError: it was cut.
        """
        with self._patience.scope() as scope:
            await self._stream.send(data)
        if scope.cancelled_caught:
            await anyio.aclose_forcefully(self._stream)
            raise anyio.BrokenResourceError

    def __getattr__(self, name: str) -> Any:
        """Leave the rest to the stream."""
        return getattr(self._stream, name)


class _IdleTimer(AnyioSingleTask):
    """anycorn's wait for the next request, which would go on when the peer has gone, and hold its place."""

    def __init__(self) -> None:
        super().__init__()
        self._ended = False

    async def restart(self, task_group: TaskGroup, action: Callable[[], Awaitable[None]]) -> None:
        """Begin to wait, unless there is nobody any more."""
        if not self._ended:
            await super().restart(task_group, action)

    async def end(self) -> None:
        """Wait no longer."""
        self._ended = True
        await self.stop()


def _peer_address(stream: anyio.abc.SocketStream) -> str:
    try:
        return str(stream.extra(anyio.abc.SocketAttribute.remote_address)[0])  # noqa: S610 - not Django's
    except (OSError, anyio.TypedAttributeLookupError):  # reset already
        return ""
