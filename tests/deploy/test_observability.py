"""Dashboard and alert rules ask for what the server really exposes, and nothing that it exposes is forgotten."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live import LiveServer

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
DASHBOARD: Final = DEPLOY / "grafana" / "asr-trio.json"
ALERTS: Final = DEPLOY / "prometheus" / "alerts.yaml"

INTERFACE: Final = frozenset(
    (
        *("asr_sessions", "asr_sessions_limit", "asr_recognitions_total", "asr_final_latency_seconds_bucket"),
        *("asr_partial_latency_seconds_bucket", "asr_audio_seconds_total", "asr_decode_cpu_seconds_total"),
        *("asr_worker_restarts_total", "asr_worker_rss_bytes", "asr_queue_seconds", "asr_auth_failures_total"),
        *("asr_grammar_compile_seconds_bucket", "asr_loop_lag_seconds_bucket"),
        *("asr_cost_units_used", "asr_cost_units_limit"),
    )
)
"""Names that users' own dashboards may rest on."""

_METRIC: Final = re.compile(r"\b((?:asr|process)_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_OF_PROMETHEUS: Final = frozenset(("job", "instance"))
"""Labels that the scrape adds."""
_UNSEEN: Final = frozenset(("process_virtual_memory_bytes",))
"""What the process collector brings along and nobody needs to look at."""


def dashboard_queries(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key in {"expr", "definition"})
        for value in node.values():
            yield from dashboard_queries(value)
    elif isinstance(node, list):
        for value in node:
            yield from dashboard_queries(value)


def queries() -> list[str]:
    # One key a line or an indented block: the rules are read as text, so that no YAML library is needed for it.
    alerts = re.findall(r"expr: (?:\|\n((?:          .*\n)+)|(.*))", ALERTS.read_text())
    return [*dashboard_queries(json.loads(DASHBOARD.read_text())), *("".join(found) for found in alerts)]


@pytest.fixture(scope="module")
def exposition(live_server: LiveServer) -> str:
    return httpx.get(live_server.http_url + "/metrics").text


@pytest.fixture(scope="module")
def exposed(exposition: str) -> dict[str, set[str]]:
    """Every name that can be asked for, and the labels of its samples; a label that has no value yet has no sample."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        for suffix in suffixes:
            labels = {label for sample in family.samples for label in sample.labels}
            found[family.name + suffix] = labels
    return found


def test_every_metric_that_is_asked_for_is_exposed(exposed: dict[str, set[str]]) -> None:
    asked = {name for query in queries() for name, _ in _METRIC.findall(query)}
    assert asked - set(exposed) == set()
    assert len(asked) > 20
    assert set(exposed) >= INTERFACE


def test_every_label_that_is_asked_for_is_there(exposed: dict[str, set[str]]) -> None:
    for query in queries():
        for name, matchers in _METRIC.findall(query):
            wanted = set(_MATCHER.findall(matchers)) - _OF_PROMETHEUS
            assert not exposed[name] or wanted <= exposed[name], query


def test_no_metric_of_ours_is_forgotten(exposed: dict[str, set[str]]) -> None:
    asked = {re.sub("_(bucket|sum|count)$", "", name) for query in queries() for name, _ in _METRIC.findall(query)}
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in exposed if not name.endswith("_created")}
    assert families - asked - _UNSEEN == set()


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_exposition_is_as_prometheus_wants_it(exposition: str) -> None:
    promtool("check", "metrics", text=exposition)


def test_alerts_fire_in_trouble_and_only_then() -> None:
    assert "SUCCESS" in promtool("check", "rules", ALERTS)
    assert "SUCCESS" in promtool("test", "rules", ALERTS.with_name("alerts_test.yaml"))
