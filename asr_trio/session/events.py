"""What goes into a session besides client messages (events) and what comes out of it (effects).

The session decides and never acts: each call returns effects in the order in which the shell must carry them out.
An effect that asks for work is answered by exactly one of the events named in its docstring; until then the shell hands
the session no further client message, which is what keeps answers in request order. Events of a recognition carry its
`recognition` number, so that what a finished or cancelled recognition still says can be told from the running one's.

Positions are seconds of audio from the first byte of the recognition; `now_s` handed to the session is a monotonic
clock.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from asr_trio.errors import AsrError
from asr_trio.protocol.messages import ServerMessage
from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.protocol.results import Alternative


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    pass


# --- language models as the session names them ------------------------------------------------------------------


class UriSource(_Value, frozen=True, kw_only=True):
    """A language model by URI: ``builtin:``, ``file:`` or ``http(s):`` (``session:`` is resolved by the session)."""

    uri: str


class GrammarSource(_Value, frozen=True, kw_only=True):
    """A grammar sent inline. `lm` is the name that results carry (``session:<content_id>``)."""

    text: bytes
    content_type: str | None
    lm: str


class PreparedSource(_Value, frozen=True, kw_only=True):
    """What an earlier PrepareLanguageModels returned; opaque to the session."""

    prepared: Any
    lm: str


LanguageModelSource: TypeAlias = UriSource | GrammarSource | PreparedSource

# --- effects ----------------------------------------------------------------------------------------------------


class Send(_Value, frozen=True, kw_only=True):
    """Send one message."""

    message: ServerMessage


class PrepareLanguageModels(_Value, frozen=True, kw_only=True):
    """Fetch and compile for DEFINE_GRAMMAR. Answered by LanguageModelsPrepared or RequestFailed."""

    sources: tuple[LanguageModelSource, ...]
    parameters: RecognitionParameters


class OpenRecognition(_Value, frozen=True, kw_only=True):
    """Fetch, compile, lease a worker and get ready for audio. Answered by RecognitionOpened or RequestFailed."""

    recognition: int
    sources: tuple[LanguageModelSource, ...]
    parameters: RecognitionParameters


class PushAudio(_Value, frozen=True, kw_only=True):
    """Hand audio to the running recognition, as it came; `last` says that no more will come.

    `content_type` is the same in all packets of a recognition: what the first one said, or else ``Media-Type``.
    """

    audio: bytes
    last: bool
    content_type: str | None = None


class StopRecognition(_Value, frozen=True, kw_only=True):
    """The recognition is over: free its worker; nothing that it still says is wanted.

    Comes exactly once for every OpenRecognition that was not answered by RequestFailed: after the last result, on
    CANCEL_RECOGNITION and RELEASE_SESSION, on expiry, and when the connection is lost while it opens or runs.
    """

    recognition: int


class Interpret(_Value, frozen=True, kw_only=True):
    """Interpret a text. Answered by TextInterpreted or RequestFailed."""

    text: str
    sources: tuple[LanguageModelSource, ...]
    parameters: RecognitionParameters


class Close(_Value, frozen=True, kw_only=True):
    """Close the connection after everything before it was sent."""

    code: int
    reason: str


Effect: TypeAlias = Send | PrepareLanguageModels | OpenRecognition | PushAudio | StopRecognition | Interpret | Close

# --- events -----------------------------------------------------------------------------------------------------


class LanguageModelsPrepared(_Value, frozen=True, kw_only=True):
    """Answer to PrepareLanguageModels; `warnings` are what the author of a grammar should know.

    `size_bytes` is what keeping it costs.
    """

    prepared: Any
    size_bytes: int = 0
    warnings: tuple[str, ...] = ()


class RecognitionOpened(_Value, frozen=True, kw_only=True):
    """Answer to OpenRecognition. `language` is the tag of what will be recognised (``en-US``), for textify."""

    recognition: int
    language: str = ""
    warnings: tuple[str, ...] = ()


class TextInterpreted(_Value, frozen=True, kw_only=True):
    """Answer to Interpret; no alternatives means that no grammar covers the text."""

    alternatives: tuple[Alternative, ...]
    language: str = ""


class RequestFailed(_Value, frozen=True, kw_only=True):
    """A request could not be carried out; `error` carries the wire's words."""

    error: AsrError


class SpeechStarted(_Value, frozen=True, kw_only=True):
    """Speech begins at `start_s` (head margin included); the decision fell at `decided_s`."""

    recognition: int
    start_s: float
    decided_s: float


class SpeechEnded(_Value, frozen=True, kw_only=True):
    """The segment ends at `end_s` (tail margin included); the decision fell at `decided_s`. Its SegmentDecoded follows.

    `audio_ended` is True where the end of the audio and not silence ended it: no later segment can follow.
    """

    recognition: int
    end_s: float
    decided_s: float
    audio_ended: bool


class AudioProcessed(_Value, frozen=True, kw_only=True):
    """All audio up to `position_s` has passed the endpointer, and events before it have been told."""

    recognition: int
    position_s: float


class AudioEnded(_Value, frozen=True, kw_only=True):
    """The audio ended outside speech; `position_s` is its length. Nothing follows."""

    recognition: int
    position_s: float


class PartialDecoded(_Value, frozen=True, kw_only=True):
    """A partial hypothesis of the running segment; never without alternatives."""

    recognition: int
    start_s: float
    end_s: float
    alternatives: tuple[Alternative, ...]


class SegmentDecoded(_Value, frozen=True, kw_only=True):
    """The hypotheses of an ended segment, best first, maybe none, not yet filtered by the session's threshold."""

    recognition: int
    start_s: float
    end_s: float
    alternatives: tuple[Alternative, ...]


class RecognitionFailed(_Value, frozen=True, kw_only=True):
    """The running recognition cannot go on."""

    recognition: int
    error: AsrError


RecognitionEvent: TypeAlias = (
    SpeechStarted | SpeechEnded | AudioProcessed | AudioEnded | PartialDecoded | SegmentDecoded | RecognitionFailed
)
RequestEvent: TypeAlias = LanguageModelsPrepared | RecognitionOpened | TextInterpreted | RequestFailed
Event: TypeAlias = RecognitionEvent | RequestEvent
