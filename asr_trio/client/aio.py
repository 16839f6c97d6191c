"""The client library for programs on asyncio.

    from asr_trio.client import aio

    async with aio.connect("ws://localhost:8025/asr-server/asr") as session:
        async for event in session.recognize(audio, lm="builtin:slm/general"):
            if isinstance(event, FinalResult):
                print(event.text)

The sessions are those of `asr_trio.client`, on Trio in a thread of their own; a call costs one hop between the threads
(some 0.1 ms), which live audio does not notice. Events, errors and arguments are the same. Cancelling a task that waits
for a call cancels the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import trio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from asr_trio import client
from asr_trio.client.events import FinalResult, RecognitionEvent
from asr_trio.client.language_model import LanguageModel

_T = TypeVar("_T")

_WAITING_PACKETS: Final = 16
"""Packets between the threads: enough to hide a hop, too few to hide a slow network from the caller's source."""


class Session:
    """An open session; made by `connect`. See `asr_trio.client.Session` for what each call does."""

    def __init__(self, portal: BlockingPortal, session: client.Session) -> None:
        self._portal = portal
        self._session = session

    @property
    def handle(self) -> int:
        """The server's number for this session."""
        return self._session.handle

    async def set_parameters(self, parameters: Mapping[str, object]) -> dict[str, str]:
        """Set parameters for the whole session; return those that the server did not take."""
        return await self._call(self._session.set_parameters, parameters)

    async def get_parameters(self, *names: str) -> dict[str, str]:
        """Return parameters as the server names them; without names, all."""
        return await self._call(self._session.get_parameters, *names)

    async def define_grammar(self, alias: str, text: str | bytes, content_type: str = "application/srgs") -> str:
        """Compile a grammar for the session; return the URI to use it by.

        Raises:
            RequestRefusedError: the grammar is wrong; the message says where.
        """
        return await self._call(self._session.define_grammar, alias, text, content_type)

    async def interpret(self, text: str, *, lm: LanguageModel | Iterable[LanguageModel]) -> FinalResult:
        """Interpret `text` by grammars.

        Raises:
            RequestRefusedError: it cannot be done.
        """

        async def interpret() -> FinalResult:
            return await self._session.interpret(text, lm=lm)

        return await self._call(interpret)

    async def start_input_timers(self) -> None:
        """Start the no-input timer where START_RECOGNITION was told not to."""
        await self._call(self._session.start_input_timers)

    async def cancel(self) -> None:
        """Give the running recognition up; its iterator ends."""
        await self._call(self._session.cancel)

    async def recognize(
        self,
        audio: bytes | AsyncIterable[bytes],
        *,
        lm: LanguageModel | Iterable[LanguageModel],
        parameters: Mapping[str, object] | None = None,
        content_type: str = "application/octet-stream",
    ) -> AsyncGenerator[RecognitionEvent]:
        """Recognise speech: yields the events; a recognition that is left early is cancelled.

        Args:
            audio: all of it, or an asynchronous iterable of packets, which is read in this thread.
            lm: one or more URIs and grammars.
            parameters: for this recognition only.
            content_type: of the audio; what has no header is 16-bit PCM at 8 kHz, or as ``audio/raw;rate=16000`` says.

        Raises:
            RequestRefusedError: the recognition could not be started.
            ConnectionLostError: the connection ended before the last result.
        """
        feeding: asyncio.Task[None] | None = None
        failures: list[Exception] = []
        source: bytes | trio.MemoryReceiveChannel[bytes]
        if isinstance(audio, bytes):
            source = audio
        else:
            send, source = trio.open_memory_channel[bytes](_WAITING_PACKETS)
            feeding = asyncio.create_task(self._feed(audio, send, failures))
        recognition = self._session.recognize(source, lm=lm, parameters=parameters, content_type=content_type)

        async def next_event() -> RecognitionEvent | None:
            return await anext(recognition, None)

        try:
            while (event := await self._call(next_event)) is not None:
                yield event
            if failures:
                raise failures[0]
        finally:
            if feeding is not None:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
            if not recognition.ended:
                await self._call(self._session.cancel)

    async def _feed(
        self, audio: AsyncIterable[bytes], send: trio.MemorySendChannel[bytes], failures: list[Exception]
    ) -> None:
        """Carry packets to the other thread until they end, or nobody takes them any more.

        A source that fails cancels the recognition: half of what was said must not be taken for all of it. Why it
        failed is noted first, as the cancelled recognition ends before the call that cancels it returns.
        """
        try:
            async for packet in audio:
                await self._call(send.send, packet)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is the caller's
            failures.append(failure)
            await self._call(self._session.cancel)
        finally:
            # Cancelled or not, the channel is closed in the thread that it belongs to.
            self._portal.start_task_soon(send.aclose)

    async def _call(self, function: Callable[..., Awaitable[_T]], *arguments: Any) -> _T:
        """Run a call in the Trio thread and wait for it without holding up this one."""
        return await asyncio.wrap_future(self._portal.start_task_soon(function, *arguments))


@asynccontextmanager
async def connect(url: str, **options: Any) -> AsyncIterator[Session]:
    """Connect, create a session, and release it at the end; the arguments are those of `asr_trio.client.connect`.

    Raises:
        ConnectionFailedError: no connection came about.
        RequestRefusedError: the server did not create a session.
    """
    thread = start_blocking_portal(backend="trio", name="asr-trio client")
    portal = await asyncio.to_thread(thread.__enter__)
    try:
        connection = portal.wrap_async_context_manager(client.connect(url, **options))
        session = await asyncio.to_thread(connection.__enter__)
        try:
            yield Session(portal, session)
        finally:
            await asyncio.to_thread(connection.__exit__, None, None, None)
    finally:
        await asyncio.to_thread(thread.__exit__, None, None, None)
