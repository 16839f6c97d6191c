"""Builtin grammars: every one compiles and means what its first line says."""

from __future__ import annotations

import pytest

from asr_trio.errors import LanguageModelNotFoundError
from asr_trio.grammar import builtin
from asr_trio.grammar.semantics import accepts, interpret

ENGLISH = {
    "boolean": {"yes please": "true", "no thank you": "false"},
    "digits": {"one two oh zero": "1200"},
    "number": {
        "zero": "0",
        "minus twelve hundred and five point oh five": "-1205.05",
        "three million four hundred thousand and twenty one": "3400021",
        "nine hundred ninety nine thousand nine hundred ninety nine": "999999",
        "point five": "0.5",
    },
    "phone": {"plus one eight zero zero extension five": "+1800x5", "two three four": "234"},
    "currency": {
        "eighteen dollars and four cents": "USD18.04",
        "fifty cents": "USD0.50",
        "two thousand euros": "EUR2000.00",
    },
    "date": {
        "january thirteenth": "????0113",
        "the twenty first of may nineteen ninety nine": "19990521",
        "june fifth twenty twenty": "20200605",
        "may third two thousand and five": "20050503",
    },
    "time": {
        "five thirty p m": "0530p",
        "half past six": "0630?",
        "a quarter to twelve": "1145?",
        "ten to one": "1250?",
        "noon": "1200p",
        "seventeen hundred": "1700h",
    },
    "cpf": {"seven two eight nine three four two five one dash one one": "728.934.251-11"},
    "cnpj": {"one one two two two three three three slash zero zero zero one dash eight one": "11.222.333/0001-81"},
}


@pytest.mark.parametrize("name", builtin.NAMES)
def test_english(compile_text, name):
    compiled = compile_text(builtin.load(name).decode())
    for text, value in ENGLISH[name].items():
        assert interpret(compiled, text.split())[0] == (value, 1.0), text
    assert not accepts(compiled, ["aardvark"])


@pytest.mark.parametrize(("name", "language"), [("samples/phone", "en-US"), ("phone-en", "pt-BR"), ("phone", "fi")])
def test_names(name, language):
    assert builtin.load(name, language) == builtin.load("phone", "en-US")


@pytest.mark.parametrize("name", ["", "phones", "phone-xx", "../phone", "samples/", "phone.en", "a" * 5000])
def test_unknown_names(name):
    with pytest.raises(LanguageModelNotFoundError):
        builtin.load(name)
