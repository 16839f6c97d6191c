from __future__ import annotations

import pytest

from asr_trio.errors import AudioFormatError, LanguageModelNotFoundError, LocalProtocolError, WorkerDiedError
from asr_trio.protocol.messages import (
    CancelRecognition,
    EndOfSpeech,
    GetParameters,
    Result,
    ResultStatus,
    SendAudio,
    SessionStatus,
    SetParameters,
    StartInputTimers,
    StartOfSpeech,
    StartRecognition,
)
from asr_trio.session.events import (
    AudioEnded,
    AudioProcessed,
    OpenRecognition,
    PartialDecoded,
    RecognitionFailed,
    RecognitionOpened,
    RequestFailed,
    UriSource,
)
from asr_trio.session.states import State
from tests.session.driver import FREE, Driver, alternative, messages, pushed, response, result, results, stops


@pytest.fixture
def idle():
    return Driver().go_to(State.IDLE)


def test_simple_recognition_from_start_to_result(idle):
    answer = response(idle.start())
    assert (answer.result, answer.session_status, answer.error_code) == (Result.SUCCESS, "LISTENING", None)
    (started,) = messages(idle.speech())
    assert started == StartOfSpeech(handle=answer.handle, session_status=SessionStatus.LISTENING)
    (ended,) = messages(idle.silence())
    assert ended == EndOfSpeech(handle=answer.handle, session_status=SessionStatus.RECOGNIZING)
    effects = idle.decoded(alternative("go forward"), start_s=1.0, end_s=2.0)
    document = result(effects)
    assert document.result_status is ResultStatus.RECOGNIZED
    assert (document.start_time, document.end_time, document.segment_index) == (1.0, 2.0, 0)
    assert document.last_segment
    assert document.final_result
    assert stops(effects) == [idle.number]
    assert idle.session.state is State.IDLE


def test_start_asks_for_the_named_models(idle):
    (effect,) = idle.receive(StartRecognition(content_type="text/uri-list", body=FREE + b"\nfile:///x"))
    assert effect.sources == (UriSource(uri="builtin:slm/general"), UriSource(uri="file:///x"))
    assert idle.session.waiting_for_answer
    assert idle.session.status is SessionStatus.IDLE


def test_a_message_during_a_request_is_a_bug_of_the_caller(idle):
    idle.receive(StartRecognition(content_type="text/uri-list", body=FREE))
    with pytest.raises(LocalProtocolError):
        idle.receive(StartInputTimers())


def test_failed_start_leaves_the_session_usable(idle):
    idle.receive(StartRecognition(content_type="text/uri-list", body=FREE))
    answer = response(idle.handle(RequestFailed(error=LanguageModelNotFoundError("Language model not found"))))
    assert (answer.result, answer.error_code, answer.session_status) == (Result.FAILURE, "ERR_FILE_OPEN", "IDLE")
    assert answer.message == "Language model not found"
    assert response(idle.start()).session_status is SessionStatus.LISTENING


def test_start_without_model_is_refused(idle):
    answer = response(idle.receive(StartRecognition()))
    assert (answer.result, answer.error_code) == (Result.FAILURE, "ERR_NO_ACTIVE_LM")


@pytest.mark.parametrize("alternatives", [(), (alternative("maybe", score=49),)])
def test_nothing_above_the_threshold_is_no_match(idle, alternatives):
    idle.start(decoder__confidenceThreshold=50)
    idle.speech()
    idle.silence()
    document = result(idle.decoded(*alternatives))
    assert (document.result_status, document.alternatives) == (ResultStatus.NO_MATCH, ())


def test_threshold_is_inclusive(idle):
    idle.start(decoder__confidenceThreshold=50)
    idle.speech()
    idle.silence()
    assert result(idle.decoded(alternative("maybe", score=50))).result_status is ResultStatus.RECOGNIZED


