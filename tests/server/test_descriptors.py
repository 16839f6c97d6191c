from __future__ import annotations

import resource

import pytest

from asr_trio.server import descriptors
from tests.e2e.serving import settings


@pytest.fixture
def limits(monkeypatch):
    """Pretend limits of the process; return what was set."""
    held = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(held))

    def set_limit(_which, wanted):
        held[:] = wanted

    monkeypatch.setattr(resource, "setrlimit", set_limit)
    return held


def test_the_limit_is_raised_as_far_as_the_system_lets(limits, monkeypatch):
    descriptors.raise_limit()
    assert limits == [4096, 4096]

    def refuse(*_):
        raise ValueError("not so many")

    limits[:] = [256, resource.RLIM_INFINITY]
    monkeypatch.setattr(resource, "setrlimit", refuse)
    descriptors.raise_limit()
    assert limits[0] == 256


@pytest.mark.parametrize(
    ("allowed", "http", "folder", "possible"),
    [
        (20_000, False, None, 4096),
        (resource.RLIM_INFINITY, True, None, 4096),
        (1024, False, None, 1024 - 64 - 4),
        (1024, True, None, (1024 - 64 - 4) - (1024 - 64 - 4) // 3),
        (1024, False, "recordings", (1024 - 64 - 4) // 2),
        (64, True, None, 1),
    ],
)
def test_connections_leave_descriptors_for_everything_else(limits, tmp_path, allowed, http, folder, possible):
    limits[0] = allowed
    record = {"folder": str(tmp_path)} if folder else {}
    configured = settings(server={"http_enabled": http}, record=record)
    assert descriptors.connections_possible(configured) == possible
    assert 1 <= descriptors.http_connections_possible(configured) <= 512
