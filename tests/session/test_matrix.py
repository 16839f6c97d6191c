"""Every cell of the out-of-order matrix (protocol reference, section 14)."""

from __future__ import annotations

import pytest

from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol.messages import (
    METHODS,
    CancelRecognition,
    CreateSession,
    DefineGrammar,
    GetParameters,
    InterpretText,
    ReleaseSession,
    Result,
    SendAudio,
    SessionStatus,
    SetParameters,
    StartInputTimers,
    StartRecognition,
)
from asr_trio.session.events import (
    Close,
    Interpret,
    LanguageModelsPrepared,
    OpenRecognition,
    PrepareLanguageModels,
    PushAudio,
    RecognitionOpened,
    Send,
    StopRecognition,
    TextInterpreted,
)
from asr_trio.session.states import ANSWERS, MESSAGE_TYPES, State
from tests.session.driver import FREE, Driver, alternative, closes, messages, response, stops

MESSAGES = {
    type(message): message
    for message in (
        CreateSession(),
        SetParameters(parameters={"decoder.maxSentences": "2"}),
        GetParameters(names=("decoder.maxSentences",)),
        DefineGrammar(content_id="g", content_type="application/srgs", body=b"#ABNF 1.0;"),
        StartRecognition(content_type="text/uri-list", body=FREE),
        StartInputTimers(),
        SendAudio(audio=b"\0\0"),
        CancelRecognition(),
        ReleaseSession(),
        InterpretText(text="yes", content_type="text/uri-list", body=FREE),
    )
}

OK, NO_ACTION = Result.SUCCESS, Result.INVALID_ACTION
IDLE, LISTENING, RECOGNIZING = SessionStatus.IDLE, SessionStatus.LISTENING, SessionStatus.RECOGNIZING
CODE, NO_CODE = True, False
NOTHING = None

# (result, session status, has Error-Code) of the answer, or NOTHING where there is none.
MATRIX = {
    CreateSession: {
        State.NO_SESSION: (OK, IDLE, NO_CODE),
        State.IDLE: (OK, IDLE, NO_CODE),
        State.LISTENING: (NO_ACTION, LISTENING, CODE),
        State.RECOGNIZING: (NO_ACTION, RECOGNIZING, CODE),
    },
    SetParameters: {
        State.NO_SESSION: (NO_ACTION, IDLE, CODE),
        State.IDLE: (OK, IDLE, NO_CODE),
        State.LISTENING: (NO_ACTION, LISTENING, CODE),
        State.RECOGNIZING: (NO_ACTION, RECOGNIZING, CODE),
    },
    GetParameters: {
        State.NO_SESSION: (NO_ACTION, IDLE, CODE),
        State.IDLE: (OK, IDLE, NO_CODE),
        State.LISTENING: (OK, LISTENING, NO_CODE),
        State.RECOGNIZING: (OK, RECOGNIZING, NO_CODE),
    },
    DefineGrammar: {
        State.NO_SESSION: (NO_ACTION, IDLE, CODE),
        State.IDLE: (OK, IDLE, NO_CODE),
        State.LISTENING: (NO_ACTION, LISTENING, CODE),
        State.RECOGNIZING: (NO_ACTION, RECOGNIZING, CODE),
    },
    StartRecognition: {
        State.NO_SESSION: (NO_ACTION, IDLE, CODE),
        State.IDLE: (OK, LISTENING, NO_CODE),
        State.LISTENING: (NO_ACTION, LISTENING, CODE),
        State.RECOGNIZING: (NO_ACTION, RECOGNIZING, CODE),
    },
    StartInputTimers: {
        State.NO_SESSION: (NO_ACTION, IDLE, NO_CODE),
        State.IDLE: (OK, IDLE, NO_CODE),
        State.LISTENING: (OK, LISTENING, NO_CODE),
        State.RECOGNIZING: (OK, RECOGNIZING, NO_CODE),
    },
    SendAudio: dict.fromkeys((State.NO_SESSION, State.IDLE, State.LISTENING, State.RECOGNIZING), NOTHING),
    CancelRecognition: {
        State.NO_SESSION: (NO_ACTION, IDLE, NO_CODE),
        State.IDLE: (OK, IDLE, NO_CODE),
        State.LISTENING: (OK, IDLE, NO_CODE),
        State.RECOGNIZING: (OK, IDLE, NO_CODE),
    },
    ReleaseSession: dict.fromkeys(
        (State.NO_SESSION, State.IDLE, State.LISTENING, State.RECOGNIZING), (OK, IDLE, NO_CODE)
    ),
    InterpretText: {
        State.NO_SESSION: (NO_ACTION, IDLE, CODE),
        State.IDLE: (OK, IDLE, NO_CODE),
        State.LISTENING: (NO_ACTION, LISTENING, CODE),
        State.RECOGNIZING: (NO_ACTION, RECOGNIZING, CODE),
    },
}
CELLS = [(kind, state) for kind, cells in MATRIX.items() for state in cells]


