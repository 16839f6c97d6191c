"""REST for batch users: a recording or a text in, results out, over the same sessions as everybody's.

``POST /asr-server/rest/recognize?lm=…`` and ``/interpret``. Recognition parameters are headers of the request. What
differs from the WebSocket is told in docs/rest.md: both timers are off unless asked for (a file does not speak in real
time), and partial results have nowhere to go.
"""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio
from lxml import etree
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from asr_trio.errors import BusyError
from asr_trio.protocol.messages import ResultStatus
from asr_trio.protocol.parameters import RecognitionParameters, update
from asr_trio.protocol.registry import REGISTRY
from asr_trio.protocol.results import JSON_TYPE, XML_TYPE, wants_xml
from asr_trio.server.dialogue import ClientGoneError, Dialogue, Document, RefusedError
from asr_trio.server.gate import party
from asr_trio.server.handshake import HandshakeError
from asr_trio.server.rest_schema import PREFIX, openapi
from asr_trio.server.services import Services
from asr_trio.server.shares import Shares

TEXT_BYTES: Final = 16 * 1024
"""A sentence to interpret; the parser of messages takes no longer line either."""
_PACKET_BYTES: Final = 64 * 1024
_PREFIXES: Final = (PREFIX, "/asr/rest/v3")
"""The second is what later versions of the original call it."""

_STATUS_BY_CODE: Final = {
    "ERR_NO_ACTIVE_LM": 400,
    "ERR_INVALID_ARGUMENT": 400,
    "ERR_INVALID_STATE": 400,
    "ERR_FILE_OPEN": 404,
    "ERR_BUFFER_OVERFLOW": 413,
    "ERR_CORRUPTED_LM": 422,
    "ERR_ARG_INVALID": 422,
    "ERROR_BUSY": 503,
    "ERR_MAX_LICENSES": 503,
}
_RETRY_AFTER_S: Final = 1
_OCTET_STREAM: Final = "application/octet-stream"
# What sends a body without saying what it is: nothing at all, or curl's --data-binary.
_UNTYPED: Final = frozenset(("", "application/x-www-form-urlencoded"))
_AUDIO: Final = re.compile(r"audio/[\w.+-]+|application/(octet-stream|ogg)")

# A file does not pause for breath: timers on the clock would judge the network.
_DEFAULTS: Final = {"noInputTimeout.enabled": "false", "recognitionTimeout.enabled": "false"}
_FORCED: Final = {"decoder.partialResultEnabled": "false", "decoder.startInputTimers": "true"}


