"""More than one hypothesis, where the decoder gives only one or only its text.

In a grammar: other words of the graph that lead between the same two states as a recognised word, ranked by how well
the acoustic model finds their phones in the same frames. In free speech: texts of the lattice, whose words take the
times of the best hypothesis where they agree with it and share out the rest.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

import numpy as np

from asr_trio.recognizer.acoustic import FRAME_STEP, AcousticModel, Scores, SegmentScores
from asr_trio.recognizer.confidence import Evidence, SpokenWord
from asr_trio.recognizer.grammars import Grammar

CANDIDATES_MAX: Final = 40
"""Words aligned for each place; a rougher look at all of them chooses which."""


def substitutions(
    model: AcousticModel,
    scores: SegmentScores,
    grammar: Grammar,
    best: Sequence[int],
    said: Sequence[SpokenWord],
    *,
    limit: int,
) -> list[tuple[list[int], list[tuple[str, ...]]]]:
    """Return up to `limit` other sentences of a grammar, likeliest first, that differ from the best in one word.

    Args:
        model: the acoustic model.
        scores: of the segment.
        grammar: what was recognised in.
        best: the best sentence, as indices of the grammar's words.
        said: the same words with their phones and frames.
        limit: how many are wanted.

    Returns:
        Sentences as indices of words, with the phones of each word.
    """
    states = _path(grammar, best)
    if states is None:
        return []
    phones = [word.phones for word in said]
    ranked: list[tuple[float, int, list[int], list[tuple[str, ...]]]] = []
    for place, (source, target) in enumerate(states):
        here = _loss(model, scores, said, place)
        rivals = [
            (other, tuple(pronunciation.split()))
            for other in sorted(grammar.parallel_words(source, target) - {best[place]})
            for pronunciation in grammar.pronunciations[other]
        ]
        for other, pronunciation in _roughly_best(model, scores.phones, said[place], rivals):
            changed = list(said)
            changed[place] = SpokenWord(pronunciation, said[place].start, said[place].end)
            indices = [*best[:place], other, *best[place + 1 :]]
            spoken = [*phones[:place], pronunciation, *phones[place + 1 :]]
            ranked.append((here - _loss(model, scores, changed, place), len(ranked), indices, spoken))
    ranked.sort(key=lambda entry: (-entry[0], entry[1]))
    return [(indices, spoken) for _, _, indices, spoken in ranked[:limit]]


def _loss(model: AcousticModel, scores: SegmentScores, said: Sequence[SpokenWord], place: int) -> float:
    """Return by how much a word stays behind the best states on its frames, in all."""
    word = said[place]
    gap = Evidence(model, scores, [word], 1).words[0][0]
    return float(-gap * max(1, word.end - word.start))


def _roughly_best(
    model: AcousticModel, phone_scores: Scores, word: SpokenWord, rivals: list[tuple[int, tuple[str, ...]]]
) -> list[tuple[int, tuple[str, ...]]]:
    """Choose the words whose phones all occur somewhere in the frames, whatever their order."""
    if len(rivals) <= CANDIDATES_MAX:
        return rivals
    start, end = word.start // FRAME_STEP, max(word.start // FRAME_STEP + 1, word.end // FRAME_STEP)
    peaks = phone_scores[start:end].max(axis=0, initial=-60.0).astype(np.float64)
    fits = [float(np.mean([peaks[model.phones[phone]] for phone in phones])) for _, phones in rivals]
    order = sorted(range(len(rivals)), key=lambda number: -fits[number])
    return [rivals[number] for number in order[:CANDIDATES_MAX]]


def _path(grammar: Grammar, words: Sequence[int]) -> list[tuple[int, int]] | None:
    """Return the states before and after each word on a way through the graph; None where there is none."""
    # Each front maps a state to how it was reached: (state before the word, state right after it, entry before).
    fronts: list[dict[int, tuple[int, int, int]]] = [dict.fromkeys(grammar.closure(grammar.graph.start), (-1, -1, -1))]
    for word in words:
        front: dict[int, tuple[int, int, int]] = {}
        for state in fronts[-1]:
            for target in grammar.targets(state, word):
                for reached in grammar.closure(target):
                    front.setdefault(reached, (state, target, state))
        fronts.append(front)
    if grammar.graph.final not in fronts[-1]:
        return None
    path: list[tuple[int, int]] = []
    state = grammar.graph.final
    for front in reversed(fronts[1:]):
        source, target, state = front[state]
        path.append((source, target))
    return path[::-1]


def place_words(
    best: Sequence[str],
    times: Sequence[tuple[int, int]],
    posteriors: Sequence[float],
    words: Sequence[str],
    lengths: Sequence[int],
) -> tuple[list[tuple[int, int]], list[float]]:
    """Give the words of another hypothesis times and posteriors.

    Args:
        best: words of the best hypothesis.
        times: their frames.
        posteriors: their posteriors.
        words: of the other hypothesis.
        lengths: number of phones of each, which share out the time where the two differ.

    Returns:
        Frames and posteriors of `words`; frames of a word are never empty and never overlap.
    """
    placed: list[tuple[int, int]] = []
    shares: list[float] = []
    last_end = times[0][0]
    for tag, first, after, other_first, other_after in difflib.SequenceMatcher(
        None, list(best), list(words), autojunk=False
    ).get_opcodes():
        if tag == "equal":
            placed.extend(times[first:after])
            shares.extend(posteriors[first:after])
            last_end = placed[-1][1]
            continue
        if tag == "delete":
            continue
        rivals = posteriors[first:after]
        share = (1.0 - max(rivals)) / 2 if rivals else 0.25
        start = times[first][0] if first < after else last_end
        end = times[after - 1][1] if first < after else (times[first][0] if first < len(times) else last_end)
        count = other_after - other_first
        end = max(end, start + count)
        weights = np.cumsum([0, *(max(1, length) for length in lengths[other_first:other_after])])
        edges = start + np.floor(weights / weights[-1] * (end - start - count)).astype(int) + np.arange(count + 1)
        placed.extend((int(edges[number]), int(edges[number + 1])) for number in range(count))
        shares.extend([share] * count)
        last_end = placed[-1][1]
    moved: list[tuple[int, int]] = []
    for start, end in placed:
        begin = max(start, moved[-1][1]) if moved else start
        moved.append((begin, max(end, begin + 1)))
    return moved, shares
