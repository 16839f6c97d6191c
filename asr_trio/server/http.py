"""The HTTP port: health, readiness, metrics and version, and whatever other modules add.

Recognition has its own port, since trio-websocket serves no plain HTTP. Here Starlette runs on anycorn (`http_port`),
which is at home on Trio. Every module with routes offers ``routes(services) -> list[Route]``; `ROUTE_SOURCES` names
them.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

import trio
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import asr_trio
from asr_trio.errors import ConfigError
from asr_trio.server import console, rest
from asr_trio.server.http_port import HttpPort
from asr_trio.server.services import Services

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


async def serve_http(
    services: Services, tls: ssl.SSLContext | None, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve HTTP, by TLS where a context is given, until cancelled; started with the port.

    Raises:
        ConfigError: the port cannot be opened.
    """
    settings = services.settings.server
    application = Starlette(routes=[route for source in ROUTE_SOURCES for route in source(services)])
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    try:
        listening = socket.create_server((settings.http_host, settings.http_port), family=family, backlog=_BACKLOG)
    except OSError as error:
        words = f"Port {settings.http_port} of {settings.http_host} cannot be opened: {error.strerror}"
        raise ConfigError(words) from error
    task_status.started(listening.getsockname()[1])
    await HttpPort(application, services.settings, services.metrics, tls).run(listening)
