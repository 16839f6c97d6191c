"""The HTTP port itself: what an operator is told where it cannot be opened."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import httpx
import pytest
import trio
import trustme

from asr_trio.config import Settings
from asr_trio.errors import ConfigError
from asr_trio.server.http import serve_http
from asr_trio.server.services import Services
from asr_trio.server.tls import Tls


async def test_a_port_that_is_taken_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        services = Services(Settings(server={"http_port": port}))
        with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match=f"Port {port} of 127.0.0.1 cannot be opened")):
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_http, services, None)


async def test_the_port_speaks_tls_where_it_is_told_to(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    tls = {"certificate": tmp_path / "server.pem", "http": True}
    services = Services(Settings(server={"http_port": 0}, tls=tls))
    async with trio.open_nursery() as nursery:
        port = await nursery.start(serve_http, services, Tls(services.settings.tls).http)
        async with httpx.AsyncClient(verify=trusted) as client:
            page = await client.get(f"https://127.0.0.1:{port}/console/")
            told = await client.get(f"https://127.0.0.1:{port}/console/config.json")
        nursery.cancel_scope.cancel()
    assert "asr-trio console" in page.text
    assert "wss://127.0.0.1" in page.headers["content-security-policy"]
    assert told.json()["websocket"]["scheme"] == "wss"
