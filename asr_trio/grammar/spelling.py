"""Letters to sounds, learnt from the model's own dictionary.

A joint-sequence model (Bisani and Ney, Speech Communication 50, 2008): each letter of a word stands for no, one or two
phones, which `alignment` finds out; the sequences of letters-with-phones then train an `ngram` model, and a beam search
reads new words. All of it is NumPy over whole groups of words: learning 125 000 words takes seconds, and is kept on
disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asr_trio.grammar import ngram
from asr_trio.grammar.alignment import align

FORMAT: Final = 1
BEAM: Final = 12
_MAX_LETTERS: Final = 40


class SpellingModel:
    """A trained model; immutable."""

    def __init__(
        self, letters: list[str], chunks: list[str], units: NDArray[np.int32], levels: list[ngram.Level]
    ) -> None:
        self._letters = {letter: index for index, letter in enumerate(letters)}
        self._letter_list = letters
        self._chunks = chunks
        self._units = units  # (unit, 2): its letter and its chunk of phones; the last unit is the word boundary
        self._levels = levels
        self._boundary = len(units)
        # Per letter the units that can stand for it, likeliest first.
        frequency = np.full(len(units) + 1, -np.inf)
        level = levels[0]
        found, place = ngram.find(level.keys, ngram.first_keys(np.arange(len(units) + 1)))
        frequency[found] = level.log_probs[place[found]]
        self._by_letter = [
            sorted(np.flatnonzero(units[:, 0] == index), key=lambda unit: -frequency[unit])[:24]
            for index in range(len(letters))
        ]

    def pronounce(self, word: str) -> tuple[str, ...]:
        """Return the likeliest pronunciations of a word, at most two, () where it has letters never seen."""
        letters = self._spelled(word)
        if not letters or len(letters) > _MAX_LETTERS:
            return ()
        history = np.full((1, ngram.ORDER - 1), self._boundary, np.int64)
        scores = np.zeros(1)
        chosen: NDArray[np.int64] = np.zeros((1, 0), np.int64)
        for letter in letters:
            units = np.asarray(self._by_letter[letter])
            if not len(units):
                return ()
            total = scores[:, None] + ngram.log_probabilities(self._levels, history, units)
            best = np.argsort(-total, axis=None)[:BEAM]
            parents, which = np.unravel_index(best, total.shape)
            scores = total[parents, which]
            chosen = np.concatenate([chosen[parents], units[which][:, None]], axis=1)
            history = np.concatenate([history[parents, 1:], units[which][:, None]], axis=1)
        scores += ngram.log_probabilities(self._levels, history, np.asarray([self._boundary]))[:, 0]
        found: dict[str, float] = {}
        for row in np.argsort(-scores):
            phones = " ".join(filter(None, (self._chunks[self._units[unit, 1]] for unit in chosen[row])))
            if phones:
                found.setdefault(phones, float(scores[row]))
        if not found:
            return ()
        ranked = list(found)
        # A second reading is worth its place in the search only where it is nearly as likely.
        return tuple(p for p in ranked[:2] if found[p] > found[ranked[0]] - 0.7)

    def _spelled(self, word: str) -> list[int]:
        """Return the letters of a word by number; accents that the dictionary does not know are dropped."""
        spelled = []
        for character in unicodedata.normalize("NFC", word.lower()):
            known = self._letters.get(character)
            if known is None:
                known = self._letters.get(unicodedata.normalize("NFD", character)[0])
            if known is None:
                return []
            spelled.append(known)
        return spelled

    # --- on disk --------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the model, whole or not at all."""
        arrays: dict[str, NDArray[np.generic]] = {
            "letters": np.asarray(self._letter_list),
            "chunks": np.asarray(self._chunks),
            "units": self._units,
        }
        for index, level in enumerate(self._levels):
            for field in level.__struct_fields__:
                arrays[f"{field}{index}"] = getattr(level, field)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path) -> SpellingModel:
        """Read a model that `save` wrote.

        Raises:
            OSError: there is none.
            ValueError: it is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                levels = [
                    ngram.Level(*(arrays[f"{field}{index}"] for field in ngram.Level.__struct_fields__))
                    for index in range(ngram.ORDER)
                ]
                return cls(list(arrays["letters"]), list(arrays["chunks"]), arrays["units"], levels)
        except (KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"the spelling model is damaged: {error}") from error


def cached(entries: Mapping[str, str], folder: Path | None = None) -> SpellingModel:
    """Return the model of a dictionary: from the disk, else trained now and kept there where that is possible."""
    digest = hashlib.sha256()
    for word, phones in entries.items():
        digest.update(f"{word} {phones}\n".encode())
    name = f"spelling-{FORMAT}-{digest.hexdigest()[:24]}.npz"
    folders = [folder] if folder else _cache_folders()
    for candidate in folders:
        with contextlib.suppress(OSError, ValueError):
            return SpellingModel.load(candidate / name)
    model = train(entries)
    for candidate in folders:
        with contextlib.suppress(OSError):  # no place at all costs seconds in each process, no more
            model.save(candidate / name)
            break
    return model


def _cache_folders() -> list[Path]:
    """Return where the model may be kept: the user's cache, else a temporary folder that is the user's alone."""
    folders = []
    given = os.environ.get("XDG_CACHE_HOME")
    if given:
        folders.append(Path(given) / "asr-trio")
    else:
        with contextlib.suppress(RuntimeError):  # no home
            base = "Library/Caches" if sys.platform == "darwin" else ".cache"
            folders.append(Path.home() / base / "asr-trio")
    with contextlib.suppress(OSError):  # no temporary folder either: a worker may write nowhere
        temporary = Path(tempfile.gettempdir()) / f"asr-trio-{os.getuid()}"
        temporary.mkdir(mode=0o700, exist_ok=True)
        facts = temporary.stat(follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o022:
            folders.append(temporary)
    return folders


def train(entries: Mapping[str, str]) -> SpellingModel:
    """Learn from a dictionary; variants (``word(2)``) and words with digits or signs are left out."""
    words = [
        (word, phones.split())
        for word, phones in entries.items()
        if "(" not in word and len(word) <= _MAX_LETTERS and all(c.isalpha() or c == "'" for c in word)
    ]
    words = [(word, phones) for word, phones in words if 0 < len(phones) <= 2 * len(word)]
    letters = sorted({letter for word, _ in words for letter in word})
    phones = sorted({phone for _, spoken in words for phone in spoken})
    units, sequences = align(words, letters, phones)
    chunk_names = ["", *phones, *(f"{a} {b}" for a in phones for b in phones)]
    return SpellingModel(letters, chunk_names, units, ngram.smoothed(sequences, len(units)))
