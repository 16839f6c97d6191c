"""Recognition parameters: the one table of their wire names, types, ranges, defaults and scopes.

Names are matched without regard to case, and where the SDKs spell a parameter in several ways each spelling is known.
A value that the SDKs write for "not set" (an empty string, Python's ``None``) changes nothing. Whatever a client
sends, :func:`update` takes what is good and names what is not; nothing here is fatal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum, auto
from typing import Any, Final, TypeAlias

import msgspec

from asr_trio.errors import ConfigError
from asr_trio.protocol.hints import parse_hints

UNKNOWN_PARAMETER: Final = "ERR_INVALID_PARAMETER"
"""Echoed for a name that nobody knows."""
INVALID_VALUE: Final = "ERR_INVALID_PARAMETER_VALUE"
"""Echoed for a value of the wrong type or out of range."""
UNSUPPORTED: Final = "ERR_UNSUPPORTED_PARAMETER"
"""Echoed for something that other servers of this protocol have and this one does not."""

LENIENT_SECONDS_LIMIT: Final = 100
"""A recognitionTimeout below this is read as seconds: C++ and old iOS builders write seconds where the wire wants
milliseconds, and nobody wants a recognition that must end within 100 ms of speech."""

AMPLITUDE_PER_PERCENT: Final = 327.67
"""Full scale of a 16-bit sample is 100 %. levelThreshold is documented in percent, one SDK comments 0-32767."""


class RecognitionParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a client can choose about a recognition.

    Attributes:
        max_sentences: length of the n-best list, >= 1.
        confidence_threshold: alternatives with a lower score (0-100) are discarded.
        continuous_mode: recognise segment after segment until the audio ends.
        word_details: 0 no words, 1 words of the first alternative, 2 words of all.
        start_input_timers: START_RECOGNITION starts the timers; otherwise START_INPUT_TIMERS does.
        endpointer_enabled: False takes the whole audio as one segment and sends no speech events.
        max_segment_duration_ms: less than `recognition_timeout_ms`, within which a segment is spoken and decoded.
        level_mode: 0 ignores amplitude, 1 measures a threshold over `auto_level_len_ms`, 2 uses a fixed one.
        level_threshold: mean amplitude in percent of full scale; in level mode 1 added to what was measured.
        no_input_timeout_explicit: a client set the time itself; then it also runs out on that much audio.
        hints: value of ``hints.words`` as sent; see :mod:`asr_trio.protocol.hints`.
        media_type: type of the coming audio as announced by START_RECOGNITION, or "".
    """

    max_sentences: int = 1
    confidence_threshold: int = 0
    continuous_mode: bool = False
    word_details: int = 1
    partial_results_enabled: bool = False
    partial_interval_ms: int = 1000
    start_input_timers: bool = True
    endpointer_enabled: bool = True
    head_margin_ms: int = 200
    tail_margin_ms: int = 400
    wait_end_ms: int = 1000
    level_mode: int = 2
    auto_level_len_ms: int = 350
    level_threshold: float = 0.2
    use_tone_detectors: bool = True
    max_segment_duration_ms: int = 20_000
    segment_overlap_ms: int = 500
    no_input_timer_enabled: bool = True
    no_input_timeout_ms: int = 10_000
    no_input_timeout_explicit: bool = False
    recognition_timer_enabled: bool = True
    recognition_timeout_ms: int = 30_000
    hints: str = ""
    textify_enabled: bool = False
    textify_formatting_enabled: bool = True
    textify_formatting_rules: str = ""
    logging_tag: str = ""
    account_tag: str = ""
    channel_identifier: str = ""
    media_type: str = ""
    verify_buffer_utterance: bool = False


class Kind(StrEnum):
    """Type of a value on the wire."""

    HINTS = "hints"
    """Text that :mod:`asr_trio.protocol.hints` understands."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"


class Support(Enum):
    """What becomes of a good value."""

    APPLIED = auto()
    """It changes what the server does."""
    RECORDED = auto()
    """It is kept, echoed by GET_PARAMETERS and written to the log, and has no further effect."""
    UNSUPPORTED = auto()
    """Asking for it is answered with :data:`UNSUPPORTED`; refusing it (``false``) is accepted."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the registry.

    Attributes:
        names: wire names, the preferred spelling first.
        field: attribute of RecognitionParameters, or "" where nothing is kept.
        minimum: smallest good value of a number.
        maximum: largest good value of a number.
        effect: what it does, for people.
        words: names for small numbers that older clients write.
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

    @property
    def name(self) -> str:
        """The preferred wire name."""
        return self.names[0]

    @property
    def default(self) -> Value | None:
        """The value without any client's or operator's wish."""
        return getattr(RecognitionParameters(), self.field) if self.field else None


Value: TypeAlias = bool | int | float | str

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
        effect="Type of the coming audio where SEND_AUDIO names none",
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

