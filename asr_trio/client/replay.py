"""Playing a recorded session against a server, and comparing what it says with what was said then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import trio

from asr_trio.client.connection import open_websocket
from asr_trio.client.errors import ConnectionLostError
from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol.messages import RecognitionResult, Response, ResultStatus, ServerMessage
from asr_trio.protocol.parser import parse_server_message
from asr_trio.protocol.recording import Entry
from asr_trio.protocol.results import decode_result

PATIENCE_S: Final = 20.0
"""How long an answer may be overdue before the next message is sent without it; it is not waited for again."""


class Difference(msgspec.Struct, frozen=True):
    """Where the two sessions part; `then` or `now` is None where there was no such message."""

    index: int
    then: dict[str, Any] | None
    now: dict[str, Any] | None


def essence(message: ServerMessage) -> dict[str, Any]:
    """Return what of a message must be the same again: all but the handle, the times and the scores."""
    kind: dict[str, Any] = {"message": type(message).__name__, "status": str(message.session_status)}
    if isinstance(message, Response):
        return kind | {
            "method": message.method,
            "result": str(message.result),
            "error_code": message.error_code,
            "parameters": message.parameters,
        }
    if isinstance(message, RecognitionResult):
        found = decode_result(message.content_type, message.body, message.result_status)
        return kind | {
            "result_status": str(found.result_status),
            "segment": found.segment_index,
            "last": found.last_segment,
            "texts": [alternative.text for alternative in found.alternatives],
            "interpretations": [
                [interpretation.value for interpretation in alternative.interpretations]
                for alternative in found.alternatives
            ],
        }
    return kind


def compare(then: Sequence[ServerMessage], now: Sequence[ServerMessage]) -> list[Difference]:
    """Compare two conversations message by message. Partial results depend on the clock and are left out."""
    before, after = ([essence(message) for message in side if not _is_partial(message)] for side in (then, now))
    longest = max(len(before), len(after))
    pairs = [(_at(before, index), _at(after, index)) for index in range(longest)]
    return [Difference(index, one, other) for index, (one, other) in enumerate(pairs) if one != other]


async def replay(
    entries: Sequence[Entry], url: str, *, speed: float = 1.0, user: str | None = None, password: str | None = None
) -> list[ServerMessage]:
    """Play the client's side of a recording; return what the server says.

    A message leaves at its time, and not before the answers have come that stood before it in the recording.

    Args:
        entries: the recording.
        url: the server.
        speed: 2.0 plays twice as fast.
        user: for HTTP Basic.
        password: for HTTP Basic.

    Raises:
        ConnectionFailedError: no connection came about.
    """
    heard: list[ServerMessage] = []
    expected = sum(entry.side == "server" for entry in entries)
    news = trio.Event()
    missing = 0

    async with open_websocket(url, user=user, password=password) as line, trio.open_nursery() as nursery:

        async def listen() -> None:
            nonlocal news
            try:
                while True:
                    data = await line.receive()
                    heard.append(parse_server_message(data))
                    news.set()
                    news = trio.Event()
            except (ConnectionLostError, RemoteProtocolError):
                nursery.cancel_scope.cancel()

        async def wait_for(count: int) -> None:
            nonlocal missing
            with trio.move_on_after(PATIENCE_S):
                while len(heard) + missing < count:
                    await news.wait()
            missing = max(missing, count - len(heard))

        nursery.start_soon(listen)
        began_s = trio.current_time()
        answered = 0
        for entry in entries:
            if entry.side == "server":
                answered += 1
                continue
            await trio.sleep_until(began_s + entry.time_s / speed)
            await wait_for(answered)
            await line.send(entry.data)
        await wait_for(expected)
        nursery.cancel_scope.cancel()
    return heard


def recorded_answers(entries: Sequence[Entry]) -> list[ServerMessage]:
    """Return what the server said in a recording.

    Raises:
        RemoteProtocolError: one of its messages cannot be read.
    """
    return [parse_server_message(entry.data) for entry in entries if entry.side == "server"]


def _is_partial(message: ServerMessage) -> bool:
    return isinstance(message, RecognitionResult) and message.result_status is ResultStatus.PROCESSING


def _at(messages: Sequence[dict[str, Any]], index: int) -> dict[str, Any] | None:
    return messages[index] if index < len(messages) else None
