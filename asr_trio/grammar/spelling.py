"""Letters to sounds, learnt from the model's own dictionary.

A joint-sequence model (Bisani and Ney, Speech Communication 50, 2008): each letter of a word stands for no, one or two
phones. Which, is found by expectation maximisation over all monotone alignments; the sequences of letters-with-phones
then train an n-gram model with interpolated Kneser-Ney smoothing (Chen and Goodman, 1998), and a beam search reads new
words. All of it is NumPy over whole groups of words: learning 125 000 words takes seconds, and is kept on disk.
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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

FORMAT: Final = 1
ORDER: Final = 5
"""Longest n-gram; 6 to 8 make a twentieth fewer errors and double the model."""

BEAM: Final = 12
_EM_ROUNDS: Final = 4
_EM_WORDS: Final = 5_000
"""The probabilities of letters settle on a part of the dictionary; the rest is only aligned with them."""

_MIN_COUNT: Final = 3
"""A pair of letter and phones that occurs less often is a slip of the alignment."""

_DISCOUNT: Final = 0.75
_MAX_LETTERS: Final = 40
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)

_Floats = NDArray[np.float64]
_Keys = NDArray[np.uint64]


class _Level(msgspec.Struct):
    """All n-grams of one length, sorted by key, and the back-off weights of those that are contexts."""

    keys: _Keys
    log_probs: NDArray[np.float32]
    contexts: _Keys
    backoffs: NDArray[np.float32]


class SpellingModel:
    """A trained model; immutable."""

    def __init__(self, letters: list[str], chunks: list[str], units: NDArray[np.int32], levels: list[_Level]) -> None:
        self._letters = {letter: index for index, letter in enumerate(letters)}
        self._letter_list = letters
        self._chunks = chunks
        self._units = units  # (unit, 2): its letter and its chunk of phones; the last unit is the word boundary
        self._levels = levels
        self._boundary = len(units)
        # Per letter the units that can stand for it, likeliest first.
        frequency = np.full(len(units) + 1, -np.inf)
        level = levels[0]
        found, place = _find(level.keys, _first_keys(np.arange(len(units) + 1)))
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
        history = np.full((1, ORDER - 1), self._boundary, np.int64)
        scores = np.zeros(1)
        chosen: NDArray[np.int64] = np.zeros((1, 0), np.int64)
        for letter in letters:
            units = np.asarray(self._by_letter[letter])
            if not len(units):
                return ()
            total = scores[:, None] + self._score(history, units)
            best = np.argsort(-total, axis=None)[:BEAM]
            parents, which = np.unravel_index(best, total.shape)
            scores = total[parents, which]
            chosen = np.concatenate([chosen[parents], units[which][:, None]], axis=1)
            history = np.concatenate([history[parents, 1:], units[which][:, None]], axis=1)
        scores += self._score(history, np.asarray([self._boundary]))[:, 0]
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

    def _score(self, history: NDArray[np.int64], units: NDArray[np.int64]) -> _Floats:
        """Return the log-probability of each unit after each history: (histories, units)."""
        log_probs = np.zeros((len(history), len(units)))
        keys = np.broadcast_to(_first_keys(units), log_probs.shape)
        level = self._levels[0]
        found, place = _find(level.keys, keys)
        log_probs[found] = level.log_probs[place[found]]
        log_probs[~found] = -20.0
        context = np.zeros(len(history), np.uint64)
        for length in range(1, ORDER):
            # Keys grow to the left, so that the suffix of an n-gram is the key of one level less.
            previous = history[:, -length]
            context = _longer_keys(context, previous) if length > 1 else _first_keys(previous)
            level = self._levels[length]
            seen, place = _find(level.contexts, context)
            if not seen.any():
                break
            backoff = np.where(seen, level.backoffs[np.minimum(place, len(level.backoffs) - 1)], 0.0)
            keys = _longer_keys(keys, np.broadcast_to(previous[:, None], keys.shape))
            found, place = _find(level.keys, keys)
            log_probs = np.where(
                found, level.log_probs[np.minimum(place, len(level.keys) - 1)], log_probs + backoff[:, None]
            )
        return log_probs

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
                    _Level(*(arrays[f"{field}{index}"] for field in _Level.__struct_fields__)) for index in range(ORDER)
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


# --- training ---------------------------------------------------------------------------------------------------


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
    units, sequences = _aligned(words, letters, phones)
    chunk_names = ["", *phones, *(f"{a} {b}" for a in phones for b in phones)]
    return SpellingModel(letters, chunk_names, units, _levels(sequences, len(units)))


def _groups(
    words: list[tuple[str, list[str]]], letters: list[str], phones: list[str]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield words of equal numbers of letters and phones as two matrices of numbers."""
    letter_ids = {letter: index for index, letter in enumerate(letters)}
    phone_ids = {phone: index for index, phone in enumerate(phones)}
    shapes: dict[tuple[int, int], list[tuple[list[int], list[int]]]] = {}
    for word, spoken in words:
        shapes.setdefault((len(word), len(spoken)), []).append(
            ([letter_ids[letter] for letter in word], [phone_ids[phone] for phone in spoken])
        )
    for members in shapes.values():
        yield np.asarray([m[0] for m in members]), np.asarray([m[1] for m in members])


