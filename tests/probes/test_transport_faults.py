"""Peers that broke trio-websocket 0.12.2's own server, against our transport with a small echo handler.

Each probe ends with the same question: does an honest client still get its answer, and is everything given back?
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio

from asr_trio.server.handshake import HandshakeError, UpgradeRequest
from asr_trio.server.transport import Transport, TransportClosedError, TransportLimits, serve_stream

from .peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawPeer, close_code, frame, upgrade_request

LIMITS = TransportLimits(message_bytes=100_000, handshake_timeout_s=0.5, send_timeout_s=0.5, close_timeout_s=0.3)


class Echo:
    """A server of nothing but the transport: echoes, and does as the message says."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open = 0

    async def settle(self) -> None:
        """Wait until no connection is left: nothing may hold one for ever."""
        with trio.fail_after(30):
            while self.open:  # noqa: ASYNC110 - polled because it may rise again
                await trio.sleep(0.01)

    async def honest_client_is_served(self) -> None:
        async with await RawPeer.connect(self.port) as peer:
            assert b" 101 " in await peer.upgrade()
            await peer.send(frame(BINARY, b"hello"))
            assert await peer.message() == (BINARY, b"hello")
            await peer.send(frame(CLOSE, b"\x03\xe8"))
            assert close_code(await peer.end()) == 1000


async def _authorize(request: UpgradeRequest, address: str) -> str | None:
    if request.path == "/refused":
        raise HandshakeError(401, "No", (("WWW-Authenticate", 'Basic realm="x"'),))
    return None


async def _echo(transport: Transport) -> None:
    async with trio.open_nursery() as nursery:
        await _echo_in(nursery, transport)


async def _echo_in(nursery: trio.Nursery, transport: Transport) -> None:
    while True:
        try:
            message = await transport.receive()
            if message == b"raise":
                raise RuntimeError("a bug in the handler")
            if message == b"close meanwhile":
                nursery.start_soon(transport.close, 1001, "going away")
                continue
            if message == b"close":
                await transport.close(1001, "going away")
                return
            if message == b"much":
                for _ in range(1000):
                    await transport.send(bytes(50_000))
            await transport.send(message)
        except TransportClosedError:
            return


@asynccontextmanager
async def echo_server(limits: TransportLimits = LIMITS) -> AsyncIterator[Echo]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = Echo(listeners[0].socket.getsockname()[1])

    async def serve(stream: trio.SocketStream) -> None:
        server.open += 1
        try:
            await serve_stream(
                stream, address="127.0.0.1", tls=None, limits=limits, authorize=_authorize, handler=_echo
            )
        finally:
            server.open -= 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield server
        await server.settle()
        await server.honest_client_is_served()
        await server.settle()
        nursery.cancel_scope.cancel()


NON_ASCII_HEADERS = [
    b"Connection: Upgrade, caf\xe9\r\n",
    b"Sec-WebSocket-Protocol: \xff\xfe\r\n",
    b"Sec-WebSocket-Extensions: perm\xc3essage\r\n",
    b"Host: caf\xe9\r\n",
    b"Host: " + b"a" * 70 + b".example\r\n",
    b"X-Anything: \xf0\x9f\x98\x80\r\n",
]


@pytest.mark.parametrize("header", NON_ASCII_HEADERS)
async def test_bytes_outside_ascii_in_a_header_end_nothing(header):
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade(extra=header)


async def test_a_ping_while_the_server_is_closing_ends_only_that_connection():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(frame(BINARY, b"close"))
        assert (await peer.message() or (0, b""))[0] == CLOSE
        await peer.send(frame(PING, b"too late"))
        await peer.end()


async def test_a_close_beside_the_reader_is_answered_by_the_peer_and_not_waited_for():
    patient = msgspec.structs.replace(LIMITS, close_timeout_s=3600.0)
    async with echo_server(patient) as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(frame(PING, b"?") + frame(BINARY, b"close meanwhile"))
        assert await peer.message() == (PONG, b"?")
        assert (await peer.message() or (0, b""))[0] == CLOSE
        await peer.send(frame(BINARY, b"on its way") + frame(CLOSE, b"\x03\xe9"))
        with trio.fail_after(30):
            await peer.end()


async def test_a_close_of_the_peer_behind_messages_is_answered_after_them():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(frame(BINARY, b"first") + frame(TEXT, b"second") + frame(CLOSE, b"\x03\xe8"))
        assert await peer.message() == (BINARY, b"first")
        assert await peer.message() == (BINARY, b"second")
        assert close_code(await peer.end()) == 1000


