"""The HTTP port: health, readiness, metrics and version, and whatever other modules add.

Recognition has its own port, since trio-websocket serves no plain HTTP. Here Starlette runs on anycorn, which is at
home on Trio. Every module with routes offers ``routes(services) -> list[Route]``; `ROUTE_SOURCES` names them.
"""

from __future__ import annotations

import functools
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import anycorn
import trio
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

import asr_trio
from asr_trio.errors import ConfigError
from asr_trio.server import console, rest
from asr_trio.server.services import Services

_GRACE_S: Final = 1.0
_BACKLOG: Final = 256


def routes(services: Services) -> list[BaseRoute]:
    """Return the routes that tell an operator how the server is."""

    async def healthz(_request: Request) -> Response:
        """Alive: the event loop answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        """Ready: models are loaded, a worker is warm, and the server is not draining."""
        pool = services.pool
        state = {
            "ready": services.ready,
            "draining": services.draining,
            "workers_idle": pool.workers_idle,
            "workers_leased": pool.workers_leased,
            "sessions": services.places.taken,
        }
        return JSONResponse(state, status_code=200 if services.ready else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def version(_request: Request) -> Response:
        return JSONResponse({"name": "asr-trio", "version": asr_trio.__version__, "protocol": "ASR 2.3"})

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/version", version),
    ]


RouteSource = Callable[[Services], Sequence[BaseRoute]]
ROUTE_SOURCES: Final[tuple[RouteSource, ...]] = (routes, console.routes, rest.routes)


class _Application:
    """Starlette without its lifespan, which turns a cancellation into a failure."""

    def __init__(self, found: list[BaseRoute]) -> None:
        self._starlette = Starlette(routes=found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._starlette(scope, receive, send)
            return
        for _ in ("startup", "shutdown"):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})


class _Config(anycorn.Config):
    """anycorn's, with a TLS context that is the server's own: its certificate can be renewed while it serves."""

    tls: ssl.SSLContext | None = None

    def create_ssl_context(self) -> ssl.SSLContext | None:
        return self.tls

    @property
    def ssl_enabled(self) -> bool:
        return self.tls is not None


async def serve_http(
    services: Services, tls: ssl.SSLContext | None, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve HTTP, by TLS where a context is given, until cancelled; started with the port.

    Raises:
        ConfigError: the port cannot be opened.
    """
    settings = services.settings.server
    application = _Application([route for source in ROUTE_SOURCES for route in source(services)])
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    try:
        listener = socket.create_server((settings.http_host, settings.http_port), family=family, backlog=_BACKLOG)
    except OSError as error:
        words = f"Port {settings.http_port} of {settings.http_host} cannot be opened: {error.strerror}"
        raise ConfigError(words) from error
    port: int = listener.getsockname()[1]
    config = _Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.tls = tls
    config.graceful_timeout = _GRACE_S
    config.include_server_header = False
    config.errorlog = logging.getLogger("asr_trio.http")
    async with trio.open_nursery() as nursery:
        await nursery.start(functools.partial(anycorn.serve, cast("Any", application), config, mode="asgi"))
        task_status.started(port)
