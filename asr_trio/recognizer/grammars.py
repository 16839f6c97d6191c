"""Grammars inside a worker process: compiling, and what a decoder and the interpretation need of a compiled one."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

import msgspec

from asr_trio.config import ModelSettings
from asr_trio.errors import AcousticModelError, GrammarError, LanguageModelNotFoundError
from asr_trio.grammar.compile import CompiledGrammar, compile_model
from asr_trio.grammar.lexicon import Lexicon
from asr_trio.grammar.reader import read_grammar
from asr_trio.grammar.semantics import read
from asr_trio.protocol.results import Alternative, Interpretation
from asr_trio.recognizer.base import Compile, Compiled, GrammarModel, Interpret
from asr_trio.recognizer.models import ModelRegistry, model_files


class _Package(msgspec.Struct, frozen=True):
    """What travels as GrammarModel.compiled: the grammar and the configured model whose phones it is written in."""

    model: str
    grammar: bytes


class Grammar(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A compiled grammar as the decoder wants it.

    Attributes:
        model: name of the configured model that reads it.
        words: as the grammar spells them; "" for filler speech.
        pronunciations: of each word, phones separated by blanks.
        compiled: the grammar package's own form, for the graph and interpretation.
    """

    model: str
    words: tuple[str, ...]
    pronunciations: tuple[tuple[str, ...], ...]
    compiled: CompiledGrammar

    @functools.cached_property
    def _arcs_from(self) -> dict[int, list[tuple[int, int]]]:
        outgoing: dict[int, list[tuple[int, int]]] = {}
        for source, target, _, word in self.compiled.arcs():
            outgoing.setdefault(source, []).append((target, word))
        return outgoing

    def closure(self, state: int) -> tuple[int, ...]:
        """Return the states that can be reached without a word, the state itself first."""
        reached = [state]
        for here in reached:
            reached.extend(
                target for target, word in self._arcs_from.get(here, ()) if word < 0 and target not in reached
            )
        return tuple(reached)

    def targets(self, state: int, word: int) -> list[int]:
        """Return the states that a word leads to."""
        return [target for target, label in self._arcs_from.get(state, ()) if label == word]

    def parallel_words(self, source: int, target: int) -> set[int]:
        """Return the words that lead from one state to another."""
        return {word for there, word in self._arcs_from.get(source, ()) if there == target and word >= 0}

    def interpret(self, words: Sequence[str], score: int) -> tuple[Interpretation, ...]:
        """Return what a sentence means, best first; `score` is the sentence's own."""
        try:
            readings = read(self.compiled, words)
        except GrammarError:  # too ambiguous to be parsed: what was recognised is not lost for that
            return (Interpretation(value=" ".join(words), score=score),)
        return tuple(Interpretation(value=reading.value, score=round(score * reading.weight)) for reading in readings)


@functools.lru_cache(maxsize=64)
def load_grammar(model: GrammarModel) -> Grammar:
    """Read the bytes that `compile_grammar` returned.

    Raises:
        GrammarError: they are of another version of this program.
    """
    try:
        package = msgspec.msgpack.decode(model.compiled, type=_Package)
    except msgspec.MsgspecError as error:
        raise GrammarError("the compiled grammar cannot be read", hint="compile it again") from error
    compiled = CompiledGrammar.from_bytes(package.grammar)
    return Grammar(
        model=package.model,
        words=tuple(compiled.words),
        pronunciations=tuple(tuple(variants) for variants in compiled.pronunciations),
        compiled=compiled,
    )


def lexicon(name: str, settings: ModelSettings) -> Lexicon:
    """Return the words of a configured model; read once, before processes are forked where the model is preloaded."""
    return _lexicon(model_files(name, settings).dictionary, settings.languages[0])


@functools.lru_cache(maxsize=8)
def _lexicon(dictionary: str, language: str) -> Lexicon:
    return Lexicon.from_dictionary(dictionary, language=language)


def compile_grammar(frame: Compile, registry: ModelRegistry) -> Compiled:
    """Compile for the acoustic model of the grammar's language.

    A language that no configured model has is read by the default model, where the spelling rules of the lexicon know
    how to say it with that model's phones.

    Raises:
        GrammarError: the text is no grammar, or too large.
        AcousticModelError: nothing reads its language.
    """
    grammar = read_grammar(frame.text, frame.content_type, name=frame.lm)
    fallback = registry.get(registry.settings.default_model)
    try:
        name, settings = registry.for_language(grammar.language) if grammar.language else fallback
    except AcousticModelError:
        name, settings = fallback
        if not lexicon(name, settings).covers(grammar.language):
            raise
    missing: list[str] = []

    def resolver(uri: str) -> tuple[bytes, str | None]:
        document = frame.documents.get(uri)
        if document is None:
            missing.append(uri)
            raise LanguageModelNotFoundError("it is still to be fetched")
        if document.error:
            raise LanguageModelNotFoundError(document.error)
        return document.text, document.content_type

    try:
        compiled = compile_model(
            grammar,
            lexicon=lexicon(name, settings),
            resolver=resolver,
            unknown_words=registry.settings.unknown_words,
        )
    except GrammarError:
        if not missing:
            raise
    if missing:
        return Compiled(compiled=b"", digest="", missing=tuple(dict.fromkeys(missing)))
    package = msgspec.msgpack.encode(_Package(name, compiled.to_bytes()))
    return Compiled(compiled=package, digest=hashlib.sha256(package).hexdigest(), warnings=tuple(compiled.warnings))


def interpret_text(frame: Interpret) -> tuple[Alternative, ...]:
    """Interpret a text by grammars, the best of each; grammars that do not cover it add nothing.

    Raises:
        GrammarError: a named model is no grammar.
    """
    words = frame.text.split()
    found = []
    for model in frame.models:
        if not isinstance(model, GrammarModel):
            raise GrammarError("only grammars interpret text")
        readings = read(load_grammar(model).compiled, words)
        if readings:
            interpretations = tuple(
                Interpretation(value=reading.value, score=round(100 * reading.weight)) for reading in readings
            )
            found.append(Alternative(text=readings[0].text, score=100, lm=model.lm, interpretations=interpretations))
    return tuple(found[: frame.max_sentences])
