"""Timers of the protocol reference, section 13, and the expiry of sections 5 and 2."""

from __future__ import annotations

import pytest

from asr_trio.protocol.messages import Result, ResultStatus, SessionStatus, SetParameters, StartInputTimers
from asr_trio.session.events import AudioEnded
from asr_trio.session.session import TIMEOUT_REASON
from asr_trio.session.states import State
from asr_trio.session.timers import Timer, Timers
from tests.session.driver import Driver, alternative, closes, messages, response, result, results, stops


@pytest.fixture
def idle():
    return Driver(limits={"session_expiry_s": 1000.0}).go_to(State.IDLE)


# --- no input


def test_no_input_time_runs_from_the_start_of_the_recognition(idle):
    idle.start()
    assert idle.wait(9.9) == []
    effects = idle.wait(0.2)
    document = result(effects)
    assert (document.result_status, document.alternatives) == (ResultStatus.NO_INPUT_TIMEOUT, ())
    assert stops(effects) == [idle.number]
    assert idle.session.state is State.IDLE


def test_speech_stops_the_no_input_time(idle):
    idle.start(recognitionTimeout__enabled="false")
    idle.wait(9.9)
    idle.speech()
    assert idle.wait(60) == []


def test_no_input_time_can_be_set(idle):
    idle.start(noInputTimeout__value=1000)
    assert idle.wait(0.99) == []
    assert result(idle.wait(0.02)).result_status is ResultStatus.NO_INPUT_TIMEOUT


def test_no_input_timer_can_be_switched_off(idle):
    idle.start(noInputTimeout__enabled="false")
    assert idle.wait(900) == []


def test_timers_wait_for_start_input_timers_on_wish(idle):
    idle.start(decoder__startInputTimers="false")
    assert idle.wait(30) == []
    assert response(idle.receive(StartInputTimers())).result is Result.SUCCESS
    assert idle.wait(9.9) == []
    assert result(idle.wait(0.2)).result_status is ResultStatus.NO_INPUT_TIMEOUT


def test_start_input_timers_again_does_not_restart_them(idle):
    idle.start()
    idle.wait(6)
    answer = response(idle.receive(StartInputTimers()))
    assert (answer.result, answer.session_status, answer.error_code) == (Result.SUCCESS, "LISTENING", None)
    assert result(idle.wait(4.1)).result_status is ResultStatus.NO_INPUT_TIMEOUT


def test_default_no_input_time_is_not_audio_time(idle):
    idle.start()
    assert idle.processed(60.0) == []
    idle.audio(b"", last=True)
    effects = idle.handle(AudioEnded(recognition=idle.number, position_s=60.0))
    assert result(effects).result_status is ResultStatus.NO_SPEECH


@pytest.mark.parametrize("scope", ["session", "recognition"])
def test_explicit_no_input_time_runs_out_on_audio_that_arrives_faster_than_real_time(idle, scope):
    if scope == "session":
        idle.receive(SetParameters(parameters={"noInputTimeout.value": "200"}))
        idle.start()
    else:
        idle.start(noInputTimeout__value=200)
    assert idle.processed(0.199) == []
    document = result(idle.processed(0.512))
    assert (document.result_status, document.start_time) == (ResultStatus.NO_INPUT_TIMEOUT, 0.0)
    assert document.end_time == pytest.approx(0.2)


def test_explicit_no_input_time_does_not_depend_on_packets(idle):
    """One packet that holds silence and then speech gives what many small ones give."""
    idle.start(noInputTimeout__value=5000)
    assert result(idle.speech(start_s=5.1, decided_s=5.4)).result_status is ResultStatus.NO_INPUT_TIMEOUT
    idle.start(noInputTimeout__value=5000)
    assert results(idle.speech(start_s=4.7, decided_s=5.0)) == []


def test_explicit_no_input_time_at_the_end_of_the_audio(idle):
    idle.start(noInputTimeout__value=5000)
    effects = idle.handle(AudioEnded(recognition=idle.number, position_s=5.5))
    assert result(effects).result_status is ResultStatus.NO_INPUT_TIMEOUT


def test_explicit_no_input_time_counts_from_start_input_timers(idle):
    idle.start(noInputTimeout__value=1000, decoder__startInputTimers="false")
    assert idle.processed(5.0) == []
    idle.receive(StartInputTimers())
    assert idle.processed(5.9) == []
    assert result(idle.processed(6.0)).result_status is ResultStatus.NO_INPUT_TIMEOUT


def test_disabled_timer_ignores_an_explicit_time(idle):
    idle.start(noInputTimeout__value=1000, noInputTimeout__enabled="false")
    assert idle.processed(5.0) == []


def test_configured_no_input_time_is_not_explicit():
    from asr_trio.protocol.parameters import from_settings

    driver = Driver(parameters=from_settings({"noInputTimeout.value": "1000"})).go_to(State.IDLE)
    driver.start()
    assert driver.processed(5.0) == []
    assert result(driver.wait(1.1)).result_status is ResultStatus.NO_INPUT_TIMEOUT


