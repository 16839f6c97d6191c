"""Hostile and broken peers at the HTTP port of a whole server."""

from __future__ import annotations

import socket
import ssl
import sys
from contextlib import AsyncExitStack

import httpx
import pytest
import trio
import trustme

from asr_trio.server.app import Server
from tests.e2e.serving import Running, running, settings, settled

from .peer import RawPeer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback is one address")
ELSEWHERE = "127.0.0.2"
HTTP = {"http_enabled": True}
TIMES = {**HTTP, "handshake_timeout_s": 1.0, "send_timeout_s": 1.0}
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET_LARGE = b"GET /asr-server/rest/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def healthy(server: Running) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            answer = await client.get(f"http://127.0.0.1:{server.addresses.http_port}/healthz")
        except httpx.HTTPError:  # one that is refused may be cut before it has read the answer
            return False
        return answer.status_code == 200


async def cut(peer: RawPeer) -> None:
    """Wait until the server ends this connection, reading all that comes before that."""
    with trio.fail_after(30):
        await peer.end()


async def deaf(port: int) -> RawPeer:
    """Return a peer that asks for more than any buffer holds and reads nothing."""
    talker = socket.socket()
    talker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(talker))
    await stream.socket.connect(("127.0.0.1", port))
    peer = RawPeer(stream)
    with trio.move_on_after(0.3):  # by then it waits for the server, which waits for it
        await peer.send_until_refused(GET_LARGE * 100, times=10_000)
    return peer


async def test_connections_are_bounded_by_address_and_in_all_and_come_back():
    limits = {"http_connections": 12, "http_connections_per_address": 10}
    async with (
        running(server={**HTTP, "handshake_timeout_s": 3600.0}, limits=limits) as server,
        AsyncExitStack() as stack,
    ):
        port = server.addresses.http_port

        async def peer(source):
            return await stack.enter_async_context(await RawPeer.connect(port, source))

        held = [await peer(ELSEWHERE) for _ in range(10)]
        for one in held:
            await one.send(GET)
            assert b" 200 " in await one.head()
        refused = await peer(ELSEWHERE)
        with trio.fail_after(30):
            assert b" 503 " in await refused.head()
        assert await healthy(server)  # from another address
        await settled(lambda: connections(server) == 10)
        others = [await peer("127.0.0.3") for _ in range(2)]
        for one in others:
            await one.send(GET)
            assert b" 200 " in await one.head()
        assert not await healthy(server)
        for one in (*held, *others):
            await one.aclose()
        await settled(lambda: refusals(server) >= 2)
        await settled(lambda: not connections(server))
        assert await healthy(server)


def connections(server: Running) -> float:
    return server.server.services.metrics.http_connections._value.get()


def refusals(server: Running) -> float:
    return server.server.services.metrics.connections_refused.labels("http limit")._value.get()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nX-Slow: "], ids=["nothing", "half a head"])
async def test_who_does_not_finish_a_request_is_dropped(said):
    async with running(server=TIMES) as server, await RawPeer.connect(server.addresses.http_port) as peer:
        await peer.send(said)
        await cut(peer)
        assert await healthy(server)


async def test_who_reads_nothing_is_dropped():
    async with running(server=TIMES) as server:
        peer = await deaf(server.addresses.http_port)
        with trio.fail_after(60), pytest.raises(trio.BrokenResourceError):  # noqa: PT012 - one of many refuses
            while True:
                await peer.send(GET)
        await settled(lambda: not connections(server))
        await peer.aclose()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (
            GET[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAQAAAAA\r\n\r\n",
            b" 200 ",
        ),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b" 404 "),
    ],
    ids=["upgrade", "prior knowledge"],
)
async def test_nobody_speaks_http_2_in_which_a_stalled_answer_has_no_bound(said, answer):
    async with running(server=TIMES) as server, await RawPeer.connect(server.addresses.http_port) as peer:
        await peer.send(said)
        assert answer in await peer.head()
        await cut(peer)


async def test_who_never_finishes_a_handshake_is_dropped(tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    async with running(server=TIMES, tls={"certificate": str(tmp_path / "server.pem"), "http": True}) as server:
        port = server.addresses.http_port
        for rubbish in (b"", b"\x16\x03\x01", GET):
            async with await RawPeer.connect(port) as peer:
                await peer.send(rubbish)
                await cut(peer)
        async with httpx.AsyncClient(verify=trusted) as client:
            assert (await client.get(f"https://127.0.0.1:{port}/healthz")).status_code == 200
        await settled(lambda: not connections(server))


async def test_a_peer_that_reads_nothing_does_not_hold_up_the_end():
    async with trio.open_nursery() as nursery:
        server = Server(settings(server={**HTTP, "send_timeout_s": 3600.0}))
        ended = trio.Event()

        async def serve(*, task_status=trio.TASK_STATUS_IGNORED):
            await server.run(task_status=task_status)
            ended.set()

        addresses = await nursery.start(serve)
        peer = await deaf(addresses.http_port)
        await settled(server.services.metrics.http_connections._value.get)
        server.drain()
        with trio.fail_after(60):
            await ended.wait()
        await peer.aclose()
