"""How the words of a grammar are said, and what becomes of those that nobody can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from asr_trio.grammar.lexicon import Lexicon, UnknownWords
from asr_trio.grammar.link import Program
from asr_trio.grammar.model import Token
from asr_trio.grammar.network import NetworkBuilder
from asr_trio.grammar.source import Source

LISTED_WORDS: Final = 50


class Pronouncing(msgspec.Struct, frozen=True):
    """Where pronunciations come from: the token itself, lexicons of its grammar, the model's lexicon, the spelling.

    Attributes:
        lexicon: of the acoustic model.
        unknown_words: the policy for words that only their spelling tells about.
        further: pronunciations besides, by word in small letters.
    """

    lexicon: Lexicon
    unknown_words: UnknownWords
    further: Mapping[str, Sequence[str]]

    def pronounce(self, builder: NetworkBuilder, program: Program) -> tuple[list[list[str]], set[int]]:
        """Return the pronunciations of all words, and the words to leave out; `program` gets the warnings.

        Raises:
            GrammarError: naming every unknown word, where the policy is to reject or nothing can say them; or the
                grammar itself writes phones that there are not.
        """
        lexicon = self.lexicon
        spoken: list[list[str]] = []
        unknown: list[int] = []
        generated: list[str] = []
        foreign: set[str] = set()
        for index, (token, (grammar, language)) in enumerate(zip(builder.words, builder.word_origins, strict=True)):
            spoken_in = language if not language or lexicon.covers(language) else lexicon.language
            found = self._given(token, grammar, program) or lexicon.pronunciations(token.text, spoken_in)
            if self.further:
                found = tuple(dict.fromkeys((*found, *self.further.get(token.text.lower(), ()))))
            if not found and self.unknown_words == "generate":
                found = lexicon.generate(token.text, spoken_in)
                if found and lexicon.is_foreign(spoken_in):
                    foreign.add(spoken_in)
                elif found:
                    generated.append(token.text)
            if not found:
                unknown.append(index)
            spoken.append(list(found))
        warnings = program.warnings
        warnings.extend(f"{language} is said with the phones of {lexicon.language}" for language in sorted(foreign))
        if generated:
            warnings.append(f"pronounced by their spelling: {_listed(generated)}")
        if not unknown:
            return spoken, set()
        texts = [builder.words[index].text for index in unknown]
        if self.unknown_words == "ignore":
            warnings.append(f"left out for want of a pronunciation: {_listed(texts)}")
            return spoken, set(unknown)
        owner, _ = builder.word_origins[unknown[0]]
        raise program.grammars[owner].source.error(
            f"{len(texts)} word{'s' * (len(texts) > 1)} without a pronunciation: {_listed(texts)}",
            builder.words[unknown[0]].at,
            "check the spelling, write signs as words, or give pronunciations in a lexicon",
        )

    def _given(self, token: Token, grammar: int, program: Program) -> tuple[str, ...]:
        """Return what the grammar itself or the lexicons that it names say about a word."""
        given = token.pronunciations
        entry = program.lexicons.get(grammar, {}).get(token.text.lower())
        if not given and entry is not None:
            aliased = (phones for alias in entry.aliases for phones in self.lexicon.say(alias))
            given = (*entry.phones, *aliased)
        for phones in given:
            self._check_phones(phones, token, program.grammars[grammar].source)
        return given

    def _check_phones(self, pronunciation: str, token: Token, source: Source) -> None:
        if self.lexicon.has_phones(pronunciation):
            return
        known = self.lexicon.phones
        strange = ", ".join(dict.fromkeys(phone for phone in pronunciation.split() if phone not in known))
        raise source.error(
            f"the pronunciation {pronunciation!r} of {token.text!r} has phones that the model lacks: {strange}",
            token.at,
            f"the phones are: {' '.join(sorted(known))}",
        )


def _listed(words: list[str]) -> str:
    more = len(words) - LISTED_WORDS
    return ", ".join(words[:LISTED_WORDS]) + (f" and {more} more" if more > 0 else "")
