"""File descriptors: as many as the system gives, and no more connections than there are descriptors for.

A server that has none left cannot start workers, read grammars or answer health checks: peers that merely connect would
take all that from the others. So connections are refused before that.
"""

from __future__ import annotations

import resource
import sys
from typing import Final

import structlog

from asr_trio.config import Settings

_RESERVE: Final = 64
"""Listeners, event loop, logs, fork server, grammars and recordings at the moment when they are read and written."""
_PER_WORKER: Final = 1
_PER_RECORDED_CONNECTION: Final = 2

log = structlog.get_logger(__name__)


def raise_limit() -> None:
    """Raise this process's own limit to what the system allows; for programs, as it is a setting of the process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:  # macOS promises more than it gives
        log.info("descriptor limit not raised", limit=soft, error=str(error))


def connections_possible(settings: Settings) -> int:
    """Return how many WebSocket connections to admit: what is configured, or less where descriptors would run out."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.limits.connections
    left = _left(settings) - (http_connections_possible(settings) if settings.server.http_enabled else 0)
    possible = left // (_PER_RECORDED_CONNECTION if settings.record.folder is not None else 1)
    if possible < wanted:
        log.warning("few file descriptors", allowed=soft, connections=max(1, possible), configured=wanted)
    return min(wanted, max(1, possible))


def http_connections_possible(settings: Settings) -> int:
    """Return how many connections to admit at the HTTP port; no more than a third of what there is for both."""
    return min(settings.limits.http_connections, max(1, _left(settings) // 3))


def _left(settings: Settings) -> int:
    """Return the descriptors that are left for connections."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return soft - _RESERVE - _PER_WORKER * settings.recognizer.workers
