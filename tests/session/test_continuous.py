"""Continuous mode: protocol reference, section 13."""

from __future__ import annotations

import pytest

from asr_trio.protocol.messages import (
    EndOfSpeech,
    ResultStatus,
    SessionStatus,
    StartOfSpeech,
)
from asr_trio.session.events import (
    AudioEnded,
    PartialDecoded,
)
from asr_trio.session.states import State
from tests.session.driver import Driver, alternative, messages, result, results


@pytest.fixture
def idle():
    return Driver().go_to(State.IDLE)


@pytest.fixture
def dictating(idle):
    idle.start(decoder__continuousMode="true")
    return idle


def segment(driver, text, start_s, end_s):
    effects = driver.speech(start_s=start_s)
    effects += driver.silence(end_s=end_s)
    effects += driver.decoded(alternative(text), start_s=start_s, end_s=end_s)
    return effects


def test_continuous_mode_gives_a_result_per_segment_and_a_closing_one(dictating):
    effects = []
    for index, text in enumerate(("one", "two", "three")):
        effects += segment(dictating, text, 2.0 * index, 2.0 * index + 1)
    assert dictating.session.status is SessionStatus.LISTENING
    dictating.audio(b"", last=True)
    effects += dictating.handle(AudioEnded(recognition=dictating.number, position_s=7.0))
    documents = results(effects)
    assert [document.result_status for document in documents] == ["RECOGNIZED"] * 3 + ["NO_SPEECH"]
    assert [document.segment_index for document in documents] == [0, 1, 2, 3]
    assert [document.last_segment for document in documents] == [False] * 3 + [True]
    assert (documents[-1].start_time, documents[-1].end_time) == (5.0, 7.0)
    assert dictating.session.state is State.IDLE


def test_continuous_mode_sends_start_of_speech_per_segment_and_no_end_of_speech(dictating):
    effects = segment(dictating, "one", 0.0, 1.0) + segment(dictating, "two", 2.0, 3.0)
    effects += dictating.speech(start_s=4.0)
    effects += dictating.silence(end_s=5.0, audio_ended=True)
    kinds = [type(message) for message in messages(effects)]
    assert kinds.count(StartOfSpeech) == 3
    assert kinds.count(EndOfSpeech) == 0


def test_speech_up_to_the_end_of_the_audio_is_the_last_segment(dictating):
    effects = segment(dictating, "one", 0.0, 1.0)
    dictating.audio(b"", last=True)
    effects += dictating.speech(start_s=2.0)
    effects += dictating.silence(end_s=3.0, audio_ended=True)
    effects += dictating.decoded(alternative("two"), start_s=2.0, end_s=3.0)
    assert [(item.alternatives[0].text, item.last_segment) for item in results(effects)] == [
        ("one", False),
        ("two", True),
    ]


def test_segments_may_be_decoded_behind_the_endpointer(dictating):
    for start_s in (0.0, 2.0, 4.0):
        dictating.speech(start_s=start_s)
        dictating.silence(end_s=start_s + 1)
    assert dictating.handle(AudioEnded(recognition=dictating.number, position_s=6.0)) == []
    assert dictating.session.status is SessionStatus.RECOGNIZING
    effects = []
    for start_s in (0.0, 2.0, 4.0):
        effects += dictating.decoded(alternative("x"), start_s=start_s, end_s=start_s + 1)
    assert [item.result_status for item in results(effects)] == ["RECOGNIZED"] * 3 + ["NO_SPEECH"]


def test_segment_without_match_is_not_the_last(dictating):
    dictating.speech()
    dictating.silence()
    document = result(dictating.decoded())
    assert (document.result_status, document.last_segment) == (ResultStatus.NO_MATCH, False)


def test_partials_carry_the_index_of_their_segment(idle):
    idle.start(decoder__continuousMode="true", decoder__partialResultEnabled="1")
    segment(idle, "one", 0.0, 1.0)
    idle.speech(start_s=2.0)
    event = PartialDecoded(recognition=idle.number, start_s=2.0, end_s=2.5, alternatives=(alternative("tw"),))
    (message,) = messages(idle.handle(event))
    assert b'"segment_index":1' in message.body


def test_continuous_mode_knows_no_max_speech():
    """The endpointer cuts there, before a segment is too long."""
    idle = Driver(limits={"speech_segment_s": 40.0}).go_to(State.IDLE)
    idle.start(decoder__continuousMode="true")
    idle.speech(start_s=1.0)
    assert idle.processed(60.0) == []
