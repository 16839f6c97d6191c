"""Pronunciations: what the recogniser's phones say a word is.

A pronunciation is a string of phones separated by spaces, as dictionaries write it (``"HH AH L OW"``).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from asr_trio.errors import ConfigError
from asr_trio.grammar import numerals, portuguese

if TYPE_CHECKING:
    from asr_trio.grammar.spelling import SpellingModel

SILENCE: Final = "SIL"
"""What all acoustic models of CMU Sphinx call it."""

UnknownWords: TypeAlias = Literal["generate", "reject", "ignore"]
"""What becomes of words without a pronunciation: make one from the spelling, refuse the grammar, or leave them out."""

Pronouncer: TypeAlias = Callable[[str], tuple[str, ...]]
"""Letters to sounds: likeliest pronunciations of a written word, best first; () where it finds none."""

_SEPARATORS = re.compile(r"[\s\-_/.·]+")
_WHOLE = re.compile(r"[^\s\-_/.·\d]+")
_PARTS = re.compile(r"[0-9]+|[^\s\-_/.·0-9]+")


class _Learnt:
    """Letters to sounds learnt from a dictionary when the first word needs it (milliseconds from the disk cache)."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = entries
        self._model: SpellingModel | None = None

    def __call__(self, word: str) -> tuple[str, ...]:
        if self._model is None:
            from asr_trio.grammar import spelling

            self._model = spelling.cached(self._entries)
        return self._model.pronounce(word)


class Lexicon:
    """Words of one acoustic model.

    Args:
        entries: written form (lower case; further pronunciations as ``word(2)``) to phones.
        language: tag of the model's language.
        pronouncers: letters to sounds by primary language subtag (``en``, ``pt``); a language other than the model's is
            said with the model's phones.
    """

    def __init__(
        self,
        entries: Mapping[str, str],
        *,
        language: str = "en-US",
        pronouncers: Mapping[str, Pronouncer] | None = None,
    ) -> None:
        self._entries = entries
        self._pronouncers = dict(pronouncers or {})
        self.language = language

    @classmethod
    def from_dictionary(
        cls, path: Path | str, *, language: str = "en-US", pronouncers: Mapping[str, Pronouncer] | None = None
    ) -> Self:
        """Read a CMU Sphinx dictionary: a word and its phones on each line.

        Args:
            path: the file.
            language: tag of its language.
            pronouncers: letters to sounds by language; None for what is learnt from the dictionary itself, and rules
                for Portuguese with the phones of an English one.

        Raises:
            ConfigError: the file cannot be read.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the dictionary cannot be read: {error}") from error
        entries: dict[str, str] = {}
        for line in text.splitlines():
            word, _, phones = line.partition(" ")
            if not phones:
                word, _, phones = line.partition("\t")
            if phones:
                entries[word] = phones.strip()
        if pronouncers is None:
            pronouncers = {_primary(language): _Learnt(entries)}
            if _primary(language) == "en":
                pronouncers["pt"] = portuguese.pronounce
        return cls(entries, language=language, pronouncers=pronouncers)

    def pronunciations(self, word: str, language: str = "") -> tuple[str, ...]:
        """Return the pronunciations that the dictionary has for `word` in `language`, () for none.

        Compounds (``new york``, ``e-mail``) are put together from their parts.
        """
        if self.is_foreign(language):
            return ()
        known = self._look_up(word)
        if known:
            return known
        parts = [part for part in _SEPARATORS.split(word) if part]
        if len(parts) < 2:
            return ()
        spoken = [self._look_up(part) for part in parts]
        return (" ".join(part[0] for part in spoken),) if all(spoken) else ()

    def generate(self, word: str, language: str = "") -> tuple[str, ...]:
        """Return pronunciations made from the spelling, () where no rule or model knows how."""
        pronouncer = self._pronouncers.get(_primary(language or self.language))
        if pronouncer is None:
            return ()
        if _WHOLE.fullmatch(word):
            whole = pronouncer(word.lower())
            if whole:
                return whole
        said = []
        for part in _PARTS.findall(word):
            spelled_out = numerals.words(part, _primary(language or self.language)) if part.isdecimal() else [part]
            for spoken in spelled_out or [part]:
                found = self.pronunciations(spoken, language) or pronouncer(spoken.lower())
                if not found:
                    return ()
                said.append(found[0])
        return (" ".join(said),) if said else ()

    def say(self, word: str) -> tuple[str, ...]:
        """Return pronunciations in the model's language: those that are known, else one by the spelling."""
        return self.pronunciations(word) or self.generate(word)

    @functools.cached_property
    def phones(self) -> frozenset[str]:
        """The phones that the dictionary is written in."""
        return frozenset(" ".join(self._entries.values()).split())

    def has_phones(self, pronunciation: str) -> bool:
        """Tell whether a pronunciation is written in them; a lexicon without a dictionary takes any."""
        return not self._entries or self.phones.issuperset(pronunciation.split())

    def covers(self, language: str) -> bool:
        """Tell whether words of `language` can be said at all."""
        return not self.is_foreign(language) or _primary(language) in self._pronouncers

    def is_foreign(self, language: str) -> bool:
        """Tell whether `language` is another one than the model's."""
        return bool(language) and _primary(language) != _primary(self.language)

    def _look_up(self, word: str) -> tuple[str, ...]:
        entries = self._entries
        first = entries.get(word)
        if first is None:
            word = unicodedata.normalize("NFC", word).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
            first = entries.get(word)
            if first is None:
                word = word.lower()
                first = entries.get(word)
                if first is None:
                    return ()
        second = entries.get(f"{word}(2)")
        if second is None:
            return (first,)
        found = [first, second]
        while (further := entries.get(f"{word}({len(found) + 1})")) is not None:
            found.append(further)
        return tuple(found)


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()
