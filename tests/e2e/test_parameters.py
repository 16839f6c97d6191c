"""Each parameter does on the real server what docs/protocol.md says that it does."""

from __future__ import annotations

import numpy as np
import pytest
import structlog
import trio

from asr_trio.client import FinalResult, RequestRefusedError, SpeechEnded, SpeechStarted
from asr_trio.protocol.messages import ResultStatus

from .recordings import samples, silence, table, wav
from .serving import events_of, results, running

SLM = "builtin:slm/general"
LEAD_S = 1.0


@pytest.fixture(scope="module")
def sentence(shared):
    """A short clear sentence at 16 kHz."""
    rows = table(shared / "data/free/refs.tsv")
    row = min((row for row in rows if "libri-clean" in row["path"]), key=lambda row: len(row["transcript"]))
    return samples(shared / "data/free" / row["path"])[0]


@pytest.fixture(scope="module")
def padded(sentence):
    """The sentence with silence around it."""
    return wav(np.concatenate([silence(LEAD_S), sentence, silence(1.5)]), 16_000)


async def final(session, audio, lm=SLM, **parameters):
    wishes = {name.replace("__", "."): value for name, value in parameters.items()}
    (found,) = results(await events_of(session.recognize(audio, lm=lm, parameters=wishes)))
    return found


@pytest.mark.shared
async def test_decoder_parameters(padded):
    async with running() as server, server.connect() as session:
        for sentences in (1, 2, 5):
            found = await final(session, padded, decoder__maxSentences=sentences)
            assert len(found.alternatives) == sentences
            assert len({alternative.text for alternative in found.alternatives}) == sentences
        assert (await final(session, padded, decoder__wordDetails=0)).alternatives[0].words == ()
        assert (await final(session, padded, decoder__wordDetails=1)).alternatives[0].words
        of_all = await final(session, padded, decoder__wordDetails=2, decoder__maxSentences=2)
        assert all(alternative.words for alternative in of_all.alternatives)
        best = (await final(session, padded)).alternatives[0].score
        refused = await final(session, padded, decoder__confidenceThreshold=100)
        assert best == 100 or (refused.result_status, refused.alternatives) == (ResultStatus.NO_MATCH, ())


@pytest.mark.shared
async def test_endpointer_parameters(padded, sentence):
    async with running() as server, server.connect() as session:
        usual = await final(session, padded)
        tight = await final(session, padded, endpointer__headMargin=0, endpointer__tailMargin=0)
        assert tight.start_time == pytest.approx(usual.start_time + 0.2, abs=0.02)
        assert tight.end_time == pytest.approx(usual.end_time - 0.4, abs=0.02)
        deaf = await final(session, padded, endpointer__levelThreshold=90)
        assert deaf.result_status is ResultStatus.NO_SPEECH
        anyway = await final(session, padded, endpointer__levelThreshold=90, endpointer__levelMode=0)
        assert anyway.result_status is ResultStatus.RECOGNIZED
        above = {"endpointer__levelMode": 1, "endpointer__levelThreshold": 90}
        assert (await final(session, padded, **above)).result_status is ResultStatus.NO_SPEECH
        events = await events_of(session.recognize(padded, lm=SLM, parameters={"endpointer.enabled": False}))
        assert not any(isinstance(event, SpeechStarted | SpeechEnded) for event in events)
        (whole,) = results(events)
        assert whole.start_time == 0.0
        assert whole.end_time == pytest.approx(LEAD_S + len(sentence) / 16_000 + 1.5, abs=0.05)


@pytest.mark.shared
async def test_continuous_parameters(sentence):
    two = wav(np.concatenate([sentence, silence(2.0), sentence, silence(1.5)]), 16_000)
    async with running() as server, server.connect() as session:

        async def dictated(**parameters):
            wishes = {"decoder.continuousMode": True}
            wishes |= {name.replace("__", "."): value for name, value in parameters.items()}
            return results(await events_of(session.recognize(two, lm=SLM, parameters=wishes)))

        apart = await dictated()
        assert [item.result_status.value for item in apart] == ["RECOGNIZED", "RECOGNIZED", "NO_SPEECH"]
        together = await dictated(endpointer__waitEnd=3000)
        assert together[0].start_time == apart[0].start_time
        assert together[0].end_time == apart[1].end_time
        assert together[0].last_segment
        cut = await dictated(endpointer__maxSegmentDuration=1500, endpointer__segmentOverlapTime=100)
        assert len(cut) > len(apart)
        assert all(item.end_time - item.start_time < 1.5 + 0.2 + 0.4 + 0.2 for item in cut[:-1])


@pytest.mark.shared
async def test_long_speech_is_cut_in_continuous_mode_only(padded, sentence):
    async with running() as server, server.connect() as session:
        usual = await final(session, padded)
        whole = await final(session, padded, endpointer__maxSegmentDuration=1500)
        assert (whole.start_time, whole.end_time) == (usual.start_time, usual.end_time)
    half_s = len(sentence) / 16_000 / 2
    async with running(limits={"speech_segment_s": half_s}) as server, server.connect() as session:
        events = await events_of(session.recognize(padded, lm=SLM))
        assert [type(event) for event in events] == [SpeechStarted, FinalResult]
        (long,) = results(events)
        assert (long.result_status, long.alternatives) == (ResultStatus.MAX_SPEECH, ())
        assert long.end_time == pytest.approx(long.start_time + half_s, abs=0.01)
        dictated = session.recognize(padded, lm=SLM, parameters={"decoder.continuousMode": True})
        cut = results(await events_of(dictated))
        assert [item.result_status.value for item in cut[:2]] == ["RECOGNIZED"] * 2


