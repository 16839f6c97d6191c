from __future__ import annotations

import math

import numpy as np
import pytest

from asr_trio.protocol.hints import parse_hints
from asr_trio.recognizer import transcript
from asr_trio.recognizer.transcript import SAMPLE_RATE_HZ, Budget, HeardWord


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (" Mr. O'Neil's well-known 'song', isn't it?", ["mr", "o'neil's", "well", "known", "song", "isn't", "it"]),
        ("Não, São Paulo!", ["não", "são", "paulo"]),
        ("It\N{RIGHT SINGLE QUOTATION MARK}s", ["it's"]),
        (" - ... ", []),
    ],
)
def test_words_are_plain(written: str, words: list[str]) -> None:
    assert transcript.plain_words(written) == words


def test_a_loop_is_told_from_a_sentence() -> None:
    assert transcript.repeats_itself("and a door to let the light through " * 8)
    assert not transcript.repeats_itself("then said the eunuch art thou he who repeated poetry but now")
    assert not transcript.repeats_itself("yes yes yes")


def test_hints_are_sentences_likeliest_last() -> None:
    assert transcript.prompt_text(parse_hints("kubernetes:100, ACME, blue mountain:10")) == (
        "ACME. Blue mountain. Kubernetes."
    )


def test_whole_hints_that_occur_gain_their_boost() -> None:
    hints = parse_hints("blue mountain:10, art, heard:100")
    said = ["heard", "of", "blue", "mountain", "and", "art"]
    assert transcript.hint_gain(said, hints) == pytest.approx(math.log(1000))
    assert transcript.hint_gain(["a", "mountain", "misheard"], hints) == 0


def tone(seconds: float, level: float) -> transcript.Samples:
    return (level * np.sin(np.arange(int(seconds * SAMPLE_RATE_HZ)))).astype(np.float32)


def test_cut_lies_in_the_quietest_place_after_the_earliest() -> None:
    quiet = tone(0.2, 0.001)
    samples = np.concatenate([tone(1, 0.5), tone(0.2, 0.0), tone(2, 0.5), quiet, tone(1, 0.5)])
    assert transcript.quietest_place(samples, 2.0) / SAMPLE_RATE_HZ == pytest.approx(3.3, abs=0.06)


def test_times_keep_to_the_speech_and_increase() -> None:
    samples = np.concatenate([tone(0.5, 0.0001), tone(1, 0.5), tone(0.5, 0.0001)])
    words = [HeardWord("a", 0.0, 0.9, 1), HeardWord("b", 0.9, 0.9, 1), HeardWord("c", 0.85, 2.0, 1)]
    placed = transcript.within_speech(words, samples)
    times = [time_s for word in placed for time_s in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(word.end_s > word.start_s for word in placed)
    assert times[0] == pytest.approx(0.5, abs=0.011)
    assert times[-1] == pytest.approx(1.5, abs=0.011)


def test_times_of_silence_and_of_less_than_a_level_stand() -> None:
    for samples in (np.zeros(SAMPLE_RATE_HZ, np.float32), np.zeros(100, np.float32)):
        (word,) = transcript.within_speech([HeardWord("a", 0.0, 0.5, 1)], samples)
        assert word.end_s > word.start_s >= 0.0
    assert transcript.within_speech([], tone(1, 0.5)) == ()


def test_score_grows_with_both_probabilities_and_stays_in_its_range() -> None:
    for sentence in (-5.0, -0.5, 0.0):
        scores = [transcript.word_score(probability, sentence) for probability in (0.0, 0.2, 0.5, 0.9, 1.0)]
        assert scores == sorted(scores)
        assert 0 <= scores[0] < scores[-1] <= 100
    assert transcript.word_score(0.7, -1.0) <= transcript.word_score(0.7, 0.0)


def test_budget_allows_a_share_of_the_audio() -> None:
    budget = Budget(0.5)
    assert budget.allows(0.0)  # nothing is known of the cost yet
    budget.spend(1.0)
    assert not budget.allows(3.0)
    assert budget.allows(4.0)
    budget.spend(0.1)
    assert budget.allows(4.0)
