"""A WebSocket to the server, message by message."""

from __future__ import annotations

import trio
import trio_websocket

from asr_trio.client.errors import ConnectionLostError


class Line:
    """An open connection. Several tasks may send, one receives."""

    def __init__(self, websocket: trio_websocket.WebSocketConnection) -> None:
        self._websocket = websocket

    async def send(self, message: bytes) -> None:
        """Send one message whole: a cancelled send would leave half a frame before the next one.

        Raises:
            ConnectionLostError: the connection has ended.
        """
        try:
            with trio.CancelScope(shield=True):
                await self._websocket.send_message(message)
        except trio_websocket.ConnectionClosed as closed:
            raise _lost(closed) from None

    async def receive(self) -> bytes:
        """Return the next message.

        Raises:
            ConnectionLostError: there will be none.
        """
        try:
            message = await self._websocket.get_message()
        except trio_websocket.ConnectionClosed as closed:
            raise _lost(closed) from None
        return message if isinstance(message, bytes) else message.encode()


def _lost(closed: trio_websocket.ConnectionClosed) -> ConnectionLostError:
    reason = closed.reason
    text = (reason and reason.reason) or "The server closed the connection"
    return ConnectionLostError(text, int(reason.code) if reason else 1006)
