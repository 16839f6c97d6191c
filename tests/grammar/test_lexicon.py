"""Pronunciations: dictionary, compounds, spelling model, Portuguese rules, and the policy for unknown words."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from asr_trio.errors import ConfigError, GrammarError
from asr_trio.grammar import numerals, portuguese, spelling
from asr_trio.grammar.compile import compile_grammar
from asr_trio.grammar.lexicon import Lexicon


@pytest.fixture(scope="module")
def dictionary() -> Path:
    import pocketsphinx

    return Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))


@pytest.fixture(scope="module")
def english(dictionary, tmp_path_factory) -> Lexicon:
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield Lexicon.from_dictionary(dictionary)
    patch.undo()


def test_dictionary(lexicon):
    assert lexicon.pronunciations("The") == ("DH AH", "DH IY")
    assert lexicon.pronunciations("new york") == ("N UW Y AO R K",)
    assert lexicon.pronunciations("york-new") == ("Y AO R K N UW",)
    assert lexicon.pronunciations("newer") == ()
    assert lexicon.pronunciations("no", "pt-BR") == ()


@pytest.mark.parametrize(
    ("digits", "language", "words"),
    [
        ("0", "en", "zero"),
        ("21", "en", "twenty one"),
        ("105", "en", "one hundred five"),
        ("12340", "en", "twelve thousand three hundred forty"),
        ("007", "en", "zero zero seven"),
        ("1000000", "en", "one zero zero zero zero zero zero"),
        ("100", "pt", "cem"),
        ("199", "pt", "cento e noventa e nove"),
        ("1200", "pt", "mil e duzentos"),
        ("2015", "pt", "dois mil e quinze"),
        ("1234", "pt", "mil duzentos e trinta e quatro"),
        ("5", "fi", ""),
    ],
)
def test_numerals(digits, language, words):
    assert " ".join(numerals.words(digits, language)) == words


def test_digits_are_said_as_words(english):
    assert english.generate("42", "en-US") == ("F AO R T IY T UW",)
    assert english.generate("b2b", "en-US") == ("B IY T UW B IY",)
    assert english.generate("3", "pt-BR") == ("T R EY S",)


def test_a_missing_dictionary(tmp_path):
    with pytest.raises(ConfigError):
        Lexicon.from_dictionary(tmp_path / "none.dict")


def test_all_unknown_words_are_told_at_once():
    lexicon = Lexicon({"yes": "Y EH S"})
    text = b"#ABNF 1.0;\nroot $r;\n$r = yes | foo |\n  bar;\n"
    with pytest.raises(GrammarError, match=r"2 words without a pronunciation: foo, bar") as caught:
        compile_grammar(text, lexicon=lexicon)
    assert (caught.value.line, caught.value.column) == (3, 12)
    assert "foo" in caught.value.excerpt
    compiled = compile_grammar(text, lexicon=lexicon, unknown_words="ignore")
    assert [compiled.words[word] for _, _, _, word in compiled.arcs()] == ["yes"]
    assert compiled.warnings == ["left out for want of a pronunciation: foo, bar"]


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("sete", "S EH CH IY"),
        ("não", "N AW N"),
        ("cinco", "S IY NG K UW"),
        ("dezessete", "D EH Z EH S EH CH IY"),
        ("queijos", "K EY ZH UW S"),
        ("vermelho", "V EH R M EH L Y UW"),
        ("guarulhos", "G W AA R UW L Y UW S"),
        ("carro", "K AA HH UW"),
        ("brasil", "B R AA Z IY UW"),
        ("são", "S AW N"),
        ("exame", "EH Z AA M IY"),
        ("amanhã", "AA M AA N Y AA N"),
        ("b", "B EY"),
        ("é", "EH"),
    ],
)
def test_portuguese(word, phones):
    assert portuguese.pronounce(word)[0] == phones


def test_portuguese_says_only_english_phones(english):
    phones = {phone for said in english._entries.values() for phone in said.split()}
    text = "à á â ã ç é ê í ó ô õ ú ü chave lhama nhoque quilo água guia pêssego bênção axé táxi kiwi yoga wagner hotel"
    for word in text.split():
        for said in portuguese.pronounce(word):
            assert set(said.split()) <= phones, word


def test_portuguese_does_not_know_other_letters():
    assert portuguese.pronounce("żółw") == ()


@pytest.mark.slow
def test_learnt_spelling_makes_at_most_10_percent_phone_errors_on_held_out_words(english):
    entries = english._entries
    words = [word for word in entries if word.isalpha()]
    chosen = random.Random(3)
    held_out = set(chosen.sample(words, 300))
    model = spelling.train({word: entries[word] for word in words[::2] if word not in held_out})
    errors = total = 0
    for word in held_out:
        said = (model.pronounce(word) or ("",))[0].split()
        wrong, length = min((_distance(said, r.split()), len(r.split())) for r in english.pronunciations(word))
        errors += wrong
        total += length
    assert errors / total <= 0.10


@pytest.mark.slow
def test_the_learnt_model_is_kept_on_disk(tmp_path):
    entries = {"ab": "EY B", "ba": "B EY", "bab": "B EY B", "aba": "EY B EY", "abab": "EY B EY B"}
    first = spelling.cached(entries, tmp_path)
    (path,) = tmp_path.iterdir()
    assert first.pronounce("baba") == spelling.SpellingModel.load(path).pronounce("baba") == ("B EY B EY",)
    path.write_bytes(b"damaged")
    assert spelling.cached(entries, tmp_path).pronounce("baba") == ("B EY B EY",)
    assert first.pronounce("xyz") == ()
    assert first.pronounce("Ábá") == ("EY B EY",)


def test_without_a_home_the_model_is_kept_in_a_folder_of_our_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    entries = {"ab": "EY B", "ba": "B EY", "bab": "B EY B", "aba": "EY B EY"}
    spelling.cached(entries)
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.iterdir())) == 1
    folder.chmod(0o777)  # anybody may have written there
    assert spelling._cache_folders() == [Path("/dev/null/asr-trio")]


def _distance(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]
