"""Grammars inside a worker process: compiling, and what a decoder and the interpretation need of a compiled one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from asr_trio.errors import GrammarError
from asr_trio.protocol.results import Alternative, Interpretation
from asr_trio.recognizer.base import Compile, Compiled, GrammarModel, Interpret
from asr_trio.recognizer.models import ModelRegistry, model_files


class Grammar(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled grammar as the decoder wants it.

    Attributes:
        language: tag that chooses the acoustic model.
        start: number of the start state.
        final: number of the only final state.
        arcs: (from, to, probability, index into `words` or -1 for none).
        words: as the grammar spells them.
        pronunciations: of each word, phones separated by blanks.
        compiled: the grammar package's own form, for interpretation.
    """

    language: str
    start: int
    final: int
    arcs: tuple[tuple[int, int, float, int], ...]
    words: tuple[str, ...]
    pronunciations: tuple[tuple[str, ...], ...]
    compiled: Any

    def interpret(self, words: Sequence[str], score: int) -> tuple[Interpretation, ...]:
        """Return what a sentence means, best first; `score` is the sentence's own."""
        from asr_trio.grammar.semantics import interpret

        meanings = interpret(self.compiled, words)
        best = max((weight for _, weight in meanings), default=1.0) or 1.0
        return tuple(Interpretation(value=value, score=round(score * weight / best)) for value, weight in meanings)


@lru_cache(maxsize=64)
def load_grammar(model: GrammarModel) -> Grammar:
    """Read the bytes that `compile_grammar` returned."""
    from asr_trio.grammar.compile import CompiledGrammar

    compiled = CompiledGrammar.from_bytes(model.compiled)
    return Grammar(
        language=compiled.language,
        start=compiled.start,
        final=compiled.final,
        arcs=tuple(compiled.arcs()),
        words=tuple(compiled.words),
        pronunciations=tuple(tuple(variants) for variants in compiled.pronunciations),
        compiled=compiled,
    )


@lru_cache(maxsize=4)
def _lexicon(dictionary: str) -> Any:
    from asr_trio.grammar.lexicon import Lexicon

    return Lexicon.from_dictionary(dictionary)


def compile_grammar(frame: Compile, registry: ModelRegistry) -> Compiled:
    """Compile for the acoustic model of the grammar's language.

    Raises:
        GrammarError: the text is no grammar, or too large.
        AcousticModelError: no model reads its language.
    """
    from asr_trio.grammar.compile import compile_grammar as compile_text

    name, settings = registry.get(registry.settings.default_model)
    compiled = compile_text(
        frame.text, content_type=frame.content_type, lexicon=_lexicon(model_files(name, settings).dictionary)
    )
    return Compiled(compiled=compiled.to_bytes(), digest=compiled.digest, warnings=tuple(compiled.warnings))


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
        interpretations = load_grammar(model).interpret(words, 100)
        if interpretations:
            found.append(Alternative(text=" ".join(words), score=100, lm=model.lm, interpretations=interpretations))
    return tuple(found[: frame.max_sentences])
