"""The seat that a decoder takes: what an engine does inside a worker process, and the frames between it and the server.

One worker process serves one job at a time: a recognition, an interpretation, a compilation or a compressed stream. The
frames are transport-neutral (`ipc` puts them on a socket), so an engine can be anything that fits `Engine`.

Audio is 16 kHz mono signed 16-bit little-endian. Positions are seconds from the first byte of the recognition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import msgspec

from asr_trio.audio.codecs import Codec
from asr_trio.grammar.lexicon import UnknownWords
from asr_trio.protocol.results import Alternative
from asr_trio.settings import ModelSettings

SAMPLE_RATE_HZ = 16_000


class _Frame(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


# --- language models --------------------------------------------------------------------------------------------


class StatisticalModel(_Frame, frozen=True):
    """A free-speech model by its configured name (``builtin:slm/<name>`` without the prefix)."""

    name: str
    lm: str


class GrammarModel(_Frame, frozen=True):
    """A compiled grammar: the bytes that a Compiled frame returned. `digest` names its content in caches."""

    compiled: bytes
    digest: str
    lm: str


LanguageModel: TypeAlias = StatisticalModel | GrammarModel


class DecoderSettings(_Frame, frozen=True):
    """What of the recognition parameters concerns the decoder.

    Attributes:
        max_sentences: length of the n-best list, >= 1.
        word_details: 0 none, 1 words of the first alternative, 2 of all.
        partial_interval_ms: audio time between partial hypotheses; None for no partials.
        hints: the value of ``hints.words`` as sent, or "".
    """

    max_sentences: int = 1
    word_details: int = 1
    partial_interval_ms: int | None = None
    hints: str = ""

    def shows_words(self, rank: int) -> bool:
        """Tell whether the alternative of this rank, from 0, is given with its words."""
        return self.word_details > min(rank, 1)


# --- server to worker -------------------------------------------------------------------------------------------


class Open(_Frame, frozen=True):
    """Begin a recognition; answered by Opened or Failed. Several models compete."""

    models: tuple[LanguageModel, ...]
    settings: DecoderSettings
    channel_state: bytes = b""
    """Opaque adaptation state (cepstral mean) that an earlier Final of the same session returned, or empty."""


class StartSegment(_Frame, frozen=True):
    """A segment of speech begins at `start_s`."""

    start_s: float


class Audio(_Frame, frozen=True):
    """Audio of the running segment, any number of whole samples."""

    pcm: bytes


class Pause(_Frame, frozen=True):
    """Speech pauses, and the segment may be over: a decoder may prepare its result from what it has.

    Audio after it is silence until a Resume or the end of the segment.
    """


class Resume(_Frame, frozen=True):
    """Speech goes on after a Pause."""


class LowerPriority(_Frame, frozen=True):
    """The audio comes faster than anybody speaks: decode it after live audio.

    Attributes:
        gives_way: there is live audio: take only what nobody else wants.
    """

    gives_way: bool = False


class EndSegment(_Frame, frozen=True):
    """The segment is complete; answered by Final or Failed."""

    end_s: float


class Cancel(_Frame, frozen=True):
    """Give the recognition up (or end it after its last Final); answered by Closed: the worker is free again."""


class Document(_Frame, frozen=True):
    """A document that a grammar refers to, or in `error` why it cannot be had."""

    text: bytes = b""
    content_type: str | None = None
    error: str = ""


class Compile(_Frame, frozen=True):
    """Compile a grammar; answered by Compiled or Failed.

    Attributes:
        documents: what is known by URI of the documents that it refers to; a worker fetches nothing itself.
        unknown_words: what becomes of words without a pronunciation; "" leaves it to the operator's setting.
        hints: the value of ``hints.words``, for the pronunciations in it.
    """

    text: bytes
    content_type: str | None
    lm: str
    documents: dict[str, Document] = {}
    unknown_words: UnknownWords | Literal[""] = ""
    hints: str = ""


class Interpret(_Frame, frozen=True):
    """Interpret a text by grammars; answered by Interpreted or Failed."""

    text: str
    models: tuple[LanguageModel, ...]
    max_sentences: int = 1


class Decompress(_Frame, frozen=True):
    """Bytes of a compressed stream, in a process of its own for each stream. Answered by Decompressed or Failed.

    Attributes:
        codec: what the stream is, the same in every frame.
        data: the next bytes.
        last: no more will come.
    """

    codec: Codec
    data: bytes
    last: bool


class Load(_Frame, frozen=True):
    """Load a configured model that the process was not forked with; answered by Loaded or Failed."""

    model: str


class Probe(_Frame, frozen=True):
    """Answered by Alive as soon as everything before it is done: tells a busy worker from one that hangs."""


ToWorker: TypeAlias = (
    Open
    | StartSegment
    | Audio
    | Pause
    | Resume
    | LowerPriority
    | EndSegment
    | Cancel
    | Compile
    | Interpret
    | Decompress
    | Load
    | Probe
)

# --- worker to server -------------------------------------------------------------------------------------------


class Opened(_Frame, frozen=True):
    """Ready for segments."""


class Partial(_Frame, frozen=True):
    """Hypotheses of the running segment so far; never empty."""

    alternatives: tuple[Alternative, ...]
    end_s: float


class Final(_Frame, frozen=True):
    """Hypotheses of the ended segment, best first, maybe none.

    Attributes:
        cpu_s: processor time that this segment cost.
        channel_state: hand it to the next Open of the same session.
    """

    alternatives: tuple[Alternative, ...]
    cpu_s: float
    channel_state: bytes = b""


class Closed(_Frame, frozen=True):
    """The recognition is over; `recycle` asks for this process to be replaced (memory, age)."""

    recycle: bool = False
    rss_bytes: int = 0


class Compiled(_Frame, frozen=True):
    """A compiled grammar and what the author should know.

    Attributes:
        missing: URIs of documents that it refers to and that did not come along. Where there are any, nothing is
            compiled: ask again with them.
    """

    compiled: bytes
    digest: str
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    cpu_s: float = 0.0


class Interpreted(_Frame, frozen=True):
    """Interpretations of a text; empty where no grammar covers it."""

    alternatives: tuple[Alternative, ...]


class Decompressed(_Frame, frozen=True):
    """Samples that a Decompress completed.

    Attributes:
        pcm: 16-bit mono samples.
        sample_rate_hz: theirs; 0 as long as it is not known.
        has_more: there are more already: ask again, with no bytes.
        finished: the stream has ended.
    """

    pcm: bytes
    sample_rate_hz: int
    has_more: bool
    finished: bool


class Alive(_Frame, frozen=True):
    """The answer to Probe."""


class Working(_Frame, frozen=True):
    """Sign of life, sent unasked every second of uninterrupted work."""


class Loaded(_Frame, frozen=True):
    """The answer to Load."""


class Failed(_Frame, frozen=True):
    """The job failed: `error` names a class of `asr_trio.errors`; the worker is still usable."""

    error: str
    message: str
    details: dict[str, Any] = {}


FromWorker: TypeAlias = (
    Opened | Partial | Final | Closed | Compiled | Interpreted | Decompressed | Alive | Working | Loaded | Failed
)


class RecognitionAbandonedError(Exception):
    """Nobody waits for the recognition any more. A pulse raises it; an engine lets it pass."""


Pulse: TypeAlias = Callable[[], None]
"""An engine calls it several times a second while one call of it takes longer: the server sees that work goes on, and a
recognition that was given up ends at once, by RecognitionAbandonedError, with its process."""


def no_pulse() -> None:
    """Stand in where nobody listens."""


class Recognition(Protocol):
    """One model of one recognition at work. Segments come one after another; any AsrError becomes Failed."""

    def start_segment(self, start_s: float) -> None:
        """Begin a segment."""

    def accept(self, pcm: bytes) -> None:
        """Decode more audio: any number of whole samples; results must not depend on how they are cut."""

    def partial(self) -> tuple[Alternative, ...]:
        """Return the best hypothesis of the running segment so far, or ()."""

    def pause(self) -> None:
        """Prepare the result: what follows is silence, until `resume` or `finish_segment`."""

    def resume(self) -> None:
        """Throw away what `pause` prepared: speech goes on."""

    def finish_segment(self, end_s: float) -> tuple[Alternative, ...]:
        """Decode what is left of the segment and return its hypotheses, best first; () where nothing was understood."""

    def channel_state(self) -> bytes:
        """Return what the next recognition of the same caller should start from."""

    def close(self) -> None:
        """Forget the recognition and everything of its caller."""


class Engine(Protocol):
    """A decoder inside a worker process: made once for each process, opened once or twice for each recognition.

    Engines are found by the entry-point group ``asr_trio.engines``; an entry point names a class like this.

    Attributes:
        fork_safe: the models may be loaded once, before processes are forked; else each worker loads its own, and
            serves no other model's recognitions. The module itself is imported before processes are forked in any
            case: importing it must start no thread.
    """

    fork_safe: ClassVar[bool]

    def __init__(self, name: str, settings: ModelSettings) -> None:
        """Load a configured model.

        Raises:
            AcousticModelError: the model cannot be had.
        """

    def open(
        self,
        models: tuple[LanguageModel, ...],
        settings: DecoderSettings,
        channel_state: bytes,
        pulse: Pulse = no_pulse,
    ) -> Recognition:
        """Get ready to decode segments.

        Args:
            models: one StatisticalModel, or GrammarModels that compete in one search.
            settings: how.
            channel_state: what an earlier recognition of the same caller returned, or empty.
            pulse: to be called in long work.

        Raises:
            AsrError: the engine cannot read these models.
        """