def answered(driver, effects):
    """Answer a request effect as a shell would."""
    answers = {
        PrepareLanguageModels: lambda _: LanguageModelsPrepared(prepared="compiled"),
        OpenRecognition: lambda effect: RecognitionOpened(recognition=effect.recognition),
        Interpret: lambda _: TextInterpreted(alternatives=(alternative("yes"),)),
    }
    for effect in effects:
        if answer := answers.get(type(effect)):
            assert driver.session.waiting_for_answer
            effects = [*effects, *driver.handle(answer(effect))]
    assert not driver.session.waiting_for_answer
    return effects


@pytest.mark.parametrize(("kind", "state"), CELLS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_cell(kind, state):
    driver = Driver().go_to(state)
    effects = answered(driver, driver.receive(MESSAGES[kind]))
    expected = MATRIX[kind][state]
    if expected is NOTHING:
        assert messages(effects) == []
        return
    answer = messages(effects)[0]
    assert (answer.result, answer.session_status, answer.error_code is not None) == expected
    assert answer.method == METHODS[kind]


def test_matrix_is_complete():
    assert set(MATRIX) == set(MESSAGE_TYPES) == set(MESSAGES)
    for state in State:
        assert set(ANSWERS[state]) == set(MESSAGE_TYPES)


@pytest.mark.parametrize("kind", MESSAGE_TYPES)
def test_a_closed_session_says_nothing(kind):
    assert Driver().go_to(State.CLOSED).receive(MESSAGES[kind]) == []


def test_audio_is_consumed_only_while_listening():
    assert Driver().go_to(State.NO_SESSION).audio() == []
    assert Driver().go_to(State.IDLE).audio() == []
    assert [type(effect) for effect in Driver().go_to(State.LISTENING).audio()] == [PushAudio]
    assert Driver().go_to(State.RECOGNIZING).audio() == []


@pytest.mark.parametrize("state", [State.LISTENING, State.RECOGNIZING])
def test_cancel_frees_the_worker_and_swallows_the_result(state):
    driver = Driver().go_to(state)
    effects = driver.receive(CancelRecognition())
    assert [type(effect) for effect in effects] == [StopRecognition, Send]
    assert stops(effects) == [driver.number]
    assert driver.decoded(alternative("late")) == []
    assert driver.session.state is State.IDLE


@pytest.mark.parametrize("state", [State.NO_SESSION, State.IDLE, State.LISTENING, State.RECOGNIZING])
def test_release_answers_and_then_closes(state):
    driver = Driver().go_to(state)
    effects = driver.receive(ReleaseSession())
    assert [type(effect) for effect in effects][-2:] == [Send, Close]
    assert closes(effects) == [(1000, "")]
    assert len(stops(effects)) == (state in {State.LISTENING, State.RECOGNIZING})
    assert driver.session.closed
    assert driver.session.next_deadline_s is None


@pytest.mark.parametrize("state", [State.LISTENING, State.RECOGNIZING])
def test_a_second_start_leaves_the_first_recognition_alone(state):
    driver = Driver().go_to(state)
    driver.receive(MESSAGES[StartRecognition])
    if state is State.LISTENING:
        driver.speech()
        driver.silence()
    (document,) = messages(driver.decoded(alternative("yes")))
    assert b'"text":"yes"' in document.body


@pytest.mark.parametrize("state", [State.NO_SESSION, State.IDLE, State.LISTENING, State.RECOGNIZING])
def test_malformed_is_answered_and_costs_nothing(state):
    driver = Driver().go_to(state)
    answer = response(driver.session.malformed(RemoteProtocolError("No start line", method="FOO"), driver.now_s))
    assert (answer.result, answer.method) == (Result.INVALID_MESSAGE, "FOO")
    assert answer.session_status == driver.session.status
    assert driver.session.state is state


def test_malformed_after_the_end_says_nothing():
    driver = Driver().go_to(State.CLOSED)
    assert driver.session.malformed(RemoteProtocolError("No start line"), driver.now_s) == []
