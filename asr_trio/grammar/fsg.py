"""A compiled grammar as PocketSphinx reads it fastest: the text of its finite-state grammar format.

What the decoder does slowly is avoided: finding words by linear search (only the text form has a hash table), expanding
variants of pronunciation (each is a word of its own here), comparing each arc with all others between the same two
states (wide bundles are split over states in between), and walking long lists that the processor's caches do not hold:
its tree of phones is built fastest from words sorted by sound, and its table of words from names sorted by hash. So
names are chosen to be both. 50 000 names load in a sixth of the time that other names take.
"""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asr_trio.grammar.graph import Graph

_BUNDLE: Final = 300
"""Arcs between two states before the next bundle begins; between 100 and 1000 the time hardly changes."""

_CHAINS: Final = 101
"""Size of the hash table of words while PocketSphinx reads a graph; it does not grow."""


class WordNames:
    """Names for decoder words, never the same twice."""

    def __init__(self) -> None:
        _short_names()  # now, in the process from which workers are forked
        self._series = 0

    def take(self, count: int) -> list[str]:
        """Return names that are spread over the chains of the table evenly, those of one chain side by side."""
        names: list[str] = []
        while len(names) < count:
            missing = count - len(names)
            chains = [chain[: -(-missing // _CHAINS)] for chain in _short_names()]
            names += [f"{name}{self._series}" for name in np.concatenate(chains)[:missing].tolist()]
            self._series += 1
        return names


@functools.cache
def _short_names() -> list[NDArray[np.str_]]:
    """Return all names of three letters or digits by their chain; a common ending moves whole chains only."""
    characters = np.frombuffer((string.ascii_letters + string.digits).encode(), np.uint8).astype(np.int64)
    first, second, third = np.meshgrid(characters, characters, characters, indexing="ij")
    chains = ((first + (second << 5) + (third << 10)) % _CHAINS).ravel()
    order = np.argsort(chains, kind="stable")
    letters = np.stack([first.ravel(), second.ravel(), third.ravel()], axis=1)[order].astype(np.uint32)
    names = letters.view("U3").ravel()
    return np.split(names, np.cumsum(np.bincount(chains, minlength=_CHAINS))[:-1])


def fsg_text(graph: Graph, names: Mapping[int, Sequence[str]], *, title: str = "grammar") -> str:
    """Return the text that `Decoder.read_fsg` takes.

    Args:
        graph: of the compiled grammar.
        names: for each word on its arcs, what the decoder calls each pronunciation.
        title: name of the grammar, without white space.
    """
    n_states = graph.n_states
    lines: list[str] = []
    probabilities: dict[float, str] = {}
    bundles: dict[tuple[int, int], tuple[int, int]] = {}  # two states -> arcs so far, state that the next ones go to
    for source, target, word, weight in zip(graph.sources, graph.targets, graph.words, graph.weights, strict=True):
        probability = probabilities.get(weight)
        if probability is None:
            probability = probabilities[weight] = f"{math.exp(weight):.6g}"
        if word < 0:
            lines.append(f"T {source} {target} {probability}")
            continue
        count, via = bundles.get((source, target), (0, target))
        for name in names[word]:
            if count and not count % _BUNDLE:
                via = n_states
                n_states += 1
                lines.append(f"T {via} {target} 1")
            count += 1
            lines.append(f"T {source} {via} {probability} {name}")
        bundles[source, target] = count, via
    head = f"FSG_BEGIN {title}\nN {n_states}\nS {graph.start}\nF {graph.final}\n"
    return head + "\n".join(lines) + "\nFSG_END\n"
