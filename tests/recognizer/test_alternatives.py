from __future__ import annotations

import itertools

import hypothesis
import hypothesis.strategies as st

from asr_trio.recognizer.alternatives import place_words

WORDS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=8)


@hypothesis.given(WORDS, WORDS)
@hypothesis.settings(deadline=None)
def test_placed_words_never_overlap_and_are_never_empty(best: list[str], words: list[str]) -> None:
    times = [(10 * number, 10 * number + 9) for number in range(len(best))]
    placed, shares = place_words(best, times, [0.5] * len(best), words, [2] * len(words))
    assert len(placed) == len(shares) == len(words)
    assert all(start < end for start, end in placed)
    assert all(here[1] <= there[0] for here, there in itertools.pairwise(placed))
    assert all(0.0 <= share <= 1.0 for share in shares)


def test_words_that_agree_keep_their_times() -> None:
    times = [(0, 10), (10, 30), (35, 50)]
    placed, shares = place_words(["a", "b", "c"], times, [0.9, 0.4, 0.8], ["a", "x", "y", "c"], [2, 1, 3, 2])
    assert (placed[0], placed[-1]) == (times[0], times[-1])
    assert placed[1][0] == 10
    assert placed[2][1] == 30
    assert shares == [0.9, 0.3, 0.3, 0.8]
