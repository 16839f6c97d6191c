"""Many live callers at once: the load behind ``asr-trio bench`` and the capacity benchmark.

Each stream is one connection that recognises one utterance after the other at live pace, as a telephone does: it sends
a packet whenever it is due, speech first and then silence, until the server says END_OF_SPEECH.

The generator usually shares the machine with the server that it measures, so it must cost little. The client library
spends about a quarter of a millisecond on a packet, a hundred streams of it a quarter of a core. Here all packets are
framed before the clock starts (an all-zero mask is legal and leaves the payload as it is) and one write is left.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, NoReturn
from urllib.parse import urlsplit

import msgspec
import trio

from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol import messages
from asr_trio.protocol.messages import Result, ResultStatus
from asr_trio.protocol.parser import parse_server_message
from asr_trio.protocol.results import decode_result
from asr_trio.protocol.writer import serialize

RECEIVE_BYTES: Final = 65_536
ANSWER_TIMEOUT_S: Final = 30.0
"""A recognition without a result for so long after its last speech counts as lost."""
ANSWERS_MAX: Final = 4
"""One is asked at a time; more unread ones than this are a fault of the server and end the run."""
REFUSED_PAUSE_S: Final = 1.0
TAIL_S: Final = 5.0
"""Silence ready to be sent after an utterance; far more than any sane wait for the end of speech."""
_TAIL_AMPLITUDE: Final = 3
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10


class Utterance(msgspec.Struct, frozen=True):
    """Speech to be sent.

    Attributes:
        pcm: 16-bit mono samples.
        sample_rate_hz: their rate.
        speech_end_s: where the last word ends.
        text: what is said, or "".
        speech_start_s: where the first word begins.
    """

    pcm: bytes
    sample_rate_hz: int
    speech_end_s: float
    text: str = ""
    speech_start_s: float = 0.0


class Observation(msgspec.Struct, kw_only=True):
    """What one recognition looked like from outside; times in milliseconds, NaN where it did not come to that."""

    started_s: float
    text: str = ""
    expected: str = ""
    status: str = "lost"
    """The result's status, ``lost``, or the error code of a refusal."""
    start_ms: float = math.nan
    """START_RECOGNITION to its answer."""
    onset_ms: float = math.nan
    """From the moment at which `speech_start_s` was due to START_OF_SPEECH."""
    partial_ms: float = math.nan
    """From that moment to the first partial result."""
    end_ms: float = math.nan
    """From the moment at which `speech_end_s` was due to END_OF_SPEECH: the wait for silence, and all delays."""
    final_ms: float = math.nan
    """END_OF_SPEECH to RECOGNITION_RESULT."""
    speech_to_result_ms: float = math.nan
    """From the moment at which `speech_end_s` was due to the result: the wait for silence, and all delays."""
    due_s: float = -math.inf
    """When the moment `speech_end_s` of the utterance was due."""
    late_ms: float = 0.0
    """How late the latest packet left; the generator's own health, or the server's back-pressure."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What all streams do."""

    host: str
    port: int
    path: str
    utterances: Sequence[Utterance]
    body: bytes = b"builtin:slm/general"
    content_type: str = "text/uri-list"
    parameters: dict[str, str] = {}
    packet_ms: int = 100
    seed: int = 0

    @classmethod
    def for_url(cls, url: str, utterances: Sequence[Utterance], **more: object) -> Plan:
        """Make a plan for a ``ws://`` URL; the load generator speaks no TLS and knows no password."""
        parts = urlsplit(url)
        if parts.scheme != "ws" or not parts.hostname:
            raise ValueError(f"{url!r} is no ws:// URL")
        path = parts.path or "/"
        return msgspec.convert(
            {"host": parts.hostname, "port": parts.port or 80, "path": path, "utterances": list(utterances), **more},
            cls,
        )


