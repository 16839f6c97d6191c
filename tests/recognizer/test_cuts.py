"""Long speech within a grammar, cut by the endpointer: what two segments hear of a cut is told once."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from asr_trio.audio.container import AudioFormat
from asr_trio.audio.frontend import EndpointerSettings, Frontend, SpeechAudio, SpeechEnd, SpeechStart
from asr_trio.protocol.results import Alternative, Word
from asr_trio.recognizer import base
from asr_trio.recognizer.pocketsphinx import PocketSphinxEngine
from asr_trio.settings import ModelSettings
from tests.recognizer.audio import read_pcm
from tests.recognizer.test_pocketsphinx import DIGITS, grammar

TAIL = bytes(64_000)


@pytest.fixture(scope="module")
def engine() -> PocketSphinxEngine:
    return PocketSphinxEngine("general", ModelSettings())


def dictate(
    engine: PocketSphinxEngine, model: base.GrammarModel, pcm: bytes, max_segment_ms: int
) -> tuple[list[Alternative], int]:
    """Return what was told of a recording, and how often a segment heard audio of the one before it again."""
    cuts = EndpointerSettings(continuous=True, max_segment_duration_ms=max_segment_ms, segment_overlap_ms=500)
    frontend = Frontend(AudioFormat("pcm_s16", base.SAMPLE_RATE_HZ), cuts)
    recognition = engine.open((model,), base.DecoderSettings(max_sentences=2), b"")
    told: list[Alternative] = []
    ended_s, overlaps = 0.0, 0
    for event in [*frontend.process(pcm + TAIL), *frontend.flush()]:
        match event:
            case SpeechStart(start_s=start_s):
                overlaps += start_s < ended_s
                recognition.start_segment(start_s)
            case SpeechAudio(pcm=speech):
                recognition.accept(speech)
            case SpeechEnd(end_s=ended_s):
                told += recognition.finish_segment(ended_s)[:1]
    recognition.close()
    return told, overlaps


def words_of(told: list[Alternative]) -> list[Word]:
    return [word for one in told for word in one.words]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["str_jackson_00", "str_theo_08"])
def test_no_word_is_told_twice_wherever_the_cut_falls(engine: PocketSphinxEngine, shared: Path, name: str) -> None:
    pcm = read_pcm(shared / "data" / "digits_fsdd" / "wav" / f"{name}.wav")
    overlaps = 0
    for max_segment_ms in range(1000, 2600, 200):
        told, here = dictate(engine, grammar(DIGITS), pcm, max_segment_ms)
        overlaps += here
        words = words_of(told)
        assert not any(after.repeats(before) for before, after in itertools.pairwise(words))
        assert all(one.text.split() == [word.text for word in one.words] for one in told)
        assert all([found.value for found in one.interpretations] == [one.text] for one in told)
    assert overlaps > 5


@pytest.mark.shared
def test_none_is_lost_either(engine: PocketSphinxEngine, shared: Path) -> None:
    pcm = read_pcm(shared / "data" / "an4" / "flac" / "cen7-mjdr-b.flac")
    for max_segment_ms in range(1600, 3200, 200):  # shorter pieces of cut words are refused by their scores
        told, _ = dictate(engine, grammar(DIGITS), pcm, max_segment_ms)
        assert " ".join(word.text for word in words_of(told)) == "four one two six eight one one eight four two"


@pytest.mark.shared
def test_a_sentence_of_which_no_part_is_one_stays_whole(engine: PocketSphinxEngine, shared: Path) -> None:
    pcm = read_pcm(shared / "data" / "digits_fsdd" / "wav" / "str_jackson_06.wav")
    pair = grammar(b"#JSGF V1.0; grammar p; public <p> = one two nine;")
    recognition = engine.open((pair,), base.DecoderSettings(), b"")
    texts = []
    for start_s in (0.0, 0.4):  # as if heard again from there on
        recognition.start_segment(start_s)
        recognition.accept(pcm)
        texts.append([one.text for one in recognition.finish_segment(start_s + len(pcm) / 32_000)])
    recognition.close()
    assert texts == [["one two nine"]] * 2
