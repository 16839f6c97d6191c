"""Who may open a WebSocket: path, origin and credentials, judged on the upgrade request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from asr_trio.config import Settings
from asr_trio.server.auth import Authenticator, TooManyFailuresError
from asr_trio.server.handshake import HandshakeError, UpgradeRequest, basic_credentials, normal_path
from asr_trio.server.observe import Metrics

_RETRY_AFTER_S: Final = 60


class Doorkeeper:
    """Judges upgrade requests by the settings."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Read the password file.

        Raises:
            ConfigError: it cannot be read.
        """
        self._paths = frozenset(map(normal_path, settings.server.paths))
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.server.origins)
        self._realm = settings.auth.realm.replace('"', "'")
        file = settings.auth.htpasswd_file
        self._authenticator = Authenticator(file) if file is not None else None
        self._metrics = metrics

    def reload(self) -> None:
        """Read the password file again.

        Raises:
            ConfigError: it cannot be read; the old one stays in force.
        """
        if self._authenticator is not None:
            self._authenticator.reload()

    async def authorize(self, request: UpgradeRequest, address: str) -> str | None:
        """Return the user's name, or None on a server that asks for none.

        Raises:
            HandshakeError: the connection is refused.
        """
        if self._paths and request.path not in self._paths:
            raise self._refusal("path", HandshakeError(404, "No such path"))
        return await self.admit(request.headers, address)

    async def admit(self, headers: Mapping[str, str], address: str) -> str | None:
        """Judge the headers of any HTTP request, names in lower case: origin and credentials.

        Raises:
            HandshakeError: the request is refused.
        """
        if not self._origin_allowed(headers):
            raise self._refusal("origin", HandshakeError(403, "This origin is not allowed"))
        if self._authenticator is None:
            return None
        credentials = basic_credentials(headers.get("authorization"))
        challenge = (("WWW-Authenticate", f'Basic realm="{self._realm}", charset="UTF-8"'),)
        if credentials is None:
            # Not counted as a failure: several clients send their credentials only after being asked.
            raise HandshakeError(401, "Credentials are needed", challenge)
        try:
            if await self._authenticator.verify(*credentials, address):
                return credentials[0]
        except TooManyFailuresError:
            raise self._refusal(
                "locked out", HandshakeError(429, "Too many failures", (("Retry-After", str(_RETRY_AFTER_S)),))
            ) from None
        self._metrics.auth_failures.inc()
        raise self._refusal("credentials", HandshakeError(401, "Wrong user or password", challenge))

    def _origin_allowed(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a browser's page may connect: one of the same host, or a configured one. Others send no Origin.

        A browser sends along what it remembers of credentials, so without this any page could use them
        (RFC 6455, section 10.2).
        """
        origin = headers.get("origin")
        if origin is None or "*" in self._origins or origin.rstrip("/").lower() in self._origins:
            return True
        try:
            host = urlsplit(origin).hostname
            own = urlsplit(f"//{headers.get('host', '')}").hostname
        except ValueError:
            return False
        return host is not None and host == own

    def _refusal(self, reason: str, error: HandshakeError) -> HandshakeError:
        self._metrics.connections_refused.labels(reason).inc()
        return error