def test_after_the_last_packet_no_clock_waits_for_speech(idle):
    idle.start()
    idle.audio(b"", last=True)
    assert idle.wait(30) == []
    assert idle.session.status is SessionStatus.RECOGNIZING


def test_continuous_mode_restarts_the_no_input_time_after_each_segment(idle):
    idle.start(decoder__continuousMode="true")
    idle.wait(9)
    idle.speech(start_s=9.0)
    idle.wait(5)
    idle.silence(end_s=13.0)
    idle.decoded(alternative("one"), start_s=9.0, end_s=13.0)
    assert idle.wait(9.9) == []
    document = result(idle.wait(0.2))
    assert (document.result_status, document.segment_index) == (ResultStatus.NO_INPUT_TIMEOUT, 1)
    assert (document.last_segment, document.start_time) == (True, 13.0)


def test_explicit_no_input_time_counts_from_the_end_of_a_segment(idle):
    idle.start(decoder__continuousMode="true", noInputTimeout__value=2000)
    idle.speech(start_s=1.0)
    idle.silence(end_s=3.0)
    idle.decoded(alternative("one"), start_s=1.0, end_s=3.0)
    assert idle.processed(4.9) == []
    assert result(idle.processed(5.0)).result_status is ResultStatus.NO_INPUT_TIMEOUT


def test_no_input_waits_for_segments_that_are_still_decoded(idle):
    idle.start(decoder__continuousMode="true", noInputTimeout__value=2000)
    idle.speech(start_s=1.0)
    idle.silence(end_s=3.0)
    assert idle.processed(5.0) == []
    assert idle.session.status is SessionStatus.RECOGNIZING
    documents = results(idle.decoded(alternative("one"), start_s=1.0, end_s=3.0))
    assert [item.result_status for item in documents] == ["RECOGNIZED", "NO_INPUT_TIMEOUT"]


# --- recognition


def test_recognition_time_runs_from_the_start_of_speech_to_the_result(idle):
    idle.start(recognitionTimeout__value=5000)
    idle.wait(9)
    idle.speech(start_s=9.0)
    assert idle.wait(4.9) == []
    idle.processed(13.5)
    effects = idle.wait(0.2)
    document = result(effects)
    assert (document.result_status, document.alternatives) == (ResultStatus.RECOGNITION_TIMEOUT, ())
    assert (document.start_time, document.end_time) == (9.0, 13.5)
    assert stops(effects) == [idle.number]


def test_recognition_time_runs_on_while_decoding(idle):
    idle.start(recognitionTimeout__value=5000)
    idle.speech()
    idle.wait(3)
    idle.silence()
    assert idle.wait(1.9) == []
    assert result(idle.wait(0.2)).result_status is ResultStatus.RECOGNITION_TIMEOUT


def test_result_stops_the_recognition_time(idle):
    idle.start(recognitionTimeout__value=5000)
    idle.speech()
    idle.silence()
    idle.decoded(alternative("yes"))
    assert idle.wait(100) == []


def test_recognition_timer_can_be_switched_off(idle):
    idle.start(recognitionTimeout__value=5000, recognitionTimeout__enabled="0")
    idle.speech()
    assert idle.wait(900) == []


@pytest.mark.parametrize(("value", "seconds"), [(30, 30.0), (99, 99.0), (100, 0.1), (5000, 5.0)])
def test_small_recognition_times_are_seconds(idle, value, seconds):
    """C++ writes `recognitionTimeoutSeconds(30)` as 30 where the wire wants milliseconds."""
    idle.start(recognitionTimeout__value=value)
    idle.speech()
    assert idle.wait(seconds - 0.05) == []
    assert result(idle.wait(0.1)).result_status is ResultStatus.RECOGNITION_TIMEOUT


def test_recognition_time_starts_late_with_start_input_timers(idle):
    idle.start(recognitionTimeout__value=5000, decoder__startInputTimers="false")
    idle.speech()
    assert idle.wait(20) == []
    idle.receive(StartInputTimers())
    assert idle.wait(4.9) == []
    assert result(idle.wait(0.2)).result_status is ResultStatus.RECOGNITION_TIMEOUT


def test_recognition_time_counts_per_segment_from_its_turn(idle):
    """A file that arrives at once must not time out because its segments wait for one another."""
    idle.start(decoder__continuousMode="true", recognitionTimeout__value=5000)
    for start_s in (0.0, 2.0, 4.0):
        idle.speech(start_s=start_s)
        idle.silence(end_s=start_s + 1)
    for start_s in (0.0, 2.0, 4.0):
        assert idle.wait(4.5) == []
        idle.decoded(alternative("x"), start_s=start_s, end_s=start_s + 1)
    idle.speech(start_s=6.0)
    assert result(idle.wait(5.1)).result_status is ResultStatus.RECOGNITION_TIMEOUT


