"""Numbers written in digits, as words: grammars say ``1 | 2 | 3`` and mean what is spoken."""

from __future__ import annotations

from typing import Final

_ENGLISH_BELOW_20: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_ENGLISH_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_PORTUGUESE_BELOW_20: Final = (
    *("zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove", "dez", "onze", "doze", "treze"),
    *("quatorze", "quinze", "dezesseis", "dezessete", "dezoito", "dezenove"),
)
_PORTUGUESE_TENS: Final = (
    *("", "", "vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa"),
)
_PORTUGUESE_HUNDREDS: Final = (
    *("", "cento", "duzentos", "trezentos", "quatrocentos", "quinhentos", "seiscentos", "setecentos", "oitocentos"),
    "novecentos",
)
_LARGEST: Final = 999_999


def words(digits: str, language: str) -> list[str]:
    """Return what is said for a run of digits; [] for a language that is not known.

    Numbers are said as cardinals; with a leading zero, or above 999 999, digit by digit.

    Args:
        digits: ASCII digits.
        language: primary language subtag.
    """
    cardinal = {"en": _english, "pt": _portuguese}.get(language)
    if cardinal is None:
        return []
    if (digits[0] == "0" and len(digits) > 1) or len(digits) > len(str(_LARGEST)):
        return [word for digit in digits for word in cardinal(int(digit))]
    return cardinal(int(digits))


def _english(number: int) -> list[str]:
    if number < 20:
        return [_ENGLISH_BELOW_20[number]]
    if number < 100:
        tens, units = divmod(number, 10)
        return [_ENGLISH_TENS[tens], *(_english(units) if units else [])]
    unit, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    many, rest = divmod(number, unit)
    return [*_english(many), name, *(_english(rest) if rest else [])]


def _portuguese(number: int) -> list[str]:
    if number < 20:
        return [_PORTUGUESE_BELOW_20[number]]
    if number == 100:
        return ["cem"]
    if number < 1000:
        unit, names = (10, _PORTUGUESE_TENS) if number < 100 else (100, _PORTUGUESE_HUNDREDS)
        many, rest = divmod(number, unit)
        return [names[many], *(["e", *_portuguese(rest)] if rest else [])]
    many, rest = divmod(number, 1000)
    joined = ["e"] if 0 < rest < 100 or (rest and not rest % 100) else []
    return [*(_portuguese(many) if many > 1 else []), "mil", *joined, *(_portuguese(rest) if rest else [])]
