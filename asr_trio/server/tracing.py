"""OpenTelemetry traces: a span for each session, and below it one for each recognition and each grammar.

    session ─┬─ language models      fetched and compiled
             └─ recognition          events: start of speech, end of speech, result

An extra (``pip install 'asr-trio[otel]'``), and off where no endpoint is given: then a span is an object that forgets
what it is told. Spans are exported by a thread of the library, never by the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from asr_trio import __version__
from asr_trio.errors import ConfigError
from asr_trio.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Value: TypeAlias = str | int | float | bool
_FLUSH_TIMEOUT_MS: Final = 2000
"""At the end of the server: a collector that is gone must not hold it up."""


class Span(Protocol):
    """What is told about a piece of work."""

    def set_attribute(self, key: str, value: Value, /) -> None:
        """Say something about the whole."""

    def add_event(self, name: str, attributes: Mapping[str, Value], /) -> None:
        """Say that something happened now."""


class _Forgetful:
    def set_attribute(self, key: str, value: Value, /) -> None:
        pass

    def add_event(self, name: str, attributes: Mapping[str, Value], /) -> None:
        pass


NO_SPAN: Final[Span] = _Forgetful()


class Tracing:
    """Makes spans; this one, of servers without traces, makes none."""

    @contextmanager
    def span(self, name: str, **attributes: Value) -> Iterator[Span]:  # noqa: ARG002 - for those that do
        """Put a span round a block. Spans begun within it, in tasks started there too, are its children."""
        yield NO_SPAN

    def log_fields(self) -> dict[str, str]:
        """Return what ties a log line to the present span."""
        return {}

    def end(self) -> None:
        """Export what is left; blocks for a bounded time."""


class OpenTelemetry(Tracing):
    """Spans to a collector."""

    def __init__(self, exporter: SpanExporter, *, sample_ratio: float = 1.0) -> None:
        """Begin to export.

        Args:
            exporter: where spans go.
            sample_ratio: of all sessions, those that are traced.
        """
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

        # Resource.create lets OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES of the environment win.
        resource = Resource.create({"service.name": "asr-trio", "service.version": __version__})
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(sample_ratio)), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("asr_trio", __version__)

    @contextmanager
    def span(self, name: str, **attributes: Value) -> Iterator[Span]:
        """Put a span round a block; an exception that leaves the block is its status."""
        with self._tracer.start_as_current_span(name, attributes=attributes) as span:
            yield span

    def log_fields(self) -> dict[str, str]:
        """Return the id of the trace, as collectors write it."""
        from opentelemetry.trace import format_trace_id, get_current_span

        return {"trace_id": format_trace_id(get_current_span().get_span_context().trace_id)}

    def end(self) -> None:
        """Export what is left."""
        self._provider.force_flush(_FLUSH_TIMEOUT_MS)
        self._provider.shutdown()


def tracing(settings: TracingSettings) -> Tracing:
    """Return what makes the spans of a server.

    Raises:
        ConfigError: traces are wanted and the extra is not installed.
    """
    if not settings.endpoint:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise ConfigError("tracing.endpoint needs the extra: pip install 'asr-trio[otel]'") from error
    return OpenTelemetry(OTLPSpanExporter(endpoint=settings.endpoint), sample_ratio=settings.sample_ratio)
