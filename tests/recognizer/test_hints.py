from __future__ import annotations

import pytest

from asr_trio.protocol.hints import parse_hints
from asr_trio.recognizer.grammars import lexicon
from asr_trio.recognizer.guarded import is_filler, plain_word
from asr_trio.recognizer.hints import HintWord, entry_of, hint_words, text_of
from asr_trio.settings import ModelSettings

DICTIONARY = {"pizza": ("P IY T S AH",), "read": ("R EH D", "R IY D"), "pitsa": ("P IH T S AH",)}


def said(text: str) -> tuple[HintWord, ...]:
    return hint_words(parse_hints(text), lambda word: DICTIONARY.get(word, ()))


def test_hints_are_said_as_the_dictionary_says() -> None:
    assert said("Pizza:2, read") == (
        HintWord(text="pizza", pronunciations=("P IY T S AH",), boost=2.0),
        HintWord(text="read", pronunciations=("R EH D", "R IY D"), boost=1.0),
    )


def test_a_pronunciation_is_phones_or_a_respelling() -> None:
    assert said("pizza [P-IY-Z-AH]")[0].pronunciations == ("P IY Z AH",)
    assert said("pizza [pitsa]")[0].pronunciations == ("P IH T S AH",)


def test_what_nobody_can_say_is_left_out() -> None:
    assert said("xyzzy, pizza") == said("pizza")


@pytest.mark.parametrize("text", ["pizza", "new york", "don't", "e-mail"])
def test_entries_are_read_back(text: str) -> None:
    assert text_of(entry_of(text)) == text
    assert plain_word(entry_of(text)) == text
    assert plain_word(f"{entry_of(text)}(3)") == text
    assert not is_filler(entry_of(text))


def test_words_without_hint_are_left_alone() -> None:
    for word in ("read", "a_b", "hint", "<sil>"):
        assert text_of(word) == word


def test_model_says_known_words_and_phrases() -> None:
    hints = hint_words(parse_hints("passion, the passion"), lexicon("general", ModelSettings()).pronunciations)
    assert [hint.text for hint in hints] == ["passion", "the passion"]
    assert hints[0].pronunciations == ("P AE SH AH N",)
    assert hints[1].pronunciations[0].endswith(" P AE SH AH N")
