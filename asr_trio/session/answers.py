"""The RESPONSEs of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from asr_trio.errors import AsrError
from asr_trio.protocol.messages import Method, Response, Result, SessionStatus
from asr_trio.session.events import Send


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
        message: str | None = None,
    ) -> Send:
        """Return SUCCESS, with values or error words by parameter name."""
        return Send(
            message=Response(
                handle=self._handle,
                method=method,
                result=Result.SUCCESS,
                session_status=self._status(),
                expires_ms=expires_ms,
                parameters=dict(parameters or {}),
                message=message,
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
