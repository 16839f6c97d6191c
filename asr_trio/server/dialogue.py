"""A session without a socket: what a REST request says to a connection of this server, and what it is told.

The connection is a whole one (`connection`), with session, timers, endpointer and leased worker, and a place among the
licences. Only the ends of the wire are here: messages go in as bytes and come out as bytes, as they would on a
WebSocket, so a REST request cannot do anything that a WebSocket client could not, nor get another answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Final

import msgspec
import trio

from asr_trio.errors import AsrError
from asr_trio.protocol.messages import (
    ClientMessage,
    CreateSession,
    EndOfSpeech,
    InterpretText,
    RecognitionResult,
    ReleaseSession,
    Response,
    Result,
    SendAudio,
    StartOfSpeech,
    StartRecognition,
)
from asr_trio.protocol.parser import parse_server_message
from asr_trio.protocol.results import SegmentResult, decode_result
from asr_trio.protocol.writer import serialize
from asr_trio.server.transport import TransportClosedError

_FAREWELL_S: Final = 5.0
"""For so long a connection that has ended counts as open while its last answer is on the way to the client: a server
that drains waits for it."""


class RefusedError(AsrError):
    """The server answered with something else than success.

    Attributes:
        word: its ``Result``.
        error_code: its ``Error-Code``.
    """

    def __init__(self, message: str, *, word: str, error_code: str) -> None:
        super().__init__(message)
        self.word = word
        self.error_code = error_code


class ClientGoneError(Exception):
    """The client does not wait for its answer any more."""


class Document(msgspec.Struct, frozen=True):
    """A final result: its values and its bytes as the session wrote them."""

    result: SegmentResult
    body: bytes


class Dialogue:
    """Both ends of one wire: a `peer.Peer` for the connection, and the client's side for the request."""

    def __init__(self, *, address: str, user: str | None) -> None:
        self._address = address
        self._user = user
        self._last_received_s = trio.current_time()
        self._say, self._heard = trio.open_memory_channel[bytes](0)
        self._tell, self._told = trio.open_memory_channel[Response | RecognitionResult](1)
        self._delivered = trio.Event()
        self._close_reason = ""

    # --- the connection's side ----------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the client is."""
        return self._address

    @property
    def user(self) -> str | None:
        """Who the client is."""
        return self._user

    @property
    def last_received_s(self) -> float:
        """Trio time of the client's last message."""
        return self._last_received_s

    async def receive(self) -> bytes:
        """Return the client's next message."""
        try:
            message = await self._heard.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise TransportClosedError("The request has ended") from None
        self._last_received_s = trio.current_time()
        return message

    async def send(self, message: bytes) -> None:
        """Take a message of the server; speech events are nothing to a request that waits for results."""
        parsed = parse_server_message(message)
        if isinstance(parsed, StartOfSpeech | EndOfSpeech):
            return
        try:
            await self._tell.send(parsed)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise TransportClosedError("The request has ended") from None

    async def ping(self) -> None:
        """Answer for the client: the HTTP server sees it when it goes."""
        self._last_received_s = trio.current_time()
        await trio.lowlevel.checkpoint()

    async def close(self, _code: int, reason: str) -> None:
        """Hang up; the connection counts as open until the client has its answer."""
        self._close_reason = self._close_reason or reason
        self._tell.close()
        self._heard.close()
        with trio.move_on_after(_FAREWELL_S):
            await self._delivered.wait()

    # --- the request's side -------------------------------------------------------------------------------------

    async def interpret(self, text: str, *, lms: list[str], accept: str | None, user_agent: str | None) -> Document:
        """Interpret a text by language models.

        Raises:
            RefusedError: the server refused.
        """
        await self._ask(CreateSession(user_agent=user_agent))
        body = "\n".join(lms).encode()
        await self._ask(InterpretText(text=text, accept=accept, content_type="text/uri-list", body=body))
        return await self._next_document()

    async def recognize(
        self,
        audio: AsyncIterable[bytes],
        *,
        gone: Callable[[], Awaitable[None]],
        content_type: str,
        parameters: dict[str, str],
        lms: list[str],
        accept: str | None,
        user_agent: str | None,
    ) -> list[Document]:
        """Recognise `audio` and return its final results.

        Args:
            audio: read to its end whatever the results, as a client that is still sending reads no answer.
            gone: awaited once the audio has ended; returns if the client does not wait for the answer any more.
            content_type: of the audio.
            parameters: by wire name.
            lms: URIs of language models.
            accept: the type of the documents.
            user_agent: what the client calls itself.

        Raises:
            RefusedError: the server refused.
            ClientGoneError: nobody waits for the results.
        """
        await self._ask(CreateSession(user_agent=user_agent))
        await self._ask(
            StartRecognition(
                parameters=parameters, accept=accept, content_type="text/uri-list", body="\n".join(lms).encode()
            )
        )
        documents: list[Document] = []
        fault: Exception | None = None
        sent = trio.Event()
        async with trio.open_nursery() as nursery:

            async def guard(task: Callable[[], Awaitable[None]]) -> None:
                """Leave the nursery with the fault itself and not a group around it."""
                nonlocal fault
                try:
                    await task()
                except Exception as error:  # noqa: BLE001 - raised again below
                    fault = fault or error
                    nursery.cancel_scope.cancel()

            async def collect() -> None:
                while not documents or not documents[-1].result.last_segment:
                    documents.append(await self._next_document())
                await sent.wait()
                nursery.cancel_scope.cancel()

            async def feed() -> None:
                await self._send_audio(audio, content_type)
                sent.set()
                await gone()
                raise ClientGoneError

            nursery.start_soon(guard, feed)
            await guard(collect)
        if fault is not None:
            raise fault
        return documents

    async def release(self) -> None:
        """End the session, if it has not ended by itself, and hang up first, as the server waits a while for that."""
        try:
            await self._ask(ReleaseSession())
        except RefusedError:
            return
        self._say.close()

    async def farewell(self) -> None:
        """End the request's side once the client has its answer."""
        self.hang_up()
        await trio.lowlevel.checkpoint()

    def hang_up(self) -> None:
        """End the request's side: what still runs for it is given up."""
        self._say.close()
        self._told.close()
        self._delivered.set()

    async def _ask(self, message: ClientMessage) -> None:
        await self._send(message)
        answer = await self._next()
        assert isinstance(answer, Response), "a request is answered before anything else"
        if answer.result is not Result.SUCCESS:
            raise RefusedError(
                answer.message or str(answer.result), word=answer.result, error_code=answer.error_code or ""
            )

    async def _send_audio(self, audio: AsyncIterable[bytes], content_type: str) -> None:
        """Send the audio, all of it: what comes after the last result is dropped by the session."""
        try:
            async for packet in audio:
                await self._send(SendAudio(audio=packet, content_type=content_type))
            await self._send(SendAudio(last_packet=True, content_type=content_type))
        except RefusedError:
            return  # the end of the connection is told to who waits for results

    async def _send(self, message: ClientMessage) -> None:
        try:
            await self._say.send(serialize(message))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self._ended() from None

    async def _next(self) -> Response | RecognitionResult:
        try:
            return await self._told.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise self._ended() from None

    async def _next_document(self) -> Document:
        """Return the next final result; a refused message on the way, audio included, ends the request."""
        while True:
            answer = await self._next()
            if isinstance(answer, Response):
                raise RefusedError(
                    answer.message or str(answer.result), word=answer.result, error_code=answer.error_code or ""
                )
            result = decode_result(answer.content_type, answer.body, answer.result_status)
            if result.final_result:
                return Document(result, answer.body)

    def _ended(self) -> RefusedError:
        return RefusedError(self._close_reason or "The session has ended", word="FAILURE", error_code="ERROR_BUSY")
