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


class UriSource(_Value):
    """A language model by URI: ``builtin:``, ``file:`` or ``http(s):`` (``session:`` is resolved by the session)."""

    uri: str


class GrammarSource(_Value):
    """A grammar sent inline. `lm` is the name that results carry (``session:<content_id>``)."""

    text: bytes
    content_type: str | None
    lm: str


class PreparedSource(_Value):
    """What an earlier PrepareLanguageModels returned; opaque to the session."""

    prepared: Any
    lm: str


LanguageModelSource: TypeAlias = UriSource | GrammarSource | PreparedSource

# --- effects ----------------------------------------------------------------------------------------------------


class Send(_Value):
    """Send one message."""

    message: ServerMessage


class PrepareLanguageModels(_Value):
    """Fetch and compile for DEFINE_GRAMMAR. Answered by LanguageModelsPrepared or RequestFailed."""

    sources: tuple[LanguageModelSource, ...]
    parameters: RecognitionParameters


class OpenRecognition(_Value):
    """Fetch, compile, lease a worker and get ready for audio. Answered by RecognitionOpened or RequestFailed."""

    recognition: int
    sources: tuple[LanguageModelSource, ...]
    parameters: RecognitionParameters


class PushAudio(_Value):
    """Hand audio to the running recognition, as it came; `last` says that no more will come."""

    audio: bytes
    last: bool


class StopRecognition(_Value):
    """Give the running recognition up and free its worker; nothing that it still says is wanted."""

    recognition: int


class Interpret(_Value):
    """Interpret a text. Answered by TextInterpreted or RequestFailed."""

    text: str
    sources: tuple[LanguageModelSource, ...]
    parameters: RecognitionParameters


class Close(_Value):
    """Close the connection after everything before it was sent."""

    code: int
    reason: str


Effect: TypeAlias = Send | PrepareLanguageModels | OpenRecognition | PushAudio | StopRecognition | Interpret | Close

# --- events -----------------------------------------------------------------------------------------------------


class LanguageModelsPrepared(_Value):
    """Answer to PrepareLanguageModels."""

    prepared: Any


class RecognitionOpened(_Value):
    """Answer to OpenRecognition."""

    recognition: int


class TextInterpreted(_Value):
    """Answer to Interpret; no alternatives means that no grammar covers the text."""

    alternatives: tuple[Alternative, ...]


class RequestFailed(_Value):
    """A request could not be carried out; `error` carries the wire's words."""

    error: AsrError


class SpeechStarted(_Value):
    """Speech begins at `start_s` (head margin included); the decision fell at `decided_s`."""

    recognition: int
    start_s: float
    decided_s: float


class SpeechEnded(_Value):
    """The segment ends at `end_s` (tail margin included); its SegmentDecoded follows.

    `audio_ended` is True where the end of the audio and not silence ended it: no later segment can follow.
    """

    recognition: int
    end_s: float
    audio_ended: bool


class AudioProcessed(_Value):
    """All audio up to `position_s` has passed the endpointer, and events before it have been told."""

    recognition: int
    position_s: float


class AudioEnded(_Value):
    """The audio ended outside speech; `position_s` is its length. Nothing follows."""

    recognition: int
    position_s: float


class PartialDecoded(_Value):
    """A partial hypothesis of the running segment; never without alternatives."""

    recognition: int
    start_s: float
    end_s: float
    alternatives: tuple[Alternative, ...]


class SegmentDecoded(_Value):
    """The hypotheses of an ended segment, best first, maybe none, not yet filtered by the session's threshold."""

    recognition: int
    start_s: float
    end_s: float
    alternatives: tuple[Alternative, ...]


class RecognitionFailed(_Value):
    """The running recognition cannot go on."""

    recognition: int
    error: AsrError


RecognitionEvent: TypeAlias = (
    SpeechStarted | SpeechEnded | AudioProcessed | AudioEnded | PartialDecoded | SegmentDecoded | RecognitionFailed
)
RequestEvent: TypeAlias = LanguageModelsPrepared | RecognitionOpened | TextInterpreted | RequestFailed
Event: TypeAlias = RecognitionEvent | RequestEvent
