"""A compiled grammar as PocketSphinx reads it fastest: the text of its finite-state grammar format.

What the decoder does slowly is avoided: finding words by linear search (only the text form has a hash table), expanding
variants of pronunciation (each is a word of its own here), and comparing each arc with all others between the same two
states (wide bundles are split over states in between). 10 000 names load in a fifth of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from asr_trio.grammar.graph import Graph

_BUNDLE: Final = 300
"""Arcs between two states before the next bundle begins; between 100 and 1000 the time hardly changes."""


def fsg_text(graph: Graph, names: Sequence[Sequence[str]], *, title: str = "grammar") -> str:
    """Return the text that `Decoder.read_fsg` takes.

    Args:
        graph: of the compiled grammar.
        names: for each of its words, what the decoder calls each pronunciation.
        title: name of the grammar, without white space.
    """
    n_states = graph.n_states
    lines: list[str] = []
    bundles: dict[tuple[int, int], tuple[int, int]] = {}  # two states -> arcs so far, state that the next ones go to
    for source, target, word, weight in zip(graph.sources, graph.targets, graph.words, graph.weights, strict=True):
        probability = "1" if weight == 0 else f"{math.exp(weight):.6g}"
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
