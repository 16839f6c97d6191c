"""What an operator sees: structured logs and Prometheus metrics.

Metric names are part of the interface; dashboards and the autoscaler use them. Each server has a registry of its own,
so that several can live in one process (tests, the embedded server of ``asr-trio transcribe``).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from asr_trio.settings import LogSettings

_LATENCY_BUCKETS_S: Final = (0.005, 0.01, 0.015, 0.025, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0)


class Metrics:
    """All metrics of one server."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # resident memory, descriptors, processor time
        self.connections = Gauge("asr_connections", "Open WebSocket connections", registry=registry)
        self.http_connections = Gauge("asr_http_connections", "Open connections of the HTTP port", registry=registry)
        self.connections_refused = Counter(
            "asr_connections_refused", "Connections refused before any request", ["reason"], registry=registry
        )
        self.sessions_limit = Gauge("asr_sessions_limit", "Sessions that may be open at once", registry=registry)
        self.recognitions = Counter(
            "asr_recognitions",
            "Finished recognitions by status of the last result",
            ["status", "lm"],
            registry=registry,
        )
        self.final_latency = Histogram(
            "asr_final_latency_seconds",
            "End of speech to final result",
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.partial_latency = Histogram(
            "asr_partial_latency_seconds",
            "Start of speech to first partial result",
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.audio_seconds = Counter("asr_audio_seconds", "Audio that passed the endpointer", registry=registry)
        self.decode_cpu_seconds = Counter("asr_decode_cpu_seconds", "Processor time of decoding", registry=registry)
        self.cost_units_measured = Gauge(
            "asr_cost_units_measured",
            "What a live caller of a model has needed while speaking, in hundredths of a core",
            ["lm"],
            registry=registry,
        )
        self._decoded_s: dict[str, tuple[float, float]] = {}
        self.auth_failures = Counter("asr_auth_failures", "Wrong or missing credentials", registry=registry)
        self.grammar_compile = Histogram(
            "asr_grammar_compile_seconds", "Time to prepare language models", registry=registry
        )
        self.loop_lag = Histogram(
            "asr_loop_lag_seconds",
            "How late the event loop wakes a sleeper",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0),
            registry=registry,
        )

    def decoded(self, lm: str, *, cpu_s: float, speech_s: float) -> None:
        """Count a decoded segment of a model: processor time, and how long the speech was."""
        self.decode_cpu_seconds.inc(cpu_s)
        cpu_before_s, speech_before_s = self._decoded_s.get(lm, (0.0, 0.0))
        total_cpu_s, total_speech_s = self._decoded_s[lm] = cpu_before_s + cpu_s, speech_before_s + speech_s
        if total_speech_s > 0:
            self.cost_units_measured.labels(lm).set(100 * total_cpu_s / total_speech_s)

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Publish a value that is read when it is asked for."""
        Gauge(name, description, registry=self.registry).set_function(read)

    def counter(self, name: str, description: str, label: str, read: Callable[[], Mapping[str, int]]) -> None:
        """Publish counts that somebody else keeps, by one label."""
        self.registry.register(_Counts(name, description, label, read))


class _Counts(Collector):
    def __init__(self, name: str, description: str, label: str, read: Callable[[], Mapping[str, int]]) -> None:
        self._name, self._description, self._label, self._read = name, description, label, read

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._description, labels=[self._label])
        for value, count in self._read().items():
            family.add_metric([value], count)
        yield family


def visible(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write control characters out as escapes: what a client names itself must not reach anybody's terminal."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            kept = "\n" if name == "exception" else ""
            event[name] = "".join(
                sign if sign.isprintable() or sign in kept else sign.encode("unicode_escape").decode() for sign in value
            )
    return event


def configure_logging(settings: LogSettings) -> None:
    """Set structlog up for this process: one line an event on standard error, JSON where nobody watches."""
    renderer: structlog.typing.Processor
    if settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty()):
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            visible,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
