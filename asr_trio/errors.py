"""The exception tree.

Errors are told apart by what the caller can do about them, and each class carries the words that go on the wire:
``result`` is the ``Result`` header (``None`` where the failure belongs in a RECOGNITION_RESULT instead of a RESPONSE)
and ``code`` the ``Error-Code`` header. The message of an exception is meant for the client: it names no path of this
machine and holds no traceback.
"""

from __future__ import annotations

from typing import ClassVar


class AsrError(Exception):
    """Base of every error that this package raises on purpose."""

    result: ClassVar[str] = "FAILURE"
    code: ClassVar[str] = "ERR_GENERIC"

    @property
    def wire_message(self) -> str:
        """The ``Message`` header: everything that the client's author needs to mend the fault."""
        return str(self)


class ConfigError(AsrError):
    """The configuration cannot be used; the operator must mend it."""


# --- the peer broke the protocol --------------------------------------------------------------------------------


class ProtocolError(AsrError):
    """Base of violations of the wire protocol."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that are not a message. Given any bytes, a parser returns a message or raises this.

    Attributes:
        method: the message name on the start line, or "" where there was none. It comes from the peer.
    """

    result: ClassVar[str] = "INVALID_MESSAGE"
    code: ClassVar[str] = "ERR_INVALID_ARGUMENT"

    def __init__(self, message: str, *, method: str = "") -> None:
        super().__init__(message)
        self.method = method


class LocalProtocolError(ProtocolError):
    """This program tried to send something that the protocol does not allow: a bug on this side."""

    code: ClassVar[str] = "ERR_INTERNAL_ERROR"


class InvalidStateError(ProtocolError):
    """A well-formed message that the session cannot take in its present state."""

    result: ClassVar[str] = "INVALID_ACTION"
    code: ClassVar[str] = "ERR_INVALID_STATE"


# --- language models and grammars -------------------------------------------------------------------------------


class LanguageModelError(AsrError):
    """Base of everything that is wrong with a language model that a client named or sent."""

    code: ClassVar[str] = "ERR_CORRUPTED_LM"


class LanguageModelNotFoundError(LanguageModelError):
    """No language model has this URI, or the URI is outside what the configuration allows."""

    code: ClassVar[str] = "ERR_FILE_OPEN"


class LanguageModelFetchError(LanguageModelError):
    """A language model is there, or may be, and could not be fetched: time, network, server."""

    code: ClassVar[str] = "ERR_PATH_READ"


class NoLanguageModelError(LanguageModelError):
    """The request names no language model."""

    code: ClassVar[str] = "ERR_NO_ACTIVE_LM"


class AcousticModelError(LanguageModelError):
    """The acoustic model that a language model needs is not configured or cannot be loaded."""

    code: ClassVar[str] = "ERR_ARG_INVALID"


class GrammarError(LanguageModelError):
    """A grammar cannot be used.

    Attributes:
        line: 1-based line of the fault in the grammar's text, or None.
        column: 1-based column, or None.
        excerpt: the source line at fault, or "".
        hint: what to do about it, or "".
    """

    def __init__(
        self, message: str, *, line: int | None = None, column: int | None = None, excerpt: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.excerpt = excerpt
        self.hint = hint

    @property
    def wire_message(self) -> str:
        """Place, fault and hint: an editor that gets nothing but this can mark the place."""
        column = f", column {self.column}" if self.column else ""
        place = f"line {self.line}{column}: " if self.line else ""
        return f"{place}{self}{f' ({self.hint})' if self.hint else ''}"


# --- audio ------------------------------------------------------------------------------------------------------


class AudioFormatError(AsrError):
    """The audio cannot be decoded: unknown container, unsupported codec, impossible header."""

    code: ClassVar[str] = "ERR_INVALID_ARGUMENT"


class AudioOverflowError(AsrError):
    """More audio was sent than the configured bound on one recognition."""

    code: ClassVar[str] = "ERR_BUFFER_OVERFLOW"


# --- capacity ---------------------------------------------------------------------------------------------------


class CapacityError(AsrError):
    """Base of refusals that may succeed later or elsewhere."""

    code: ClassVar[str] = "ERROR_BUSY"


class BusyError(CapacityError):
    """No decoding capacity is left now."""


class LicenseError(CapacityError):
    """All licensed sessions are taken."""

    code: ClassVar[str] = "ERR_MAX_LICENSES"


# --- the recogniser ---------------------------------------------------------------------------------------------


class RecognizerError(AsrError):
    """The recogniser failed at something that it should have done."""

    code: ClassVar[str] = "ERR_INTERNAL_ERROR"


class WorkerDiedError(RecognizerError):
    """The worker process ended in the middle of its work."""


class WorkerTimeoutError(RecognizerError):
    """The worker process did not answer within its bound and was killed."""


# --- groups -----------------------------------------------------------------------------------------------------


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the exceptions within a group and the groups in it, in order."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
