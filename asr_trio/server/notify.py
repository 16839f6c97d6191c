"""Telling systemd how the service is: ready, stopping, and alive (``sd_notify(3)``).

The watchdog message is sent from the event loop itself, so a loop that hangs is noticed.
"""

from __future__ import annotations

import os
import socket
from typing import Final

import trio

BEATS_PER_WATCHDOG_PERIOD: Final = 2
"""The manual of ``sd_watchdog_enabled(3)`` recommends half the period."""


async def notify(state: str) -> bool:
    """Send `state` to the service manager; return False where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):  # a name in Linux's abstract namespace
        address = "\0" + address[1:]
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, trio.move_on_after(1):
        await channel.connect(address)
        await channel.send(state.encode())
    return True


async def keep_watchdog() -> None:
    """Send signs of life for as long as this runs, where the unit asks for them."""
    period_us = os.environ.get("WATCHDOG_USEC", "")
    if not period_us.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    interval_s = int(period_us) / 1e6 / BEATS_PER_WATCHDOG_PERIOD
    while await notify("WATCHDOG=1"):  # noqa: ASYNC110 - a heartbeat, not a poll
        await trio.sleep(interval_s)
