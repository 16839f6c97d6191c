"""Words at forced cuts: each is told once.

Long speech in continuous mode is cut at its quietest place, and where speech goes on right behind the cut the next
segment hears some audio from before it again. What of that the first result has told, the second leaves out. The one
word that may be wrong is one that the cut itself went through: it touches the end of the first segment, and is left to
the second where that hears all of it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from asr_trio.protocol.results import Alternative, Word

_TOUCHES_S: Final = 0.04
"""A word that ends so near a cut was probably cut itself; pauses between words are longer."""


def part_at_cuts(
    alternatives: tuple[Alternative, ...], *, told: Word | None, end_s: float, next_start_s: float
) -> tuple[tuple[Alternative, ...], Word | None]:
    """Leave out of a segment's hypotheses what the result before it told, and what the one after it will tell better.

    Args:
        alternatives: of the segment, best first. Only those with words can be parted; what a grammar gave is not, the
            recognizer has seen to it.
        told: the last word that earlier results have told.
        end_s: where the segment ends.
        next_start_s: where the next one begins, or infinity where that is not known.

    Returns:
        The hypotheses, those without words left out where the best one changed, and the last word told now.
    """
    if not alternatives or not alternatives[0].words or any(item.interpretations for item in alternatives):
        return alternatives, told
    spoken = alternatives[0].words
    kept = tuple(word for word in spoken if not word.repeats(told))
    if next_start_s < end_s and kept and _is_cut(kept[-1], end_s, next_start_s):
        kept = kept[:-1]
    told = kept[-1] if kept else told
    if len(kept) == len(spoken):
        return alternatives, told
    first, last = (kept[0].start_time, kept[-1].end_time) if kept else (end_s, end_s)
    parted = (_within(item, first, last) for item in alternatives)
    return tuple({item.text: item for item in parted if item.words}.values()), told


def _is_cut(word: Word, end_s: float, next_start_s: float) -> bool:
    return word.end_time >= end_s - _TOUCHES_S and word.start_time >= next_start_s


def _within(alternative: Alternative, first_s: float, last_s: float) -> Alternative:
    """Return a hypothesis with only the words whose middle lies between two times."""
    words = tuple(word for word in alternative.words if first_s <= (word.start_time + word.end_time) / 2 <= last_s)
    return msgspec.structs.replace(alternative, words=words, text=" ".join(word.text for word in words))
