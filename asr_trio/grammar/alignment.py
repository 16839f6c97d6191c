"""Which letters of a word stand for which of its phones, found by expectation maximisation.

Each letter stands for no, one or two phones (a chunk), in order. The probabilities of letters with chunks are summed
over all such alignments (forward-backward), and the likeliest alignment of each word is taken in the end (Viterbi), for
whole groups of words of equal lengths at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

_EM_ROUNDS: Final = 4
_EM_WORDS: Final = 5_000
"""The probabilities of letters settle on a part of the dictionary; the rest is only aligned with them."""

_MIN_COUNT: Final = 3
"""A pair of letter and phones that occurs less often is a slip of the alignment."""

_Floats = NDArray[np.float64]


def align(
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