def test_without_endpointer_the_recognition_time_counts_from_the_end_of_the_audio(idle):
    idle.start(endpointer__enabled="false", recognitionTimeout__value=5000)
    idle.speech(start_s=0.0)
    assert idle.wait(60) == []
    idle.silence(audio_ended=True)
    assert result(idle.wait(5.1)).result_status is ResultStatus.RECOGNITION_TIMEOUT


# --- expiry


def test_session_expires_with_the_reason_that_clients_read():
    driver = Driver().go_to(State.IDLE)
    assert driver.wait(59.9) == []
    assert closes(driver.wait(0.2)) == [(1000, TIMEOUT_REASON)]
    assert "timeout." in TIMEOUT_REASON
    assert driver.session.closed


def test_any_message_restarts_the_expiry():
    driver = Driver().go_to(State.IDLE)
    driver.wait(59)
    driver.audio()
    assert driver.wait(59) == []
    assert closes(driver.wait(2)) == [(1000, TIMEOUT_REASON)]


def test_connection_without_a_session_expires():
    driver = Driver(limits={"create_session_timeout_s": 5.0})
    driver.wait(3)
    driver.receive(StartInputTimers())
    assert driver.wait(4.9) == []
    assert closes(driver.wait(0.2)) == [(1000, TIMEOUT_REASON)]


def test_expires_is_told_in_milliseconds():
    assert response(Driver(limits={"session_expiry_s": 7.5}).create()).expires_ms == 7500


@pytest.mark.parametrize(
    ("speaking", "status"), [(False, ResultStatus.NO_INPUT_TIMEOUT), (True, ResultStatus.RECOGNITION_TIMEOUT)]
)
def test_expiry_while_listening_gives_the_result_before_it_closes(speaking, status):
    driver = Driver().go_to(State.IDLE)
    driver.start(noInputTimeout__enabled="false", recognitionTimeout__enabled="false")
    if speaking:
        driver.speech()
    effects = driver.wait(60.1)
    assert result(effects).result_status is status
    assert stops(effects) == [driver.number]
    assert closes(effects) == [(1000, TIMEOUT_REASON)]


def test_session_does_not_expire_while_the_client_waits_for_a_result():
    driver = Driver().go_to(State.IDLE)
    driver.start(recognitionTimeout__enabled="false")
    driver.audio(b"", last=True)
    assert driver.wait(200) == []
    driver.speech()
    driver.silence(audio_ended=True)
    assert closes(driver.decoded(alternative("yes"))) == []
    assert driver.wait(59) == []
    assert closes(driver.wait(2)) == [(1000, TIMEOUT_REASON)]


# --- drain


@pytest.mark.parametrize("state", [State.NO_SESSION, State.IDLE])
def test_drain_closes_an_idle_session_at_once(state):
    driver = Driver().go_to(state)
    assert [code for code, _ in closes(driver.session.drain(driver.now_s))] == [1001]


@pytest.mark.parametrize("state", [State.LISTENING, State.RECOGNIZING])
def test_drain_lets_a_running_recognition_end(state):
    driver = Driver().go_to(state)
    assert driver.session.drain(driver.now_s) == []
    if state is State.LISTENING:
        driver.speech()
        driver.silence()
    effects = driver.decoded(alternative("yes"))
    assert result(effects).result_status is ResultStatus.RECOGNIZED
    assert [code for code, _ in closes(effects)] == [1001]


def test_drain_waits_for_an_outstanding_request():
    from asr_trio.protocol.messages import DefineGrammar
    from asr_trio.session.events import LanguageModelsPrepared

    driver = Driver().go_to(State.IDLE)
    driver.receive(DefineGrammar(content_id="g", body=b"#ABNF 1.0;"))
    assert driver.session.drain(driver.now_s) == []
    effects = driver.handle(LanguageModelsPrepared(prepared=1))
    assert messages(effects)[0].result is Result.SUCCESS
    assert [code for code, _ in closes(effects)] == [1001]


def test_recognition_that_opens_while_draining_runs_to_its_end():
    driver = Driver().go_to(State.IDLE)
    driver.start()
    driver.session.drain(driver.now_s)
    driver.audio(b"", last=True)
    effects = driver.handle(AudioEnded(recognition=driver.number, position_s=0.0))
    assert [code for code, _ in closes(effects)] == [1001]
    assert driver.session.closed


# --- the timers themselves


def test_due_timers_come_in_the_order_of_their_deadlines():
    timers = Timers()
    timers.set(Timer.EXPIRY, 3.0)
    timers.set(Timer.NO_INPUT, 1.0)
    timers.set(Timer.RECOGNITION, 2.0)
    assert timers.next_deadline_s == 1.0
    assert timers.take_due(0.9) is None
    assert [timers.take_due(2.5), timers.take_due(2.5), timers.take_due(2.5)] == [
        Timer.NO_INPUT,
        Timer.RECOGNITION,
        None,
    ]
    assert timers.next_deadline_s == 3.0
    timers.cancel(Timer.EXPIRY, Timer.NO_INPUT)
    assert timers.next_deadline_s is None
