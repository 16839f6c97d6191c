"""The registry of parameters (protocol reference, section 10)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.errors import ConfigError
from asr_trio.protocol.parameters import (
    INVALID_VALUE,
    UNKNOWN_PARAMETER,
    UNSUPPORTED,
    RecognitionParameters,
    describe,
    format_value,
    from_settings,
    parse_bool,
    update,
)
from asr_trio.protocol.registry import PARAMETERS, REGISTRY, Kind, Support

DEFAULTS = RecognitionParameters()

# Every name of section 10 with a good value, and what the value means.
GOOD = {
    "decoder.startInputTimers": ("0", False),
    "decoder.maxSentences": ("5", 5),
    "decoder.confidenceThreshold": ("30", 30),
    "decoder.continuousMode": ("True", True),
    "decoder.wordDetails": ("2", 2),
    "decoder.partialResultEnabled": ("on", True),
    "decoder.partialResultInterval": ("500", 500),
    "endpointer.enabled": ("false", False),
    "endpointer.headMargin": ("300", 300),
    "endpointer.tailMargin": ("500", 500),
    "endpointer.waitEnd": ("700", 700),
    "endpointer.levelMode": ("1", 1),
    "endpointer.autoLevelLen": ("400", 400),
    "endpointer.levelThreshold": ("4", 4.0),
    "endpointer.useToneDetectors": ("no", False),
    "endpointer.maxSegmentDuration": ("3750", 3750),
    "endpointer.segmentOverlapTime": ("250", 250),
    "noInputTimeout.enabled": ("FALSE", False),
    "noInputTimeout.value": ("200", 200),
    "recognitionTimeout.enabled": ("off", False),
    "recognitionTimeout.value": ("5000", 5000),
    "grammar.unknownWords": ("Reject", "reject"),
    "hints.words": ("pizza:2 [P IY T S AH], cola", "pizza:2 [P IY T S AH], cola"),
    "textify.enabled": ("true", True),
    "textify.formatting.enabled": ("false", False),
    "textify.formattingEnabled": ("false", False),
    "textify.formatting.rules": ("date", "date"),
    "textify.formattingRules": ("date", "date"),
    "loggingTag": ("call 7", "call 7"),
    "logging.tag": ("call 7", "call 7"),
    "license.manager.accountTag": ("a", "a"),
    "licenseManager.accountTag": ("a", "a"),
    "Media-Type": ("audio/raw", "audio/raw"),
    "Channel-Identifier": ("c", "c"),
}
CLASSIFIERS = (
    "Infer-age-enabled",
    "Infer-gender-enabled",
    "Infer-emotion-enabled",
    "Verify-Buffer-Utterance",
    "Ver-Buffer-Utterance",
)


@pytest.mark.parametrize("name", GOOD)
def test_parameter_is_taken_in_any_case_of_its_name(name):
    text, value = GOOD[name]
    for spelling in (name, name.lower(), name.upper()):
        parameters, refused = update(DEFAULTS, {spelling: text})
        assert refused == {}
        assert getattr(parameters, REGISTRY[name.lower()].field) == value
        assert parameters != DEFAULTS


def test_registry_has_every_name():
    assert set(REGISTRY) == {name.lower() for name in (*GOOD, *CLASSIFIERS)}


def test_registry_fills_every_field():
    fields = {parameter.field for parameter in PARAMETERS} - {""}
    assert fields == set(RecognitionParameters.__struct_fields__) - {"no_input_timeout_explicit"}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_may_be_declined_but_not_asked_for(name):
    assert update(DEFAULTS, {name: "false"}) == (DEFAULTS, {})
    assert update(DEFAULTS, {name: "true"}) == (DEFAULTS, {name: UNSUPPORTED})


@pytest.mark.parametrize("text", ["", "None", "null"])
def test_values_that_mean_not_set_change_nothing(text):
    everything = dict.fromkeys((*GOOD, *CLASSIFIERS), text)
    assert update(DEFAULTS, everything) == (DEFAULTS, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("decoder.maxSentences", "0"),
        ("decoder.maxSentences", "101"),
        ("decoder.maxSentences", "-1"),
        ("decoder.maxSentences", "two"),
        ("decoder.maxSentences", "1.5"),
        ("decoder.maxSentences", "nan"),
        ("decoder.maxSentences", "inf"),
        ("decoder.maxSentences", "1" * 400),
        ("decoder.confidenceThreshold", "101"),
        ("decoder.wordDetails", "3"),
        ("decoder.wordDetails", "some"),
        ("endpointer.levelMode", "3"),
        ("endpointer.levelThreshold", "-0.1"),
        ("endpointer.levelThreshold", "40000"),
        ("endpointer.waitEnd", "0"),
        ("noInputTimeout.value", "86400001"),
        ("decoder.continuousMode", "maybe"),
        ("decoder.continuousMode", "2"),
    ],
)
def test_bad_value_is_named_and_changes_nothing(name, text):
    assert update(DEFAULTS, {name: text, "decoder.partialResultEnabled": "true"}) == (
        msgspec.structs.replace(DEFAULTS, partial_results_enabled=True),
        {name: INVALID_VALUE},
    )


def test_unknown_name_is_named_as_it_was_sent():
    assert update(DEFAULTS, {"My.Name": "1"}) == (DEFAULTS, {"My.Name": UNKNOWN_PARAMETER})


@pytest.mark.parametrize("text", ["1", "yes", "true", "on", "True", "YES", "On"])
def test_words_for_true(text):
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "no", "false", "off", "False", "NO"])
def test_words_for_false(text):
    assert parse_bool(text) is False


def test_times_from_a_client_are_explicit_and_those_of_the_operator_are_not():
    assert update(DEFAULTS, {"noInputTimeout.value": "5"})[0].no_input_timeout_explicit
    parameters = from_settings({"noInputTimeout.value": "5"})
    assert (parameters.no_input_timeout_ms, parameters.no_input_timeout_explicit) == (5, False)


def test_bad_defaults_of_the_operator_are_an_error_of_the_configuration():
    with pytest.raises(ConfigError, match=r"parameters\.no\.such: ERR_INVALID_PARAMETER"):
        from_settings({"no.such": "1"})


def test_level_threshold_above_a_hundred_is_a_sample_value():
    parameters, _ = update(DEFAULTS, {"endpointer.levelThreshold": "32767"})
    assert parameters.level_threshold == pytest.approx(100.0)


def test_describe_tells_all_in_the_preferred_spelling_hints_last():
    parameters, _ = update(DEFAULTS, {"hints.words": "a:1", "loggingTag": "t"})
    values = describe(parameters)
    assert list(values)[-1] == "hints.words"
    assert values["loggingTag"] == "t"
    assert "logging.tag" not in values
    assert "" not in values.values()


def test_describe_answers_in_the_spelling_of_the_question():
    assert describe(DEFAULTS, ["TEXTIFY.formattingenabled", "no.such"]) == {
        "no.such": UNKNOWN_PARAMETER,
        "textify.formattingEnabled": "true",
    }


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (3, "3"), (4.0, "4"), (0.25, "0.25"), ("a", "a")]
)
def test_values_on_the_wire(value, text):
    assert format_value(value) == text


@pytest.mark.parametrize("parameter", [item for item in PARAMETERS if item.field], ids=lambda item: item.name)
def test_what_get_tells_set_takes(parameter):
    values = describe(from_settings({}), parameter.names)
    assert update(DEFAULTS, values)[1] == {}
    if parameter.kind not in {Kind.TEXT, Kind.CHOICE, Kind.HINTS}:
        assert set(values) == set(parameter.names)


@given(st.dictionaries(st.one_of(st.text(max_size=9), st.sampled_from(sorted(REGISTRY))), st.text(max_size=9)))
def test_any_wish_is_taken_or_named(wishes):
    parameters, refused = update(DEFAULTS, wishes)
    assert set(refused) <= set(wishes)
    for name in set(wishes) - set(refused):
        assert name.lower() in REGISTRY
    for parameter in PARAMETERS:
        if parameter.field and parameter.kind in {Kind.INT, Kind.FLOAT}:
            assert parameter.minimum <= getattr(parameters, parameter.field) <= max(parameter.maximum, 1e5)


def test_unsupported_parameters_have_no_effect():
    for parameter in PARAMETERS:
        if parameter.support is Support.UNSUPPORTED:
            assert parameter.kind is Kind.BOOL
