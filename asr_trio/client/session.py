"""A Trio client of the recognition protocol.

    async with connect("ws://localhost:8025/asr-server/asr") as session:
        async for event in session.recognize(audio, lm="builtin:slm/general"):
            if isinstance(event, FinalResult):
                print(event.text)

One session is one connection. Requests are answered in the order in which they were sent, so answers are matched by
order alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import trio

from asr_trio.client.errors import ConnectionLostError, RequestRefusedError
from asr_trio.client.events import FinalResult, PartialResult, SpeechEnded, SpeechStarted
from asr_trio.client.language_model import Grammar, LanguageModel
from asr_trio.client.line import Line
from asr_trio.client.recognition import Audio, Recognition
from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol.messages import (
    CancelRecognition,
    ClientMessage,
    DefineGrammar,
    EndOfSpeech,
    GetParameters,
    InterpretText,
    Method,
    RecognitionResult,
    ReleaseSession,
    Response,
    Result,
    ResultStatus,
    SessionStatus,
    SetParameters,
    StartInputTimers,
    StartOfSpeech,
    StartRecognition,
)
from asr_trio.protocol.parser import parse_server_message
from asr_trio.protocol.results import SegmentResult, decode_result
from asr_trio.protocol.writer import serialize

_PACKET_BYTES: Final = 4096


class _Answer:
    """Room for the answer to one request."""

    def __init__(self) -> None:
        self.arrived = trio.Event()
        self.response: Response | None = None


class Session:
    """An open session; made by `connect`."""

    def __init__(self, line: Line, nursery: trio.Nursery) -> None:
        self._line = line
        self._nursery = nursery
        self._answers: deque[_Answer] = deque()
        self._order = trio.Lock()
        self._recognition: Recognition | None = None
        self._interpretation: trio.MemorySendChannel[FinalResult] | None = None
        self._closed: ConnectionLostError | None = None
        self.handle = 0
        self.status = SessionStatus.IDLE

    # --- requests -----------------------------------------------------------------------------------------------

    async def set_parameters(self, parameters: Mapping[str, object]) -> dict[str, str]:
        """Set parameters for the whole session; return those that the server did not take, with its word on each."""
        response = await self.request(SetParameters(parameters=_wire(parameters)))
        return dict(response.parameters)

    async def get_parameters(self, *names: str) -> dict[str, str]:
        """Return parameters as the server names them; without names, all."""
        return dict((await self.request(GetParameters(names=names))).parameters)

    async def define_grammar(self, alias: str, text: str | bytes, content_type: str = "application/srgs") -> str:
        """Compile a grammar for the session; return the URI to use it by.

        Raises:
            RequestRefusedError: the grammar is wrong; the message says where.
        """
        body = text.encode() if isinstance(text, str) else text
        await self.request(DefineGrammar(content_id=alias, content_type=content_type, body=body))
        return f"session:{alias}"

    def recognize(
        self,
        audio: Audio,
        *,
        lm: LanguageModel | Iterable[LanguageModel],
        parameters: Mapping[str, object] | None = None,
        content_type: str = "application/octet-stream",
        packet_bytes: int = _PACKET_BYTES,
    ) -> Recognition:
        """Recognise speech.

        Args:
            audio: all of it, sent at once, or packets as they come to be.
            lm: one or more URIs and grammars.
            parameters: for this recognition only.
            content_type: of the audio; what has no header is 16-bit PCM at 8 kHz, or as ``audio/raw;rate=16000`` says.
            packet_bytes: size into which `audio` is cut where it is bytes.

        Returns:
            The events, by ``async for``; a recognition that is left early is cancelled by the next request.
        """
        return Recognition(
            self, _models(lm), _wire(parameters or {}), audio, content_type=content_type, packet_bytes=packet_bytes
        )

    async def start_input_timers(self) -> None:
        """Start the no-input timer where START_RECOGNITION was told not to."""
        await self.request(StartInputTimers())

    async def cancel(self) -> None:
        """Give the running recognition up; its iterator ends."""
        recognition = self._recognition
        await self.request(CancelRecognition())
        if recognition is not None and not recognition.ended:
            recognition.end()

    async def interpret(self, text: str, *, lm: LanguageModel | Iterable[LanguageModel]) -> FinalResult:
        """Interpret `text` by grammars.

        Raises:
            RequestRefusedError: it cannot be done.
        """
        body, lm_type, content_id = await self._language_models(_models(lm))
        self._interpretation, results = trio.open_memory_channel[FinalResult](1)
        try:
            await self.request(
                InterpretText(
                    text=text, accept="application/json", content_type=lm_type, content_id=content_id, body=body
                )
            )
            return await results.receive()
        except trio.EndOfChannel:
            raise self.lost() from None
        finally:
            self._interpretation = None

    async def release(self) -> None:
        """End the session; the server closes the connection."""
        await self.request(ReleaseSession())

    # --- the connection -----------------------------------------------------------------------------------------

    async def send(self, message: ClientMessage) -> None:
        """Send one message.

        Raises:
            ConnectionLostError: the connection has ended.
        """
        await self._line.send(serialize(message))

    async def request(self, message: ClientMessage) -> Response:
        """Send a request and return the answer to it.

        Raises:
            RequestRefusedError: the answer is not SUCCESS.
            ConnectionLostError: there will be none.
        """
        answer = _Answer()
        async with self._order:
            if self._closed is not None:
                raise self.lost()
            self._answers.append(answer)
            await self.send(message)
        await answer.arrived.wait()
        if answer.response is None:
            raise self.lost()
        if answer.response.result is not Result.SUCCESS:
            raise RequestRefusedError(answer.response)
        return answer.response

    async def _language_models(self, models: tuple[LanguageModel, ...]) -> tuple[bytes, str, str | None]:
        """Return body, content type and Content-ID of a request; grammars among several models are defined first."""
        if len(models) == 1 and isinstance(models[0], Grammar):
            return models[0].body, models[0].content_type, models[0].content_id
        uris = [
            await self.define_grammar(model.content_id, model.text, model.content_type)
            if isinstance(model, Grammar)
            else model
            for model in models
        ]
        return "\r\n".join(uris).encode(), "text/uri-list", None

    async def start(
        self, recognition: Recognition, models: tuple[LanguageModel, ...], parameters: dict[str, str]
    ) -> None:
        """Start a recognition, after cancelling one that its caller has left."""
        if self._recognition is not None and not self._recognition.ended:
            await self.cancel()
        self._recognition = recognition
        try:
            body, content_type, content_id = await self._language_models(models)
            await self.request(
                StartRecognition(
                    parameters=parameters,
                    accept="application/json",
                    content_type=content_type,
                    content_id=content_id,
                    body=body,
                )
            )
        except BaseException:
            recognition.end()
            raise
        self._nursery.start_soon(recognition.send_audio)

    @property
    def open(self) -> bool:
        """The connection has not ended yet."""
        return self._closed is None

    def lost(self) -> ConnectionLostError:
        """Return what to raise where something was still to come."""
        closed = self._closed
        if closed is None:
            return ConnectionLostError("The connection ended")
        return ConnectionLostError(str(closed), closed.close_code)

    async def receive(self) -> None:
        """Read to the end of the connection and hand everything to who waits for it."""
        try:
            while True:
                self._dispatch(parse_server_message(await self._line.receive()))
        except ConnectionLostError as lost:
            self._closed = lost
        except RemoteProtocolError as error:
            self._closed = ConnectionLostError(f"The server broke the protocol: {error}", 1002)
        finally:
            for answer in self._answers:
                answer.arrived.set()
            if self._recognition is not None and not self._recognition.ended:
                self._recognition.abandon()
            if self._interpretation is not None:
                self._interpretation.close()

    def _dispatch(self, message: Response | StartOfSpeech | EndOfSpeech | RecognitionResult) -> None:
        now_s = trio.current_time()
        self.status = message.session_status
        self.handle = message.handle
        if isinstance(message, Response):
            if message.method != Method.SEND_AUDIO and self._answers:
                answer = self._answers.popleft()
                answer.response = message
                answer.arrived.set()
            return
        if isinstance(message, RecognitionResult) and self._interpretation is not None:
            self._interpretation.send_nowait(FinalResult(received_s=now_s, result=_result(message)))
            self._interpretation = None
            return
        recognition = self._recognition
        if recognition is None or recognition.ended:
            return
        if isinstance(message, StartOfSpeech):
            recognition.deliver(SpeechStarted(received_s=now_s))
        elif isinstance(message, EndOfSpeech):
            recognition.deliver(SpeechEnded(received_s=now_s))
        elif message.result_status is ResultStatus.PROCESSING:
            recognition.deliver(PartialResult(received_s=now_s, result=_result(message)))
        else:
            recognition.deliver(FinalResult(received_s=now_s, result=_result(message)))


def _models(lm: LanguageModel | Iterable[LanguageModel]) -> tuple[LanguageModel, ...]:
    return (lm,) if isinstance(lm, str | Grammar) else tuple(lm)


def _result(message: RecognitionResult) -> SegmentResult:
    return decode_result(message.content_type, message.body, message.result_status)


def _wire(parameters: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in parameters.items()}
