"""Traces: what a session did can be read from its spans; without the extra or an endpoint there are none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asr_trio.client import Grammar, RequestRefusedError
from asr_trio.errors import ConfigError
from asr_trio.server.tracing import NO_SPAN, OpenTelemetry, Tracing, tracing
from asr_trio.settings import TracingSettings
from tests.e2e.recordings import silence
from tests.e2e.serving import Running, running, settled
from tests.e2e.test_grammars import YES_NO

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def test_without_an_endpoint_a_span_forgets_what_it_is_told() -> None:
    made = tracing(TracingSettings())
    assert type(made) is Tracing
    with made.span("session", handle=1) as span:
        assert span is NO_SPAN
        span.set_attribute("a", 1)
        span.add_event("b", {})
    assert made.log_fields() == {}
    made.end()


def test_an_endpoint_without_the_library_is_a_fault_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"asr-trio\[otel\]"):
        tracing(TracingSettings(endpoint="http://127.0.0.1:1/v1/traces"))


@contextmanager
def traced(server: Running, *, sample_ratio: float = 1.0) -> Iterator[list[ReadableSpan]]:
    """Trace what happens in the block; the list is filled when it ends."""
    exporter = InMemorySpanExporter()
    server.server.services.tracing = OpenTelemetry(exporter, sample_ratio=sample_ratio)
    spans: list[ReadableSpan] = []
    yield spans
    server.server.services.tracing.end()
    spans.extend(exporter.get_finished_spans())


async def one_session(server: Running) -> None:
    async with server.connect() as session:
        await session.recognize(silence(0.5).tobytes(), lm=Grammar(YES_NO)).final()
        with pytest.raises(RequestRefusedError):
            await session.recognize(b"", lm="builtin:slm/none").final()
    await settled(lambda: not server.connections_open)


async def test_a_session_its_recognitions_and_its_grammars_are_one_trace() -> None:
    async with running() as server:
        with traced(server) as spans:
            await one_session(server)
        (session,) = (span for span in spans if span.name == "session")
        (recognition,) = (span for span in spans if span.name == "recognition")
        prepared = [span for span in spans if span.name == "language models"]
        for span in (recognition, *prepared):
            assert span.parent is not None
            assert span.parent.span_id == session.context.span_id
        assert session.attributes["asr.handle"].isdecimal()
        assert recognition.attributes == {"asr.lm": "session", "asr.status": "NO_SPEECH"}
        assert recognition.start_time < recognition.end_time <= session.end_time
        assert session.status.is_unset
        refused = prepared[-1]
        assert not refused.status.is_ok
        assert "no model is called 'none'" in (refused.status.description or "")


async def test_a_session_that_is_not_sampled_leaves_nothing() -> None:
    async with running() as server:
        with traced(server, sample_ratio=0.0) as spans:
            await one_session(server)
        assert spans == []
