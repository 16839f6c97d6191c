"""A few rounds of the fuzzer with fixed seeds; `python -m tests.grammar.fuzz` goes on as long as one likes."""

from __future__ import annotations

from . import fuzz


def test_mutated_grammars_are_taken_or_refused_properly():
    documents = fuzz.seeds()
    assert len(documents) > 30
    for seed in range(150):
        fuzz.run(seed, documents)
