"""A whole server in the test's own process: real sockets, real worker processes, real decoder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import trio

from asr_trio import config
from asr_trio.client import FinalResult, Recognition, RecognitionEvent, connect
from asr_trio.server.app import Addresses, Server


class Running:
    """A server that listens."""

    def __init__(self, server: Server, addresses: Addresses) -> None:
        self.server = server
        self.addresses = addresses
        self.url = f"ws://127.0.0.1:{addresses.ws_port}/asr-server/asr"

    @property
    def pool(self) -> Any:
        return self.server.services.pool

    @property
    def connections_open(self) -> int:
        return self.server._gate.open

    def connect(self, **options: Any) -> Any:
        return connect(self.url, **options)


SMALL = {"workers_idle": 1, "workers": 4}
# A machine that runs tests may be busy; these tests ask what the server does, not how soon.
_PATIENT_RECOGNIZER = {"hang_timeout_s": 60.0}
_PATIENT_LIMITS = {"command_timeout_s": 60.0, "result_timeout_s": 100.0}


def settings(**sections: dict[str, Any]) -> config.Settings:
    """Return settings of a small server on free ports."""
    merged: dict[str, dict[str, Any]] = {
        "server": {"host": "127.0.0.1", "port": 0, "http_port": 0, "http_enabled": False},
        "recognizer": {**SMALL, **_PATIENT_RECOGNIZER},
        "limits": dict(_PATIENT_LIMITS),
        "log": {"level": "error"},
    }
    for name, values in sections.items():
        merged[name] = {**merged.get(name, {}), **values}
    return config.load(**merged)


@asynccontextmanager
async def running(**sections: dict[str, Any]) -> AsyncIterator[Running]:
    """Run a server for a test."""
    server = Server(settings(**sections))
    with plain_exceptions():
        async with trio.open_nursery() as nursery:
            addresses = await nursery.start(server.run)
            yield Running(server, addresses)
            nursery.cancel_scope.cancel()


@contextmanager
def plain_exceptions() -> Iterator[None]:
    """Show a test's own failure and not the group around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def events_of(recognition: Recognition) -> list[RecognitionEvent]:
    """Collect all events, bounded in time."""
    with trio.fail_after(60):
        return [event async for event in recognition]


def names(events: list[RecognitionEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def results(events: list[RecognitionEvent]) -> list[Any]:
    return [event.result for event in events if isinstance(event, FinalResult)]


async def settled(condition: Callable[[], object], within_s: float = 60) -> None:
    """Wait until something that nobody announces has come about. The bound is for faults, not for busy machines."""
    with trio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)
