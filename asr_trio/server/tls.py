"""TLS of both ports: one certificate, read again while connections live."""

from __future__ import annotations

import ssl
from typing import Final

from asr_trio.errors import ConfigError
from asr_trio.settings import TlsSettings

_HTTP_PROTOCOLS: Final = ["http/1.1"]


class Tls:
    """The TLS contexts of a server; a context is off (None) where the settings say so."""

    def __init__(self, settings: TlsSettings) -> None:
        """Read the certificate.

        Raises:
            ConfigError: it cannot be used.
        """
        on = settings.certificate is not None
        self.websocket = _context() if on else None
        self.http = _context() if on and settings.http else None
        if self.http is not None:
            self.http.set_alpn_protocols(_HTTP_PROTOCOLS)
        self.load(settings)

    def load(self, settings: TlsSettings) -> None:
        """Read the certificate again, for the handshakes to come.

        Raises:
            ConfigError: it cannot be used; the old one stays in force.
        """
        if settings.certificate is None:
            return
        _load(_context(), settings)  # a pair that does not fit must not replace half of a good one
        for context in (self.websocket, self.http):
            if context is not None:
                _load(context, settings)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load(context: ssl.SSLContext, settings: TlsSettings) -> None:
    assert settings.certificate is not None
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls.certificate, tls.key: {error}") from error
