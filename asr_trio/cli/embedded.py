"""The server that a command talks to: one that the user named, or one of our own for as long as the command runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import trio

from asr_trio import client, config
from asr_trio.server import app as server_app

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[client.Session]]


@asynccontextmanager
async def server(url: str | None, user: str | None = None, password: str | None = None) -> AsyncIterator[Connect]:
    """Yield what opens a session on the server at `url`, or on one that is started here and ended afterwards."""
    if url is not None:
        yield partial(client.connect, url, user=user, password=password)
        return
    settings = config.load(
        server={"host": "127.0.0.1", "port": 0, "http_enabled": False},
        auth={"htpasswd_file": None},
        tls={"certificate": None, "key": None},
        log={"level": "warning"},
    )
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(server_app.serve, settings)
        yield partial(client.connect, f"ws://127.0.0.1:{addresses.ws_port}/asr-server/asr")
        nursery.cancel_scope.cancel()


def language_models(names: Sequence[str] | None) -> list[client.LanguageModel]:
    """Return the models that a user named by URI or by grammar file; none means free speech."""
    return [_language_model(name) for name in names or ["builtin:slm/general"]]


def _language_model(name: str) -> client.LanguageModel:
    path = Path(name)
    if ":" not in name and path.is_file():
        return client.Grammar(path.read_bytes(), content_id=path.stem)
    return name
