"""Letters to sounds for Brazilian Portuguese, said with the phones of US English.

No good open acoustic model of Portuguese exists for the embedded decoder, but phrases of small grammars can be told
apart with the nearest English phones. The spelling is regular enough for rules; they are tried in order at each place.
What the spelling leaves open (the quality of a stressed e or o, the r) becomes a second pronunciation.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Looked at as lower case, composed letters. V: vowel letters.
_V: Final = "aáâãàeéêiíoóôõuúü"
_BACK: Final = "aáâãàoóôõuúü"
_FRONT: Final = "eéêií"
_VOICED: Final = "bdgjlmnrvz"

# (pattern at the place, phones). Lookbehinds see what was said before. Phones in small letters stand for a choice that
# `_VARIANTS` opens.
_RULES: Final = tuple(
    (re.compile(pattern), phones)
    for pattern, phones in (
        # nasal diphthongs and vowels
        (r"ões", "OY N S"),
        (r"õe", "OY N"),
        (r"ãe", "AY N"),
        (r"ão", "AW N"),
        (r"am\b", "AW N"),
        (r"(?:em|én|ém)\b", "EY N"),
        (r"ens\b", "EY N S"),
        (rf"[ãâá](?:n(?![h{_V}])|m(?=[bp]))", "AA N"),
        (r"ã", "AA N"),
        (rf"a(?:n(?![h{_V}])|m(?=[bp]|\b))", "AA N"),
        (rf"[eêé](?:n(?![h{_V}])|m(?=[bp]|\b))", "EH N"),
        (rf"[ií](?:n(?![h{_V}])|m(?=[bp]|\b))", "IY N"),
        (rf"[oôóõ](?:n(?![h{_V}])|m(?=[bp]|\b))", "OW N"),
        (rf"[uúü](?:n(?![h{_V}])|m(?=[bp]|\b))", "UW N"),
        # l at the end of a syllable is a u
        (rf"[aáâ]l(?![h{_V}])", "AW"),
        (rf"[eéê]l(?![h{_V}])", "EH UW"),
        (rf"[ií]l(?![h{_V}])", "IY UW"),
        (rf"[oóô]l(?![h{_V}])", "OW"),
        (rf"[uú]l(?![h{_V}])", "UW"),
        # diphthongs
        (r"[aá]i(?![nm]h?)", "AY"),
        (r"[aá]u", "AW"),
        (r"[eéê]i", "EY"),
        (r"[eéê]u", "EH UW"),
        (r"[oóô]i", "OY"),
        (r"ou", "OW"),
        (r"[uú]i", "UW IY"),
        (r"[ií]u", "IY UW"),
        # t and d before i, and before the e that is said i
        (r"t(?=[ií]|es?\b)", "CH"),
        (r"d(?=[ií]|es?\b)", "JH"),
        # vowels that end a word without the stress
        (r"(?<=\w)a(?=s?\b)", "AH"),
        (r"(?<=\w)e(?=s?\b)", "IY"),
        (r"(?<=\w)o(?=s?\b)", "UW"),
        (r"\be\b", "IY"),
        (r"\bo(?=s?\b)", "UW"),
        # vowels
        (r"[aáâà]", "AA"),
        (r"é", "EH"),
        (r"ê", "EY"),
        (r"e", "e"),
        (r"[iíy]", "IY"),
        (r"ó", "AO"),
        (r"[ôõ]", "OW"),
        (r"o", "o"),
        # consonants with h, and other groups
        (r"ch", "SH"),
        (r"lh", "L Y"),
        (r"nh", "N Y"),
        (r"ph", "F"),
        (r"th", "T"),
        (r"rr", "HH"),
        (r"ss", "S"),
        (rf"sc(?=[{_FRONT}])", "S"),
        (r"sç", "S"),
        (rf"xc(?=[{_FRONT}])", "S"),
        (rf"cc(?=[{_FRONT}])", "K S"),
        (rf"qu(?=[{_FRONT}])", "K"),
        (r"q[uü]", "K W"),
        (rf"gu(?=[{_FRONT}])", "G"),
        (r"g[uü](?=[aáâãoóô])", "G W"),
        (r"[uúüw]", "UW"),
        (rf"c(?=[{_FRONT}])", "S"),
        (r"ç", "S"),
        (r"c", "K"),
        (rf"g(?=[{_FRONT}])", "ZH"),
        (r"j", "ZH"),
        (r"h", ""),
        (r"\br|(?<=[nls])r", "HH"),
        (r"r\b", "r"),
        (r"r", "R"),
        (rf"(?<=[{_V}])s(?=[{_V}])", "Z"),
        (rf"s(?=[{_VOICED}])", "Z"),
        (r"s", "S"),
        (r"z\b", "S"),
        (r"\bx", "SH"),
        (rf"(?<=\be)x(?=[{_V}])", "Z"),
        (rf"(?<=[{_V}])x(?=[^{_V}])", "S"),
        (r"x\b", "K S"),
        (r"x", "SH"),
        (r"b", "B"),
        (r"d", "D"),
        (r"f", "F"),
        (r"g", "G"),
        (r"k", "K"),
        (r"l", "L"),
        (r"m", "M"),
        (r"n", "N"),
        (r"p", "P"),
        (r"t", "T"),
        (r"v", "V"),
        (r"z", "Z"),
        (r"['\N{RIGHT SINGLE QUOTATION MARK}]", ""),
    )
)

_VARIANTS: Final = {"e": ("EH", "EY"), "o": ("OW", "AO"), "r": ("R", "")}

_EXCEPTIONS: Final = {
    "um": ("UW N", "UW M"),
    "não": ("N AW N", "N AW"),
    "muito": ("M UW IY N T UW",),
    "muita": ("M UW IY N T AH",),
    "hoje": ("OW ZH IY",),
    "táxi": ("T AA K S IY",),
    "próximo": ("P R AO S IY M UW",),
    "próxima": ("P R AO S IY M AH",),
    "sessenta": ("S EH S EH N T AH",),
    "dezesseis": ("D EH Z EH S EY S",),
    "dezessete": ("D EH Z EH S EH CH IY",),
}

_ONE_LETTER_WORDS: Final = "aeoàáéó"

_LETTER_NAMES: Final = {
    "a": "AA", "b": "B EY", "c": "S EY", "d": "D EY", "e": "EH", "f": "EH F IY", "g": "ZH EY", "h": "AA G AA",
    "i": "IY", "j": "ZH AO T AH", "k": "K AA", "l": "EH L IY", "m": "EH M IY", "n": "EH N IY", "o": "AO",
    "p": "P EY", "q": "K EY", "r": "EH HH IY", "s": "EH S IY", "t": "T EY", "u": "UW", "v": "V EY",
    "w": "D AA B L Y UW", "x": "SH IY S", "y": "IY P S IY L OW N", "z": "Z EY",
}  # fmt: skip
"""Names of the letters, for spelled words; a, e and o are words as well and keep that sound first."""


def pronounce(word: str) -> tuple[str, ...]:
    """Return the pronunciations of a Portuguese word, likeliest first, () where it has letters that no rule knows."""
    word = unicodedata.normalize("NFC", word.lower())
    known = _EXCEPTIONS.get(word)
    if known is not None:
        return known
    if len(word) == 1 and word not in _ONE_LETTER_WORDS:
        name = _LETTER_NAMES.get(word)
        return () if name is None else (name,)
    phones: list[str] = []
    position = 0
    while position < len(word):
        for pattern, said in _RULES:
            match = pattern.match(word, position)
            if match is not None:
                phones += said.split()
                position = match.end()
                break
        else:
            return ()
    return _spelled_out(phones)


def _spelled_out(phones: list[str]) -> tuple[str, ...]:
    """Replace what is open: the first choice everywhere, then the other one for the last (mostly stressed) e or o."""
    first = [_VARIANTS[phone][0] if phone in _VARIANTS else phone for phone in phones]
    found = [" ".join(_joined(first))]
    open_places = [place for place, phone in enumerate(phones) if phone in "eo" and phone in _VARIANTS]
    if open_places:
        other = list(first)
        other[open_places[-1]] = _VARIANTS[phones[open_places[-1]]][1]
        found.append(" ".join(_joined(other)))
    if phones[-1] == "r":
        found.append(" ".join(_joined(first[:-1])))
    return tuple(dict.fromkeys(variant for variant in found if variant))


def _joined(phones: list[str]) -> list[str]:
    """Say a doubled phone once, and a nasal before k or g at their place."""
    spoken: list[str] = []
    for phone in phones:
        if not phone or (spoken and spoken[-1] == phone):
            continue
        if phone in {"K", "G"} and spoken and spoken[-1] == "N":
            spoken[-1] = "NG"
        spoken.append(phone)
    return spoken
