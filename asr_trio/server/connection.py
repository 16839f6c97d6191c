"""One client: its session, and the tasks that carry out what the session says.

Four tasks live as long as the connection: the WebSocket library's reader, ours (receives, parses, asks the session and
carries out its requests in order), the timer and the writer, the only one that sends. A running recognition adds its
own two (`recognition`). All of them hand what happened to `_happened`, which asks the session and carries out the
effects at once: nothing in between waits, so the session has no inbox, no lock and no second owner.

Back-pressure: while a recognition has more audio waiting than its bound, the socket is not read. A client that does not
read what it is told is dropped by the send timeout, or when its outbox is full.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import structlog
import trio

from asr_trio.errors import AsrError, CapacityError, RecognizerError, RemoteProtocolError, WorkerTimeoutError
from asr_trio.protocol.messages import (
    CreateSession,
    Method,
    RecognitionResult,
    Response,
    ServerMessage,
    SessionStatus,
)
from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.protocol.parser import ClientParser
from asr_trio.protocol.writer import serialize
from asr_trio.server.gate import party
from asr_trio.server.peer import Peer
from asr_trio.server.places import Place
from asr_trio.server.recognition import Recognition
from asr_trio.server.resolve import Resolved
from asr_trio.server.services import Services
from asr_trio.server.transport import CLOSE_GOING_AWAY, CLOSE_INTERNAL_ERROR, TransportClosedError
from asr_trio.session.events import (
    Close,
    Effect,
    Event,
    Interpret,
    LanguageModelsPrepared,
    OpenRecognition,
    PrepareLanguageModels,
    PushAudio,
    RecognitionOpened,
    RequestEvent,
    RequestFailed,
    Send,
    StopRecognition,
    TextInterpreted,
)
from asr_trio.session.session import SHUTDOWN_REASON, Session

_OUTBOX_MESSAGES: Final = 1024
"""A result a segment and a partial result every 100 ms, for a minute and a half."""
_MESSAGES_PER_S: Final = 2000.0
"""Past it the client is read more slowly; live audio needs 50."""
_MESSAGES_BURST: Final = 4000.0
_DEFINE_GRAMMAR_S: Final = 0.01
"""A grammar that is known already is not answered sooner: the Python SDK begins to wait for the answer after it has
sent the message, and where the answer comes before that it waits for 30 s."""
_RELEASE_LINGER_S: Final = 0.25
"""After RELEASE_SESSION the client may close first: the Java SDK reports a connection failure when the server does."""

_Request = PrepareLanguageModels | OpenRecognition | Interpret

log = structlog.get_logger(__name__)


class _Ping(msgspec.Struct, frozen=True):
    """For the writer: ask the peer for a sign of life."""


class Connection:
    """A connected client."""

    def __init__(self, transport: Peer, services: Services) -> None:
        self._transport = transport
        self._services = services
        self._session = Session(
            services.settings.limits,
            handle=services.next_handle(),
            now_s=trio.current_time(),
            parameters=services.parameters,
            admit=self._admit,
        )
        self._parser = ClientParser()
        self._place: Place | None = None
        self._refusal: CapacityError | None = None
        self._last_words = Close(code=CLOSE_GOING_AWAY, reason=SHUTDOWN_REASON)
        self._send_message, self._outbox = trio.open_memory_channel[ServerMessage | Close | _Ping](_OUTBOX_MESSAGES)
        self._nursery: trio.Nursery | None = None
        self._timer = trio.CancelScope()
        self._pinged_s = -math.inf
        self._recognition: Recognition | None = None
        self._channel_state = b""
        self._party = party(transport.user, transport.address)
        self._log = log.bind(handle=self._session.handle_number, address=transport.address)

    @property
    def session(self) -> Session:
        """What the client has asked for."""
        return self._session

    async def run(self) -> None:
        """Serve the client to its end."""
        handle = str(self._session.handle_number)
        with self._services.tracing.span(
            "session", **{"asr.handle": handle, "client.address": self._transport.address}
        ):
            self._log = self._log.bind(**self._services.tracing.log_fields())
            await self._serve()

    async def _serve(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._write)
                nursery.start_soon(self._keep_time)
                await self._read()
                nursery.cancel_scope.cancel()
        except* Exception:  # noqa: BLE001 - a fault of ours costs this connection only
            self._log.exception("connection ended by a fault of the server")
            self._last_words = Close(code=CLOSE_INTERNAL_ERROR, reason="The server made a mistake.")
        finally:
            self._perform(self._session.connection_lost())
            self._report_undelivered()
            await self._give_up_place()
            # Ends at once where the connection has ended; where it is cut off, the peer is told so.
            await self._transport.close(self._last_words.code, self._last_words.reason)

    def drain(self) -> None:
        """Close as soon as nothing runs."""
        self._perform(self._session.drain(trio.current_time()))

    # --- reading ------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        allowance = _MESSAGES_BURST
        counted_s = trio.current_time()
        while True:
            if self._recognition is not None:
                await self._recognition.room()
            try:
                data = await self._transport.receive()
            except TransportClosedError as closed:
                self._log.debug("connection closed", code=closed.close_code)
                return
            now_s = trio.current_time()
            allowance = min(allowance + (now_s - counted_s) * _MESSAGES_PER_S, _MESSAGES_BURST) - 1
            counted_s = now_s
            if allowance < 0:
                await trio.sleep(-allowance / _MESSAGES_PER_S)
            await self._take(data)

    async def _take(self, data: bytes) -> None:
        """Hand one message to the session and see a request of it through before the next one."""
        now_s = trio.current_time()
        try:
            message = self._parser.parse(data)
        except RemoteProtocolError as error:
            self._perform(self._session.malformed(error, now_s))
            return
        if isinstance(message, CreateSession) and not self._session.created:
            await self._take_place()
        request = self._perform(self._session.receive(message, now_s))
        if request is not None:
            self._happened(await self._carry_out(request))

    async def _take_place(self) -> None:
        """Get a licence before the session asks for it: that may take a word with other nodes, and it cannot wait."""
        self._refusal = None
        if self._place is None:
            try:
                self._place = await self._services.places.take(self._transport.user)
            except CapacityError as refusal:
                self._refusal = refusal

    def _admit(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    async def _give_up_place(self) -> None:
        if self._place is not None:
            with trio.CancelScope(shield=True):  # bounded by the quota's own time limit
                await self._place.release()

    # --- the session's effects ----------------------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        request = self._perform(self._session.handle(event, trio.current_time()))
        assert request is None, "only client messages ask for work"

    def _perform(self, effects: list[Effect]) -> _Request | None:
        """Carry out what needs no waiting, in order, and return the request that does."""
        request: _Request | None = None
        for effect in effects:
            match effect:
                case Send(message=message):
                    self._count(message)
                    self._post(message)
                case PushAudio(audio=audio, last=last, content_type=content_type):
                    if self._recognition is not None:
                        self._recognition.push(audio, last=last, content_type=content_type)
                case StopRecognition():
                    if self._recognition is not None:
                        self._recognition.stop()
                case Close():
                    self._post(effect)
                case _:
                    request = effect
        self._wind_timer()
        return request

    def _count(self, message: ServerMessage) -> None:
        """Count a recognition by its last result."""
        recognition = self._recognition
        if (
            recognition is not None
            and isinstance(message, RecognitionResult)
            and message.session_status is SessionStatus.IDLE
            and not recognition.finished.is_set()
        ):
            self._services.metrics.recognitions.labels(message.result_status, recognition.lm_label).inc()
            recognition.span.set_attribute("asr.status", message.result_status.value)
            self._log.info("recognition", status=message.result_status.value, lm=recognition.lm_label)

    def _post(self, message: ServerMessage | Close | _Ping) -> None:
        try:
            self._send_message.send_nowait(message)
        except trio.WouldBlock:
            self._log.info("client dropped, it does not read")
            self._end()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._report_undeliverable(message)

    def _end(self) -> None:
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    async def _carry_out(self, request: _Request) -> RequestEvent:
        """Do the work of a request in the time that clients wait for its answer."""
        tags = _tags(request.parameters)
        self._log = self._log.bind(**tags)
        # The tasks of a recognition inherit these, and log by them.
        structlog.contextvars.bind_contextvars(handle=self._session.handle_number, **tags)
        timeout_s = self._services.settings.limits.command_timeout_s
        try:
            with trio.fail_after(timeout_s):
                match request:
                    case PrepareLanguageModels():
                        earliest_s = trio.current_time() + _DEFINE_GRAMMAR_S
                        resolved = await self._resolve(request)
                        await trio.sleep_until(earliest_s)
                        return LanguageModelsPrepared(
                            prepared=resolved.models, size_bytes=resolved.size_bytes, warnings=resolved.warnings
                        )
                    case Interpret():
                        return await self._interpret(request)
                    case OpenRecognition():
                        return await self._open(request)
        except AsrError as error:
            return RequestFailed(error=error)
        except trio.TooSlowError:
            return RequestFailed(error=WorkerTimeoutError(f"Not done within {timeout_s:g} s"))
        except Exception:  # noqa: BLE001 - a fault of ours costs this request only
            self._log.exception("request failed by a fault of the server")
            return RequestFailed(error=RecognizerError("The request failed by a fault of the server"))

    async def _interpret(self, request: Interpret) -> TextInterpreted:
        resolved = await self._resolve(request)
        alternatives = await self._services.pool.interpret(
            request.text, resolved.models, request.parameters.max_sentences, party=self._party
        )
        return TextInterpreted(alternatives=alternatives, language=resolved.language)

    async def _open(self, request: OpenRecognition) -> RecognitionOpened:
        assert self._nursery is not None
        if self._recognition is not None:
            # A session has one worker: the last one is freed within milliseconds of its last result.
            self._channel_state = self._recognition.channel_state
            await self._recognition.finished.wait()
        with self._services.metrics.grammar_compile.time():
            resolved = await self._resolve(request)
        recognition = Recognition(
            request.recognition,
            resolved.models,
            request.parameters,
            services=self._services,
            party=self._party,
            channel_state=self._channel_state,
            deliver=self._happened,
        )
        await self._nursery.start(recognition.run)
        self._recognition = recognition
        return RecognitionOpened(
            recognition=request.recognition, language=resolved.language, warnings=resolved.warnings
        )

    async def _resolve(self, request: _Request) -> Resolved:
        with self._services.tracing.span("language models", count=len(request.sources)):
            return await self._services.models.resolve(request.sources, request.parameters, self._party)

    # --- time ---------------------------------------------------------------------------------------------------

    def _wind_timer(self) -> None:
        """Let the timer wake earlier where it must; it finds out by itself where it woke too early."""
        deadline_s = self._session.next_deadline_s
        if deadline_s is not None and deadline_s < self._timer.deadline:
            self._timer.deadline = deadline_s

    async def _keep_time(self) -> None:
        while True:
            deadline_s = self._session.next_deadline_s
            with trio.CancelScope() as self._timer:
                self._timer.deadline = math.inf if deadline_s is None else deadline_s
                await trio.sleep_forever()
            self._perform(self._session.tick(trio.current_time()))

    def pulse(self, now_s: float) -> float:
        """Ask a peer that has been silent for long for a sign of life, and give up one that has given none.

        Returns:
            Trio time at which to call it again.
        """
        server = self._services.settings.server
        heard_s = self._transport.last_received_s
        if self._pinged_s > heard_s:
            if self._pinged_s + server.ping_timeout_s <= now_s:
                self._log.info("client gone, no pong")
                self._end()
        elif heard_s + server.ping_interval_s <= now_s:
            self._pinged_s = now_s
            self._post(_Ping())
        else:
            return heard_s + server.ping_interval_s
        return now_s + min(server.ping_interval_s, server.ping_timeout_s)

    # --- writing ------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Send what is posted. Only the end of the connection interrupts a send."""
        released = False
        async for message in self._outbox:
            try:
                if isinstance(message, Close):
                    if released:
                        await trio.sleep(_RELEASE_LINGER_S)  # the client's close ends this connection, and the sleep
                    await self._transport.close(message.code, message.reason)
                    self._end()
                    return
                if isinstance(message, _Ping):
                    await self._transport.ping()
                    continue
                await self._transport.send(serialize(message))
                released = isinstance(message, Response) and message.method == Method.RELEASE_SESSION
            except TransportClosedError:
                self._report_undeliverable(message)
                self._end()
                return

    def _report_undelivered(self) -> None:
        """A result that was decided and can no longer be delivered leaves a line in the log."""
        self._send_message.close()
        while True:
            try:
                self._report_undeliverable(self._outbox.receive_nowait())
            except (trio.EndOfChannel, trio.WouldBlock):
                break
        self._outbox.close()

    def _report_undeliverable(self, message: ServerMessage | Close | _Ping) -> None:
        if isinstance(message, RecognitionResult):
            self._log.warning("result not delivered, the client has gone", status=message.result_status)


def _tags(parameters: RecognitionParameters) -> dict[str, str]:
    """Return what the client wants to stand in every log line."""
    tags = {"tag": parameters.logging_tag, "account": parameters.account_tag, "channel": parameters.channel_identifier}
    return {name: value for name, value in tags.items() if value}
