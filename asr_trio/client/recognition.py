"""A running recognition as its caller sees it."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, TypeAlias

import trio

from asr_trio.client.audio import packets
from asr_trio.client.errors import ConnectionLostError
from asr_trio.client.events import FinalResult, RecognitionEvent, SpeechEnded
from asr_trio.client.language_model import LanguageModel
from asr_trio.protocol.messages import SendAudio

if TYPE_CHECKING:
    from asr_trio.client.session import Session

Audio: TypeAlias = bytes | AsyncIterable[bytes]
"""All of it, or packets as they come to be."""


class Recognition:
    """A running recognition: iterate over it for its events. It ends with the last result."""

    def __init__(
        self,
        session: Session,
        models: tuple[LanguageModel, ...],
        parameters: dict[str, str],
        audio: Audio,
        *,
        content_type: str,
        packet_bytes: int,
    ) -> None:
        self._session = session
        self._models = models
        self._parameters = parameters
        self._audio = audio
        self._content_type = content_type
        self._packet_bytes = packet_bytes
        self._send_event, self._events = trio.open_memory_channel[RecognitionEvent](math.inf)
        self._audio_scope = trio.CancelScope()
        self._started = False
        self.ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RecognitionEvent:
        """Return the next event.

        Raises:
            RequestRefusedError: the recognition could not be started.
            ConnectionLostError: the connection ended before the last result.
        """
        if not self._started:
            self._started = True
            await self._session.start(self, self._models, self._parameters)
        try:
            return await self._events.receive()
        except trio.EndOfChannel:
            if self.ended:
                raise StopAsyncIteration from None
            raise self._session.lost() from None

    async def final(self) -> FinalResult:
        """Wait for the end and return the last result.

        Raises:
            RequestRefusedError: the recognition could not be started.
            ConnectionLostError: the connection ended before the last result.
        """
        last: FinalResult | None = None
        async for event in self:
            if isinstance(event, FinalResult):
                last = event
        if last is None:
            raise ConnectionLostError("The recognition was cancelled")
        return last

    # --- for the session only -----------------------------------------------------------------------------------

    def deliver(self, event: RecognitionEvent) -> None:
        """Hand an event to the caller."""
        self._send_event.send_nowait(event)
        if isinstance(event, SpeechEnded):
            self._audio_scope.cancel()
        if isinstance(event, FinalResult) and event.last:
            self.end()

    def end(self) -> None:
        """Let the iterator end: nothing more is to come."""
        self.ended = True
        self.abandon()

    def abandon(self) -> None:
        """Stop sending and let the iterator raise: more was to come, but the connection is gone."""
        self._audio_scope.cancel()
        self._send_event.close()

    async def send_audio(self) -> None:
        """Send the audio until it or the server's interest ends. A message under way is always sent whole."""
        with self._audio_scope:
            try:
                if isinstance(self._audio, bytes):
                    for packet in packets(self._audio, self._packet_bytes):
                        await self._send_packet(packet)
                else:
                    async with _closing(self._audio) as source:
                        async for packet in source:
                            await self._send_packet(packet)
                await self._send_packet(b"", last=True)
            except ConnectionLostError:
                return

    async def _send_packet(self, audio: bytes, *, last: bool = False) -> None:
        await self._session.send(SendAudio(audio=audio, last_packet=last, content_type=self._content_type))
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def _closing(source: AsyncIterable[bytes]) -> AsyncIterator[AsyncIterable[bytes]]:
    """Close a generator that is left in the middle, in this task and not by the garbage collector."""
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            with trio.CancelScope(shield=True):  # runs no further than the generator's own clean-up
                await source.aclose()
