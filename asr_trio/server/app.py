"""A whole server: start, listen, signals, drain.

    serve ─┬─ worker pool
           ├─ shared quota        (where one is configured)
           ├─ HTTP port           (stays to the very end: readiness must be seen to fall)
           ├─ loop watch, pings
           └─ listeners ── connections

Drain: readiness falls, the listeners close, idle sessions are closed with 1001 at once and the others after their
result; when the last has gone, or the drain time is over, everything else ends.
"""

from __future__ import annotations

import functools
import gc
import heapq
import itertools
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

import msgspec
import structlog
import trio

from asr_trio.config import Settings
from asr_trio.errors import AsrError, BusyError, ConfigError, leaves
from asr_trio.server.connection import Connection
from asr_trio.server.descriptors import connections_possible, raise_limit
from asr_trio.server.gate import ConnectionGate
from asr_trio.server.handshake import HandshakeError
from asr_trio.server.http import serve_http
from asr_trio.server.observe import configure_logging
from asr_trio.server.peer import Peer
from asr_trio.server.record import Recorder
from asr_trio.server.services import Services
from asr_trio.server.tls import Tls
from asr_trio.server.transport import TransportLimits, serve_stream

_LOOP_WATCH_INTERVAL_S: Final = 0.25
_IDLE_LOOP_WATCH_INTERVAL_S: Final = 1.0
"""While nobody speaks. A look costs as much as three pings, or as two packets of audio."""
_YOUNG_OBJECTS: Final = 10_000
"""Python looks for cyclic garbage after 700 by default. A hundred times that and it looks at everything, which with
thousands of sessions holds the loop up for a tenth of a second, and there is next to no cyclic garbage here."""
_PULSE_INTERVAL_S: Final = 1.0
"""Between two looks at who has been silent for long: one task for all, since a timer for each would cost more."""
_REFUSAL_TIMEOUT_S: Final = 0.1
_BACKLOG: Final = 1024
"""A burst of calls after an outage must find room while the loop is busy with handshakes."""

log = structlog.get_logger(__name__)


class Addresses(msgspec.Struct, frozen=True):
    """Where a server listens; `http_port` is None where HTTP is off."""

    ws_port: int
    http_port: int | None

    def __str__(self) -> str:
        """Return what `asr-trio serve` prints when ready; scripts, `bench` and tests read the ports from it."""
        http = "" if self.http_port is None else f", HTTP on port {self.http_port}"
        return f"WebSocket on port {self.ws_port}{http}"


