"""Pronunciation Lexicon Specification 1.0 (W3C Recommendation, 2008): lexicons that grammars name.

Phones are written in IPA, which is mapped onto the nearest phones of US English, or directly in the decoder's own
(``alphabet="x-cmu"``, also ``x-arpabet``; digits of stress are dropped).
"""

# ruff: noqa: RUF001 - phonetic symbols look like letters

from __future__ import annotations

import re
import unicodedata
from typing import Final

import msgspec
from lxml import etree

from asr_trio.errors import GrammarError

NAMESPACE: Final = "http://www.w3.org/2005/01/pronunciation-lexicon"
_OWN_ALPHABETS: Final = frozenset({"x-cmu", "x-arpabet", "cmu", "arpabet", "x-cmusphinx"})

# The longest symbol that fits is taken. Lengths, stress, ties and syllable marks are skipped.
_IPA: Final = {
    "tʃ": "CH", "dʒ": "JH", "ts": "T S", "dz": "D Z", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW",
    "ɔɪ": "OY", "aj": "AY", "aw": "AW", "ej": "EY", "ow": "OW", "oj": "OY", "ɔj": "OY",
    "ɐ̃w̃": "AW N", "ɐ̃": "AA N", "ẽ": "EH N", "ĩ": "IY N", "õ": "OW N", "ũ": "UW N", "ã": "AA N", "w̃": "W", "j̃": "Y",
    "ɑ": "AA", "a": "AA", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɔ": "AO", "ɒ": "AA", "o": "OW", "e": "EY",
    "ɛ": "EH", "ɜ": "ER", "ɝ": "ER", "ɚ": "ER", "ɪ": "IH", "i": "IY", "ɨ": "IH", "y": "UW", "ʊ": "UH", "u": "UW",
    "b": "B", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "g": "G", "h": "HH", "ɦ": "HH", "x": "HH", "χ": "HH", "ʁ": "HH",
    "j": "Y", "k": "K", "c": "K", "l": "L", "ɫ": "L", "ʎ": "L Y", "m": "M", "n": "N", "ɲ": "N Y", "ŋ": "NG", "p": "P",
    "r": "R", "ɹ": "R", "ɾ": "R", "s": "S", "ʃ": "SH", "t": "T", "θ": "TH", "v": "V", "β": "B", "w": "W", "z": "Z",
    "ʒ": "ZH",
}  # fmt: skip
_IPA_DECOMPOSED: Final = {unicodedata.normalize("NFD", symbol): phones for symbol, phones in _IPA.items()}
_LONGEST: Final = max(map(len, _IPA_DECOMPOSED))
_SKIPPED: Final = frozenset("ˈˌːˑ.ʰʷʲ'|‿-– \t\n") | {"\u0361", "\u035c", "\u0329", "\u032f"}
_NASAL: Final = "\u0303"


class Entry(msgspec.Struct, frozen=True):
    """What a lexicon says about a word: phones, or other words that sound like it."""

    phones: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


def read(data: bytes) -> dict[str, Entry]:
    """Return the entries of a lexicon by written form in lower case.

    Raises:
        GrammarError: the document is no lexicon, or has phones that cannot be read.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise GrammarError(f"the lexicon cannot be read: {error}") from error
    if etree.QName(root).localname != "lexicon":
        raise GrammarError("the lexicon does not begin with <lexicon>", line=root.sourceline)
    alphabet = root.get("alphabet", "ipa")
    entries: dict[str, Entry] = {}
    for lexeme in root.iter(f"{{{NAMESPACE}}}lexeme", "lexeme"):
        graphemes, phones, aliases = [], [], []
        for part in lexeme:
            name = etree.QName(part).localname if isinstance(part.tag, str) else ""
            text = " ".join((part.text or "").split())
            if name == "grapheme":
                graphemes.append(text.lower())
            elif name == "phoneme":
                phones.append(to_phones(text, part.get("alphabet", alphabet), part.sourceline))
            elif name == "alias":
                aliases.append(text)
        for grapheme in graphemes:
            known = entries.get(grapheme, Entry())
            entries[grapheme] = Entry((*known.phones, *phones), (*known.aliases, *aliases))
    return entries


def to_phones(text: str, alphabet: str = "ipa", line: int | None = None) -> str:
    """Return a transcription in phones of US English, separated by spaces.

    Raises:
        GrammarError: the alphabet or a symbol is unknown.
    """
    if alphabet.lower() in _OWN_ALPHABETS:
        return " ".join(re.sub(r"\d", "", text).upper().split())
    if alphabet.lower() != "ipa":
        raise GrammarError(
            f"the phonetic alphabet {alphabet!r} is not known", line=line, hint="write ipa, or x-cmu for decoder phones"
        )
    decomposed = unicodedata.normalize("NFD", text.strip("/[] "))
    symbols = "".join(symbol for symbol in decomposed if symbol not in _SKIPPED)
    phones: list[str] = []
    place = 0
    while place < len(symbols):
        for length in range(min(_LONGEST, len(symbols) - place), 0, -1):
            said = _IPA_DECOMPOSED.get(symbols[place : place + length])
            if said is not None:
                phones.append(said)
                place += length
                break
        else:
            if symbols[place] != _NASAL:
                raise GrammarError(f"the phonetic symbol {symbols[place]!r} in {text!r} is not known", line=line)
            place += 1
    return " ".join(phones)
