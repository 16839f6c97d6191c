"""The server that a command talks to: one that the user named, or one of our own for as long as the command runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import trio

from asr_trio import client, config
from asr_trio.server import app as server_app
from asr_trio.server.observe import configure_logging


class Server(msgspec.Struct, frozen=True):
    """Where a server is and who we are there."""

    url: str
    user: str | None = None
    password: str | None = None

    def connect(self) -> AbstractAsyncContextManager[client.Session]:
        """Open a session."""
        return client.connect(self.url, user=self.user, password=self.password)


@asynccontextmanager
async def server(url: str | None, user: str | None = None, password: str | None = None) -> AsyncIterator[Server]:
    """Yield the server at `url`, or one that is started here and ended afterwards."""
    if url is not None:
        yield Server(url, user, password)
        return
    settings = config.load(
        server={"host": "127.0.0.1", "port": 0, "http_enabled": False},
        auth={"htpasswd_file": None},
        tls={"certificate": None, "key": None},
        log={"level": "warning"},
    )
    configure_logging(settings.log)
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(server_app.serve, settings)
        yield Server(f"ws://127.0.0.1:{addresses.ws_port}/asr-server/asr")
        nursery.cancel_scope.cancel()


def language_models(names: Sequence[str] | None) -> list[client.LanguageModel]:
    """Return the models that a user named by URI or by grammar file; none means free speech."""
    return [_language_model(name) for name in names or ["builtin:slm/general"]]


def _language_model(name: str) -> client.LanguageModel:
    path = Path(name)
    if ":" not in name and path.is_file():
        return client.Grammar(path.read_bytes(), content_id=path.stem)
    return name