async def run(
    plan: Plan, *, streams: int, duration_s: float, ramp_s: float, drain_s: float = math.inf
) -> list[Observation]:
    """Keep `streams` callers busy for `duration_s` after a ramp; return the recognitions that end after it.

    Callers start spread over the ramp so that their packets are spread over time too. Who still speaks at the end goes
    on for `drain_s` and then hangs up; what was not said to the end does not count. Where load matters that is 0: among
    callers of whom ever fewer are left, latencies are not those of the load.

    Raises:
        OSError: the server cannot be reached, or it closed a connection.
    """
    framed = [_FramedUtterance(utterance, plan.packet_ms) for utterance in plan.utterances]
    observations: list[Observation] = []
    begin_s = trio.current_time()
    chance = random.Random(plan.seed)  # noqa: S311 - spreads load, guards nothing
    async with trio.open_nursery() as nursery:
        for index in range(streams):
            order = framed[index % len(framed) :] + framed[: index % len(framed)]
            caller = Caller(plan, order, observations)
            delay_s = ramp_s * (index + chance.random()) / streams
            stop_s = begin_s + ramp_s + duration_s
            nursery.start_soon(caller.run, begin_s + delay_s, stop_s, stop_s + drain_s)
    return [seen for seen in observations if max(seen.started_s, seen.due_s) >= begin_s + ramp_s]


class _FramedUtterance:
    """The WebSocket frames of an utterance and the silence after it."""

    def __init__(self, utterance: Utterance, packet_ms: int) -> None:
        self.utterance = utterance
        rate = utterance.sample_rate_hz
        tail = random.Random(0)  # noqa: S311
        quiet = [tail.randint(-_TAIL_AMPLITUDE, _TAIL_AMPLITUDE) for _ in range(round(TAIL_S * rate))]
        audio = _wav_header(rate) + utterance.pcm + struct.pack(f"<{len(quiet)}h", *quiet)
        step = rate * packet_ms // 1000 * 2
        self.frames = [
            _frame(serialize(messages.SendAudio(audio=audio[at : at + step], content_type="audio/wav")))
            for at in range(0, len(audio), step)
        ]


