"""The HTTP port itself: what an operator is told where it cannot be opened."""

from __future__ import annotations

import socket

import pytest
import trio

from asr_trio.config import Settings
from asr_trio.errors import ConfigError
from asr_trio.server.http import serve_http
from asr_trio.server.services import Services


async def test_a_port_that_is_taken_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        services = Services(Settings(server={"http_port": port}))
        with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match=f"Port {port} of 127.0.0.1 cannot be opened")):
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_http, services)
