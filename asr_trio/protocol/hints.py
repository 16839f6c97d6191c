"""The value of ``hints.words``: words that a recognition should expect.

The form is a list with commas: ``word``, ``word:boost``, ``word [pron]`` or ``word:boost [pron]``. A boost is a
positive number, 1 where none is given: how many times likelier the word is than without the hint. A pronunciation is
one token without blanks in the documented form (``[P-IY-T-S-AH]``); blanks and full stops between its phones are
understood too.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

MAX_HINTS: Final = 1000
"""A list that would change most of a vocabulary is no hint; it also bounds the work that one header can ask for."""
MAX_CHARACTERS: Final = 32 * 1024
"""Reading costs a microsecond a character, on the server's event loop."""
MAX_BOOST: Final = 1e6

# A word is letters (marks included), digits, apostrophe and dash; single blanks make it a phrase. Blanks are made
# single before, so that no long run of them can be cut up in many ways.
_HINT: Final = re.compile(
    r"(?P<word>[^\W_][\w'\u2019.-]*(?: [^\W_][\w'\u2019.-]*)*)"
    r"(?: ?: ?(?P<boost>\d{1,7}(?:\.\d{1,6})?))?"
    r"(?: ?\[ ?(?P<pronunciation>[^\[\],]{1,200}?) ?\])?"
)
_SEPARATORS: Final = re.compile(r"[\s.\-]+")
# Commas inside brackets part nothing.
_ENTRY: Final = re.compile(r"(?:[^,\[]|\[[^\]]*(?:\]|\Z))+")


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """One word or phrase to expect.

    Attributes:
        word: as sent, blanks made single.
        boost: how many times likelier, > 0.
        pronunciation: its phones as sent, or () where the dictionary decides.
    """

    word: str
    boost: float = 1.0
    pronunciation: tuple[str, ...] = ()


def parse_hints(text: str) -> tuple[Hint, ...]:
    """Read a list of hints; of a word that comes twice the last counts.

    Raises:
        ValueError: it is none; the message names the first bad entry.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"the hints are longer than {MAX_CHARACTERS} characters")
    hints: dict[tuple[str, tuple[str, ...]], Hint] = {}
    for found in _ENTRY.finditer(text):
        entry = " ".join(found[0].split())
        if not entry:
            continue
        match = _HINT.fullmatch(entry)
        if match is None:
            raise ValueError(f"{entry[:80]!r} is no hint of the form word:boost [pron]")
        boost = float(match["boost"] or 1.0)
        if not 0 < boost <= MAX_BOOST:
            raise ValueError(f"the boost of {match['word']!r} is not in (0, {MAX_BOOST:g}]")
        word = match["word"]
        pronunciation = tuple(filter(None, _SEPARATORS.split(match["pronunciation"] or "")))
        hints[word.lower(), pronunciation] = Hint(word=word, boost=boost, pronunciation=pronunciation)
        if len(hints) > MAX_HINTS:
            raise ValueError(f"there are more than {MAX_HINTS} hints")
    return tuple(hints.values())