class Caller:
    """One connection."""

    def __init__(
        self, plan: Plan, order: Sequence[_FramedUtterance] = (), observations: list[Observation] | None = None
    ) -> None:
        self._plan = plan
        self._order = order
        self._observations = [] if observations is None else observations
        self._received = bytearray()
        self._answer, self._answers = trio.open_memory_channel[messages.Response](ANSWERS_MAX)
        self._speech_started_s: float | None = None
        self._partial_s: float | None = None
        self._speech_ended_s: float | None = None
        self._result: messages.RecognitionResult | None = None
        self._result_s = math.nan
        self._done = trio.Event()
        self._released = False

    async def run(self, start_s: float, stop_s: float, hang_up_s: float) -> None:
        """Recognise one utterance after the other from `start_s` until after `stop_s`, by Trio's clock.

        An utterance that ends after `hang_up_s` is broken off then.
        """
        await trio.sleep_until(start_s)
        async with self.session():
            turn = 0
            while trio.current_time() < stop_s:
                await self._recognize(self._order[turn % len(self._order)], hang_up_s)
                turn += 1

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Connect and hold a session; pings are answered meanwhile."""
        self._stream = await trio.open_tcp_stream(self._plan.host, self._plan.port)
        async with self._stream, trio.open_nursery() as nursery:
            await self._upgrade()
            nursery.start_soon(self._receive)
            await self._ask(messages.CreateSession())
            yield
            self._released = True
            await self._ask(messages.ReleaseSession())
            nursery.cancel_scope.cancel()

    async def _recognize(self, framed: _FramedUtterance, hang_up_s: float) -> None:
        packet_s = self._plan.packet_ms / 1000
        seen = Observation(started_s=trio.current_time(), expected=framed.utterance.text)
        self._observations.append(seen)
        self._done, self._result = trio.Event(), None
        self._speech_started_s = self._partial_s = self._speech_ended_s = None
        answer = await self._ask(
            messages.StartRecognition(
                parameters=dict(self._plan.parameters),
                content_type=self._plan.content_type,
                content_id="load" if self._plan.content_type != "text/uri-list" else None,
                body=self._plan.body,
            )
        )
        begin_s = trio.current_time()
        seen.start_ms = 1000 * (begin_s - seen.started_s)
        if answer.result is not Result.SUCCESS:
            seen.status = answer.error_code or str(answer.result)
            await trio.sleep(REFUSED_PAUSE_S)
            return
        seen.due_s = begin_s + framed.utterance.speech_end_s
        for index, frame in enumerate(framed.frames):
            due_s = begin_s + (index + 1) * packet_s  # a packet can leave when its last sample has been spoken
            await trio.sleep_until(due_s)
            if self._speech_ended_s is not None or self._done.is_set():
                break
            if min(due_s, seen.due_s) > hang_up_s:
                self._observations.remove(seen)
                await self._ask(messages.CancelRecognition())
                return
            await self._stream.send_all(frame)
            seen.late_ms = max(seen.late_ms, 1000 * (trio.current_time() - due_s))
        with trio.move_on_after(ANSWER_TIMEOUT_S):
            await self._done.wait()
        if not self._judge(seen, framed.utterance, begin_s):
            await self._ask(messages.CancelRecognition())

    def _judge(self, seen: Observation, utterance: Utterance, begin_s: float) -> bool:
        """Write down what came; False where nothing did."""
        speech_start_s, speech_end_s = begin_s + utterance.speech_start_s, begin_s + utterance.speech_end_s
        if self._result is None:
            return False
        seen.status = str(self._result.result_status)
        document = decode_result(self._result.content_type, self._result.body)
        seen.text = document.alternatives[0].text if document.alternatives else ""
        seen.speech_to_result_ms = 1000 * (self._result_s - speech_end_s)
        if self._speech_started_s is not None:
            seen.onset_ms = 1000 * (self._speech_started_s - speech_start_s)
        if self._partial_s is not None:
            seen.partial_ms = 1000 * (self._partial_s - speech_start_s)
        if self._speech_ended_s is not None:
            seen.end_ms = 1000 * (self._speech_ended_s - speech_end_s)
            seen.final_ms = 1000 * (self._result_s - self._speech_ended_s)
        return True

    async def _ask(self, message: messages.ClientMessage) -> messages.Response:
        await self._stream.send_all(_frame(serialize(message)))
        with trio.fail_after(ANSWER_TIMEOUT_S):
            return await self._answers.receive()

    async def _upgrade(self) -> None:
        plan = self._plan
        await self._stream.send_all(
            f"GET {plan.path} HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: bG9hZC1nZW5lcmF0b3IuIQ==\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._received:
            await self._more()
        head, _, rest = bytes(self._received).partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.split(b"\r\n")[0].decode("latin-1"))
        self._received = bytearray(rest)

    async def _receive(self) -> None:
        while True:
            for opcode, payload in self._frames():
                if opcode == _PING:
                    await self._stream.send_all(_frame(payload, _PONG))
                elif opcode == _CLOSE:
                    if self._released:  # it comes in the same breath as the answer
                        return
                    raise ConnectionError("the server closed the connection")
                elif opcode == _BINARY:
                    self._take(parse_server_message(payload))
            await self._more()

    async def _more(self) -> None:
        data = await self._stream.receive_some(RECEIVE_BYTES)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._received += data

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while (parsed := _parse(self._received)) is not None:
            opcode, begin, end = parsed
            payload = bytes(self._received[begin:end])
            del self._received[:end]
            yield opcode, payload

    def _take(self, message: messages.ServerMessage) -> None:
        match message:
            case messages.Response():
                self._answer.send_nowait(message)
            case messages.StartOfSpeech():
                self._speech_started_s = trio.current_time()
            case messages.EndOfSpeech():
                self._speech_ended_s = trio.current_time()
            case messages.RecognitionResult(result_status=status) if status is not ResultStatus.PROCESSING:
                self._result, self._result_s = message, trio.current_time()
                self._done.set()
            case messages.RecognitionResult():
                self._partial_s = self._partial_s or trio.current_time()


def _wav_header(sample_rate_hz: int) -> bytes:
    endless = 0xFFFFFFFF
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", endless, b"WAVE", b"fmt ", 16, 1, 1, sample_rate_hz, 2 * sample_rate_hz, 2, 16, b"data", endless,
    )  # fmt: skip


def _frame(payload: bytes, opcode: int = _BINARY) -> bytes:
    length = len(payload)
    if length < 126:
        head = bytes([0x80 | opcode, 0x80 | length])
    elif length < 65_536:
        head = bytes([0x80 | opcode, 0x80 | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, 0x80 | 127]) + length.to_bytes(8, "big")
    return head + bytes(4) + payload


def _parse(data: bytearray) -> tuple[int, int, int] | None:
    """Return opcode, begin and end of the first whole frame."""
    if len(data) < 2:
        return None
    if not data[0] & 0x80:
        _unexpected("a fragmented message")
    length, at = data[1] & 0x7F, 2
    if length == 126:
        length, at = int.from_bytes(data[2:4], "big"), 4
    elif length == 127:
        length, at = int.from_bytes(data[2:10], "big"), 10
    return (data[0] & 0x0F, at, at + length) if len(data) >= at + length else None


def _unexpected(what: str) -> NoReturn:
    raise RemoteProtocolError(f"The server sent {what}")
