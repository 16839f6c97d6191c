"""``asr-trio serve``."""

from __future__ import annotations

import functools
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import trio
from cyclopts import Parameter

from asr_trio import config
from asr_trio.server import app as server_app
from asr_trio.server import console
from asr_trio.server.notify import keep_watchdog, notify


def serve(
    *,
    host: str | None = None,
    port: Annotated[int | None, Parameter(help="Port of the recognition WebSocket; 0 picks a free one.")] = None,
    http_port: Annotated[int | None, Parameter(help="Port of health, metrics, console and REST.")] = None,
    configuration: Annotated[Path | None, Parameter(name=["--config", "-c"], help="A TOML file.")] = None,
    log_level: str | None = None,
    record: Annotated[Path | None, Parameter(help="Record whole sessions into this folder, for bug reports.")] = None,
    open_page: Annotated[bool, Parameter(name="--open", negative="", help="Open the console in a browser.")] = False,
) -> int:
    """Serve the recognition protocol until SIGTERM or Ctrl-C.

    Prints one line with the addresses when it is ready. SIGTERM drains: running recognitions finish first.
    """
    chosen = _overrides(host=host, port=port, http_port=http_port, log_level=log_level, record=record)
    trio.run(_serve, functools.partial(config.load, configuration, **chosen), open_page)
    return 0


def _overrides(
    *, host: str | None, port: int | None, http_port: int | None, log_level: str | None, record: Path | None
) -> dict[str, Any]:
    server = {"host": host, "http_host": host, "port": port, "http_port": http_port}
    sections: dict[str, dict[str, Any]] = {
        "server": server,
        "log": {"level": log_level},
        "record": {"folder": record},
    }
    chosen = {name: {key: value for key, value in keys.items() if value is not None} for name, keys in sections.items()}
    return {name: keys for name, keys in chosen.items() if keys}


async def _serve(read: Callable[[], config.Settings], open_page: bool) -> None:
    async with trio.open_nursery() as companions:
        async with trio.open_nursery() as nursery:
            addresses = await nursery.start(server_app.serve_until_signal, read)
            companions.start_soon(keep_watchdog)
            await notify("READY=1")
            print(f"asr-trio is ready: {addresses}", file=sys.stderr, flush=True)
            page = console.address(read(), addresses.http_port)
            if page is not None:
                print(f"The page to speak into: {page}", file=sys.stderr, flush=True)
            if page is not None and open_page:
                companions.start_soon(_browse, page)
        companions.cancel_scope.cancel()


async def _browse(page: str) -> None:
    """Open the page; some browsers come back from this only when they are closed."""
    await trio.to_thread.run_sync(webbrowser.open, page, abandon_on_cancel=True)