_SPELLINGS: Final[Mapping[str, str]] = {name.lower(): name for parameter in PARAMETERS for name in parameter.names}
_PREFERRED: Final = tuple(parameter.name for parameter in PARAMETERS)
_ORDER: Final[Mapping[str, int]] = {name: index for index, name in enumerate(_PREFERRED)}
_TRUE_WORDS: Final = frozenset(("1", "yes", "true", "on"))
_FALSE_WORDS: Final = frozenset(("0", "no", "false", "off"))
# In this very case: "None" is Python's, "NONE" a word detail.
_NOT_SET: Final = frozenset(("", "None", "null"))


def parse_bool(text: str) -> bool:
    """Read a truth value as the SDKs write it.

    Raises:
        ValueError: it is neither of the words for true nor of those for false.
    """
    word = text.lower()
    if word in _TRUE_WORDS:
        return True
    if word in _FALSE_WORDS:
        return False
    raise ValueError(text)


def _parse_number(parameter: Parameter, text: str) -> float:
    number = float(parameter.words.get(text.lower(), text))
    # nan fails every comparison, so this refuses it too.
    if not parameter.minimum <= number <= parameter.maximum:
        raise ValueError(text)
    return number


def _parse_value(parameter: Parameter, text: str) -> Value:
    """Read the wire form of a value; ValueError where it is not one."""
    if parameter.kind is Kind.BOOL:
        return parse_bool(text)
    if parameter.kind is Kind.TEXT:
        return text
    if parameter.kind is Kind.HINTS:
        parse_hints(text)
        return text
    number = _parse_number(parameter, text)
    if parameter.kind is Kind.INT:
        # "1000.0" is what a float-minded client writes; 0.5 is not an integer of any kind.
        if not number.is_integer():
            raise ValueError(text)
        return int(number)
    return number


def _changes(parameter: Parameter, value: Value) -> dict[str, Value]:
    """Return the attributes of RecognitionParameters that a good value changes."""
    changes: dict[str, Value] = {parameter.field: value}
    if parameter.field == "no_input_timeout_ms":
        changes["no_input_timeout_explicit"] = True
    elif parameter.field == "recognition_timeout_ms" and value < LENIENT_SECONDS_LIMIT:  # type: ignore[operator]
        changes[parameter.field] = value * 1000
    elif parameter.field == "level_threshold" and value > 100:  # type: ignore[operator]
        changes[parameter.field] = float(value) / AMPLITUDE_PER_PERCENT
    return changes


def update(
    parameters: RecognitionParameters, wishes: Mapping[str, str]
) -> tuple[RecognitionParameters, dict[str, str]]:
    """Apply what a client sent.

    Args:
        parameters: the present values.
        wishes: values by wire name, as sent.

    Returns:
        The new values, and an error word for each name (as sent) that could not be taken.
    """
    changes: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name, text in wishes.items():
        parameter = REGISTRY.get(name.lower())
        if parameter is None:
            refused[name] = UNKNOWN_PARAMETER
            continue
        if text in _NOT_SET:
            continue
        try:
            value = _parse_value(parameter, text)
        except ValueError:
            refused[name] = INVALID_VALUE
            continue
        if parameter.support is Support.UNSUPPORTED:
            if value:
                refused[name] = UNSUPPORTED
            continue
        changes.update(_changes(parameter, value))
    return (msgspec.structs.replace(parameters, **changes) if changes else parameters), refused


def from_settings(defaults: Mapping[str, str]) -> RecognitionParameters:
    """Return the operator's defaults.

    A configured no-input time is a default and not a client's wish: it runs on the clock alone.

    Raises:
        ConfigError: naming every parameter that cannot be taken.
    """
    parameters, refused = update(RecognitionParameters(), defaults)
    if refused:
        raise ConfigError("; ".join(f"parameters.{name}: {word}" for name, word in refused.items()))
    return msgspec.structs.replace(parameters, no_input_timeout_explicit=False)


def format_value(value: Value) -> str:
    """Write a value for the wire: ``true``/``false``, plain numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(value)


def describe(parameters: RecognitionParameters, names: Iterable[str] = ()) -> dict[str, str]:
    """Answer GET_PARAMETERS.

    Args:
        parameters: the values to tell.
        names: wire names, in any spelling; none means all in their preferred spelling.

    Returns:
        Wire values by name, in registry order with hints last; parameters without a value are left out, and unknown
        names come first with their error word.
    """
    asked = tuple(names) or _PREFERRED
    unknown: dict[str, str] = {}
    known: list[tuple[int, str, str]] = []
    for name in asked:
        key = name.lower()
        parameter = REGISTRY.get(key)
        if parameter is None:
            unknown[name] = UNKNOWN_PARAMETER
            continue
        # What is refused is kept nowhere: it is off.
        value = format_value(getattr(parameters, parameter.field)) if parameter.field else "false"
        if value:
            known.append((_ORDER[parameter.name], _SPELLINGS[key], value))
    return unknown | {name: value for _, name, value in sorted(known)}