@pytest.mark.parametrize(("wanted", "given"), [(1, 1), (2, 2), (3, 3), (5, 3)])
def test_max_sentences_gives_exactly_so_many_where_they_exist(idle, wanted, given):
    idle.start(decoder__maxSentences=wanted)
    idle.speech()
    idle.silence()
    document = result(idle.decoded(alternative("a"), alternative("b", 80), alternative("c", 70)))
    assert [item.text for item in document.alternatives] == ["a", "b", "c"][:given]


@pytest.mark.parametrize("parameters", [{}, {"endpointer__headMargin": 250}])
def test_speech_at_the_very_start_is_recognised(idle, parameters):
    """EARLY_SPEECH is never sent."""
    idle.start(**parameters)
    idle.speech(start_s=0.0, decided_s=0.1)
    idle.silence()
    assert result(idle.decoded(alternative("yes"), start_s=0.0)).result_status is ResultStatus.RECOGNIZED


@pytest.mark.parametrize("parameters", [{}, {"endpointer__enabled": "false", "decoder__continuousMode": "true"}])
def test_a_segment_longer_than_one_may_be_ends_in_max_speech(parameters):
    idle = Driver(limits={"speech_segment_s": 40.0}).go_to(State.IDLE)
    idle.start(**parameters)
    idle.speech(start_s=1.0)
    assert idle.processed(41.0) == []
    effects = idle.processed(41.4)
    document = result(effects)
    assert (document.result_status, document.alternatives) == (ResultStatus.MAX_SPEECH, ())
    assert (document.start_time, document.end_time) == (1.0, 41.0)
    assert stops(effects) == [idle.number]
    assert idle.session.state is State.IDLE


def test_max_speech_does_not_depend_on_packets():
    """One packet that holds the end of the speech too gives what many small ones give."""
    idle = Driver(limits={"speech_segment_s": 40.0}).go_to(State.IDLE)
    idle.start()
    idle.speech(start_s=1.0)
    document = result(idle.silence(end_s=40.7, decided_s=41.3))
    assert (document.result_status, document.end_time) == (ResultStatus.MAX_SPEECH, 41.0)
    idle.start()
    idle.speech(start_s=1.0)
    assert results(idle.silence(end_s=40.4, decided_s=41.0)) == []


@pytest.mark.parametrize(
    ("details", "with_words"), [("0", 0), ("1", 1), ("2", 3), ("NONE", 0), ("first", 1), ("All", 3), ("None", 1)]
)
def test_word_details(idle, details, with_words):
    idle.start(decoder__maxSentences=3, decoder__wordDetails=details)
    idle.speech()
    idle.silence()
    document = result(idle.decoded(alternative("a b"), alternative("b b", 80), alternative("c b", 70)))
    assert [len(item.words) for item in document.alternatives] == [2] * with_words + [0] * (3 - with_words)


def test_last_packet_ends_the_wish_for_audio(idle):
    idle.start()
    (push,) = idle.audio(b"abcd", last=True)
    assert (push.audio, push.last) == (b"abcd", True)
    assert idle.session.status is SessionStatus.RECOGNIZING
    assert idle.audio(b"late") == []
    (started,) = messages(idle.speech())
    assert started.session_status is SessionStatus.LISTENING
    (ended,) = messages(idle.silence(audio_ended=True))
    assert ended.session_status is SessionStatus.RECOGNIZING
    assert result(idle.decoded(alternative("yes"))).result_status is ResultStatus.RECOGNIZED


def test_end_of_audio_without_speech_is_no_speech(idle):
    idle.start()
    idle.audio(b"", last=True)
    effects = idle.handle(AudioEnded(recognition=idle.number, position_s=0.0))
    document = result(effects)
    assert (document.result_status, document.alternatives) == (ResultStatus.NO_SPEECH, ())
    assert (document.start_time, document.end_time) == (0.0, 0.0)
    assert stops(effects) == [idle.number]