def _aligned(
    words: list[tuple[str, list[str]]], letters: list[str], phones: list[str]
) -> tuple[NDArray[np.int32], list[NDArray[np.int64]]]:
    """Return the units (letter, chunk) and every word as a sequence of them."""
    n_letters, n_phones = len(letters), len(phones)
    n_chunks = 1 + n_phones + n_phones * n_phones
    probs = np.full((n_letters, n_chunks), 1.0 / n_phones**2)
    probs[:, : 1 + n_phones] = 1.0 / n_phones
    step = max(1, len(words) // _EM_WORDS)
    sample = list(_groups(words[::step], letters, phones))
    for _ in range(_EM_ROUNDS):
        counts = np.zeros_like(probs)
        for spelled, spoken in sample:
            _expect(spelled, _chunk_ids(spoken, n_phones), probs, counts)
        counts += 1e-9
        probs = counts / counts.sum(axis=1, keepdims=True)
    found = [
        (spelled, _best(spelled, _chunk_ids(spoken, n_phones), probs))
        for spelled, spoken in _groups(words, letters, phones)
    ]
    codes = [spelled * n_chunks + chosen for spelled, chosen in found]
    known, counts = np.unique(np.concatenate([c.ravel() for c in codes]), return_counts=True)
    known = known[counts >= _MIN_COUNT]
    sequences = []
    for code in codes:
        place = np.minimum(np.searchsorted(known, code), len(known) - 1)
        whole = (known[place] == code).all(axis=1)
        if whole.any():
            sequences.append(place[whole])
    return np.stack([known // n_chunks, known % n_chunks], axis=1).astype(np.int32), sequences


def _chunk_ids(spoken: NDArray[np.int64], n_phones: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the chunk of the phone at each place, and of the two phones from each place on."""
    return 1 + spoken, 1 + n_phones + spoken[:, :-1] * n_phones + spoken[:, 1:]


def _expect(
    spelled: NDArray[np.int64],
    chunks: tuple[NDArray[np.int64], NDArray[np.int64]],
    probs: _Floats,
    counts: _Floats,
) -> None:
    """Add the expected counts of one group of words (the forward-backward algorithm)."""
    ones, twos = chunks
    n_words, n_letters = spelled.shape
    n_phones = ones.shape[1]
    silent = probs[spelled, 0]  # (words, letters)
    single = probs[spelled[:, :, None], ones[:, None, :]]  # (words, letters, phones)
    double = probs[spelled[:, :, None], twos[:, None, :]] if n_phones > 1 else None
    forward = np.zeros((n_letters + 1, n_words, n_phones + 1))
    backward = np.zeros_like(forward)
    forward[0, :, 0] = 1.0
    backward[n_letters, :, n_phones] = 1.0
    for i in range(n_letters):
        forward[i + 1] = forward[i] * silent[:, i, None]
        forward[i + 1, :, 1:] += forward[i, :, :-1] * single[:, i]
        if double is not None:
            forward[i + 1, :, 2:] += forward[i, :, :-2] * double[:, i]
    for i in range(n_letters - 1, -1, -1):
        backward[i] = backward[i + 1] * silent[:, i, None]
        backward[i, :, :-1] += backward[i + 1, :, 1:] * single[:, i]
        if double is not None:
            backward[i, :, :-2] += backward[i + 1, :, 2:] * double[:, i]
    total = forward[n_letters, :, n_phones]
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)[:, None]
    for i in range(n_letters):
        letter = spelled[:, i]
        before = forward[i] * scale
        silence = (before * backward[i + 1]).sum(axis=1) * silent[:, i]
        counts[:, 0] += np.bincount(letter, weights=silence, minlength=len(counts))
        np.add.at(counts, (letter[:, None], ones), before[:, :-1] * single[:, i] * backward[i + 1, :, 1:])
        if double is not None:
            np.add.at(counts, (letter[:, None], twos), before[:, :-2] * double[:, i] * backward[i + 1, :, 2:])


def _best(
    spelled: NDArray[np.int64], chunks: tuple[NDArray[np.int64], NDArray[np.int64]], probs: _Floats
) -> NDArray[np.int64]:
    """Return the likeliest chunk of every letter of a group of words (the Viterbi algorithm)."""
    ones, twos = chunks
    n_words, n_letters = spelled.shape
    n_phones = ones.shape[1]
    logs = np.log(probs)
    score = np.full((n_words, n_phones + 1), -np.inf)
    score[:, 0] = 0.0
    taken = np.zeros((n_letters, n_words, n_phones + 1), np.int8)
    for i in range(n_letters):
        letter = spelled[:, i]
        options = np.full((3, n_words, n_phones + 1), -np.inf)
        options[0] = score + logs[letter, 0][:, None]
        options[1, :, 1:] = score[:, :-1] + logs[letter[:, None], ones]
        if n_phones > 1:
            options[2, :, 2:] = score[:, :-2] + logs[letter[:, None], twos]
        taken[i] = options.argmax(axis=0)
        score = options.max(axis=0)
    chosen = np.zeros((n_words, n_letters), np.int64)
    rows = np.arange(n_words)
    place = np.full(n_words, n_phones)
    for i in range(n_letters - 1, -1, -1):
        count = taken[i, rows, place]
        place = place - count
        one = ones[rows, np.minimum(place, n_phones - 1)]
        two = twos[rows, np.minimum(place, n_phones - 2)] if n_phones > 1 else one
        chosen[:, i] = np.where(count == 0, 0, np.where(count == 1, one, two))
    return chosen


# --- n-grams ----------------------------------------------------------------------------------------------------


def _first_keys(units: NDArray[np.int64]) -> _Keys:
    with np.errstate(over="ignore"):
        return (np.asarray(units).astype(np.uint64) + np.uint64(1)) * _MULTIPLIER


def _longer_keys(keys: _Keys, previous: NDArray[np.int64]) -> _Keys:
    """Return the keys of n-grams with one more unit in front."""
    with np.errstate(over="ignore"):
        mixed = (keys ^ (keys >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        return mixed + (previous.astype(np.uint64) + np.uint64(1)) * _MULTIPLIER


def _find(keys: _Keys, wanted: _Keys) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return whether each key is there, and its place."""
    place = np.searchsorted(keys, wanted)
    inside = np.minimum(place, len(keys) - 1)
    return keys[inside] == wanted, inside


def _levels(sequences: list[NDArray[np.int64]], boundary: int) -> list[_Level]:
    """Count n-grams of all lengths and smooth them."""
    ends, rows = [], []
    for group in sequences:
        padding = np.full((len(group), ORDER - 1), boundary)
        padded = np.concatenate([padding, group, np.full((len(group), 1), boundary)], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(padded, ORDER, axis=1)
        rows.append(windows.reshape(-1, ORDER))
        ends.append(len(rows[-1]))
    units = np.concatenate(rows)  # every unit with the ORDER - 1 before it
    keys = [_first_keys(units[:, -1])]
    contexts: list[_Keys] = [np.zeros(len(units), np.uint64)]
    for length in range(1, ORDER):
        previous = units[:, -1 - length]
        keys.append(_longer_keys(keys[-1], previous))
        contexts.append(_longer_keys(contexts[-1], previous) if length > 1 else _first_keys(previous))
    unique, counts = [], []
    firsts = []
    for length in range(ORDER):
        values, first, count = np.unique(keys[length], return_index=True, return_counts=True)
        unique.append(values)
        firsts.append(first)
        counts.append(count.astype(np.float64))
    for length in range(ORDER - 1):  # Kneser-Ney: what counts is in how many contexts an n-gram occurs
        _, place = _find(unique[length], keys[length][firsts[length + 1]])
        counts[length] = np.bincount(place, minlength=len(unique[length])).astype(np.float64)
    levels: list[_Level] = []
    lower = counts[0] / counts[0].sum()
    levels.append(_Level(unique[0], np.log(lower).astype(np.float32), np.zeros(1, np.uint64), np.zeros(1, np.float32)))
    for length in range(1, ORDER):
        first = firsts[length]
        own_context, context_of = np.unique(contexts[length][first], return_inverse=True)
        total = np.bincount(context_of, weights=counts[length])
        kinds = np.bincount(context_of)
        backoff = _DISCOUNT * kinds / total
        _, suffix = _find(unique[length - 1], keys[length - 1][first])
        lower = (counts[length] - _DISCOUNT) / total[context_of] + backoff[context_of] * lower[suffix]
        levels.append(
            _Level(unique[length], np.log(lower).astype(np.float32), own_context, np.log(backoff).astype(np.float32))
        )
    return levels
