"""Grammars inside one decoder: how they get there, and what the decoder's words mean in them.

A decoder word is a sound: graphs share it, and one graph may have several of the same sound. Its name is chosen by
`asr_trio.grammar.fsg`. PocketSphinx never forgets a word, but a graph can be removed; so the ones lately used stay, and
the next recognition with the same grammars costs a switch of 10 µs.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from asr_trio.grammar.compile import no_collection
from asr_trio.grammar.fsg import WordNames, fsg_text
from asr_trio.grammar.graph import NO_WORD
from asr_trio.recognizer.acoustic import AcousticModel
from asr_trio.recognizer.base import GrammarModel
from asr_trio.recognizer.grammars import Grammar, load_grammars
from asr_trio.recognizer.guarded import GuardedDecoder
from asr_trio.recognizer.phone_graph import PhoneGraph

GRAPHS_LOADED_MAX: Final = 32
"""A ten-word grammar keeps 0.26 MiB, a 1 000-word one 5: beyond this the oldest is unloaded."""


class LoadedGrammar(msgspec.Struct, frozen=True, eq=False):
    """Grammars in one graph inside a decoder; `spoken` are the decoder's words: (index of the word, phones)."""

    grammar: Grammar
    spoken: dict[str, tuple[int, str]]

    def index(self, decoder_word: str) -> int:
        """Return which of the grammar's words it is."""
        return self.spoken[decoder_word][0]

    def text(self, decoder_word: str) -> str:
        """Return it as the grammar spells it."""
        return self.grammar.words[self.index(decoder_word)]

    def phones(self, decoder_word: str) -> tuple[str, ...]:
        """Return how it was said."""
        return tuple(self.spoken[decoder_word][1].split())


@functools.lru_cache(maxsize=GRAPHS_LOADED_MAX)
def phone_graph(model: AcousticModel, loaded: LoadedGrammar) -> PhoneGraph:
    """Return the graph of a loaded grammar for searches of our own; a large one takes a tenth of a second to make."""
    grammar = loaded.grammar
    return PhoneGraph(model, grammar.graph, grammar.words, grammar.pronunciations)


class GraphDecoder:
    """A decoder with the grammars that were lately used."""

    def __init__(self, decoder: GuardedDecoder) -> None:
        self.decoder = decoder
        self._loaded: OrderedDict[str, LoadedGrammar] = OrderedDict()
        self._names = WordNames()
        self._words: dict[str, str] = {}

    @no_collection()
    def activate(self, models: Sequence[GrammarModel], pronunciations: Mapping[str, Sequence[str]]) -> LoadedGrammar:
        """Decode with these grammars from now on.

        Args:
            models: the grammars, which compete.
            pronunciations: further ones by word in small letters, which hold for these grammars.

        Raises:
            GrammarError: one was compiled by another version of this program.
            AcousticModelError: the acoustic model lacks a phone.
        """
        name = "+".join(model.digest for model in models) + "".join(
            f" {word}={pronunciations[word]}" for word in pronunciations
        )
        loaded = self._loaded.get(name)
        if loaded is None:
            grammar = load_grammars(models)
            loaded = self._loaded[name] = self._load(name, grammar.with_pronunciations(pronunciations))
        self._loaded.move_to_end(name)
        self.decoder.activate(name)
        while len(self._loaded) > GRAPHS_LOADED_MAX:
            oldest, _ = self._loaded.popitem(last=False)
            self.decoder.remove(oldest)
        return loaded

    def _load(self, name: str, grammar: Grammar) -> LoadedGrammar:
        # Arcs are sorted by sound, and so should be the decoder's words.
        used = dict.fromkeys(grammar.graph.words)
        used.pop(NO_WORD, None)
        variants = [(word, phones) for word in used for phones in grammar.pronunciations[word]]
        decoder_words = self._decoder_words([phones for _, phones in variants])
        names: dict[int, list[str]] = {word: [] for word in used}
        for decoder_word, (word, _) in zip(decoder_words, variants, strict=True):
            names[word].append(decoder_word)
        self.decoder.add_graph(name, fsg_text(grammar.graph, names))
        return LoadedGrammar(grammar, dict(zip(decoder_words, variants, strict=True)))

    def _decoder_words(self, sounds: list[str]) -> list[str]:
        """Return a word of the decoder for each sound, all different."""
        sounds = _told_apart(sounds)
        fresh = [sound for sound in sounds if sound not in self._words]
        names = self._names.take(len(fresh))
        self.decoder.add_words(zip(names, fresh, strict=True))
        self._words.update(zip(fresh, names, strict=True))
        return [self._words[sound] for sound in sounds]


def _told_apart(sounds: list[str]) -> list[str]:
    """Return the sounds with blanks behind those that came before, which change no sound."""
    times: dict[str, int] = {}
    different = []
    for sound in sounds:
        before = times.get(sound, 0)
        times[sound] = before + 1
        different.append(sound + " " * before if before else sound)
    return different
