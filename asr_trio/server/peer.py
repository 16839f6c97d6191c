"""Who a connection speaks with: a WebSocket (`transport`) or a REST request (`dialogue`)."""

from __future__ import annotations

from typing import Protocol


class Peer(Protocol):
    """The other end of a connection, as `connection` sees it."""

    @property
    def address(self) -> str:
        """Where it is, for the log."""

    @property
    def user(self) -> str | None:
        """Who it is, on a server that asks."""

    @property
    def last_received_s(self) -> float:
        """Trio time at which it last gave a sign of life."""

    async def receive(self) -> bytes:
        """Return its next message.

        Raises:
            TransportClosedError: no further message will come.
        """

    async def send(self, message: bytes) -> None:
        """Tell it something.

        Raises:
            TransportClosedError: it is gone.
        """

    async def ping(self) -> None:
        """Ask for a sign of life; it shows in `last_received_s`.

        Raises:
            TransportClosedError: it is gone.
        """

    async def close(self, code: int, reason: str) -> None:
        """End the conversation. Safe to call again."""
