"""The PocketSphinx engine: free speech by an n-gram model, grammars by a finite-state graph.

For each configured model two decoders are loaded before processes are forked: one with the full dictionary and the
language model, one whose dictionary holds only what the grammars of this process brought along (6 MB instead of 28).
Grammars stay loaded in the latter by digest, least recently used out first, so that the next recognition with the same
grammar costs a switch of 10 us.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar, Final

from asr_trio.config import ModelSettings
from asr_trio.errors import AcousticModelError
from asr_trio.grammar.fsg import fsg_text
from asr_trio.protocol.results import Alternative, Word
from asr_trio.recognizer.base import DecoderSettings, GrammarModel, LanguageModel, Recognition
from asr_trio.recognizer.grammars import Grammar, load_grammar
from asr_trio.recognizer.guarded import FRAMES_PER_SECOND, GuardedDecoder, Segment, is_filler, plain_word
from asr_trio.recognizer.models import ModelFiles, model_files

GRAMMARS_LOADED_MAX: Final = 32
"""A ten-word grammar keeps 0.26 MiB, a 1 000-word one 5: beyond this the oldest is unloaded."""

NBEST_DEPTH: Final = 200
"""Entries of the lattice looked through for distinct sentences; 100 cost 0.7 ms."""

CMN_INIT: Final = "40,3,-1"

# A search for grammars. bestpath would build a lattice at the end (seconds on loops) and improves nothing; a word
# insertion penalty of 0.01 is the best of the sweep over loops of digits, letters and words.
GRAMMAR_OPTIONS: Final[dict[str, Any]] = {"bestpath": False, "wip": 0.01}

PROFILES: Final[dict[str, dict[str, Any]]] = {
    "fast": {"fwdflat": False, "maxhmmpf": 2000, "topn": 2, "ds": 2},
    "balanced": {"fwdflat": False, "maxhmmpf": 3000, "topn": 2, "ds": 2},
    "accurate": {"fwdflat": False, "maxhmmpf": 10000, "topn": 4, "ds": 1},
}


class PocketSphinxEngine:
    """The decoders of one configured model."""

    fork_safe: ClassVar[bool] = True

    def __init__(self, name: str, settings: ModelSettings) -> None:
        """Load the decoders.

        Raises:
            AcousticModelError: files are missing or cannot be used.
        """
        files = model_files(name, settings)
        self._grammars = _GrammarDecoder(_decoder(files, settings, GRAMMAR_OPTIONS, dictionary=False))
        self._free: GuardedDecoder | None = None
        if files.lm is not None:
            options = {"lm": files.lm, **PROFILES[settings.profile]}
            self._free = _decoder(files, settings, options, dictionary=True)
            self._free.forget()

    def open(self, model: LanguageModel, settings: DecoderSettings, channel_state: bytes) -> Recognition:
        """Get ready to decode segments with this model."""
        cmn = channel_state.decode("ascii", "ignore")
        if isinstance(model, GrammarModel):
            return self._grammars.open(model, settings, cmn)
        if self._free is None:
            raise AcousticModelError(f"model {model.name!r} has no language model: it reads grammars only")
        return _FreeRecognition(self._free, model.lm, settings, cmn)


def _decoder(
    files: ModelFiles, settings: ModelSettings, options: dict[str, Any], *, dictionary: bool
) -> GuardedDecoder:
    return GuardedDecoder(
        cmn_init=settings.cmn_init or CMN_INIT,
        options={
            "hmm": files.acoustic,
            "dict": files.dictionary if dictionary else None,
            "lm": None,
            **({"mllr": str(settings.mllr)} if settings.mllr else {}),
            **options,
            **settings.options,
        },
    )


class _PocketSphinxRecognition:
    """What both kinds of recognition share: feeding the decoder and reading words with their times."""

    def __init__(self, decoder: GuardedDecoder, lm: str, settings: DecoderSettings, cmn: str) -> None:
        self._decoder = decoder
        self._lm = lm
        self._settings = settings
        self._start_s = 0.0
        decoder.prepare(cmn)

    def start_segment(self, start_s: float) -> None:
        self._start_s = start_s
        self._decoder.start()

    def accept(self, pcm: bytes) -> None:
        self._decoder.process(pcm)

    def channel_state(self) -> bytes:
        return self._decoder.cmn().encode("ascii")

    def close(self) -> None:
        self._decoder.forget()

    def _word_segments(self) -> list[Segment]:
        return [segment for segment in self._decoder.segments() if not is_filler(segment.word)]

    def _words(self, segments: list[Segment], spell: Callable[[str], str]) -> tuple[Word, ...]:
        """Words in stream time; frames never overlap, so times increase strictly. Filler speech is not shown."""
        return tuple(
            Word(
                text=spell(segment.word),
                score=round(100 * segment.posterior),
                start_time=round(self._start_s + segment.start / FRAMES_PER_SECOND, 3),
                end_time=round(self._start_s + segment.end / FRAMES_PER_SECOND, 3),
            )
            for segment in segments
            if spell(segment.word)
        )


class _FreeRecognition(_PocketSphinxRecognition):
    """Free speech."""

    def partial(self) -> tuple[Alternative, ...]:
        segments = self._word_segments()
        if not segments:
            return ()
        words = self._words(segments, plain_word)
        return (Alternative(text=" ".join(word.text for word in words), score=_mean_score(words), lm=self._lm),)

    def finish_segment(self, end_s: float) -> tuple[Alternative, ...]:  # noqa: ARG002 - the interface's
        self._decoder.end()
        words = self._words(self._word_segments(), plain_word)
        if not words:
            return ()
        text = " ".join(word.text for word in words)
        best = Alternative(
            text=text, score=_mean_score(words), lm=self._lm, words=words if self._settings.word_details else ()
        )
        others = [other for other in self._decoder.nbest(NBEST_DEPTH) if other != text] if self._wants_more() else []
        return (best, *(Alternative(text=other, score=0, lm=self._lm) for other in others))[
            : self._settings.max_sentences
        ]

    def _wants_more(self) -> bool:
        return self._settings.max_sentences > 1


class _GrammarRecognition(_PocketSphinxRecognition):
    """Speech within a grammar."""

    def __init__(
        self,
        decoder: GuardedDecoder,
        grammar: Grammar,
        spelling: dict[str, str],
        *,
        lm: str,
        settings: DecoderSettings,
        cmn: str,
    ) -> None:
        super().__init__(decoder, lm, settings, cmn)
        self._grammar = grammar
        self._spelling = spelling

    def _spell(self, word: str) -> str:
        return self._spelling[plain_word(word)]

    def partial(self) -> tuple[Alternative, ...]:
        words = self._words(self._word_segments(), self._spell)
        if not words:
            return ()
        return (Alternative(text=" ".join(word.text for word in words), score=_mean_score(words), lm=self._lm),)

    def finish_segment(self, end_s: float) -> tuple[Alternative, ...]:  # noqa: ARG002 - the interface's
        self._decoder.end()
        words = self._words(self._word_segments(), self._spell)
        if not words:
            return ()
        score = _mean_score(words)
        return (
            Alternative(
                text=" ".join(word.text for word in words),
                score=score,
                lm=self._lm,
                words=words if self._settings.word_details else (),
                interpretations=self._grammar.interpret([word.text for word in words], score),
            ),
        )


class _GrammarDecoder:
    """One decoder with the grammars that were lately used."""

    def __init__(self, decoder: GuardedDecoder) -> None:
        self._decoder = decoder
        self._loaded: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._decoder_words: dict[tuple[str, str], str] = {}

    def open(self, model: GrammarModel, settings: DecoderSettings, cmn: str) -> Recognition:
        grammar = load_grammar(model)
        spelling = self._loaded.get(model.digest)
        if spelling is None:
            spelling = self._load(model.digest, grammar)
        self._loaded.move_to_end(model.digest)
        self._decoder.activate(model.digest)
        while len(self._loaded) > GRAMMARS_LOADED_MAX:
            oldest, _ = self._loaded.popitem(last=False)
            self._decoder.remove(oldest)
        return _GrammarRecognition(self._decoder, grammar, spelling, lm=model.lm, settings=settings, cmn=cmn)

    def _load(self, digest: str, grammar: Grammar) -> dict[str, str]:
        """Bring a grammar into the decoder; return what the decoder's words are called in the grammar.

        The same word may sound differently in two grammars, so the decoder knows words by numbers of our own.
        """
        spelling: dict[str, str] = {}
        names: list[list[str]] = []
        for text, pronunciations in zip(grammar.words, grammar.pronunciations, strict=True):
            variants: list[str] = []
            for phones in pronunciations:
                name = self._decoder_words.get((text, phones))
                if name is None:
                    name = self._decoder_words[text, phones] = f"w{len(self._decoder_words)}"
                    self._decoder.add_word(name, phones)
                spelling[name] = text
                variants.append(name)
            names.append(variants)
        self._decoder.add_graph(digest, fsg_text(grammar.compiled.graph, names))
        self._loaded[digest] = spelling
        return spelling


def _mean_score(words: tuple[Word, ...]) -> int:
    return round(sum(word.score for word in words) / len(words))
