"""WebSocket transport that faces a network; the only module of the server that imports trio-websocket.

trio-websocket 0.12.2 is used below its own server: each of the faults listed in docs/reliability.md is closed here and
has a regression test in tests/probes. Per connection there is one nursery (`serve_stream`) that nothing outlives:

- the upgrade request is read and judged by `handshake` under a deadline that covers TLS as well;
- `_GuardedStream` counts frames and bytes as they pass (`frame`), bounds every send in time and holds back bytes that
  came before the upgrade was answered;
- on a plain socket `Transport.receive` reads by itself and takes whole binary messages, which is all that clients send
  as a rule, straight from the stream; the library's reader, a task of its own with a channel behind it, would cost
  each of them another two turns of the scheduler. Every other frame is handed to the library, and when the closing
  begins, or something is wrong, it reads by itself to the end;
- whatever the library raises ends this connection and no other (``except*``);
- at the end the nursery is cancelled and the socket closed without waiting for the peer.
"""

from __future__ import annotations

import os
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
import trio
import trio_websocket

from asr_trio.errors import ProtocolError
from asr_trio.server.frame import CLOSE_POLICY_VIOLATION, Foreign, FrameBoundError, FrameMeter, FrameSplitter
from asr_trio.server.handshake import HandshakeError, RequestReader, UpgradeRequest

CLOSE_NORMAL: Final = 1000
CLOSE_GOING_AWAY: Final = 1001
CLOSE_ABNORMAL: Final = 1006
CLOSE_INTERNAL_ERROR: Final = 1011

MESSAGE_FRAGMENTS: Final = 4096
"""Fragments of one message: 512 bytes each would fill the largest one; the official clients send 1."""
CONTROL_FRAMES: Final = 1024
"""Pings between two messages: a session ends after a minute without message, so this is 17 a second."""
_REFUSAL_LINGER_S: Final = 0.5
_PING: Final = b"\x89\x00"
_PONG: Final = 0x8A
_CUT_OFF_S: Final = 0.1
"""For the last words to a peer at the end of a drain: a socket with room takes them at once."""
_RECEIVE_BYTES: Final = 65_536

log = structlog.get_logger(__name__)


class TransportClosedError(ProtocolError):
    """The connection is gone or was cut.

    Attributes:
        close_code: what the peer sent, or what it was told, or 1006 where the connection just ended.
    """

    def __init__(self, message: str, close_code: int = CLOSE_ABNORMAL) -> None:
        super().__init__(message)
        self.close_code = close_code


class TransportLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one connection."""

    message_bytes: int
    handshake_timeout_s: float
    send_timeout_s: float
    close_timeout_s: float


class _GuardedStream(trio.abc.Stream):
    """Stands between the socket and the WebSocket library.

    The library's first read gets the canonical request; what the client sent after its real one comes when the upgrade
    has been answered.
    """

    def __init__(self, stream: trio.abc.Stream, request: UpgradeRequest, limits: TransportLimits) -> None:
        self._stream = stream
        self._first_read: bytes | None = request.canonical()
        self._trailing = request.trailing
        self._accepted = trio.Event()
        self._send_timeout_s = limits.send_timeout_s
        self._socket = stream.socket if isinstance(stream, trio.SocketStream) else None
        self._meter = FrameMeter(
            message_bytes=limits.message_bytes, fragments=MESSAGE_FRAGMENTS, control_frames=CONTROL_FRAMES
        )
        self._cut = False
        self._sent: trio.Event | None = None
        self._splitter = FrameSplitter()
        self._for_library = b""
        self._library_called = trio.Event()
        self._library_idle: Callable[[], None] = lambda: None
        self.library_reads = self._socket is None
        """The library reads the socket by itself; else it sees what it is given."""
        self.fault: FrameBoundError | None = None
        self.on_fault: Callable[[], None] = lambda: None
        self.last_received_s = trio.current_time()

    def accept(self) -> None:
        """Let frames through: the upgrade has been answered."""
        self._accepted.set()

    # --- reading beside the library ---------------------------------------------------------------------------------

    async def receive_frame(self) -> bytes | Foreign | None:
        """Return the next message, or frame for the library; None when the library reads from now on."""
        while not self.library_reads:
            taken = self._splitter.take()
            if isinstance(taken, Foreign) and taken.illegal:
                self.let_library_read(taken.data)
            elif taken is not None:
                return taken
            else:
                await self._read_frames()
        return None

    async def _read_frames(self) -> None:
        try:
            data = await self._receive()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:  # the end, or the library's turn: either is its business
            self.let_library_read()
        elif self._is_within_bounds(data):
            self._splitter.feed(data)
        else:
            self.let_library_read()

    def give_to_library(self, data: bytes, idle: Callable[[], None]) -> None:
        """Let the library see bytes; `idle` is called when it has worked them off."""
        self._for_library += data
        self._library_idle = idle
        self._library_called.set()

    def let_library_read(self, data: bytes = b"") -> None:
        """Leave the socket to the library, with what has been read and not taken; whoever waits here is woken."""
        if self.library_reads:
            return
        self.library_reads = True
        self._for_library += data + self._splitter.take_all()
        self._library_called.set()
        if self._socket is not None and self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)

    # --- what the library calls -------------------------------------------------------------------------------------

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive for the library; after a fault nothing more is ever received."""
        if self._first_read is not None:
            data: bytes | bytearray = self._first_read
            self._first_read = None
            await trio.lowlevel.checkpoint()
            return data
        if self.fault is not None:
            await trio.sleep_forever()
        while not self._for_library and not self.library_reads:
            self._library_idle()
            self._library_called = trio.Event()
            await self._library_called.wait()
        if self._for_library:
            data, self._for_library = self._for_library, b""
            return data
        await self._accepted.wait()
        data = await self._receive(max_bytes)
        if not self._is_within_bounds(data):
            await trio.sleep_forever()
        return data

    def _is_within_bounds(self, data: bytes | bytearray) -> bool:
        self.last_received_s = trio.current_time()
        try:
            self._meter.feed(data)
        except FrameBoundError as fault:
            self.fault = fault
            self.on_fault()
            return False
        return True

    async def _receive(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive from the peer.

        A live peer's next packet is never there yet, so on a plain socket we wait first and read then: that saves a
        call, an exception and a turn of the scheduler a packet.
        """
        if self._trailing:
            data, self._trailing = self._trailing, b""
            return data
        if self._socket is None:
            return await self._stream.receive_some(max_bytes)
        while True:
            if self._socket.fileno() < 0:
                raise trio.ClosedResourceError("closed meanwhile")
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return os.read(self._socket.fileno(), _RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError("the peer has gone") from error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all or break the connection: half a frame is never followed by another."""
        while self._sent is not None:
            await self._sent.wait()
        if self._cut:
            raise trio.BrokenResourceError("an earlier send was cut off in the middle")
        self._cut = True
        self._sent = trio.Event()
        try:
            await self._send_in_time(data)
        finally:
            self._sent.set()
            self._sent = None

    async def _send_in_time(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(self._send_timeout_s) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            await trio.aclose_forcefully(self._stream)
            raise trio.BrokenResourceError("the peer does not read")
        self._cut = False

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)


class Transport:
    """One open WebSocket. `send` belongs to one task, `receive` to one other."""

    def __init__(
        self,
        nursery: trio.Nursery,
        websocket: trio_websocket.WebSocketConnection,
        stream: _GuardedStream,
        request: UpgradeRequest,
        *,
        address: str,
        user: str | None,
        limits: TransportLimits,
    ) -> None:
        self._websocket = websocket
        self._stream = stream
        self._limits = limits
        self._waiting: deque[bytes] = deque()
        stream.on_fault = lambda: nursery.start_soon(self._cut)
        self.request = request
        self.address = address
        self.user = user

    @property
    def last_received_s(self) -> float:
        """Trio time at which the peer last sent anything, pongs included."""
        return self._stream.last_received_s

    async def receive(self) -> bytes:
        """Return the next message; a text message as its UTF-8.

        Raises:
            TransportClosedError: no further message will come.
        """
        while not self._waiting:
            match await self._stream.receive_frame():
                case None:
                    return await self._get_message()
                case Foreign(data=data):
                    if data[0] != _PONG:  # that it came is all that there is to know
                        await self._work_off(data)
                case message:
                    return message
        return self._waiting.popleft()

    async def _work_off(self, frame: bytes) -> None:
        """Let the library take a frame, and keep the message that it may complete."""
        with trio.CancelScope() as scope:
            self._stream.give_to_library(frame, idle=scope.cancel)
            while True:
                self._waiting.append(await self._get_message())

    async def _get_message(self) -> bytes:
        try:
            message = await self._websocket.get_message()
        except trio_websocket.ConnectionClosed as closed:
            fault = self._stream.fault
            if fault is not None:
                raise TransportClosedError(str(fault), fault.close_code) from None
            reason = closed.reason
            raise TransportClosedError(
                (reason and reason.reason) or "The connection ended", int(reason.code) if reason else CLOSE_ABNORMAL
            ) from None
        return message if isinstance(message, bytes) else message.encode()

    async def send(self, message: bytes) -> None:
        """Send one binary message. A cancelled send breaks the connection, so only cancel to end it.

        Raises:
            TransportClosedError: the peer is gone, or has not read for the send timeout.
        """
        try:
            await self._websocket.send_message(message)
        except trio_websocket.ConnectionClosed as closed:
            raise TransportClosedError("The connection ended") from closed

    async def ping(self) -> None:
        """Ping; the pong, as anything that comes, shows in `last_received_s`.

        The library's own ping would keep a task waiting for the pong: half the cost of a session that does nothing.

        Raises:
            TransportClosedError: the connection is closed.
        """
        try:
            if not self._websocket.closed:
                return await self._stream.send_all(_PING)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as closed:
            raise TransportClosedError("The connection ended") from closed
        raise TransportClosedError("The connection ended")

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame, wait for the peer's a short time and close the socket. Safe to call again."""
        self._stream.let_library_read()
        # Where everything is being cancelled nobody reads the peer's answer any more.
        cut = trio.current_effective_deadline() <= trio.current_time()
        timeout_s = _CUT_OFF_S if cut else self._limits.close_timeout_s
        with trio.CancelScope(shield=True, deadline=trio.current_time() + timeout_s):
            await self._websocket.aclose(code, reason)

    async def _cut(self) -> None:
        """End the connection of a peer that went past a bound; `receive` raises as soon as the close is sent."""
        fault = self._stream.fault
        assert fault is not None
        await self.close(fault.close_code, str(fault))


Authorize = Callable[[UpgradeRequest, str], Awaitable[str | None]]
"""Judges a request from an address: returns the user's name or None, or raises HandshakeError."""
Handler = Callable[[Transport], Awaitable[None]]


async def serve_stream(
    stream: trio.SocketStream,
    *,
    address: str,
    tls: ssl.SSLContext | None,
    limits: TransportLimits,
    authorize: Authorize,
    handler: Handler,
) -> None:
    """Serve one accepted connection to its end; raises nothing that the peer can cause.

    Args:
        stream: the accepted socket; closed at the end.
        address: the peer's address as text.
        tls: the server's TLS context, or None.
        limits: bounds of this connection.
        authorize: judges the upgrade request.
        handler: speaks with the peer; the connection ends when it returns.
    """
    outer: trio.abc.Stream = stream
    if tls is not None:
        outer = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
    try:
        async with trio.open_nursery() as nursery:
            transport = await _open(nursery, outer, address=address, limits=limits, authorize=authorize)
            if transport is not None:
                await handler(transport)
            nursery.cancel_scope.cancel()
    except* Exception as group:  # noqa: BLE001 - the library raises anything at all on peers' tricks
        # A peer can cause these at will (a ping while closing is enough), so they are worth no more than a line.
        log.info("connection failed", address=address, error=repr(group.exceptions[0]))
    finally:
        await trio.aclose_forcefully(outer)


async def _open(
    nursery: trio.Nursery, stream: trio.abc.Stream, *, address: str, limits: TransportLimits, authorize: Authorize
) -> Transport | None:
    """Take the connection through TLS and upgrade; None where it was refused, went away or took too long."""
    with trio.move_on_after(limits.handshake_timeout_s):
        try:
            if isinstance(stream, trio.SSLStream):
                await stream.do_handshake()
            request = await _read_request(stream)
            user = await authorize(request, address)
        except HandshakeError as refusal:
            log.debug("upgrade refused", address=address, status=refusal.status)
            await _refuse(stream, refusal)
            return None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return None
        guarded = _GuardedStream(stream, request, limits)
        pending = await trio_websocket.wrap_server_stream(
            nursery,
            guarded,
            message_queue_size=1,
            max_message_size=limits.message_bytes,
            receive_buffer_size=None,
        )
        websocket = await pending.accept()
        guarded.accept()
        return Transport(nursery, websocket, guarded, request, address=address, user=user, limits=limits)
    return None


async def _read_request(stream: trio.abc.Stream) -> UpgradeRequest:
    reader = RequestReader()
    while True:
        data = await stream.receive_some()
        if not data:
            raise trio.BrokenResourceError("the peer closed before its request was whole")
        request = reader.feed(bytes(data))
        if request is not None:
            return request


async def _refuse(stream: trio.abc.Stream, refusal: HandshakeError) -> None:
    """Answer and hang up; wait briefly for the peer to close, as a reset would destroy the answer under way."""
    try:
        await stream.send_all(refusal.response())
        if isinstance(stream, trio.SocketStream):
            await stream.send_eof()
        with trio.move_on_after(_REFUSAL_LINGER_S):
            while await stream.receive_some():
                pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


__all__ = [
    "CLOSE_ABNORMAL",
    "CLOSE_GOING_AWAY",
    "CLOSE_INTERNAL_ERROR",
    "CLOSE_NORMAL",
    "CLOSE_POLICY_VIOLATION",
    "Authorize",
    "Handler",
    "Transport",
    "TransportClosedError",
    "TransportLimits",
    "serve_stream",
]
