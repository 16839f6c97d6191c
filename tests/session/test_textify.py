from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.protocol.parameters import UNSUPPORTED
from asr_trio.session.textify import KINDS, parse_kinds, textify
from tests.session.driver import Driver, State, alternative, response, result

ENGLISH = {
    "go forward ten meters": "go forward 10 meters",
    "no one knows": "no one knows",
    "twenty one people": "21 people",
    "one two three four": "1 2 3 4",
    "twenty five dollars and thirty cents": "$25.30",
    "one dollar": "$1",
    "two hundred dollars please": "$200 please",
    "three point five dollars": "$3.5",
    "five pounds of sugar": "5 pounds of sugar",
    "march third twenty twenty five": "march 3, 2025",
    "the twenty first of june": "june 21",
    "on may fifth nineteen ninety nine": "on may 5, 1999",
    "march three two thousand and five": "march 3, 2005",
    "february thirtieth": "february 30th",
    "five thirty p m": "5:30 p.m.",
    "at ten thirty": "at 10:30",
    "half past ten": "10:30",
    "quarter to nine": "8:45",
    "a quarter to one": "12:45",
    "seven o'clock": "7:00",
    "it may be so": "it may be so",
    "": "",
}
PORTUGUESE = {
    "duzentos e trinta e dois reais e vinte centavos": "R$ 232,20",
    "um real": "R$ 1",
    "um homem": "um homem",
    "três de março de dois mil e vinte e cinco": "03/03/2025",
    "primeiro de maio": "01/05",
    "trinta e um de abril": "31 de abril",
    "às dez e meia": "às 10:30",
    "às dez horas e quinze minutos": "às 10:15",
    "cento e vinte e três": "123",
    "não sei": "não sei",
}


@pytest.mark.parametrize("text", ENGLISH)
def test_english(text):
    assert textify(text, "en-US") == ENGLISH[text]


@pytest.mark.parametrize("text", PORTUGUESE)
def test_portuguese(text):
    assert textify(text, "pt-BR") == PORTUGUESE[text]


def test_other_languages_are_left_alone():
    assert textify("zwei drei", "de-DE") == "zwei drei"


@pytest.mark.parametrize(
    ("rules", "formatting", "kinds"),
    [
        ("", True, KINDS),
        ("", False, {"number"}),
        ("date", True, {"date"}),
        ("Date, time", True, {"date", "time"}),
        ("date;currency number", True, {"date", "currency", "number"}),
        ("unheard of", True, KINDS),
    ],
)
def test_rules_choose_the_kinds(rules, formatting, kinds):
    assert parse_kinds(rules, formatting=formatting) == kinds


def test_only_the_chosen_kinds_are_written():
    text = "twenty dollars on may fifth"
    assert textify(text, "en", frozenset({"date"})) == "twenty dollars on may 5"
    assert textify(text, "en", frozenset({"number"})) == "20 dollars on may 5th"
    assert textify(text, "en", frozenset({"currency"})) == "$20 on may fifth"


_SPOKEN = "one two twenty hundred of may the first at past to half p m dollars and cents o'clock um de maio às e"
_WORDS = st.sampled_from(tuple(_SPOKEN.split()))


@given(st.lists(_WORDS, max_size=12).map(" ".join), st.sampled_from(["en", "pt"]))
def test_any_words_give_some_text(text, language):
    assert bool(textify(text, language)) == bool(text)


@given(st.text(max_size=30))
def test_any_text_gives_some_text(text):
    for language in ("en", "pt"):
        assert bool(textify(text, language)) == bool(text)


def test_text_of_a_result_is_written_in_figures_on_wish():
    driver = Driver().go_to(State.IDLE)
    driver.start(textify__enabled="true")
    driver.speech()
    driver.silence()
    (found,) = result(driver.decoded(alternative("go forward ten meters"))).alternatives
    assert found.text == "go forward 10 meters"
    assert [word.text for word in found.words] == ["go", "forward", "ten", "meters"]


def test_words_stay_without_the_wish():
    driver = Driver().go_to(State.IDLE)
    driver.start()
    driver.speech()
    driver.silence()
    assert result(driver.decoded(alternative("ten meters"))).alternatives[0].text == "ten meters"


def test_without_its_package_the_wish_is_answered_as_unsupported(monkeypatch):
    from asr_trio.protocol.messages import SetParameters
    from asr_trio.session import session

    monkeypatch.setattr(session, "is_available", lambda: False)
    driver = Driver().go_to(State.IDLE)
    answer = response(driver.receive(SetParameters(parameters={"Textify.Enabled": "true"})))
    assert answer.parameters == {"Textify.Enabled": UNSUPPORTED}
    assert not driver.session.parameters.textify_enabled
