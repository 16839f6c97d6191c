"""Grammars inside a worker process: compiling, and what a decoder and the interpretation need of a compiled one."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from asr_trio.errors import AcousticModelError, GrammarError, LanguageModelNotFoundError
from asr_trio.grammar.compile import CompiledGrammar, compile_model
from asr_trio.grammar.graph import Graph, weigh_choices
from asr_trio.grammar.lexicon import Lexicon
from asr_trio.grammar.reader import read_grammar
from asr_trio.grammar.semantics import Reading, accepts, read
from asr_trio.grammar.unite import unite
from asr_trio.protocol.results import Alternative, Interpretation
from asr_trio.recognizer.base import Compile, Compiled, GrammarModel, Interpret
from asr_trio.recognizer.hints import hinted_pronunciations
from asr_trio.recognizer.models import ModelRegistry, model_files
from asr_trio.settings import ModelSettings


class _Package(msgspec.Struct, frozen=True):
    """What travels as GrammarModel.compiled: the grammar and the configured model whose phones it is written in."""

    model: str
    grammar: bytes
    foreign: bool = False


class Grammar(msgspec.Struct, frozen=True, kw_only=True):
    """Compiled grammars as the decoder wants them: one, or several that compete in one graph.

    Attributes:
        model: name of the configured model that reads them.
        words: as the grammars spell them; "" for filler speech.
        pronunciations: of each word, phones separated by blanks.
        graph: its words index `words`; each word weighs what the choice among those beside it is worth.
        members: the grammars, for interpretation.
        owners: of each word, which member it belongs to.
        foreign: a member is of another language than the model, whose phones only resemble its own.
    """

    model: str
    words: Sequence[str]
    pronunciations: Sequence[Sequence[str]]
    graph: Graph
    members: tuple[CompiledGrammar, ...]
    owners: Sequence[int]
    foreign: bool = False

    def with_pronunciations(self, further: Mapping[str, Sequence[str]]) -> Grammar:
        """Return the same with further pronunciations, by word in small letters."""
        if not further:
            return self
        spoken = [
            tuple(dict.fromkeys((*known, *further.get(word.lower(), ()))))
            for word, known in zip(self.words, self.pronunciations, strict=True)
        ]
        return msgspec.structs.replace(self, pronunciations=spoken)

    def member(self, sentence: Sequence[int]) -> int:
        """Return the grammar that a sentence of `words` belongs to; of those that cover it the one named first."""
        found = self.owners[sentence[0]]
        text = [self.words[word] for word in sentence if self.words[word]]
        return next((number for number in range(found) if _covers(self.members[number], text)), found)

    def accepts(self, sentence: Sequence[int]) -> bool:
        """Tell whether a part of a sentence of `words` is a sentence of the same grammar."""
        text = [self.words[word] for word in sentence if self.words[word]]
        return bool(text) and _covers(self.members[self.owners[sentence[0]]], text)

    def interpret(self, member: int, words: Sequence[str], score: int) -> tuple[Interpretation, ...]:
        """Return what a sentence means in one of the grammars, best first; `score` is the sentence's own."""
        try:
            readings = read(self.members[member], words)
        except GrammarError:  # too ambiguous to be parsed: what was recognised is not lost for that
            return (Interpretation(value=" ".join(words), score=score),)
        return _interpretations(readings, score)


def _interpretations(readings: Sequence[Reading], score: int) -> tuple[Interpretation, ...]:
    """Return the readings of a sentence of this score, best first; behind the best those that have any score left."""
    scored = [Interpretation(value=reading.value, score=round(score * reading.weight)) for reading in readings]
    return tuple(found for number, found in enumerate(scored) if found.score or not number)


def _covers(compiled: CompiledGrammar, words: Sequence[str]) -> bool:
    try:
        return accepts(compiled, words)
    except GrammarError:  # too ambiguous to be parsed
        return False


def load_grammars(models: Sequence[GrammarModel]) -> Grammar:
    """Return one graph of the grammars that `compile_grammar` returned; all are read by the same model.

    Raises:
        GrammarError: one is of another version of this program.
    """
    return _loaded(tuple(model.compiled for model in models))


@functools.lru_cache(maxsize=64)
def _loaded(packages: tuple[bytes, ...]) -> Grammar:
    heads = [_unpacked(package)[0] for package in packages]
    members = tuple(_unpacked(package)[1] for package in packages)
    united = unite(members)
    return Grammar(
        model=heads[0].model,
        words=united.words,
        pronunciations=united.pronunciations,
        graph=weigh_choices(united.graph, united.words),
        members=members,
        owners=united.members,
        foreign=any(head.foreign for head in heads),
    )


@functools.lru_cache(maxsize=64)
def _unpacked(package: bytes) -> tuple[_Package, CompiledGrammar]:
    try:
        read_back = msgspec.msgpack.decode(package, type=_Package)
    except msgspec.MsgspecError as error:
        raise GrammarError("the compiled grammar cannot be read", hint="compile it again") from error
    return msgspec.structs.replace(read_back, grammar=b""), CompiledGrammar.from_bytes(read_back.grammar)


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
            unknown_words=frame.unknown_words or registry.settings.unknown_words,
            further=hinted_pronunciations(frame.hints, lexicon(name, settings)),
        )
    except GrammarError:
        if not missing:
            raise
    if missing:
        return Compiled(compiled=b"", digest="", missing=tuple(dict.fromkeys(missing)))
    foreign = lexicon(name, settings).is_foreign(grammar.language)
    package = msgspec.msgpack.encode(_Package(name, compiled.to_bytes(), foreign))
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
        readings = read(_unpacked(model.compiled)[1], words)
        if readings:
            interpretations = _interpretations(readings, 100)
            found.append(Alternative(text=readings[0].text, score=100, lm=model.lm, interpretations=interpretations))
    return tuple(found[: frame.max_sentences])
