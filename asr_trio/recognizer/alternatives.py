"""Times for the further hypotheses of free speech, of which the lattice tells only the text.

Words that agree with the best hypothesis take its times; those that differ share out the rest.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np


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
