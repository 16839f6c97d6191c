"""Words to expect (``hints.words``), as PocketSphinx can be made to expect them in free speech.

A hint becomes a word of its own beside the ordinary one: ``pizza+hint``, hint_words alike, whose probability without
context is the ordinary word's times the boost. So it wins where the sound is right and context does not speak against
it, and what the model learnt about the ordinary word stays. Unknown words and phrases get in the same way; before the
boost they are as likely as a word that knows no context is on average.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from asr_trio.grammar.lexicon import Lexicon
from asr_trio.protocol.hints import Hint, parse_hints

MARK: Final = "+hint"
PRONUNCIATIONS_MAX: Final = 4

_RESPELLING: Final = re.compile(r"[^\W\d_A-Z]+")


class HintWord(msgspec.Struct, frozen=True, kw_only=True):
    """A hint that can be decoded.

    Attributes:
        text: as results show it.
        pronunciations: phones separated by blanks, at least one.
        boost: how many times likelier than without the hint.
    """

    text: str
    pronunciations: tuple[str, ...]
    boost: float


def hint_words(hints: Iterable[Hint], pronounce: Callable[[str], tuple[str, ...]]) -> tuple[HintWord, ...]:
    """Find out how hints are said.

    Args:
        hints: as the client sent them. A pronunciation in small letters is a respelling and not phones.
        pronounce: returns the pronunciations of a word or phrase, () where nobody knows.

    Returns:
        Those that can be said, the last of each text.
    """
    words: dict[str, HintWord] = {}
    for hint in hints:
        text = hint.word.lower()
        respelt = len(hint.pronunciation) == 1 and _RESPELLING.fullmatch(hint.pronunciation[0]) is not None
        if hint.pronunciation and not respelt:
            said: tuple[str, ...] = (" ".join(hint.pronunciation),)
        else:
            said = pronounce(hint.pronunciation[0] if respelt else text)[:PRONUNCIATIONS_MAX]
        if said:
            words[text] = HintWord(text=text, pronunciations=said, boost=hint.boost)
    return tuple(words.values())


def hinted_pronunciations(text: str, lexicon: Lexicon) -> dict[str, tuple[str, ...]]:
    """Return the pronunciations that hints bring along, by word in small letters; those that can be said.

    Args:
        text: the value of ``hints.words``.
        lexicon: of the acoustic model.
    """
    if "[" not in text:
        return {}
    words = hint_words((hint for hint in parse_hints(text) if hint.pronunciation), lexicon.say)
    said = {word.text: tuple(filter(lexicon.has_phones, word.pronunciations)) for word in words}
    return {word: pronunciations for word, pronunciations in said.items() if pronunciations}


def entry_of(text: str) -> str:
    """Return the dictionary entry of a hint."""
    return text.replace(" ", "_") + MARK


def text_of(entry: str) -> str:
    """Return what a dictionary entry without the number of its pronunciation says."""
    return entry.removesuffix(MARK).replace("_", " ") if entry.endswith(MARK) else entry