def test_end_of_a_container_ends_without_a_last_packet(idle):
    idle.start()
    idle.audio(b"RIFF")
    document = result(idle.handle(AudioEnded(recognition=idle.number, position_s=2.5)))
    assert (document.result_status, document.end_time) == (ResultStatus.NO_SPEECH, 2.5)


def test_the_first_packet_decides_the_type_of_the_audio(idle):
    idle.start()
    types = []
    for audio, content_type in ((b"", "audio/x"), (b"a", "audio/raw"), (b"b", "audio/wav")):
        types += [push.content_type for push in pushed(idle.receive(SendAudio(audio=audio, content_type=content_type)))]
    assert types == ["audio/raw", "audio/raw"]


def test_media_type_stands_in_where_packets_have_no_type(idle):
    idle.start(**{"Media-Type": "audio/wav"})
    (push,) = pushed(idle.receive(SendAudio(audio=b"a")))
    assert push.content_type == "audio/wav"


@pytest.mark.parametrize(
    ("of_packet", "announced", "used"),
    [
        ("audio/raw", "audio/raw;rate=16000", "audio/raw;rate=16000"),
        ("application/octet-stream", "Audio/Raw; Rate=16000", "application/octet-stream;rate=16000"),
        ("audio/raw;rate=8000", "audio/raw;rate=16000", "audio/raw;rate=8000"),
        ("audio/raw", "audio/wav", "audio/raw"),
        (None, "audio/raw;rate=16000", "audio/raw;rate=16000"),
    ],
)
def test_rate_of_media_type_counts_where_packets_say_none(idle, of_packet, announced, used):
    idle.start(**{"Media-Type": announced})
    (push,) = pushed(idle.receive(SendAudio(audio=b"a", content_type=of_packet)))
    assert push.content_type == used


def test_without_endpointer_no_speech_events_are_sent(idle):
    idle.start(endpointer__enabled="false")
    assert idle.speech(start_s=0.0) == []
    assert idle.silence(audio_ended=True) == []
    assert result(idle.decoded(alternative("all of it"))).alternatives[0].text == "all of it"


def test_without_endpointer_empty_audio_is_no_match(idle):
    idle.start(endpointer__enabled="false")
    document = result(idle.handle(AudioEnded(recognition=idle.number, position_s=0.0)))
    assert document.result_status is ResultStatus.NO_MATCH


def test_partials_are_sent_only_on_wish(idle):
    idle.start()
    idle.speech()
    partial = PartialDecoded(
        recognition=idle.number, start_s=1.0, end_s=1.5, alternatives=(alternative("go"), alternative("no"))
    )
    assert idle.handle(partial) == []


def test_partial_result(idle):
    idle.start(decoder__partialResultEnabled="true", decoder__confidenceThreshold="95")
    idle.speech()
    event = PartialDecoded(
        recognition=idle.number, start_s=1.0, end_s=1.5, alternatives=(alternative("go"), alternative("no"))
    )
    (message,) = messages(idle.handle(event))
    assert (message.result_status, message.session_status) == (ResultStatus.PROCESSING, SessionStatus.LISTENING)
    assert message.body.startswith(b'{"alternatives":[{"text":"go"')
    assert message.body.count(b'"text":"no"') == 0
    assert b'"final_result":false' in message.body
    assert b'"last_segment":false' in message.body


def test_partials_without_alternatives_or_out_of_place_are_not_sent(idle):
    idle.start(decoder__partialResultEnabled="true")

    def partial(*alternatives):
        return idle.handle(PartialDecoded(recognition=idle.number, start_s=1.0, end_s=1.5, alternatives=alternatives))

    assert partial(alternative("before speech")) == []
    idle.speech()
    assert partial() == []
    idle.silence()
    assert partial(alternative("after speech")) == []


