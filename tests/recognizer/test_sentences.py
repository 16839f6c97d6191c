"""The search for the n best sentences, against all sentences one by one."""

from __future__ import annotations

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from asr_trio.grammar.graph import NO_WORD, Graph
from asr_trio.recognizer import sentences
from asr_trio.recognizer.acoustic import FRAME_STEP, SCORE_UNIT, SegmentScores
from asr_trio.recognizer.phone_graph import WEIGHT_SCALE, WORD_PENALTY, PhoneGraph
from asr_trio.recognizer.sentences import SentenceSearch

PHONES = ["A", "B", "C", "SIL"]
NEVER = -1e30


class Senones:
    """Three states for each phone, whatever stands beside it."""

    def __init__(self) -> None:
        self.phones = {name: number for number, name in enumerate(PHONES)}

    def senones(self, phone: str, left: str, right: str, position: int) -> tuple[int, ...]:
        first = 3 * self.phones[phone]
        return (first, first + 1, first + 2)


def graph_of(n_states: int, start: int, final: int, arcs: list[tuple[int, int, int, float]]) -> Graph:
    graph = Graph(n_states, start, final, [], [], [], [])
    for source, target, word, weight in arcs:
        graph.add(source, target, word, weight)
    return graph


def scores_of(n_frames: int, seed: int) -> SegmentScores:
    rng = np.random.default_rng(seed)
    senones = (-512 * rng.integers(0, 60, (n_frames, 3 * len(PHONES)))).astype(np.int16)
    return SegmentScores(senones, senones.reshape(n_frames, len(PHONES), 3).max(axis=2))


def likelihood(scores: SegmentScores, words: list[list[str]], weight: float) -> float:
    """Return how likely a sentence is, by the theory of the module: states in a row, steps of up to three."""
    # (senones, may be stepped over in whole) of each word's states and of the silence behind it
    parts = [["SIL"], *words]
    states: list[tuple[int, int, int]] = []  # part, states left in the part, senone or -1 for silence
    for number, part in enumerate(parts):
        own = [] if number == 0 else [3 * PHONES.index(phone) + state for phone in part for state in range(3)]
        own = [*own, -1]
        states += [(number, len(own) - place, senone) for place, senone in enumerate(own)]
    firsts = {number: next(at for at, state in enumerate(states) if state[0] == number) for number in range(len(parts))}

    def fit(frame: int, senone: int) -> float:
        row = scores.phones[frame, 3] if senone < 0 else scores.senones[frame, senone]
        return FRAME_STEP * SCORE_UNIT * float(row)

    def step_allowed(source: int, target: int) -> bool:
        (part, left, _), (other, _, _) = states[source], states[target]
        if part == other:
            return 0 <= target - source <= 3
        return other == part + 1 and left <= 3 and target - firsts[other] < 3

    best = [fit(0, state[2]) if at < 4 else NEVER for at, state in enumerate(states)]
    for frame in range(1, len(scores.senones)):
        best = [
            max((best[before] for before in range(at + 1) if step_allowed(before, at)), default=NEVER)
            + fit(frame, state[2])
            for at, state in enumerate(states)
        ]
    return max(best[-3:]) + len(words) * WORD_PENALTY + WEIGHT_SCALE * weight


def texts_of(graph: Graph, spelled: list[str], most_words: int) -> dict[str, list[tuple[list[int], float]]]:
    """Return the ways through a graph by their text."""
    found: dict[str, list[tuple[list[int], float]]] = {}
    queue: list[tuple[int, list[int], float]] = [(graph.start, [], 0.0)]
    while queue:
        node, words, weight = queue.pop()
        if node == graph.final and words:
            found.setdefault(" ".join(spelled[word] for word in words), []).append((words, weight))
        for source, target, word, cost in zip(graph.sources, graph.targets, graph.words, graph.weights, strict=True):
            if source == node and (word == NO_WORD or len(words) < most_words):
                queue.append((target, words if word == NO_WORD else [*words, word], weight + cost))
    return found


SPELLED = ["a", "b", "ab", "c"]
SAID = [["A"], ["B"], ["A B", "B A"], ["C A"]]
LOOP = graph_of(1, 0, 0, [(0, 0, word, -0.1 * word) for word in range(4)])
OPTIONAL = graph_of(
    4,
    0,
    3,
    [(0, 1, 0, 0.0), (0, 1, NO_WORD, -1.0), (1, 2, 1, -0.2), (1, 2, 2, 0.0), (2, 3, 3, 0.0), (2, 3, NO_WORD, 0.0)],
)
TWO_WAYS = graph_of(3, 0, 2, [(0, 1, 0, 0.0), (0, 2, 0, -0.5), (1, 2, 1, 0.0), (0, 2, 3, 0.0)])


@pytest.mark.parametrize("graph", [LOOP, OPTIONAL, TWO_WAYS], ids=["loop", "optional words", "two ways"])
@hypothesis.given(n_frames=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
@hypothesis.settings(deadline=None, max_examples=20)
def test_sentences_come_in_the_order_of_their_likelihood_and_none_is_left_out(
    graph: Graph, n_frames: int, seed: int
) -> None:
    scores = scores_of(n_frames, seed)
    expected: dict[str, float] = {}
    for text, ways in texts_of(graph, SPELLED, most_words=n_frames).items():
        expected[text] = max(
            likelihood(scores, [said.split() for said in spoken], weight)
            for words, weight in ways
            for spoken in itertools.product(*(SAID[word] for word in words))
        )
    expected = {text: value for text, value in expected.items() if value > NEVER / 2}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sentences, "BEAM", np.float32(np.inf))
        search = SentenceSearch(PhoneGraph(Senones(), graph, SPELLED, SAID), scores, [])
        found = list(search.best(len(expected) + 1))
    assert {" ".join(SPELLED[word] for word in one.words) for one in found} == set(expected)
    values = [one.likelihood for one in found]
    assert values == pytest.approx(sorted(expected.values(), reverse=True), abs=0.1)
    for one in found:
        times = [time for word in one.spoken for time in (word.start, word.end)]
        assert times == sorted(times)
        assert all(word.start < word.end <= FRAME_STEP * n_frames for word in one.spoken)


def test_without_audio_there_is_no_sentence() -> None:
    graph = PhoneGraph(Senones(), LOOP, SPELLED, SAID)
    assert list(SentenceSearch(graph, scores_of(0, 1), []).best(3)) == []


def test_fillers_have_no_text() -> None:
    graph = PhoneGraph(Senones(), LOOP, ["a", "", "ab", ""], SAID)
    found = list(SentenceSearch(graph, scores_of(6, 1), []).best(10))
    texts = [" ".join(filter(None, (["a", "", "ab", ""][word] for word in one.words))) for one in found]
    assert len(set(texts)) == len(texts) == 10
    assert "" not in texts


def test_of_a_large_grammar_go_in_what_fits_and_before_it_what_was_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "STATES_MAX", 7)  # one of the words
    graph = PhoneGraph(Senones(), graph_of(2, 0, 1, [(0, 1, word, 0.0) for word in (0, 1, 3)]), SPELLED, SAID)
    senones = np.full((4, 12), -50 * 512, np.int16)
    senones[:, 3:6] = 0  # the phone B
    scores = SegmentScores(senones, senones.reshape(4, 4, 3).max(axis=2))
    assert [one.words for one in SentenceSearch(graph, scores, []).best(5)] == [(1,)]
    assert [one.words for one in SentenceSearch(graph, scores, [3]).best(5)] == [(3,)]
