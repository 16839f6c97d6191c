"""Timers and expiry on a whole server whose clock is the test's: it stands still, and jumps.

Real sockets and real worker processes; only time is not real. Each answer that comes while the clock stands still shows
that nothing has run out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import trio
from trio.testing import MockClock

from asr_trio.protocol.messages import (
    ClientMessage,
    CreateSession,
    GetParameters,
    RecognitionResult,
    Response,
    Result,
    SendAudio,
    ServerMessage,
    SessionStatus,
    StartInputTimers,
    StartOfSpeech,
    StartRecognition,
)
from asr_trio.protocol.parser import parse_server_message
from asr_trio.protocol.results import SegmentResult, decode_result
from asr_trio.protocol.writer import serialize
from tests.audio.signals import babble, noise, pcm16
from tests.probes.peer import BINARY, CLOSE, RawPeer, frame

from .serving import running

RAW = "audio/raw;rate=16000"
NEVER_PINGED = {"ping_interval_s": 1e6}


class Client:
    """A session whose every message is in the test's hand."""

    def __init__(self, peer: RawPeer) -> None:
        self._peer = peer
        self.close_reason = ""

    async def send(self, message: ClientMessage) -> None:
        await self._peer.send(frame(BINARY, serialize(message)))

    async def receive(self) -> ServerMessage | None:
        """Return the next message; None where the server has closed."""
        got = await self._peer.message()
        if got is None or got[0] == CLOSE:
            self.close_reason = got[1][2:].decode() if got else ""
            return None
        return parse_server_message(got[1])

    async def ask(self, message: ClientMessage) -> SessionStatus:
        await self.send(message)
        answer = await self.receive()
        assert isinstance(answer, Response), answer
        assert answer.result is Result.SUCCESS
        return answer.session_status

    async def status(self) -> SessionStatus:
        """Ask for something harmless. It restarts the expiry, as any message does."""
        return await self.ask(GetParameters(names=("decoder.maxSentences",)))

    async def start(self, **parameters: object) -> None:
        wishes = {name.replace("__", "."): str(value) for name, value in parameters.items()}
        start = StartRecognition(parameters=wishes, content_type="text/uri-list", body=b"builtin:grammar/digits")
        assert await self.ask(start) is SessionStatus.LISTENING

    async def speak(self, *parts: np.ndarray) -> None:
        await self.send(SendAudio(audio=pcm16(np.concatenate(parts)), content_type=RAW))
        assert isinstance(await self.receive(), StartOfSpeech)

    async def result(self) -> SegmentResult:
        message = await self.receive()
        assert isinstance(message, RecognitionResult), message
        document = decode_result(message.content_type, message.body)
        assert document.last_segment == (message.session_status is SessionStatus.IDLE)
        return document


@asynccontextmanager
async def session() -> AsyncIterator[Client]:
    async with running(server=NEVER_PINGED) as server, await RawPeer.connect(server.addresses.ws_port) as peer:
        await peer.upgrade()
        client = Client(peer)
        assert await client.ask(CreateSession()) is SessionStatus.IDLE
        try:
            yield client
        finally:
            clock = trio.lowlevel.current_clock()
            assert isinstance(clock, MockClock)
            clock.rate = 1.0  # a server that is cut off has a moment for its last words


async def test_a_silent_session_expires(mock_clock):
    async with session() as client:
        for _ in range(2):
            mock_clock.jump(59.9)
            assert await client.status() is SessionStatus.IDLE
        mock_clock.jump(60.1)
        assert await client.receive() is None
        assert client.close_reason == "Session timeout."


async def test_no_input_runs_from_the_start_of_the_recognition(mock_clock):
    async with session() as client:
        await client.start()
        mock_clock.jump(9.9)
        assert await client.status() is SessionStatus.LISTENING
        mock_clock.jump(0.2)
        assert (await client.result()).result_status == "NO_INPUT_TIMEOUT"
        assert await client.status() is SessionStatus.IDLE


async def test_no_input_runs_from_start_input_timers_on_wish(mock_clock):
    async with session() as client:
        await client.start(decoder__startInputTimers="false")
        mock_clock.jump(30)
        assert await client.ask(StartInputTimers()) is SessionStatus.LISTENING
        mock_clock.jump(9.9)
        assert await client.status() is SessionStatus.LISTENING
        mock_clock.jump(0.2)
        assert (await client.result()).result_status == "NO_INPUT_TIMEOUT"


async def test_recognition_time_runs_from_the_start_of_speech(mock_clock):
    async with session() as client:
        await client.start(noInputTimeout__value=5000)
        mock_clock.jump(4)
        await client.speak(noise(0.5), babble(1.5))
        mock_clock.jump(29.9)
        assert await client.status() is SessionStatus.LISTENING
        mock_clock.jump(0.2)
        assert (await client.result()).result_status == "RECOGNITION_TIMEOUT"
        await client.start()
        mock_clock.jump(10.1)
        assert (await client.result()).result_status == "NO_INPUT_TIMEOUT"


async def test_no_input_runs_again_after_each_segment_of_continuous_mode(mock_clock):
    async with session() as client:
        await client.start(decoder__continuousMode="true")
        for index in range(2):
            mock_clock.jump(9.9)
            await client.speak(noise(0.5), babble(1.5), noise(1.6))
            assert (await client.result()).segment_index == index
        mock_clock.jump(9.9)
        assert await client.status() is SessionStatus.LISTENING
        mock_clock.jump(0.2)
        closing = await client.result()
        assert (closing.result_status, closing.last_segment, closing.segment_index) == ("NO_INPUT_TIMEOUT", True, 2)


async def test_a_recognition_that_waits_for_ever_ends_with_its_session(mock_clock):
    async with session() as client:
        await client.start(noInputTimeout__enabled="false")
        mock_clock.jump(59.9)
        assert await client.status() is SessionStatus.LISTENING
        mock_clock.jump(60.1)
        assert (await client.result()).result_status == "NO_INPUT_TIMEOUT"
        assert await client.receive() is None
        assert client.close_reason == "Session timeout."


async def test_a_connection_without_a_session_expires_too(mock_clock):
    async with running(server=NEVER_PINGED) as server, await RawPeer.connect(server.addresses.ws_port) as peer:
        await peer.upgrade()
        client = Client(peer)
        await client.send(GetParameters())
        refusal = await client.receive()
        assert isinstance(refusal, Response)
        assert refusal.result is Result.INVALID_ACTION
        mock_clock.jump(60.1)
        assert await client.receive() is None
        assert client.close_reason == "Session timeout."
