"""The table of recognition parameters: wire names, types, ranges, and what becomes of them.

A parameter that SDKs spell in several ways has one row with all its names. :mod:`asr_trio.protocol.parameters` reads
and writes values by this table; ``docs/protocol.md`` and the REST interface's description are written from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Final

import msgspec


class Kind(StrEnum):
    """Type of a value on the wire."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    HINTS = "hints"
    """Text that :mod:`asr_trio.protocol.hints` understands."""
    CHOICE = "choice"
    """One of `Parameter.choices`, in any case."""


class Support(Enum):
    """What becomes of a good value."""

    APPLIED = auto()
    """It changes what the server does."""
    RECORDED = auto()
    """It is kept, echoed by GET_PARAMETERS and written to the log, and has no further effect."""
    UNSUPPORTED = auto()
    """Asking for it is answered with an error word; refusing it (``false``) is accepted."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the registry.

    Attributes:
        names: wire names, the preferred spelling first.
        field: attribute of RecognitionParameters, or "" where nothing is kept.
        minimum: smallest good value of a number.
        maximum: largest good value of a number.
        effect: what it does, for people.
        words: names for small numbers that older clients write.
        choices: values of a choice, in small letters.
    """

    names: tuple[str, ...]
    field: str
    kind: Kind
    effect: str
    unit: str = ""
    minimum: float = 0
    maximum: float = math.inf
    support: Support = Support.APPLIED
    words: dict[str, int] = {}
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The preferred wire name."""
        return self.names[0]


# A day, in ms: far beyond any use, and small enough that sums of times stay exact everywhere.
_DAY_MS: Final = 86_400_000

PARAMETERS: Final[tuple[Parameter, ...]] = (
    Parameter(
        names=("decoder.startInputTimers",),
        field="start_input_timers",
        kind=Kind.BOOL,
        effect="START_RECOGNITION starts the enabled timers; if false only START_INPUT_TIMERS does",
    ),
    Parameter(
        names=("decoder.maxSentences",),
        field="max_sentences",
        kind=Kind.INT,
        minimum=1,
        maximum=100,
        effect="Number of alternatives in a result",
    ),
    Parameter(
        names=("decoder.confidenceThreshold",),
        field="confidence_threshold",
        kind=Kind.INT,
        maximum=100,
        effect="Alternatives with a lower score are discarded; none left gives NO_MATCH",
    ),
    Parameter(
        names=("decoder.continuousMode",),
        field="continuous_mode",
        kind=Kind.BOOL,
        effect="A result per segment until the audio ends",
    ),
    Parameter(
        names=("decoder.wordDetails",),
        field="word_details",
        kind=Kind.INT,
        maximum=2,
        words={"none": 0, "first": 1, "all": 2},
        effect="Words with times and scores: 0 none, 1 of the first alternative, 2 of all",
    ),
    Parameter(
        names=("decoder.partialResultEnabled",),
        field="partial_results_enabled",
        kind=Kind.BOOL,
        effect="Partial results while speech goes on",
    ),
    Parameter(
        names=("decoder.partialResultInterval",),
        field="partial_interval_ms",
        kind=Kind.INT,
        unit="ms",
        minimum=100,
        maximum=_DAY_MS,
        effect="Audio time between partial results",
    ),
    Parameter(
        names=("endpointer.enabled",),
        field="endpointer_enabled",
        kind=Kind.BOOL,
        effect="If false the whole audio is one segment and no speech events are sent",
    ),
    Parameter(
        names=("endpointer.headMargin",),
        field="head_margin_ms",
        kind=Kind.INT,
        unit="ms",
        maximum=5_000,
        effect="Audio kept before speech",
    ),
    Parameter(
        names=("endpointer.tailMargin",),
        field="tail_margin_ms",
        kind=Kind.INT,
        unit="ms",
        maximum=5_000,
        effect="Audio kept after speech",
    ),
    Parameter(
        names=("endpointer.waitEnd",),
        field="wait_end_ms",
        kind=Kind.INT,
        unit="ms",
        minimum=50,
        maximum=60_000,
        effect="Silence that ends a segment",
    ),
    Parameter(
        names=("endpointer.levelMode",),
        field="level_mode",
        kind=Kind.INT,
        maximum=2,
        effect="0 ignores amplitude, 1 threshold measured at the start, 2 fixed threshold",
    ),
    Parameter(
        names=("endpointer.autoLevelLen",),
        field="auto_level_len_ms",
        kind=Kind.INT,
        unit="ms",
        maximum=10_000,
        effect="Length of the measurement of level mode 1",
    ),
    Parameter(
        names=("endpointer.levelThreshold",),
        field="level_threshold",
        kind=Kind.FLOAT,
        unit="% of full scale (above 100: 16-bit sample value)",
        maximum=32_767,
        effect="Mean amplitude below which nothing is speech (mode 2), or what is added to the measured one (mode 1)",
    ),
    Parameter(
        names=("endpointer.useToneDetectors",),
        field="use_tone_detectors",
        kind=Kind.BOOL,
        effect="Telephone tones are not taken for speech",
    ),
    Parameter(
        names=("endpointer.maxSegmentDuration",),
        field="max_segment_duration_ms",
        kind=Kind.INT,
        unit="ms",
        minimum=500,
        maximum=_DAY_MS,
        effect="In continuous mode a longer segment is cut at its quietest place",
    ),
    Parameter(
        names=("endpointer.segmentOverlapTime",),
        field="segment_overlap_ms",
        kind=Kind.INT,
        unit="ms",
        maximum=5_000,
        effect="Audio that both sides of a forced cut share",
    ),
    Parameter(
        names=("noInputTimeout.enabled",),
        field="no_input_timer_enabled",
        kind=Kind.BOOL,
        effect="No speech within noInputTimeout.value ends the recognition",
    ),
    Parameter(
        names=("noInputTimeout.value",),
        field="no_input_timeout_ms",
        kind=Kind.INT,
        unit="ms",
        maximum=_DAY_MS,
        effect="Time from START_RECOGNITION or START_INPUT_TIMERS to speech; set by a client also that much audio",
    ),
    Parameter(
        names=("recognitionTimeout.enabled",),
        field="recognition_timer_enabled",
        kind=Kind.BOOL,
        effect="No result within recognitionTimeout.value ends the recognition",
    ),
    Parameter(
        names=("recognitionTimeout.value",),
        field="recognition_timeout_ms",
        kind=Kind.INT,
        unit="ms (below 100: seconds)",
        minimum=1,
        maximum=_DAY_MS,
        effect="Time from the start of speech to its result",
    ),
    Parameter(
        names=("textify.enabled",),
        field="textify_enabled",
        kind=Kind.BOOL,
        effect="Numbers, dates, times and amounts are written in figures",
    ),
    Parameter(
        names=("textify.formatting.enabled", "textify.formattingEnabled"),
        field="textify_formatting_enabled",
        kind=Kind.BOOL,
        effect="Dates, times and amounts too, not only numbers",
    ),
    Parameter(
        names=("textify.formatting.rules", "textify.formattingRules"),
        field="textify_formatting_rules",
        kind=Kind.TEXT,
        effect="Which kinds, by name and comma: number, date, time, currency; empty for all",
    ),
    Parameter(
        names=("loggingTag", "logging.tag"),
        field="logging_tag",
        kind=Kind.TEXT,
        support=Support.RECORDED,
        effect="Written with every log line of the session",
    ),
    Parameter(
        names=("license.manager.accountTag", "licenseManager.accountTag"),
        field="account_tag",
        kind=Kind.TEXT,
        support=Support.RECORDED,
        effect="Written to the log for accounting",
    ),
    Parameter(
        names=("Channel-Identifier",),
        field="channel_identifier",
        kind=Kind.TEXT,
        support=Support.RECORDED,
        effect="Written to the log; sessions share nothing here",
    ),
    Parameter(
        names=("Media-Type",),
        field="media_type",
        kind=Kind.TEXT,
        effect="Type of the coming audio where SEND_AUDIO names none; its `;rate=` counts in any case",
    ),
    Parameter(
        names=("Verify-Buffer-Utterance", "Ver-Buffer-Utterance"),
        field="verify_buffer_utterance",
        kind=Kind.BOOL,
        support=Support.UNSUPPORTED,
        effect="Speaker verification",
    ),
    Parameter(
        names=("Infer-age-enabled",), field="", kind=Kind.BOOL, support=Support.UNSUPPORTED, effect="Age classifier"
    ),
    Parameter(
        names=("Infer-gender-enabled",),
        field="",
        kind=Kind.BOOL,
        support=Support.UNSUPPORTED,
        effect="Gender classifier",
    ),
    Parameter(
        names=("Infer-emotion-enabled",),
        field="",
        kind=Kind.BOOL,
        support=Support.UNSUPPORTED,
        effect="Emotion classifier",
    ),
    Parameter(
        names=("grammar.unknownWords",),
        field="unknown_words",
        kind=Kind.CHOICE,
        choices=("generate", "reject", "ignore"),
        effect="Words of a grammar that no dictionary has: said by their spelling, refused, or left out with a warning",
    ),
    # Last: its value may hold characters at which the C++ client's tokenizer stops reading headers.
    Parameter(
        names=("hints.words",),
        field="hints",
        kind=Kind.HINTS,
        effect="Words to expect: `word:boost [pron], …`; boost and pronunciation optional",
    ),
)
"""All parameters, in the order in which GET_PARAMETERS answers."""

REGISTRY: Final[Mapping[str, Parameter]] = {
    name.lower(): parameter for parameter in PARAMETERS for name in parameter.names
}
"""Every known spelling in lower case."""

SPELLINGS: Final[Mapping[str, str]] = {name.lower(): name for parameter in PARAMETERS for name in parameter.names}
