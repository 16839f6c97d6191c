"""Spoken numbers, dates, times and amounts in figures, in English and Portuguese.

Number words are read by the text2num package (the extra ``textify``); what stands around them is matched by a few
patterns over the text with its numbers in figures. Whatever no pattern takes keeps its words, but for numbers, which
text2num writes as it thinks right ("no one" stays, "twenty one" becomes 21).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final

import msgspec

KINDS: Final = frozenset(("number", "date", "time", "currency"))

_ISOLATED_THRESHOLD: Final = 3.0
"""Numbers up to this that stand alone are mostly words ("no one", "um homem") and are left alone."""


def is_available() -> bool:
    """Tell whether the package that reads numbers is installed."""
    return find_spec("text_to_num") is not None


def parse_kinds(rules: str, *, formatting: bool) -> frozenset[str]:
    """Return the kinds that ``textify.formatting.rules`` asks for; unknown ones are skipped, none means all.

    Args:
        rules: names with commas or blanks.
        formatting: False leaves numbers only.
    """
    if not formatting:
        return frozenset(("number",))
    return KINDS & frozenset(re.split(r"[\s,;]+", rules.lower())) or KINDS


class _Rule(msgspec.Struct, frozen=True):
    """A pattern over text with numbers in figures, and what is written instead; None leaves the match alone."""

    kind: str
    pattern: re.Pattern[str]
    write: Callable[[re.Match[str]], str | None]


def _rule(kind: str, pattern: str, write: Callable[[re.Match[str]], str | None]) -> _Rule:
    return _Rule(kind, re.compile(rf"(?<!\S){pattern}(?!\S)"), write)


# --- what the patterns write ------------------------------------------------------------------------------------


def _year(match: re.Match[str]) -> str | None:
    """Return the year of a date: four figures at once, or spoken in two halves; "" where there is none."""
    if match["year"]:
        return match["year"]
    if match["century"]:
        return f"{int(match['century'])}{int(match['rest']):02}"
    return ""


def _is_day(day: int, month: int) -> bool:
    return 1 <= day <= (29 if month == 2 else 30 if month in {4, 6, 9, 11} else 31)


def _english_date(match: re.Match[str]) -> str | None:
    month, day = match["month"], int(match["day"])
    if not _is_day(day, _ENGLISH_MONTHS.split("|").index(month) + 1):
        return None
    year = _year(match)
    return f"{month} {day}, {year}" if year else f"{month} {day}"


def _portuguese_date(match: re.Match[str]) -> str | None:
    month, day = _PORTUGUESE_MONTHS.split("|").index(match["month"]) + 1, int(match["day"])
    if not _is_day(day, month):
        return None
    year = match["year"]
    return f"{day:02}/{month:02}/{year}" if year else f"{day:02}/{month:02}"


def _clock(hour: int, minute: int, half_of_day: str = "") -> str | None:
    if not (0 <= hour <= 24 and 0 <= minute <= 59):
        return None
    letter = half_of_day.strip()[:1]
    if letter and not 1 <= hour <= 12:
        return None
    return f"{hour}:{minute:02}" + (f" {letter}.m." if letter else "")


def _english_past_or_to(match: re.Match[str]) -> str | None:
    minute = {"half": 30, "quarter": 15, "a quarter": 15}.get(match["part"]) or int(match["part"])
    hour = int(match["hour"])
    if match["side"] == "to":
        hour, minute = (hour - 1) or 12, 60 - minute
    return _clock(hour, minute, match["day_half"] or "")


def _portuguese_time(match: re.Match[str]) -> str | None:
    minute = match["minute"]
    clock = _clock(int(match["hour"]), 30 if minute == "meia" else int(minute or 0))
    return f"{match['at']} {clock}" if clock else None


def _amount(whole: str, cents: str | None, decimal_mark: str) -> str | None:
    if cents is None:
        return whole.replace(".", decimal_mark)
    if "." in whole or "," in whole or int(cents) > 99:
        return None
    return f"{whole}{decimal_mark}{int(cents):02}"


def _money(sign: str, decimal_mark: str) -> Callable[[re.Match[str]], str | None]:
    def write(match: re.Match[str]) -> str | None:
        amount = _amount(match["whole"], match["cents"], decimal_mark)
        return None if amount is None else f"{sign}{amount}"

    return write


# --- the patterns -----------------------------------------------------------------------------------------------

_ENGLISH_MONTHS: Final = "january|february|march|april|may|june|july|august|september|october|november|december"
_PORTUGUESE_MONTHS: Final = "janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro"
_NUMBER: Final = r"(?P<whole>\d+(?:[.,]\d+)?)"
_ENGLISH_YEAR: Final = r"(?: (?:(?P<year>[12]\d{3})|(?P<century>1[0-9]|20) (?P<rest>\d{2})))?"
_DAY_HALF: Final = r"(?P<day_half> (?:[ap] m|[ap]m))"

_ENGLISH_RULES: Final = (
    _rule(
        "date",
        rf"(?P<month>{_ENGLISH_MONTHS}) (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th){_ENGLISH_YEAR}",
        _english_date,
    ),
    _rule(
        "date",
        rf"(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th) of (?P<month>{_ENGLISH_MONTHS}){_ENGLISH_YEAR}",
        _english_date,
    ),
    _rule(
        "date",
        rf"(?P<month>{_ENGLISH_MONTHS}) (?P<day>\d{{1,2}}) (?:(?P<year>[12]\d{{3}})|"
        r"(?P<century>1[0-9]|20) (?P<rest>\d{2}))",
        _english_date,
    ),
    _rule(
        "time",
        rf"(?P<part>half|a quarter|quarter|\d{{1,2}}) (?P<side>past|to) (?P<hour>\d{{1,2}}){_DAY_HALF}?",
        _english_past_or_to,
    ),
    _rule(
        "time",
        rf"(?P<hour>\d{{1,2}})(?: (?P<minute>\d{{2}}))?{_DAY_HALF}",
        lambda match: _clock(int(match["hour"]), int(match["minute"] or 0), match["day_half"]),
    ),
    _rule("time", r"(?P<hour>\d{1,2}) o'?clock", lambda match: _clock(int(match["hour"]), 0)),
    _rule(
        "time",
        r"at (?P<hour>\d{1,2}) (?P<minute>[0-5]\d)(?! (?:\d|dollars?|cents?|percent))",
        lambda match: (clock := _clock(int(match["hour"]), int(match["minute"]))) and f"at {clock}",
    ),
    _rule("currency", rf"{_NUMBER} dollars?(?: and (?P<cents>\d{{1,2}}) cents?)?", _money("$", ".")),
    _rule("currency", rf"{_NUMBER} euros?(?: and (?P<cents>\d{{1,2}}) cents?)?", _money("€", ".")),
    _rule("currency", rf"{_NUMBER} pounds?(?: and (?P<cents>\d{{1,2}}) (?:pence|penny))", _money("£", ".")),
)
_PORTUGUESE_RULES: Final = (
    _rule(
        "date",
        rf"(?P<day>\d{{1,2}})º? de (?P<month>{_PORTUGUESE_MONTHS})(?: de (?P<year>[12]\d{{3}}))?",
        _portuguese_date,
    ),
    _rule(
        "time",
        r"(?P<at>às|à|as) (?P<hour>\d{1,2})(?: horas?)?(?: e (?P<minute>meia|\d{1,2})(?: minutos?)?)?",
        _portuguese_time,
    ),
    _rule("currency", rf"{_NUMBER} rea(?:l|is)(?: e (?P<cents>\d{{1,2}}) centavos?)?", _money("R$ ", ",")),
    _rule("currency", rf"{_NUMBER} euros?(?: e (?P<cents>\d{{1,2}}) c[êe]ntimos?)?", _money("€ ", ",")),
)
_RULES: Final = {"en": _ENGLISH_RULES, "pt": _PORTUGUESE_RULES}


# --- the work ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _token_type() -> type:
    from text_to_num import Token

    class Word(Token):  # type: ignore[misc]
        """A word as text2num wants it."""

        def __init__(self, text: str) -> None:
            self._text = text

        def text(self) -> str:
            return self._text

    return Word


class _Item(msgspec.Struct, frozen=True):
    """A word, or a number in figures, and the words that it was."""

    text: str
    spoken: tuple[str, ...]


def _items(words: list[str], language: str) -> list[_Item]:
    """Read the numbers of a text."""
    from text_to_num import find_numbers

    token = _token_type()
    items: list[_Item] = []
    position = 0
    numbers: Iterable[Any] = find_numbers([token(word) for word in words], language, 0.0)
    for number in numbers:
        items += [_Item(word, (word,)) for word in words[position : number.start]]
        items.append(_Item(number.text, tuple(words[number.start : number.end])))
        position = number.end
    return items + [_Item(word, (word,)) for word in words[position:]]


def _spoken_numbers(items: list[_Item], language: str, *, numbers: bool) -> str:
    """Return what no rule took."""
    from text_to_num import alpha2digit

    text = " ".join(word for item in items for word in item.spoken)
    written: str = alpha2digit(text, language, _ISOLATED_THRESHOLD) if numbers and text else text
    return written


def textify(text: str, language: str, kinds: frozenset[str] = KINDS) -> str:
    """Return a text of words with figures where `kinds` wants them.

    Args:
        text: lower-case words with single blanks, as a recogniser gives them.
        language: tag of its language; only English and Portuguese are changed.
        kinds: some of KINDS.
    """
    primary = language.partition("-")[0].lower()
    words = text.split()
    if primary not in _RULES or not words:
        return text
    items = _items(words, primary)
    line = " ".join(item.text for item in items)
    # Where each item begins in the line: a match covers whole items, since it is bounded by blanks.
    starts: dict[int, int] = {}
    offset = 0
    for index, item in enumerate(items):
        starts[offset] = index
        offset += len(item.text) + 1
    starts[offset] = len(items)
    pieces: list[tuple[int, int, str]] = []
    for rule in _RULES[primary]:
        if rule.kind not in kinds:
            continue
        for match in rule.pattern.finditer(line):
            first, last = starts[match.start()], starts[match.end() + 1]
            if any(first < end and begin < last for begin, end, _ in pieces):
                continue
            if (written := rule.write(match)) is not None:
                pieces.append((first, last, written))
    output: list[str] = []
    position = 0
    for first, last, written in sorted(pieces):
        output += [_spoken_numbers(items[position:first], primary, numbers="number" in kinds), written]
        position = last
    output.append(_spoken_numbers(items[position:], primary, numbers="number" in kinds))
    return " ".join(filter(None, output))
