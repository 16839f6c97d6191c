"""What ``asr-trio serve`` does once its settings are known."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable

import trio

from asr_trio import config
from asr_trio.server import app as server_app
from asr_trio.server import console
from asr_trio.server.notify import keep_watchdog, notify


def run(read: Callable[[], config.Settings], *, open_page: bool) -> None:
    """Serve until a signal ends it.

    Args:
        read: reads the settings.
        open_page: open the console in a browser.
    """
    trio.run(_serve, read, open_page)


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
