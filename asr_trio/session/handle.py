"""Session handles: decimal numbers that clients parse as a 64-bit integer."""

from __future__ import annotations

from datetime import UTC, datetime

_SERIALS = 10_000


def make_handle(created: datetime, serial: int) -> int:
    """Return a handle of 18 digits: the creation time in UTC to the second, and a serial number.

    Args:
        created: when the session's connection was accepted (aware).
        serial: a counter of the process; its last four digits are used.
    """
    return int(created.astimezone(UTC).strftime("%Y%m%d%H%M%S")) * _SERIALS + serial % _SERIALS
