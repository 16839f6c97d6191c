"""What errors say on the wire."""

from __future__ import annotations

import pytest

from asr_trio.errors import BusyError, GrammarError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BusyError("full"), "full"),
        (GrammarError("no rule"), "no rule"),
        (GrammarError("no rule", line=4), "line 4: no rule"),
        (GrammarError("no rule", line=4, column=2, hint="define it"), "line 4, column 2: no rule (define it)"),
    ],
)
def test_a_grammar_error_names_its_place_and_what_to_do(error: BusyError | GrammarError, words: str) -> None:
    assert error.wire_message == words