@pytest.mark.parametrize("error", [WorkerDiedError("The recogniser stopped"), AudioFormatError("Unknown codec")])
@pytest.mark.parametrize("phase", ["waiting", "speaking", "decoding"])
def test_failure_mid_recognition_is_a_result_and_the_session_stays_usable(idle, phase, error):
    idle.start()
    if phase != "waiting":
        idle.speech()
    if phase == "decoding":
        idle.silence()
    effects = idle.handle(RecognitionFailed(recognition=idle.number, error=error))
    document = result(effects)
    assert (document.result_status, document.error_code) == (ResultStatus.FAILURE, error.code)
    assert document.message == str(error)
    assert stops(effects) == [idle.number]
    idle.start()
    idle.speech()
    idle.silence()
    assert result(idle.decoded(alternative("again"))).alternatives[0].text == "again"


def test_events_of_an_old_recognition_are_ignored(idle):
    idle.start()
    old = idle.number
    idle.receive(CancelRecognition())
    idle.start()
    idle.number, new = old, idle.number
    assert old != new
    assert idle.speech() == []
    assert idle.silence() == []
    assert idle.decoded(alternative("old")) == []
    assert idle.handle(AudioProcessed(recognition=old, position_s=99.0)) == []
    assert idle.handle(AudioEnded(recognition=old, position_s=99.0)) == []
    assert idle.handle(RecognitionFailed(recognition=old, error=WorkerDiedError("x"))) == []
    assert idle.session.recognition == new
    assert idle.session.status is SessionStatus.LISTENING


def test_events_out_of_phase_are_ignored(idle):
    idle.start()
    assert idle.silence() == []
    assert idle.decoded(alternative("too early")) == []
    idle.speech()
    assert idle.speech() == []
    assert idle.decoded(alternative("not ended")) == []
    assert idle.handle(AudioEnded(recognition=idle.number, position_s=3.0)) == []
    assert idle.session.status is SessionStatus.LISTENING


def test_late_request_answers_after_the_connection_is_lost_are_ignored(idle):
    idle.receive(StartRecognition(content_type="text/uri-list", body=FREE))
    assert stops(idle.session.connection_lost()) == [0]
    assert idle.handle(RecognitionOpened(recognition=0)) == []
    assert idle.session.closed


def test_connection_lost_stops_what_runs(idle):
    idle.start()
    assert stops(idle.session.connection_lost()) == [idle.number]
    assert stops(idle.session.connection_lost()) == []


def test_parameters_of_a_start_hold_for_that_recognition_only(idle):
    response(idle.receive(SetParameters(parameters={"decoder.maxSentences": "2"})))
    (opening,) = idle.receive(
        StartRecognition(parameters={"decoder.maxSentences": "4"}, content_type="text/uri-list", body=FREE)
    )
    assert isinstance(opening, OpenRecognition)
    assert opening.parameters.max_sentences == 4
    idle.handle(RecognitionOpened(recognition=opening.recognition))
    values = response(idle.receive(GetParameters(names=("decoder.maxSentences",)))).parameters
    assert values == {"decoder.maxSentences": "2"}


def test_bad_parameters_of_a_start_are_told_and_not_fatal(idle):
    message = StartRecognition(
        parameters={"decoder.maxSentences": "many", "x.unknown": "1"}, content_type="text/uri-list", body=FREE
    )
    (opening,) = idle.receive(message)
    answer = response(idle.handle(RecognitionOpened(recognition=opening.recognition)))
    assert answer.result is Result.SUCCESS
    assert answer.error_code is None
    assert answer.parameters == {"x.unknown": "ERR_INVALID_PARAMETER"}
    assert answer.message == "Ignored values of decoder.maxSentences"


def test_xml_result_on_wish(idle):
    idle.start(accept="application/xml")
    idle.speech()
    idle.silence()
    (message,) = messages(idle.decoded(alternative("yes")))
    assert message.content_type == "application/xml"
    assert b"<text>yes</text>" in message.body
