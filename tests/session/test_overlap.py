from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from asr_trio.protocol.results import Alternative, Interpretation, Word
from asr_trio.session.overlap import part_at_cuts
from tests.session.driver import Driver, State, results


def heard(text, *times, **fields):
    words = tuple(
        Word(text=word, score=90, start_time=start, end_time=end)
        for word, (start, end) in zip(text.split(), times, strict=True)
    )
    return Alternative(text=text, score=90, words=words, **fields)


def told(end_s, start_s=None):
    """The last word that was told."""
    return Word(text="told", score=90, start_time=end_s - 0.4 if start_s is None else start_s, end_time=end_s)


def texts(parted):
    return [alternative.text for alternative in parted[0]]


def test_what_the_segment_before_told_is_left_out():
    second = heard("ow and peaceful", (3.5, 3.9), (3.95, 4.2), (4.2, 4.8))
    parted = part_at_cuts((second,), told=told(3.9), end_s=5.0, next_start_s=math.inf)
    assert texts(parted) == ["and peaceful"]
    assert parted[1] == second.words[-1]


def test_word_of_which_one_side_hears_only_the_beginning_is_told_once():
    for heard_until_s in (4.0, 4.2, 4.6):
        second = heard("peaceful look", (3.6, heard_until_s), (4.6, 4.9))
        parted = part_at_cuts((second,), told=told(3.95, 3.6), end_s=5.0, next_start_s=math.inf)
        assert texts(parted) == ["look"]


def test_word_that_only_the_second_side_hears_is_not_lost():
    second = heard("and peaceful", (3.7, 3.9), (3.95, 4.2))
    parted = part_at_cuts((second,), told=told(3.72, 3.4), end_s=5.0, next_start_s=math.inf)
    assert texts(parted) == ["and peaceful"]
    nothing, none = part_at_cuts((), told=None, end_s=4.0, next_start_s=3.5)
    assert texts(part_at_cuts((second,), told=none, end_s=5.0, next_start_s=math.inf)) == ["and peaceful"]
    assert nothing == ()


def test_word_that_the_cut_went_through_is_left_to_the_next_segment():
    first = heard("clearing bro", (3.0, 3.5), (3.6, 3.99))
    parted = part_at_cuts((first,), told=None, end_s=4.0, next_start_s=3.5)
    assert texts(parted) == ["clearing"]
    second = heard("brow and", (3.6, 4.1), (4.2, 4.4))
    assert texts(part_at_cuts((second,), told=parted[1], end_s=5.0, next_start_s=math.inf)) == ["brow and"]


def test_word_that_the_next_segment_does_not_hear_whole_stays():
    first = heard("clearing brow", (3.0, 3.4), (3.4, 3.99))
    assert texts(part_at_cuts((first,), told=None, end_s=4.0, next_start_s=3.5)) == ["clearing brow"]


def test_segments_apart_are_left_alone():
    alternatives = (heard("a b", (1.0, 1.2), (1.2, 2.0)), Alternative(text="a", score=1))
    last = alternatives[0].words[-1]
    assert part_at_cuts(alternatives, told=told(0.9), end_s=2.0, next_start_s=2.0) == (alternatives, last)
    assert part_at_cuts((), told=last, end_s=6.0, next_start_s=math.inf) == ((), last)


def test_what_a_grammar_gave_is_whole_or_nothing():
    meant = heard("a b", (1.0, 1.2), (1.2, 2.0), interpretations=(Interpretation(value=1, score=1),))
    assert part_at_cuts((meant,), told=told(1.15), end_s=2.0, next_start_s=1.0) == ((meant,), told(1.15))


def test_other_alternatives_are_parted_alike_or_dropped():
    best = heard("x and peace", (3.5, 3.9), (4.0, 4.2), (4.2, 4.8))
    other = heard("ox and peas", (3.5, 3.9), (4.0, 4.2), (4.2, 4.8))
    same = heard("ex and peace", (3.5, 3.9), (4.0, 4.2), (4.2, 4.8))
    bare = Alternative(text="x and bees", score=2)
    parted = part_at_cuts((best, other, same, bare), told=told(4.0), end_s=5.0, next_start_s=math.inf)
    assert texts(parted) == ["and peace", "and peas"]


def test_a_segment_with_nothing_new_has_no_hypotheses():
    assert texts(part_at_cuts((heard("x", (3.5, 3.9)),), told=told(4.0), end_s=4.1, next_start_s=math.inf)) == []


# A spoken line of words of 0.3 s, heard in two segments that overlap around a cut by more than a word; the two do not
# quite agree on where a word begins and ends.
@given(st.integers(50, 550), st.integers(40, 200), st.lists(st.floats(-0.05, 0.05), min_size=40, max_size=40))
def test_every_word_of_a_line_is_told_once(cut_hundredths, overlap_hundredths, errors_s):
    cut_s, start_s = cut_hundredths / 100, max(0.0, (cut_hundredths - overlap_hundredths) / 100)
    line = [(f"w{index}", index * 0.3, index * 0.3 + 0.28) for index in range(20)]
    edges = [(word, begin + errors_s[at], end + errors_s[-at]) for at, (word, begin, end) in enumerate(line)]
    first = [(word, begin, min(end, cut_s)) for word, begin, end in line if begin < cut_s - 0.1]
    second = [(word, max(begin, start_s), end) for word, begin, end in edges if end > start_s + 0.1]
    found, last = [], None
    for words, end_s, next_start_s in ((first, cut_s, start_s), (second, 6.0, math.inf)):
        hypothesis = heard(" ".join(word for word, *_ in words), *[times for _, *times in words])
        parted, last = part_at_cuts((hypothesis,), told=last, end_s=end_s, next_start_s=next_start_s)
        found += " ".join(alternative.text for alternative in parted).split()
    assert found == [word for word, *_ in line]


def test_session_tells_a_word_at_a_cut_once():
    driver = Driver().go_to(State.IDLE)
    driver.start(decoder__continuousMode="true", decoder__wordDetails="0")
    driver.speech(start_s=0.0)
    driver.silence(end_s=4.0)
    driver.speech(start_s=3.5)
    effects = driver.decoded(heard("clearing brow", (3.0, 3.4), (3.45, 3.9)), start_s=0.0, end_s=4.0)
    driver.silence(end_s=6.0)
    effects += driver.decoded(heard("ow and peaceful", (3.5, 3.9), (4.0, 4.2), (4.2, 4.8)), start_s=3.5, end_s=6.0)
    found = [item.alternatives[0] for item in results(effects)]
    assert [item.text for item in found] == ["clearing brow", "and peaceful"]
    assert all(item.words == () for item in found)
