from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.protocol.hints import MAX_CHARACTERS, MAX_HINTS, Hint, parse_hints
from asr_trio.protocol.parameters import INVALID_VALUE, RecognitionParameters, update


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("", []),
        (" , ", []),
        ("pizza", [Hint(word="pizza")]),
        ("pizza:2", [Hint(word="pizza", boost=2.0)]),
        ("pizza : 2.5", [Hint(word="pizza", boost=2.5)]),
        ("pizza:2 [P-IY-T-S-AH]", [Hint(word="pizza", boost=2.0, pronunciation=("P", "IY", "T", "S", "AH"))]),
        ("pizza [P IY T S AH]", [Hint(word="pizza", pronunciation=("P", "IY", "T", "S", "AH"))]),
        ("pizza[pitsa]", [Hint(word="pizza", pronunciation=("pitsa",))]),
        ("não:1.5, guarda-chuva , don't", [Hint(word="não", boost=1.5), Hint(word="guarda-chuva"), Hint(word="don't")]),
        ("new  york:3", [Hint(word="new york", boost=3.0)]),
        ("a:1,a:2", [Hint(word="a", boost=2.0)]),
        ("a [EY], a [AH]", [Hint(word="a", pronunciation=("EY",)), Hint(word="a", pronunciation=("AH",))]),
    ],
)
def test_hints(text, hints):
    assert list(parse_hints(text)) == hints


@pytest.mark.parametrize(
    "text",
    ["pizza:", "pizza:x", "pizza:0", "pizza:-1", "pizza:1e3", "pizza:99999999", "[P]", "a [", "a ]", "a [b] c", ":2"],
)
def test_bad_hints_are_a_bad_value(text):
    with pytest.raises(ValueError):
        parse_hints(text)
    wish = {"hints.words": text}
    assert update(RecognitionParameters(), wish) == (RecognitionParameters(), {"hints.words": INVALID_VALUE})


def test_hints_are_bounded():
    with pytest.raises(ValueError, match="more than"):
        parse_hints(",".join(f"w{i}" for i in range(MAX_HINTS + 1)))
    with pytest.raises(ValueError, match="longer than"):
        parse_hints("," * (MAX_CHARACTERS + 1))


@given(st.text(st.sampled_from("ab1:. ,[]-'é"), max_size=40))
def test_any_text_is_hints_or_a_value_error(text):
    try:
        hints = parse_hints(text)
    except ValueError:
        return
    assert all(hint.word and hint.boost > 0 for hint in hints)
