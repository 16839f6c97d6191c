"""Values of recognition parameters: their defaults, and how they are set, checked and told.

Names are matched without regard to case, and where the SDKs spell a parameter in several ways each spelling is known.
A value that the SDKs write for "not set" (an empty string, Python's ``None``) changes nothing. Whatever a client
sends, :func:`update` takes what is good and names what is not; nothing here is fatal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from asr_trio.errors import ConfigError
from asr_trio.protocol.hints import parse_hints
from asr_trio.protocol.registry import PARAMETERS, REGISTRY, SPELLINGS, Kind, Parameter, Support

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
        unknown_words: what becomes of words of a grammar without a pronunciation; "" leaves it to the operator.
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
    unknown_words: Literal["", "generate", "reject", "ignore"] = ""
    hints: str = ""
    textify_enabled: bool = False
    textify_formatting_enabled: bool = True
    textify_formatting_rules: str = ""
    logging_tag: str = ""
    account_tag: str = ""
    channel_identifier: str = ""
    media_type: str = ""
    verify_buffer_utterance: bool = False


Value: TypeAlias = bool | int | float | str

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
    if parameter.kind is Kind.CHOICE:
        if text.lower() not in parameter.choices:
            raise ValueError(text)
        return text.lower()
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
            known.append((_ORDER[parameter.name], SPELLINGS[key], value))
    return unknown | {name: value for _, name, value in sorted(known)}
