from __future__ import annotations

import pytest

from asr_trio.errors import AcousticModelError
from asr_trio.recognizer import base
from asr_trio.recognizer.fake import FakeEngine
from asr_trio.settings import ModelSettings

MODEL = base.StatisticalModel(name="fake", lm="builtin:slm/fake")


def test_segments_play_the_script_and_the_last_entry_stays() -> None:
    script = [{"text": "hello world", "partials": ["hello"]}, {"text": ""}]
    recognition = FakeEngine("fake", ModelSettings(options={"script": script})).open(
        (MODEL,), base.DecoderSettings(), b""
    )
    texts = []
    for _ in range(3):
        recognition.start_segment(1.0)
        texts.append([found.text for found in (*recognition.partial(), *recognition.finish_segment(2.0))])
    assert texts == [["hello", "hello world"], [], []]


def test_words_share_the_time_of_the_segment() -> None:
    engine = FakeEngine("fake", ModelSettings(options={"script": [{"text": "a b"}]}))
    recognition = engine.open((MODEL,), base.DecoderSettings(), b"")
    recognition.start_segment(1.0)
    (found,) = recognition.finish_segment(2.0)
    assert [(word.start_time, word.end_time) for word in found.words] == [(1.0, 1.5), (1.5, 2.0)]


@pytest.mark.parametrize("script", [[], [{"txet": "x"}], "x"])
def test_script_that_is_none_is_refused(script: object) -> None:
    with pytest.raises(AcousticModelError):
        FakeEngine("fake", ModelSettings(options={"script": script}))