class _Refusal(Exception):  # noqa: N818 - an answer, not a fault of the program
    """The request is answered with an error."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}

    def response(self) -> Response:
        headers = {"Retry-After": str(_RETRY_AFTER_S)} if self.status == 503 else {}
        return JSONResponse(
            {"error": {"code": self.code, "message": str(self)}},
            status_code=self.status,
            headers={**headers, **self.headers},
        )


def routes(services: Services) -> list[BaseRoute]:
    """Return the routes of the REST interface, none where it is off."""
    if not services.settings.rest.enabled:
        return []
    rest = _Rest(services)
    document = openapi(
        services.parameters, body_bytes=services.settings.rest.body_bytes, default_lm=services.default_lm
    )

    async def schema(_request: Request) -> Response:
        return JSONResponse(document)

    methods = {"recognize": rest.recognize, "interpret": rest.interpret}
    return [
        Route(f"{PREFIX}/openapi.json", schema),
        *(
            Route(f"{prefix}/{name}{slash}", rest.answer(method), methods=["POST"])
            for prefix in _PREFIXES
            for name, method in methods.items()
            for slash in ("", "/")
        ),
    ]


class _Rest:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = services.settings.rest
        self._places = Shares(
            self._settings.concurrency, each=self._settings.concurrency_per_party, name="room for requests"
        )

    def answer(
        self, method: Callable[[Request, Dialogue], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a method with all around it: who asks, whether there is room, how long it takes, what went wrong."""

        async def endpoint(request: Request) -> Response:
            try:
                with trio.fail_after(self._settings.timeout_s):
                    async with self._dialogue(request) as dialogue:
                        response = await method(request, dialogue)
                        response.background = BackgroundTask(dialogue.farewell)
                        return response
            except _Refusal as refusal:
                return refusal.response()
            except RefusedError as error:
                status = _STATUS_BY_CODE.get(error.error_code, 400 if error.word != "FAILURE" else 500)
                return _Refusal(status, error.error_code or "ERR_GENERIC", str(error)).response()
            except BusyError as error:
                return _Refusal(503, "ERROR_BUSY", str(error)).response()
            except HandshakeError as error:
                return _Refusal(error.status, "ERR_LIC_UNAUTHORIZED", str(error), dict(error.headers)).response()
            except trio.TooSlowError:
                words = f"Not done within {self._settings.timeout_s:g} s"
                return _Refusal(504, "ERR_GENERIC", words).response()
            except (ClientDisconnect, ClientGoneError):
                return _Refusal(400, "ERR_GENERIC", "The request was not sent to its end").response()

        return endpoint

    @asynccontextmanager
    async def _dialogue(self, request: Request) -> AsyncIterator[Dialogue]:
        """Open a session for a request; what it runs is given up where the request fails or the client goes."""
        address = request.client.host if request.client else ""
        user = await self._services.doorkeeper.admit(request.headers, address)
        if self._services.attach is None or self._services.draining:
            raise _Refusal(503, "ERROR_BUSY", "The server is shutting down")
        with self._places.hold(1, party(user, address)):
            dialogue = Dialogue(address=address, user=user)
            try:
                self._services.attach(dialogue)
                yield dialogue
                await dialogue.release()
            except BaseException:
                dialogue.hang_up()
                raise

    async def recognize(self, request: Request, dialogue: Dialogue) -> Response:
        """Recognise the body."""
        accept = request.headers.get("accept")
        parameters = _parameters(request)
        documents = await dialogue.recognize(
            self._audio(request),
            gone=functools.partial(_disconnect, request),
            content_type=_audio_type(request),
            parameters=parameters,
            lms=_language_models(request, default=self._services.default_lm),
            accept=accept,
            user_agent=request.headers.get("user-agent"),
        )
        last = documents[-1].result
        if last.result_status is ResultStatus.FAILURE:
            raise _Refusal(_STATUS_BY_CODE.get(last.error_code, 500), last.error_code or "ERR_GENERIC", last.message)
        wanted, _ = update(RecognitionParameters(), parameters)
        return _result(documents, xml=wants_xml(accept), several=wanted.continuous_mode)

    async def interpret(self, request: Request, dialogue: Dialogue) -> Response:
        """Interpret the body."""
        accept = request.headers.get("accept")
        body = b"".join([packet async for packet in self._body(request, TEXT_BYTES)])
        try:
            decoded = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise _Refusal(400, "ERR_INVALID_ARGUMENT", "The text is not UTF-8") from None
        # It becomes one header line: line ends and control characters part words and mean no more.
        text = " ".join("".join(c if c.isprintable() else " " for c in decoded).split())
        if not text:
            raise _Refusal(400, "ERR_INVALID_ARGUMENT", "The body holds no text")
        document = await dialogue.interpret(
            text, lms=_language_models(request), accept=accept, user_agent=request.headers.get("user-agent")
        )
        return _result([document], xml=wants_xml(accept), several=False)

    async def _audio(self, request: Request) -> AsyncGenerator[bytes]:
        async for chunk in self._body(request, self._settings.body_bytes):
            for start in range(0, len(chunk), _PACKET_BYTES):
                yield chunk[start : start + _PACKET_BYTES]

    async def _body(self, request: Request, limit_bytes: int) -> AsyncGenerator[bytes]:
        """Read the body as it comes.

        Raises:
            _Refusal: it is too long.
        """
        taken = 0
        async for chunk in request.stream():
            taken += len(chunk)
            if taken > limit_bytes:
                raise _Refusal(413, "ERR_BUFFER_OVERFLOW", f"The body is longer than {limit_bytes} bytes")
            if chunk:
                yield chunk


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _language_models(request: Request, default: str = "") -> list[str]:
    lms = [lm.strip() for lm in request.query_params.getlist("lm") or [default]]
    if not any(lms):
        raise _Refusal(400, "ERR_NO_ACTIVE_LM", "The parameter lm is missing: the URI of a language model")
    if any(not lm.isprintable() for lm in lms):
        raise _Refusal(400, "ERR_INVALID_ARGUMENT", "The parameter lm is no URI")
    return lms


def _audio_type(request: Request) -> str:
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _UNTYPED:
        return _OCTET_STREAM
    if not _AUDIO.fullmatch(kind):
        raise _Refusal(415, "ERR_INVALID_ARGUMENT", "The body must be audio; Content-Type says something else")
    return content_type


def _parameters(request: Request) -> dict[str, str]:
    """Return the recognition parameters among the headers.

    Raises:
        _Refusal: a value cannot be taken; every fault is named.
    """
    wishes = {name: value for name, value in request.headers.items() if name.lower() in REGISTRY}
    _, refused = update(RecognitionParameters(), wishes)
    if refused:
        faults = ", ".join(f"{name} ({wishes[name]})" for name in refused)
        raise _Refusal(400, next(iter(refused.values())), f"These parameters cannot be taken: {faults}")
    timers = {name.partition(".")[0] for name in wishes}
    defaults = {name: value for name, value in _DEFAULTS.items() if name.partition(".")[0].lower() not in timers}
    return {**defaults, **wishes, **_FORCED}


def _result(documents: list[Document], *, xml: bool, several: bool) -> Response:
    """Answer as the original does: one result under `recognition_result`, those of continuous mode as a bare array.

    That array is what scripts for the original index, ``.[0].alternatives[0].text``; no page of its manual shows it.
    """
    bodies = [document.body for document in documents]
    if not xml:
        content = b"[" + b",".join(bodies) + b"]" if several else b'{"recognition_result":' + bodies[0] + b"}"
        return Response(content, media_type=JSON_TYPE)
    if not several:
        return Response(bodies[0], media_type=XML_TYPE)
    root = etree.Element("recognition_results")
    root.extend(etree.fromstring(body) for body in bodies)  # our own documents
    return Response(etree.tostring(root, encoding="utf-8", xml_declaration=True), media_type=XML_TYPE)
