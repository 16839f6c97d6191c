"""The console: a page at the HTTP port that shows what the server hears, served as the static files that it is.

The page talks to the server by the public WebSocket protocol like any other client; the one thing that it must be told
is where, and which models there are (``config.json``). Its policy allows scripts and styles from these files only, and
connections to nothing but this server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from asr_trio import __version__
from asr_trio.config import Settings

_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}")


def is_enabled(settings: Settings) -> bool:
    """Tell whether the page is served: by default wherever the server is open to everybody."""
    if settings.console.enabled is None:
        return settings.auth.htpasswd_file is None
    return settings.console.enabled


def routes(settings: Settings, *, websocket_port: int, models: Sequence[dict[str, Any]] = ()) -> list[BaseRoute]:
    """Return the routes of the console, none where it is off.

    Args:
        settings: the configuration.
        websocket_port: the port where the WebSocket listener really is.
        models: what can be recognised, each with ``uri``, ``title`` and ``language``.
    """
    if not is_enabled(settings):
        return []
    config = {
        "version": __version__,
        "websocket": {
            "url": settings.console.websocket_url,
            "scheme": "wss" if settings.tls.certificate else "ws",
            "port": websocket_port,
            "path": settings.server.paths[0] if settings.server.paths else "/asr-server/asr",
        },
        "models": list(models),
    }

    async def page(_request: Request) -> Response:
        return RedirectResponse("/console/", status_code=307)

    async def configuration(_request: Request) -> Response:
        return JSONResponse(config, headers={"Cache-Control": "no-store", **_HEADERS})

    return [
        Route("/", page),
        Route("/console", page),
        Route("/console/config.json", configuration),
        Mount("/console", _Files(settings, websocket_port), name="console"),
    ]


class _Files(StaticFiles):
    """The page's files, under a policy that names the WebSocket of the host that the browser asked."""

    def __init__(self, settings: Settings, websocket_port: int) -> None:
        super().__init__(packages=[("asr_trio", "console")], html=True)
        self._websocket_url = settings.console.websocket_url
        self._scheme = "wss" if settings.tls.certificate else "ws"
        self._port = websocket_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = {**_HEADERS, "Content-Security-Policy": self._policy(scope), "Cache-Control": "no-cache"}
                extra = [(name.lower().encode(), value.encode()) for name, value in policy.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await super().__call__(scope, receive, send_with_policy)

    def _policy(self, scope: Scope) -> str:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").rpartition(":")[0]
        host = host if _PLAIN_HOST.fullmatch(host) else "*"  # a policy cannot name an IPv6 literal
        websocket = self._websocket_url or f"{self._scheme}://{host}:{self._port}"
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' {websocket}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )


_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