@pytest.mark.shared
async def test_rate_of_audio_without_a_header(shared, sentence):
    """8 kHz as the SDKs take for granted, unless packets, Media-Type or the operator say otherwise."""
    wide, wide_s = sentence.tobytes(), len(sentence) / 16_000
    (path,) = (shared / "data/digits_fsdd/wav").glob("str_theo_20.wav")
    narrow = samples(path)[0].tobytes()
    narrow_s = len(narrow) / 2 / 8_000
    whole = {"endpointer.enabled": False}
    at_16_khz = {"recognizer": {"models": {"general": {"sample_rate_hz": 16_000}}}}
    async with running() as server, server.connect() as session, running(**at_16_khz) as other:
        for audio, content_type, media_type, seconds in (
            (narrow, "application/octet-stream", "", narrow_s),
            (narrow, "audio/raw", "audio/raw", narrow_s),
            (wide, "audio/raw;rate=16000", "", wide_s),
            (wide, "audio/raw", "audio/raw;rate=16000", wide_s),
        ):
            recognition = session.recognize(
                audio, lm=SLM, content_type=content_type, parameters=whole | {"Media-Type": media_type}
            )
            assert (await recognition.final()).result.end_time == pytest.approx(seconds, abs=0.02)
        async with other.connect() as session_there:
            recognition = session_there.recognize(wide, lm=SLM, content_type="audio/raw", parameters=whole)
            assert (await recognition.final()).result.end_time == pytest.approx(wide_s, abs=0.02)


@pytest.mark.shared
async def test_timer_parameters(padded):
    async with running() as server, server.connect() as session:
        early = await final(session, padded, noInputTimeout__value=500)
        assert (early.result_status, early.end_time) == (ResultStatus.NO_INPUT_TIMEOUT, 0.5)
        late = await final(session, padded, noInputTimeout__value=500, noInputTimeout__enabled=False)
        assert late.result_status is ResultStatus.RECOGNIZED


@pytest.mark.shared
async def test_hints_move_the_result_of_their_recognition_only(padded):
    """The sentence ends in "passion"."""
    async with running() as server:

        async def heard(**parameters):
            async with server.connect() as session:  # a session of its own: the last one's channel mean would help
                return (await final(session, padded, **parameters)).alternatives[0]

        usual = (await heard()).text
        assert "zebracorn" not in usual
        hinted = await heard(hints__words="the passion:1000, zebra:1000")
        assert "the passion" in hinted.text
        assert "zebra" not in hinted.text
        assert "the passion" in [word.text for word in hinted.words]
        unheard = await heard(hints__words="zebracorn:1000000 [P-AE-SH-AH-N], bad:9 [Q-Q]")
        assert "zebracorn" in unheard.text
        assert (await heard()).text == usual


@pytest.mark.shared
async def test_models_from_files_compete(shared, sentence):
    folder = shared / "data/grammars"
    async with (
        running(language_models={"file_roots": (str(folder),)}) as server,
        server.connect() as session,
    ):
        uri = (folder / "commands.abnf").as_uri()
        found = await final(session, wav(sentence, 16_000), lm=[uri, "builtin:grammar/digits"])
        assert all(item.lm in {uri, "builtin:grammar/digits"} for item in found.alternatives)
        with pytest.raises(RequestRefusedError, match="ERR_FILE_OPEN"):
            await final(session, wav(sentence, 16_000), lm=(folder.parent / "README.md").as_uri())


async def test_parameters_are_set_told_and_refused_by_name():
    async with running() as server, server.connect() as session:
        wishes = {"decoder.maxSentences": 2, "Infer-age-enabled": True, "no.such": 1, "hints.words": "a:x"}
        assert await session.set_parameters(wishes) == {
            "Infer-age-enabled": "ERR_UNSUPPORTED_PARAMETER",
            "no.such": "ERR_INVALID_PARAMETER",
            "hints.words": "ERR_INVALID_PARAMETER_VALUE",
        }
        assert await session.get_parameters("decoder.maxSentences") == {"decoder.maxSentences": "2"}
        assert len(await session.get_parameters()) > 25


async def test_tags_stand_in_the_log():
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with running() as server, server.connect() as session:
            await session.set_parameters({"loggingTag": "call 7", "licenseManager.accountTag": "shop"})
            with trio.fail_after(30):
                events = await events_of(session.recognize(bytes(3200), lm=SLM, content_type="audio/raw"))
            assert isinstance(events[-1], FinalResult)
    (line,) = [line for line in lines if line["event"] == "recognition"]
    assert (line["tag"], line["account"], line["status"]) == ("call 7", "shop", "NO_SPEECH")


async def test_audio_of_one_recognition_is_bounded_and_the_session_goes_on():
    async with running(limits={"audio_total_s": 1.0}) as server, server.connect() as session:
        long = session.recognize(bytes(3 * 32_000), lm=SLM, content_type="audio/raw")
        (failed,) = results(await events_of(long))
        assert (failed.result_status, failed.error_code) == (ResultStatus.FAILURE, "ERR_BUFFER_OVERFLOW")
        short = session.recognize(bytes(16_000), lm=SLM, content_type="audio/raw")
        (silent,) = results(await events_of(short))
        assert silent.result_status is ResultStatus.NO_SPEECH
