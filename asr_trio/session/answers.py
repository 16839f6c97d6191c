"""The RESPONSEs of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from asr_trio.errors import AsrError
from asr_trio.protocol.messages import Method, Response, Result, SessionStatus
from asr_trio.session.events import Send

NOTES_CHARACTERS: Final = 1000
"""A grammar may have thousands of words to warn about."""


class Answers:
    """Makes the answers of one session.

    Args:
        handle: the session's handle.
        status: tells the session's state at the moment of an answer.
    """

    def __init__(self, handle: int, status: Callable[[], SessionStatus]) -> None:
        self._handle = handle
        self._status = status

    def success(
        self,
        method: Method,
        *,
        parameters: Mapping[str, str] | None = None,
        expires_ms: int | None = None,
        notes: Iterable[str] = (),
    ) -> Send:
        """Return SUCCESS, with values or error words by parameter name, and what the client should know besides."""
        return Send(
            message=Response(
                handle=self._handle,
                method=method,
                result=Result.SUCCESS,
                session_status=self._status(),
                expires_ms=expires_ms,
                parameters=dict(parameters or {}),
                message="; ".join(notes)[:NOTES_CHARACTERS] or None,
            )
        )

    def nothing_to_do(self, method: Method) -> Send:
        """Return INVALID_ACTION without the Error-Code that would end the session of some clients."""
        return Send(
            message=Response(
                handle=self._handle,
                method=method,
                result=Result.INVALID_ACTION,
                session_status=self._status(),
                message="Nothing to do in this state",
            )
        )

    def failure(self, method: str, error: AsrError) -> Send:
        """Return what an error means on the wire; `method` may be whatever an invalid message was called."""
        return Send(
            message=Response(
                handle=self._handle,
                method=method,
                result=Result(error.result),
                session_status=self._status(),
                error_code=error.code,
                message=error.wire_message,
            )
        )