class Server:
    """A running server."""

    def __init__(self, settings: Settings) -> None:
        """Put a server together; nothing is started.

        Raises:
            ConfigError: the settings cannot be used.
        """
        self.services = Services(settings)
        self._settings = settings
        self._tls = Tls(settings.tls)
        self._gate = ConnectionGate(
            connections=connections_possible(settings),
            connections_per_address=settings.limits.connections_per_address,
        )
        self._limits = TransportLimits(
            message_bytes=settings.limits.message_bytes,
            handshake_timeout_s=settings.server.handshake_timeout_s,
            send_timeout_s=settings.server.send_timeout_s,
            close_timeout_s=settings.server.close_timeout_s,
        )
        self._recorder = Recorder(settings.record) if settings.record.folder is not None else None
        self._connections: dict[int, Connection] = {}
        self._numbers = itertools.count()
        self._looks: list[tuple[float, int]] = []
        """A heap: when to look at which connection. Connections that have ended stay in it until then."""
        self._drain_wanted = trio.Event()
        self._reloading = trio.Lock()

    def drain(self) -> None:
        """Begin to end: see the head of this module. Safe to call again."""
        self._drain_wanted.set()

    async def reload(self, read: Callable[[], Settings]) -> None:
        """Take over what may change while the server runs, in the order certificate, passwords, models, log level.

        What is wrong is told in the log; it and what comes after it stay as they were.

        Args:
            read: reads the settings again.
        """
        async with self._reloading:
            try:
                settings = read()
                self._tls.load(settings.tls)
                waiting = await self.services.take_over(settings)
            except* AsrError as faults:
                log.error("not reloaded", error="; ".join(map(str, leaves(faults))))  # noqa: TRY400
            else:
                configure_logging(settings.log)
                log.info("reloaded", **({"wait_for_a_restart": waiting} if waiting else {}))

    async def run(self, *, task_status: trio.TaskStatus[Addresses] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until drained or cancelled; started once ready.

        Raises:
            AsrError: the configured models cannot be loaded, or a port cannot be opened.
        """
        services = self.services
        async with trio.open_nursery() as nursery:
            await nursery.start(services.pools.run)
            if services.quota is not None:
                await nursery.start(services.quota.run)
            http_port: int | None = None
            if self._settings.server.http_enabled:
                http_port = await nursery.start(serve_http, services, self._tls.http)
            nursery.start_soon(self._watch_loop)
            nursery.start_soon(self._keep_in_touch)
            await self._serve_websocket(http_port, task_status)
            await trio.to_thread.run_sync(services.tracing.end)
            nursery.cancel_scope.cancel()

    async def _serve_websocket(self, http_port: int | None, task_status: trio.TaskStatus[Addresses]) -> None:
        server = self._settings.server
        try:
            listeners = await trio.open_tcp_listeners(server.port, host=server.host, backlog=_BACKLOG)
        except OSError as error:
            raise ConfigError(f"Port {server.port} of {server.host} cannot be opened: {error.strerror}") from error
        async with trio.open_nursery() as handlers:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(
                    functools.partial(trio.serve_listeners, self._serve_peer, listeners, handler_nursery=handlers)
                )
                self.services.websocket_port = listeners[0].socket.getsockname()[1]
                task_status.started(Addresses(self.services.websocket_port, http_port))
                self.services.attach = lambda peer: handlers.start_soon(self._converse, peer)
                await self._drain_wanted.wait()
                self.services.draining = True
                self.services.attach = None
                accepting.cancel_scope.cancel()
            for listener in listeners:
                await listener.aclose()
            log.info("draining", connections=self._gate.open)
            handlers.cancel_scope.deadline = trio.current_time() + server.drain_timeout_s
            for connection in list(self._connections.values()):
                connection.drain()
        log.info("drained")

    # --- connections --------------------------------------------------------------------------------------------

    async def _serve_peer(self, stream: trio.SocketStream) -> None:
        address = _peer_address(stream)
        metrics = self.services.metrics
        try:
            with self._gate.admit(address), metrics.connections.track_inprogress():
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                await serve_stream(
                    stream,
                    address=address,
                    tls=self._tls.websocket,
                    limits=self._limits,
                    authorize=self.services.doorkeeper.authorize,
                    handler=self._converse,
                )
        except BusyError:
            metrics.connections_refused.labels("limit").inc()
            if self._tls.websocket is None:  # a handshake would cost what the limit is there to save
                with trio.move_on_after(_REFUSAL_TIMEOUT_S), suppress(trio.BrokenResourceError):
                    await stream.send_all(HandshakeError(503, "Too many connections").response())
        except OSError:
            log.debug("connection vanished", address=address)
        finally:
            await trio.aclose_forcefully(stream)

    async def _converse(self, transport: Peer) -> None:
        peer = transport if self._recorder is None else self._recorder.wrap(transport)
        connection = Connection(peer, self.services)
        with self._registered(connection):
            if self.services.draining:
                connection.drain()
            await connection.run()

    @contextmanager
    def _registered(self, connection: Connection) -> Iterator[None]:
        number = next(self._numbers)
        self._connections[number] = connection
        heapq.heappush(self._looks, (connection.pulse(trio.current_time()), number))
        try:
            yield
        finally:
            del self._connections[number]

    async def _keep_in_touch(self) -> NoReturn:
        while True:
            await trio.sleep(_PULSE_INTERVAL_S)
            now_s = trio.current_time()
            while self._looks and self._looks[0][0] <= now_s:
                _, number = heapq.heappop(self._looks)
                if number in self._connections:
                    heapq.heappush(self._looks, (self._connections[number].pulse(now_s), number))

    async def _watch_loop(self) -> NoReturn:
        """Measure how late the event loop is: the one number that says whether it does too much."""
        lag = self.services.metrics.loop_lag
        while True:
            busy = self.services.recognitions
            due_s = trio.current_time() + (_LOOP_WATCH_INTERVAL_S if busy else _IDLE_LOOP_WATCH_INTERVAL_S)
            await trio.sleep_until(due_s)
            lag.observe(max(0.0, trio.current_time() - due_s))


async def serve(settings: Settings, *, task_status: trio.TaskStatus[Addresses] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve until cancelled; started with the addresses once ready. Signals are the caller's.

    Raises:
        AsrError: the server cannot be started.
    """
    await Server(settings).run(task_status=task_status)


async def serve_until_signal(
    read: Callable[[], Settings], *, task_status: trio.TaskStatus[Addresses] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve as a program of its own: log, drain on SIGTERM and SIGINT (a second one cuts short), reload on SIGHUP.

    Args:
        read: reads the settings; again on SIGHUP.
        task_status: started with the addresses.

    Raises:
        AsrError: the server cannot be started.
    """
    settings = read()
    configure_logging(settings.log)
    raise_limit()
    gc.set_threshold(_YOUNG_OBJECTS)
    server = Server(settings)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:

            async def watch_signals() -> None:
                async for number in signals:
                    if number == signal.SIGHUP:
                        nursery.start_soon(server.reload, read)
                    elif server.services.draining:
                        nursery.cancel_scope.cancel()
                    else:
                        server.drain()

            nursery.start_soon(watch_signals)
            await server.run(task_status=task_status)
            nursery.cancel_scope.cancel()


def _peer_address(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:  # reset already
        return ""
