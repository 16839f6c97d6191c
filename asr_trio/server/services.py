"""What all connections of a server share."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import trio

from asr_trio.config import Settings
from asr_trio.errors import ConfigError
from asr_trio.protocol.parameters import from_settings
from asr_trio.recognizer.models import SLM_PREFIX
from asr_trio.server.admission import Doorkeeper
from asr_trio.server.observe import Metrics
from asr_trio.server.peer import Peer
from asr_trio.server.places import Places
from asr_trio.server.pool import WorkerPool
from asr_trio.server.pools import Pools
from asr_trio.server.resolve import LanguageModels
from asr_trio.server.tracing import tracing
from asr_trio.session.handle import make_handle
from asr_trio.settings import QuotaSettings

if TYPE_CHECKING:
    # an extra
    from asr_trio.server.quota import SharedQuota
    from asr_trio.server.recognition import Recognition  # the other way round at run time

RELOADED: Final = ("auth", "tls", "recognizer", "log")
"""Sections that take effect while the server runs."""


def _shared_quota(settings: QuotaSettings) -> SharedQuota | None:
    """Return the licences shared with other nodes; the library is an extra and slow to load, so only where wanted."""
    if not settings.redis_url:
        return None
    try:
        from asr_trio.server.quota import SharedQuota
    except ImportError as error:
        raise ConfigError("quota.redis_url needs the extra: pip install 'asr-trio[redis]'") from error
    return SharedQuota(settings)


class Services:
    """The parts of one server and its settings.

    Attributes:
        parameters: the operator's defaults of recognition parameters.
        tracing: makes spans, or pretends to.
        quota: licences shared with other nodes, or None.
        draining: the server ends; it is not ready any more.
        recognitions: those that run.
        doorkeeper: judges who may come in.
        websocket_port: where the WebSocket listener is; 0 until it is.
        attach: begins to serve a peer that came by another way than the listener; None while there is no server.
    """

    def __init__(self, settings: Settings) -> None:
        """Put the parts together; nothing is started.

        Raises:
            ConfigError: the settings contradict themselves.
        """
        self.settings = settings
        self.parameters = from_settings(settings.parameters)
        self.metrics = Metrics()
        self.tracing = tracing(settings.tracing)
        self.doorkeeper = Doorkeeper(settings, self.metrics)
        self.pools = Pools(settings.recognizer, patience_s=settings.limits.command_timeout_s)
        self.models = self._language_models()
        self.quota = _shared_quota(settings.quota)
        limits = settings.limits
        self.places = Places(sessions=limits.sessions, sessions_per_user=limits.sessions_per_user, quota=self.quota)
        self.draining = False
        self.recognitions: set[Recognition] = set()
        self.websocket_port = 0
        self.attach: Callable[[Peer], None] | None = None
        self._serials = itertools.count()
        self._publish()

    @property
    def pool(self) -> WorkerPool:
        """The workers of new recognitions."""
        return self.pools.current

    @property
    def ready(self) -> bool:
        """New sessions are welcome."""
        return self.pool.ready and not self.draining

    @property
    def raw_rate_hz(self) -> int:
        """Sampling rate of audio that does not say its own: that of the default model."""
        recognizer = self.settings.recognizer
        return recognizer.models[recognizer.default_model].sample_rate_hz

    @property
    def default_lm(self) -> str:
        """The URI of free speech where a request over REST names no model."""
        return SLM_PREFIX + self.settings.recognizer.default_model

    def next_handle(self) -> int:
        """Return the handle of a new session."""
        return make_handle(datetime.now(UTC), next(self._serials))

    async def take_over(self, settings: Settings) -> list[str]:
        """Let the sections that are `RELOADED` take effect; return which others differ and wait for a restart.

        Raises:
            AsrError: the passwords or the models cannot be used; the old ones stay in force.
        """
        old = self.settings
        if settings.auth != old.auth:
            self.doorkeeper = Doorkeeper(settings, self.metrics)
        else:
            self.doorkeeper.reload()
        if settings.recognizer != old.recognizer:
            await self.pools.replace(settings.recognizer)
        self.settings = old.model_copy(update={name: getattr(settings, name) for name in RELOADED})
        self.models = self._language_models()
        return [name for name in Settings.model_fields if getattr(settings, name) != getattr(self.settings, name)]

    def _language_models(self) -> LanguageModels:
        settings = self.settings
        return LanguageModels(settings.language_models, self.pool, max_grammar_bytes=settings.limits.grammar_bytes)

    def _publish(self) -> None:
        gauge, pools, places = self.metrics.gauge, self.pools, self.places
        self.metrics.sessions_limit.set(self.settings.limits.sessions)
        gauge("asr_sessions", "Open sessions", lambda: places.taken)
        gauge("asr_workers_idle", "Warm worker processes that wait", lambda: self.pool.workers_idle)
        gauge("asr_workers_leased", "Worker processes at work", lambda: sum(pool.workers_leased for pool in pools))
        gauge("asr_worker_rss_bytes", "Memory of the largest idle worker", lambda: self.pool.worker_rss_bytes)
        gauge("asr_cost_units_used", "Decoding capacity in use", lambda: sum(pool.cost_units_used for pool in pools))
        gauge("asr_cost_units_limit", "Decoding capacity in all", lambda: self.settings.recognizer.cost_units)
        gauge("asr_tasks", "Tasks of the event loop", lambda: trio.lowlevel.current_statistics().tasks_living)
        gauge("asr_recognitions_active", "Running recognitions", lambda: len(self.recognitions))
        gauge(
            "asr_queue_seconds",
            "Audio waiting in all recognitions",
            lambda: sum(recognition.waiting_s for recognition in self.recognitions),
        )
        self.metrics.counter(
            "asr_worker_restarts", "Worker processes replaced", "reason", lambda: dict(self.pool.restarts)
        )
        gauge("asr_ready", "1 where new sessions are welcome", lambda: float(self.ready))
