"""What can go wrong between a client and its server."""

from __future__ import annotations

from asr_trio.errors import AsrError
from asr_trio.protocol.messages import Response


class ConnectionFailedError(AsrError):
    """The server cannot be reached, or it refused the connection.

    Attributes:
        status: the HTTP status of a refusal (401: credentials), or None.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ConnectionLostError(AsrError):
    """The connection ended with something still to come.

    Attributes:
        close_code: the WebSocket close code, 1006 where there was none.
    """

    def __init__(self, message: str, close_code: int = 1006) -> None:
        super().__init__(message)
        self.close_code = close_code


class RequestRefusedError(AsrError):
    """The server answered a request with anything but SUCCESS.

    Attributes:
        response: the whole answer.
    """

    def __init__(self, response: Response) -> None:
        words = (response.error_code, response.message)
        super().__init__(f"{response.method}: {' - '.join(word for word in words if word) or response.result}")
        self.response = response

    @property
    def error_code(self) -> str | None:
        """The ``Error-Code`` header."""
        return self.response.error_code
