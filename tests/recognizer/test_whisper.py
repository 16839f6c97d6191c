"""The second engine with a real model; skipped with a word where the model or the extra ``whisper`` is not there."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from asr_trio.errors import AcousticModelError
from asr_trio.protocol.results import Alternative
from asr_trio.recognizer import base
from asr_trio.recognizer.engines import find_maker
from asr_trio.settings import ModelSettings
from tests.recognizer.audio import read_pcm

pytest.importorskip("faster_whisper", reason="the extra whisper is not installed")

LM = base.StatisticalModel(name="dictation", lm="builtin:slm/dictation")
BLOCK_BYTES = 1920


def settings(folder: Path | None, **options: object) -> ModelSettings:
    return ModelSettings(engine="whisper", acoustic=folder, options=options)


@pytest.fixture(scope="module")
def engine(shared: Path) -> base.Engine:
    folder = shared / "models" / "whisper-tiny.en"
    if not folder.is_dir():
        pytest.skip("the model whisper-tiny.en is not beside this checkout")
    return find_maker("whisper")("dictation", settings(folder))


@pytest.fixture(scope="module")
def sentence(shared: Path) -> tuple[bytes, str]:
    """Return a recording of some seconds, and its words."""
    with (shared / "data/free/refs.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    row = next(row for row in rows if row["transcript"] == SENTENCE)
    return read_pcm(shared / "data/free" / row["path"]), row["transcript"]


SENTENCE = (
    "since then physicists have found that it is not reflection but refraction by the raindrops which causes the "
    "rainbows"
)


def recognize(
    engine: base.Engine,
    pcm: bytes,
    *,
    block_bytes: int = BLOCK_BYTES,
    pause_at: int | None = None,
    resumes: bool = False,
    pulse: base.Pulse = base.no_pulse,
    **wanted: object,
) -> tuple[Alternative, ...]:
    recognition = engine.open((LM,), base.DecoderSettings(**wanted), b"", pulse)  # type: ignore[arg-type]
    recognition.start_segment(2.0)
    for start in range(0, len(pcm), block_bytes):
        recognition.accept(pcm[start : start + block_bytes])
        if pause_at is not None and start <= pause_at < start + block_bytes:
            recognition.pause()
            if resumes:
                recognition.resume()
    found = recognition.finish_segment(2.0 + len(pcm) / 32_000)
    recognition.close()
    return found


def test_a_sentence_is_read_with_times_and_scores(engine: base.Engine, sentence: tuple[bytes, str]) -> None:
    pcm, transcript = sentence
    (best,) = recognize(engine, pcm)
    same = len(set(best.text.split()) & set(transcript.split()))
    assert same >= 0.8 * len(set(transcript.split()))
    assert [word.text for word in best.words] == best.text.split()
    times = [time_s for word in best.words for time_s in (word.start_time, word.end_time)]
    assert times == sorted(times)
    assert times[0] >= 2.0
    assert times[-1] <= 2.0 + len(pcm) / 32_000
    assert best.lm == LM.lm
    assert 50 < best.score <= 100


def test_results_do_not_depend_on_how_audio_is_cut_or_where_it_paused(
    engine: base.Engine, sentence: tuple[bytes, str]
) -> None:
    pcm, _ = sentence
    whole = recognize(engine, pcm)
    assert recognize(engine, pcm, block_bytes=777 * 2) == whole
    assert recognize(engine, pcm, pause_at=48_000, resumes=True) == whole  # too short for a piece of its own
    # What follows a pause is silence, whether there was time to read in it or not.
    silence = bytes(32_000)
    (paused,) = recognize(engine, pcm + silence, pause_at=len(pcm) - 1)
    assert paused.text == whole[0].text


def test_several_sentences_are_different_and_best_first(engine: base.Engine, sentence: tuple[bytes, str]) -> None:
    found = recognize(engine, sentence[0], max_sentences=3, word_details=2)
    assert 1 < len(found) <= 3
    assert len({alternative.text for alternative in found}) == len(found)
    assert [alternative.score for alternative in found] == sorted((a.score for a in found), reverse=True)
    assert all(alternative.words for alternative in found)


def test_silence_is_no_result(engine: base.Engine) -> None:
    assert recognize(engine, bytes(64_000)) == ()
    assert recognize(engine, b"") == ()


def test_a_long_segment_is_read_in_pieces_that_pauses_part(
    engine: base.Engine, read_free: Callable[[str], bytes], sentence: tuple[bytes, str]
) -> None:
    other = read_free("put this in a double boiler and let cook until thick stirring constantly")
    recognition = engine.open((LM,), base.DecoderSettings(), b"")
    recognition.start_segment(2.0)
    for pcm in (sentence[0], other, sentence[0], other):
        recognition.accept(pcm)
        recognition.pause()
        recognition.accept(bytes(6400))
        recognition.resume()
    (best,) = recognition.finish_segment(0.0)
    recognition.close()
    assert best.text.count("raindrops") == best.text.count("stirring constantly") == 2
    times = [time_s for word in best.words for time_s in (word.start_time, word.end_time)]
    assert times == sorted(times)


def test_speech_without_a_pause_is_cut_before_the_model_takes_no_more(
    engine: base.Engine, sentence: tuple[bytes, str]
) -> None:
    pcm = sentence[0] * 5
    assert len(pcm) > 30 * 32_000
    (best,) = recognize(engine, pcm)
    times = [time_s for word in best.words for time_s in (word.start_time, word.end_time)]
    assert times == sorted(times)
    assert best.words[-1].end_time > 30
    assert len(best.words) > 60


def test_partials_grow_within_their_budget(shared: Path, engine: base.Engine, sentence: tuple[bytes, str]) -> None:
    pcm, _ = sentence

    def partials(engine: base.Engine) -> list[str]:
        recognition = engine.open((LM,), base.DecoderSettings(), b"")
        recognition.start_segment(0.0)
        texts = []
        for start in range(0, len(pcm), 16_000):
            recognition.accept(pcm[start : start + 16_000])
            texts += [found.text for found in recognition.partial()]
        recognition.close()
        return texts

    generous = settings(shared / "models/whisper-tiny.en", partial_share=100.0)
    texts = partials(find_maker("whisper")("dictation", generous))
    assert len(texts) > 5
    assert len(texts[-1].split()) > 10
    miserly = settings(shared / "models/whisper-tiny.en", partial_share=1e-6)
    assert len(partials(find_maker("whisper")("dictation", miserly))) <= 1


def test_long_work_pulses_and_ends_when_nobody_waits(engine: base.Engine, sentence: tuple[bytes, str]) -> None:
    class Enough(Exception):  # noqa: N818
        pass

    def pulse() -> None:
        raise Enough

    with pytest.raises(Enough):  # each piece of four minutes takes longer than the time between two pulses
        recognize(engine, sentence[0] * 32, pulse=pulse)


def test_hints_move_the_result(engine: base.Engine, read_free: Callable[[str], bytes]) -> None:
    pcm = read_free("then said the eunuch art thou he who repeated poetry but now and my lady heard him")
    assert "eunuch" not in recognize(engine, pcm)[0].text
    assert "eunuch" in recognize(engine, pcm, hints="eunuch, art thou:100")[0].text


@pytest.fixture
def read_free(shared: Path) -> Callable[[str], bytes]:
    def read(transcript: str) -> bytes:
        with (shared / "data/free/refs.tsv").open(encoding="utf-8") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            return next(read_pcm(shared / "data/free" / row["path"]) for row in rows if row["transcript"] == transcript)

    return read


def test_grammars_are_not_its_business(engine: base.Engine) -> None:
    with pytest.raises(AcousticModelError, match="free speech only"):
        engine.open((base.GrammarModel(compiled=b"", digest="", lm="x"),), base.DecoderSettings(), b"")


def test_what_is_missing_is_said_without_a_path(tmp_path: Path) -> None:
    make = find_maker("whisper")
    with pytest.raises(AcousticModelError, match="'acoustic' must name its folder"):
        make("x", settings(None))
    (tmp_path / "model.bin").touch()
    with pytest.raises(AcousticModelError, match=r"^model 'x': its folder has no config.json$"):
        make("x", settings(tmp_path))
    for file in ("config.json", "tokenizer.json"):
        (tmp_path / file).write_text("{}")
    with pytest.raises(AcousticModelError, match="cannot load it"):
        make("x", settings(tmp_path))
    with pytest.raises(AcousticModelError, match="beam"):
        make("x", settings(tmp_path, beams=3))
