"""A lexicon without a dictionary on disk: every word is said somehow."""

from __future__ import annotations

import pytest

from asr_trio.grammar.compile import CompiledGrammar, compile_grammar
from asr_trio.grammar.lexicon import Lexicon


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    entries = {"yes": "Y EH S", "no": "N OW", "the": "DH AH", "the(2)": "DH IY", "new": "N UW", "york": "Y AO R K"}
    entries["every phone"] = (
        "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
    )
    return Lexicon(entries, pronouncers={"en": lambda word: ("AH " * len(word),), "pt": lambda word: ("AA",)})


@pytest.fixture(scope="session")
def compile_text(lexicon):
    def compile_text(text: str, **options) -> CompiledGrammar:
        return compile_grammar(text.encode(), lexicon=lexicon, **options)

    return compile_text