async def test_an_exception_in_a_handler_ends_only_that_connection():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(frame(BINARY, b"raise"))
        await peer.end()


@pytest.mark.parametrize("when", ["connected", "half a request", "upgraded", "in a message", "answer pending"])
async def test_a_reset_at_any_moment_ends_only_that_connection(when):
    async with echo_server() as server:
        peer = await RawPeer.connect(server.port)
        if when == "half a request":
            await peer.send(upgrade_request()[:50])
        elif when == "upgraded":
            await peer.upgrade()
        elif when == "in a message":
            await peer.upgrade()
            await peer.send(frame(BINARY, b"x" * 10, announce=1000))
        elif when == "answer pending":
            await peer.upgrade()
            await peer.send(frame(BINARY, b"much"))
        peer.reset()


@pytest.mark.parametrize("sent", [b"", b"GET", upgrade_request()[:-2], b"\x16\x03\x01"])
async def test_a_peer_that_never_finishes_its_request_is_dropped(sent):
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.send(sent)
        with trio.fail_after(30):
            await peer.end()


async def test_slow_loris_gets_no_more_than_the_handshake_deadline():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        with trio.fail_after(8):
            for byte in upgrade_request(extra=b"X: " + b"a" * 1000 + b"\r\n"):
                try:
                    await peer.send(bytes([byte]))
                except trio.BrokenResourceError:
                    break
                await trio.sleep(0.01)
            await peer.end()


@pytest.mark.parametrize("path", ["/refused"])
async def test_a_refused_peer_that_stays_silent_is_not_held(path):
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        head = await peer.upgrade(path)
        assert b" 401 " in head
        assert b"WWW-Authenticate: Basic" in head
        await server.settle()


@pytest.mark.parametrize("size", [100_001, 2**31, 2**62])
async def test_an_oversize_message_is_refused_at_its_header_and_the_peer_not_waited_for(size):
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(frame(BINARY, b"x", announce=size))
        opcode, payload = await peer.message() or (0, b"")
        assert (opcode, payload[:2]) == (CLOSE, (1009).to_bytes(2, "big"))
        await server.settle()


async def test_endless_empty_fragments_are_cut():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(frame(BINARY, b"", fin=False))
        await peer.send_until_refused(frame(CONTINUATION, b"", fin=False) * 1000, times=1000)
        with trio.fail_after(30):
            await peer.end()


async def test_endless_pings_are_cut():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send_until_refused(frame(PING, b"x" * 125) * 100, times=1000)
        with trio.fail_after(30):
            await peer.end()


async def test_a_peer_that_does_not_read_is_dropped_after_the_send_timeout():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(frame(BINARY, b"much"))
        await server.settle()


async def test_connect_and_close_is_not_held():
    async with echo_server() as server:
        for _ in range(20):
            peer = await RawPeer.connect(server.port)
            await peer.aclose()
        with trio.fail_after(30):
            await server.settle()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff" * 1000,
        b"\x82\x05hello",  # not masked
        frame(3, b"reserved opcode"),
        b"\xc2\x80\0\0\0\0",  # reserved bit
        frame(CONTINUATION, b"nothing to continue"),
        frame(TEXT, b"\xff\xfe"),
        frame(PING, b"x" * 126),
        frame(PING, b"", fin=False),
        frame(CLOSE, b"\x00"),
        frame(CLOSE, b"\xff\xff"),
        frame(BINARY, b"a", fin=False) + frame(BINARY, b"b"),
    ],
)
async def test_frames_against_the_rules_end_only_that_connection(rubbish):
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(rubbish)
        with trio.fail_after(30):
            await peer.end()


async def test_frames_sent_with_the_request_are_not_lost():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.send(upgrade_request() + frame(BINARY, b"early"))
        assert b" 101 " in await peer.head()
        assert await peer.message() == (BINARY, b"early")


async def test_text_and_fragmented_messages_and_pings_are_served():
    async with echo_server() as server, await RawPeer.connect(server.port) as peer:
        await peer.upgrade()
        await peer.send(frame(TEXT, "não".encode()))
        assert await peer.message() == (BINARY, "não".encode())
        await peer.send(frame(BINARY, b"ab", fin=False) + frame(PING, b"?") + frame(CONTINUATION, b"cd"))
        assert await peer.message() == (PONG, b"?")
        assert await peer.message() == (BINARY, b"abcd")
