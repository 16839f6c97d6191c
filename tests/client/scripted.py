"""A server that follows a script: it waits for messages and says what it is told to, rightly or wrongly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
import trio_websocket

from asr_trio.protocol.messages import (
    ClientMessage,
    CreateSession,
    Method,
    RecognitionResult,
    ReleaseSession,
    Response,
    Result,
    ResultStatus,
    SendAudio,
    ServerMessage,
    SessionStatus,
)
from asr_trio.protocol.parser import parse_client_message
from asr_trio.protocol.writer import serialize

IDLE, LISTENING = SessionStatus.IDLE, SessionStatus.LISTENING


class Line:
    """The server's end of one connection."""

    def __init__(self, websocket: trio_websocket.WebSocketConnection) -> None:
        self.websocket = websocket

    async def expect(self, kind: type[ClientMessage]) -> ClientMessage:
        data = await self.websocket.get_message()
        assert isinstance(data, bytes)
        message = parse_client_message(data)
        assert isinstance(message, kind), message
        return message

    async def say(self, *messages: ServerMessage) -> None:
        for message in messages:
            await self.websocket.send_message(serialize(message))

    async def answer(self, kind: type[ClientMessage], status: SessionStatus = IDLE, **more: object) -> ClientMessage:
        message = await self.expect(kind)
        method = Method["".join("_" + c if c.isupper() else c.upper() for c in kind.__name__)[1:]]
        await self.say(response(method, status, **more))
        return message

    async def audio(self) -> bytes:
        """Collect audio up to the last packet."""
        heard = b""
        while True:
            packet = await self.expect(SendAudio)
            heard += packet.audio
            if packet.last_packet:
                return heard


def response(method: Method, status: SessionStatus = IDLE, result: Result = Result.SUCCESS, **more: object) -> Response:
    return Response(handle=7, method=method, result=result, session_status=status, **more)


def result(status: ResultStatus, body: bytes, session: SessionStatus = IDLE) -> RecognitionResult:
    return RecognitionResult(
        handle=7, result_status=status, session_status=session, content_type="application/json", body=body
    )


@asynccontextmanager
async def scripted(script: Callable[[Line], Awaitable[None]], *, create: bool = True) -> AsyncIterator[str]:
    """Run a server whose one connection follows `script` after CREATE_SESSION; yields its URL."""

    async def handler(request: trio_websocket.WebSocketRequest) -> None:
        line = Line(await request.accept())
        if create:
            await line.answer(CreateSession)
        await script(line)
        try:
            await line.answer(ReleaseSession)
        except trio_websocket.ConnectionClosed:
            return

    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, handler, "127.0.0.1", 0, None)
        yield f"ws://127.0.0.1:{server.port}/asr-server/asr"
        nursery.cancel_scope.cancel()
