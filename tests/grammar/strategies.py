"""Random grammars for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from asr_trio.grammar.model import (
    JSGF_TAGS,
    Choice,
    Expansion,
    Grammar,
    Reference,
    Repeat,
    Rule,
    Sequence,
    Special,
    Tag,
    Token,
)
from asr_trio.grammar.source import Source

WORDS = ["yes", "no", "new york", "não", "o'clock", "a/b", "$5", "x;y"]
TAGS = ["", "a", "out.x = 1;", "{a}", "a \\ b", "é < & >", "}"]

tokens = st.builds(Token, at=st.just(0), text=st.sampled_from(WORDS))
tags = st.builds(Tag, at=st.just(0), text=st.sampled_from(TAGS))
references = st.builds(Reference, at=st.just(0), name=st.sampled_from(["b", "c"]))
nulls = st.builds(Special, at=st.just(0), name=st.just("NULL"))
probabilities = st.none() | st.sampled_from([0.25, 0.5, 0.75])


def _choices(children: st.SearchStrategy[Expansion]) -> st.SearchStrategy[Expansion]:
    def weighted(items: list[Expansion], weights: list[float] | None) -> Choice:
        return Choice(0, tuple(items), tuple(weights[: len(items)]) if weights else ())

    weights = st.none() | st.lists(st.sampled_from([0.5, 1.0, 3.0, 10.0]), min_size=3, max_size=3)
    return st.builds(weighted, st.lists(children, min_size=1, max_size=3), weights)


def _repeats(children: st.SearchStrategy[Expansion]) -> st.SearchStrategy[Expansion]:
    bounded = st.builds(
        lambda item, low, more, p: Repeat(0, item, low, low + more, p if more else None),
        children, st.integers(0, 2), st.integers(0, 2), probabilities,
    )  # fmt: skip
    unbounded = st.builds(lambda item, low: Repeat(0, item, low, None), children, st.integers(0, 2))
    return bounded | unbounded


def expansions(leaves: st.SearchStrategy[Expansion]) -> st.SearchStrategy[Expansion]:
    return st.recursive(
        leaves,
        lambda children: st.one_of(
            st.builds(lambda items: Sequence(0, tuple(items)), st.lists(children, max_size=3)),
            _choices(children),
            _repeats(children),
        ),
        max_leaves=6,
    )


def _grammar(a: Expansion, b: Expansion, c: Expansion) -> Grammar:
    rules = {name: Rule(name, body, public=name == "a") for name, body in (("a", a), ("b", b), ("c", c))}
    return Grammar(
        notation="abnf", source=Source(""), language="en-US", root="a", tag_format=JSGF_TAGS, rules=rules, warnings=[]
    )


_plain = tokens | tags | nulls
grammars = st.builds(
    _grammar,
    expansions(_plain | references),
    expansions(_plain | st.builds(Reference, at=st.just(0), name=st.just("c"))),
    expansions(_plain),
)
"""Grammars of three rules without recursion, whose value is the list of all tags passed."""
