"""Sessions, parameters, grammars and interpretations: what is asked and answered outside recognitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from asr_trio.errors import GrammarError, LicenseError, LocalProtocolError
from asr_trio.protocol.messages import (
    CreateSession,
    DefineGrammar,
    GetParameters,
    InterpretText,
    Result,
    ResultStatus,
    SessionStatus,
    SetParameters,
    StartRecognition,
)
from asr_trio.protocol.results import Interpretation, decode_result
from asr_trio.session.events import (
    GrammarSource,
    Interpret,
    LanguageModelsPrepared,
    OpenRecognition,
    PreparedSource,
    PrepareLanguageModels,
    RequestFailed,
    TextInterpreted,
    UriSource,
)
from asr_trio.session.handle import make_handle
from asr_trio.session.states import State
from tests.session.driver import FREE, HANDLE, Driver, alternative, messages, response

GRAMMAR = b"#ABNF 1.0 UTF-8; root $r; $r = yes;"


@pytest.fixture
def idle():
    return Driver().go_to(State.IDLE)


def define(driver, name="g", body=GRAMMAR, content_type="application/srgs", prepared="compiled"):
    (effect,) = driver.receive(DefineGrammar(content_id=name, content_type=content_type, body=body))
    assert isinstance(effect, PrepareLanguageModels)
    return response(driver.handle(LanguageModelsPrepared(prepared=prepared)))


# --- sessions


def test_create_session():
    answer = response(Driver().create())
    assert (answer.result, answer.session_status, answer.expires_ms) == (Result.SUCCESS, SessionStatus.IDLE, 60_000)
    assert answer.handle == HANDLE


def test_create_again_renews_the_session(idle):
    define(idle)
    idle.receive(SetParameters(parameters={"decoder.maxSentences": "7"}))
    assert response(idle.create()).result is Result.SUCCESS
    assert idle.session.parameters.max_sentences == 1
    answer = response(idle.receive(StartRecognition(body=b"session:g")))
    assert answer.error_code == "ERR_FILE_OPEN"


def test_tags_of_create_session_are_kept():
    driver = Driver()
    driver.receive(CreateSession(user_agent="phone", logging_tag="call-7", channel_identifier="c"))
    assert driver.session.user_agent == "phone"
    assert driver.session.parameters.logging_tag == "call-7"
    assert driver.session.parameters.channel_identifier == "c"


def test_session_past_the_licences_is_refused_at_once():
    def refuse():
        raise LicenseError("All licences are taken")

    driver = Driver(admit=refuse)
    answer = response(driver.create())
    assert (answer.result, answer.error_code) == (Result.FAILURE, "ERR_MAX_LICENSES")
    assert driver.session.state is State.NO_SESSION
    assert not driver.session.created


def test_a_licence_is_taken_once():
    taken = []
    driver = Driver(admit=lambda: taken.append(1))
    assert not driver.session.created
    driver.create()
    driver.create()
    assert taken == [1]
    assert driver.session.created


def test_handle_is_a_time_and_a_serial():
    created = datetime(2025, 1, 1, 14, 0, 0, tzinfo=timezone(timedelta(hours=2)))
    assert make_handle(created, 1) == 202501011200000001
    assert make_handle(created, 10_001) == 202501011200000001
    assert make_handle(datetime(9999, 12, 31, tzinfo=UTC), 9999) < 2**63


# --- parameters


def test_set_parameters_echoes_what_it_does_not_take(idle):
    wishes = {"decoder.maxSentences": "3", "Infer-age-enabled": "true", "no.such": "1", "endpointer.waitEnd": "soon"}
    answer = response(idle.receive(SetParameters(parameters=wishes)))
    assert answer.result is Result.SUCCESS
    assert answer.error_code is None
    assert answer.parameters == {
        "Infer-age-enabled": "ERR_UNSUPPORTED_PARAMETER",
        "no.such": "ERR_INVALID_PARAMETER",
        "endpointer.waitEnd": "ERR_INVALID_PARAMETER_VALUE",
    }
    assert idle.session.parameters.max_sentences == 3


def test_get_parameters_named_and_all(idle):
    named = response(idle.receive(GetParameters(names=("DECODER.MAXSENTENCES", "no.such")))).parameters
    assert named == {"no.such": "ERR_INVALID_PARAMETER", "decoder.maxSentences": "1"}
    everything = response(idle.receive(GetParameters())).parameters
    assert everything["noInputTimeout.value"] == "10000"
    assert everything["endpointer.useToneDetectors"] == "true"


# --- grammars


def test_defined_grammar_is_used_by_its_name(idle):
    assert define(idle, "yes no").result is Result.SUCCESS
    (effect,) = idle.receive(StartRecognition(content_type="text/uri-list", body=b"session:yes no"))
    assert isinstance(effect, OpenRecognition)
    assert effect.sources == (PreparedSource(prepared="compiled", lm="session:yes no"),)


def test_definition_names_its_source(idle):
    (effect,) = idle.receive(DefineGrammar(content_id="g", content_type="text/plain", body=GRAMMAR))
    assert effect.sources == (GrammarSource(text=GRAMMAR, content_type="text/plain", lm="session:g"),)


def test_definition_by_uri_list(idle):
    body = b"builtin:grammar/digits\nhttp://example.org/a.gram"
    (effect,) = idle.receive(DefineGrammar(content_id="g", content_type="text/uri-list", body=body))
    assert effect.sources == (UriSource(uri="builtin:grammar/digits"), UriSource(uri="http://example.org/a.gram"))


def test_definition_replaces_an_older_one_of_the_same_name(idle):
    define(idle, prepared="old")
    define(idle, prepared="new")
    (effect,) = idle.receive(StartRecognition(body=b"session:g"))
    assert effect.sources == (PreparedSource(prepared="new", lm="session:g"),)


def test_bad_grammar_is_refused_and_the_older_definition_kept(idle):
    define(idle, prepared="old")
    idle.receive(DefineGrammar(content_id="g", content_type="application/srgs", body=b"rubbish"))
    error = GrammarError("no header", line=1, column=1, hint="begin with one")
    answer = response(idle.handle(RequestFailed(error=error)))
    assert answer.message == "line 1, column 1: no header (begin with one)"  # editors mark the place
    assert (answer.result, answer.error_code, answer.method) == (Result.FAILURE, "ERR_CORRUPTED_LM", "DEFINE_GRAMMAR")
    assert answer.session_status is SessionStatus.IDLE
    (effect,) = idle.receive(StartRecognition(body=b"session:g"))
    assert effect.sources == (PreparedSource(prepared="old", lm="session:g"),)


def test_grammars_of_a_session_are_bounded():
    driver = Driver(limits={"grammars_per_session": 2}).go_to(State.IDLE)
    define(driver, "a")
    define(driver, "b")
    answer = response(driver.receive(DefineGrammar(content_id="c", body=GRAMMAR)))
    assert answer.result is Result.FAILURE
    assert define(driver, "a").result is Result.SUCCESS


def test_compiled_grammars_of_a_session_are_bounded_together():
    driver = Driver(limits={"prepared_bytes_per_session": 2**20}).go_to(State.IDLE)

    def defined(name, size_bytes):
        driver.receive(DefineGrammar(content_id=name, body=GRAMMAR))
        return response(driver.handle(LanguageModelsPrepared(prepared=name, size_bytes=size_bytes)))

    assert defined("a", 2**19).result is Result.SUCCESS
    refused = defined("b", 2**19 + 1)
    assert (refused.result, refused.message) == (
        Result.FAILURE,
        "The grammars of a session may take 1 MiB once they are compiled",
    )
    assert defined("b", 2**19).result is Result.SUCCESS
    assert defined("a", 2**19).result is Result.SUCCESS  # in place of the older one
    assert defined("b", 2**20).result is Result.FAILURE
    (effect,) = driver.receive(StartRecognition(body=b"session:b"))
    assert effect.sources == (PreparedSource(prepared="b", lm="session:b"),)


def test_size_of_a_grammar_is_bounded():
    driver = Driver(limits={"grammar_bytes": 10}).go_to(State.IDLE)
    answer = response(driver.receive(DefineGrammar(content_id="c", body=GRAMMAR)))
    assert (answer.result, answer.error_code) == (Result.FAILURE, "ERR_CORRUPTED_LM")


def test_alias_is_matched_exactly(idle):
    define(idle, "Menu")
    answer = response(idle.receive(StartRecognition(body=b"session:menu")))
    assert (answer.result, answer.error_code) == (Result.FAILURE, "ERR_FILE_OPEN")


# --- interpretations


def test_interpret_text_answers_and_then_gives_a_result(idle):
    message = InterpretText(text="yes please", content_type="text/plain", body=b"builtin:grammar/boolean")
    (effect,) = idle.receive(message)
    assert isinstance(effect, Interpret)
    assert (effect.text, effect.sources) == ("yes please", (UriSource(uri="builtin:grammar/boolean"),))
    meant = alternative("yes please", interpretations=(Interpretation(value={"a": True}, score=100),))
    answer, document = messages(idle.handle(TextInterpreted(alternatives=(meant,))))
    assert (answer.method, answer.result) == ("INTERPRET_TEXT", Result.SUCCESS)
    assert (document.result_status, document.session_status) == (ResultStatus.RECOGNIZED, SessionStatus.IDLE)
    decoded = decode_result(document.content_type, document.body)
    assert decoded.alternatives[0].interpretations[0].value == {"a": True}
    assert decoded.alternatives[0].words == ()
    assert (decoded.start_time, decoded.end_time) == (0.0, 0.0)


def test_text_that_no_grammar_covers_is_no_match(idle):
    idle.receive(InterpretText(text="what", body=FREE))
    _, document = messages(idle.handle(TextInterpreted(alternatives=())))
    assert document.result_status is ResultStatus.NO_MATCH


def test_interpretation_can_fail(idle):
    idle.receive(InterpretText(text="what", body=FREE))
    answer = response(idle.handle(RequestFailed(error=GrammarError("bad"))))
    assert (answer.method, answer.result) == ("INTERPRET_TEXT", Result.FAILURE)


def test_an_answer_of_the_wrong_kind_is_a_bug_of_the_caller(idle):
    idle.receive(InterpretText(text="what", body=FREE))
    with pytest.raises(LocalProtocolError):
        idle.handle(LanguageModelsPrepared(prepared=1))
