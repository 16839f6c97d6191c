"""Lexicons that grammars name, and pronunciations on tokens."""
# ruff: noqa: RUF001 - phonetic symbols look like letters

from __future__ import annotations

import pytest

from asr_trio.errors import GrammarError, LanguageModelNotFoundError
from asr_trio.grammar import pls

LEXICON = """<?xml version="1.0"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en-US">
  <lexeme><grapheme>tomato</grapheme><phoneme>təˈmeɪtoʊ</phoneme>
    <phoneme alphabet="x-cmu">T AH0 M AA1 T OW0</phoneme></lexeme>
  <lexeme><grapheme>NY</grapheme><grapheme>n.y.</grapheme><alias>new york</alias></lexeme>
</lexicon>"""


def test_read():
    entries = pls.read(LEXICON.encode())
    assert entries["tomato"].phones == ("T AH M EY T OW", "T AH M AA T OW")
    assert entries["ny"] == entries["n.y."] == pls.Entry(aliases=("new york",))


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("tʃɜːtʃ", "CH ER CH"),
        ("/ˈd͡ʒʌdʒ/", "JH AH JH"),
        ("nɐ̃w̃", "N AW N"),
        ("sĩ", "S IY N"),
        ("fiʎu", "F IY L Y UW"),
    ],
)
def test_ipa(ipa, phones):
    assert pls.to_phones(ipa) == phones


@pytest.mark.parametrize("arguments", [("ʘ",), ("a", "x-sampa")])
def test_unknown_symbols(arguments):
    with pytest.raises(GrammarError, match="not known"):
        pls.to_phones(*arguments)


@pytest.mark.parametrize("data", [b"", b"<grammar/>", b"<lexicon>"])
def test_no_lexicon(data):
    with pytest.raises(GrammarError, match="lexicon"):
        pls.read(data)


def test_a_grammar_says_words_by_its_lexicon(compile_text):
    def resolver(uri: str) -> tuple[bytes, str | None]:
        if uri == "http://x/words.pls":
            return LEXICON.encode(), None
        raise LanguageModelNotFoundError("there is no such lexicon")

    text = "#ABNF 1.0; base <http://x/>; lexicon <words.pls>; lexicon <none.pls>; root $r; $r = Tomato | NY | yes;"
    compiled = compile_text(text, resolver=resolver)
    said = dict(zip(compiled.words, compiled.pronunciations, strict=True))
    assert said == {
        "Tomato": ["T AH M EY T OW", "T AH M AA T OW"],
        "NY": ["N UW Y AO R K"],
        "yes": ["Y EH S"],
    }
    assert compiled.warnings == ["the lexicon none.pls is left out: there is no such lexicon"]


def test_a_token_may_bring_its_pronunciations(compile_text):
    compiled = compile_text(
        '<grammar version="1.0" root="r"><rule id="r"><one-of>'
        '<item><token pron="Y AE; Y AH">yes</token><tag>a</tag></item><item>yes<tag>b</tag></item>'
        "</one-of></rule></grammar>"
    )
    assert compiled.words == ["yes", "yes"]
    assert sorted(compiled.pronunciations) == [["Y AE", "Y AH"], ["Y EH S"]]
