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
    "cpf": {"five two nine nine eight two two four seven dash two five": "529.982.247-25"},
    "cnpj": {"one one two two two three three three slash zero zero zero one dash eight one": "11.222.333/0001-81"},
}

PORTUGUESE = {
    "boolean": {"sim por favor": "true", "claro que não": "false"},
    "digits": {"um meia zero": "160"},
    "number": {
        "zero": "0",
        "cem": "100",
        "mil duzentos e trinta e quatro": "1234",
        "menos dois mil e cinco vírgula zero sete": "-2005.07",
        "um milhão duzentos mil e um": "1200001",
        "novecentos e noventa e nove milhões": "999000000",
    },
    "phone": {"dezenove três sete zero cinco zero dois onze": "1937050211", "mais um ramal vinte e três": "+1x23"},
    "currency": {
        "dez reais e cinquenta centavos": "BRL10.50",
        "um milhão de dólares": "USD1000000.00",
        "um centavo": "BRL0.01",
    },
    "date": {
        "primeiro de janeiro": "????0101",
        "dia vinte e um de maio de mil novecentos e noventa e nove": "19990521",
        "trinta e um do doze de dois mil e cinco": "20051231",
    },
    "time": {
        "às três e meia da tarde": "0330p",
        "quinze para as três": "0245?",
        "vinte e duas horas e dez minutos": "2210h",
        "meio dia e meia": "1230p",
        "meia noite": "1200a",
        "dez para a uma": "1250?",
    },
    "cpf": {"cinco dois nove nove oito dois dois quatro sete traço vinte e cinco": "529.982.247-25"},
    "cnpj": {"onze dois dois dois três três três barra mil contra oito um": "11.222.333/0001-81"},
}


@pytest.mark.parametrize("name", builtin.NAMES)
@pytest.mark.parametrize(("language", "phrases"), [("en-US", ENGLISH), ("pt-BR", PORTUGUESE)])
def test_meaning(compile_text, name, language, phrases):
    compiled = compile_text(builtin.load(name, language).decode())
    for text, value in phrases[name].items():
        assert interpret(compiled, text.split())[0] == (value, 1.0), text
    assert not accepts(compiled, ["aardvark"])


def test_wrong_check_digits_halve_the_score(compile_text):
    text = "sete dois oito nove três quatro dois cinco um traço onze"
    assert interpret(compile_text(builtin.load("cpf-pt").decode()), text.split()) == [("728.934.251-11", 0.5)]


@pytest.mark.parametrize(("name", "language"), [("samples/phone", "en-US"), ("phone-en", "pt-BR"), ("phone", "fi")])
def test_names(name, language):
    assert builtin.load(name, language) == builtin.load("phone", "en-US")


@pytest.mark.parametrize("name", ["", "phones", "phone-xx", "../phone", "samples/", "phone.en", "a" * 5000])
def test_unknown_names(name):
    with pytest.raises(LanguageModelNotFoundError):
        builtin.load(name)
