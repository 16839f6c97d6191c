"""The console: a page at the HTTP port that shows what the server hears, served as the static files that it is.

The page talks to the server by the public WebSocket protocol like any other client; the one thing that it must be told
is where, and which models there are (``config.json``). Its policy allows scripts and styles from these files only, and
connections to nothing but this server.
"""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from asr_trio import __version__
from asr_trio.config import Settings
from asr_trio.grammar import builtin
from asr_trio.server.services import Services

_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}")


def is_enabled(settings: Settings) -> bool:
    """Tell whether the page is served: by default wherever the server is open to everybody."""
    if settings.console.enabled is None:
        return settings.auth.htpasswd_file is None
    return settings.console.enabled


def address(settings: Settings, http_port: int | None) -> str | None:
    """Return where somebody at this machine finds the page, or None where it is not served."""
    if http_port is None or not is_enabled(settings):
        return None
    return f"{'https' if settings.tls.http else 'http'}://localhost:{http_port}/"


def routes(services: Services) -> list[BaseRoute]:
    """Return the routes of the console, none where it is off."""
    if not is_enabled(services.settings):
        return []

    async def page(_request: Request) -> Response:
        return RedirectResponse("/console/", status_code=307)

    async def configuration(_request: Request) -> Response:
        settings = services.settings
        config = {
            "version": __version__,
            "websocket": {
                "url": settings.console.websocket_url,
                "scheme": _scheme(settings),
                "port": services.websocket_port,
                "path": settings.server.paths[0] if settings.server.paths else "/asr-server/asr",
            },
            "credentials": settings.auth.htpasswd_file is not None,
            "models": _models(settings),
        }
        return JSONResponse(config, headers={"Cache-Control": "no-store", **_HEADERS})

    return [
        Route("/", page),
        Route("/console", page),
        Route("/console/config.json", configuration),
        Mount("/console", _Files(services), name="console"),
    ]


def _scheme(settings: Settings) -> str:
    return "wss" if settings.tls.certificate else "ws"


def _models(settings: Settings) -> list[dict[str, str]]:
    """Return what can be recognised: every model of free speech, then the builtin grammars that some model can read."""
    models = settings.recognizer.models
    free = [
        {"uri": f"builtin:slm/{name}", "title": name.capitalize(), "language": model.languages[0]}
        for name, model in models.items()
        if model.acoustic is None or model.lm is not None
    ]
    default = settings.language_models.default_language.partition("-")[0]
    languages = {tag.partition("-")[0]: tag for model in models.values() for tag in model.languages}
    grammars = [
        {
            "uri": f"{builtin.SCHEME}{name}{'' if language == default else f'-{language}'}",
            "title": name.upper() if name in {"cpf", "cnpj"} else name.capitalize(),
            "language": languages[language],
        }
        for language in builtin.LANGUAGES
        if language in languages
        for name in builtin.NAMES
    ]
    return free + grammars


class _Files(StaticFiles):
    """The page's files, under a policy that names the WebSocket of the host that the browser asked."""

    def __init__(self, services: Services) -> None:
        super().__init__(packages=[("asr_trio", "console")], html=True)
        self._services = services

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
        settings = self._services.settings
        websocket = settings.console.websocket_url or f"{_scheme(settings)}://{host}:{self._services.websocket_port}"
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
