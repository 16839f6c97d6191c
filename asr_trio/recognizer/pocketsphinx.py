"""The PocketSphinx engine: free speech by an n-gram model, grammars by a finite-state graph.

For each configured model two decoders are loaded before processes are forked: one with the full dictionary and the
language model, one whose dictionary holds only what the grammars of this process brought along (6 MB instead of 28).
Grammars stay loaded in the latter by digest, least recently used out first, so that the next recognition with the same
grammar costs a switch of 10 us.

Passes. What a segment sounds like is told by its cepstral mean, and a decoder that starts from the mean of other
recordings makes up to twice the errors until it has adapted, seconds later. So a segment is heard before it is decoded:

- A grammar is decoded once, over the whole segment from its own mean, when speech pauses. That costs what decoding
  along would have, falls into the wait for the end of speech, and is thrown away when speech goes on. Segments longer
  than `WHOLE_S` are decoded along from then on, by which time their mean is known.
- Free speech costs too much for that: it is decoded along after `FREE_S`, from the mean so far.
- Partial hypotheses want a decoder that listens: it starts early, and starts again when more is known.

All of this depends on positions in the audio alone, never on when packets came.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar, Final

from asr_trio.config import ModelSettings
from asr_trio.errors import AcousticModelError
from asr_trio.grammar.fsg import fsg_text
from asr_trio.protocol.results import Alternative, Word
from asr_trio.recognizer.base import SAMPLE_RATE_HZ, DecoderSettings, GrammarModel, LanguageModel, Recognition
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

BYTES_PER_S: Final = 2 * SAMPLE_RATE_HZ

WHOLE_S: Final = 8.0
"""Longest segment that a grammar decodes as a whole: at a fiftieth of real time that is 160 ms of a core."""

FREE_S: Final = 2.0
"""Audio heard before free speech is decoded: the mean over it is nearly as good as that over all."""

PARTIAL_S: Final = 0.4
"""Audio heard before partial hypotheses are worked on."""

WHOLE_ARCS_MAX: Final = 5000
"""Larger grammars take more than a tenth of real time and are decoded along like free speech."""

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
    """What both kinds of recognition share: the passes over a segment, and reading words with their times.

    Args:
        listen_at_s: audio heard when a pass that goes along begins; each later one begins anew with a better mean.
        whole: decode the segment as a whole when speech pauses, as long as no pass has gone beyond `WHOLE_S`.
    """

    def __init__(
        self,
        decoder: GuardedDecoder,
        lm: str,
        settings: DecoderSettings,
        cmn: str,
        *,
        listen_at_s: tuple[float, ...],
        whole: bool,
    ) -> None:
        self._decoder = decoder
        self._lm = lm
        self._settings = settings
        self._listen_at_bytes = [int(at_s * BYTES_PER_S) for at_s in listen_at_s]
        self._whole = whole
        self._start_s = 0.0
        self._heard = bytearray()
        self._listened = 0
        self._listening = False
        self._paused = False
        self._result: tuple[Alternative, ...] | None = None
        decoder.prepare(cmn)

    def start_segment(self, start_s: float) -> None:
        self._start_s = start_s
        self._heard.clear()
        self._listened = 0
        self._listening = self._paused = False
        self._result = None

    def accept(self, pcm: bytes) -> None:
        if self._listening:
            self._decoder.process(pcm)
        if self._listened < len(self._listen_at_bytes):  # later passes will want it
            self._heard += pcm
            if not self._paused and len(self._heard) >= self._listen_at_bytes[self._listened]:
                self._listen()

    def pause(self) -> None:
        self._paused = True
        if not self._whole_is_known():
            if not self._listening:
                self._listen()
        else:
            self._result = self._decode_whole()

    def resume(self) -> None:
        self._paused = False
        self._result = None
        if self._listened and not self._listening:  # the pass that went along was given up for the whole
            self._listened -= 1
            self._listen()

    def finish_segment(self, end_s: float) -> tuple[Alternative, ...]:  # noqa: ARG002 - the interface's
        if self._result is not None:
            return self._result
        if self._whole_is_known():
            return self._decode_whole()
        if not self._listening:
            self._listen()
        self._decoder.end()
        return self._read()

    def partial(self) -> tuple[Alternative, ...]:
        return self._read_partial() if self._listening else ()

    def channel_state(self) -> bytes:
        return self._decoder.cmn().encode("ascii")

    def close(self) -> None:
        self._decoder.forget()

    def _whole_is_known(self) -> bool:
        """The segment is to be decoded as a whole, and nothing of it was dropped."""
        return self._whole and self._listened < len(self._listen_at_bytes)

    def _listen(self) -> None:
        """Decode what was heard from its own mean, and go along from here."""
        self._begin()
        self._listening = True
        self._listened = sum(len(self._heard) >= at_bytes for at_bytes in self._listen_at_bytes) or 1
        if self._listened == len(self._listen_at_bytes):
            self._heard.clear()

    def _decode_whole(self) -> tuple[Alternative, ...]:
        self._begin()
        self._listening = False
        self._decoder.end()
        return self._read()

    def _begin(self) -> None:
        heard = bytes(self._heard)
        self._choose_search()
        self._decoder.prime(heard)
        self._decoder.start()
        self._decoder.process(heard)

    def _choose_search(self) -> None:
        """Activate this model's search where the decoder has several."""

    def _read(self) -> tuple[Alternative, ...]:
        """Return the hypotheses of the utterance that has ended."""
        raise NotImplementedError

    def _read_partial(self) -> tuple[Alternative, ...]:
        """Return the hypothesis of the running utterance."""
        raise NotImplementedError

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

    def __init__(self, decoder: GuardedDecoder, lm: str, settings: DecoderSettings, cmn: str) -> None:
        listen_at_s = (PARTIAL_S, FREE_S) if settings.partial_interval_ms else (FREE_S,)
        super().__init__(decoder, lm, settings, cmn, listen_at_s=listen_at_s, whole=False)

    def _read_partial(self) -> tuple[Alternative, ...]:
        segments = self._word_segments()
        if not segments:
            return ()
        words = self._words(segments, plain_word)
        return (Alternative(text=" ".join(word.text for word in words), score=_mean_score(words), lm=self._lm),)

    def _read(self) -> tuple[Alternative, ...]:
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
        model: GrammarModel,
        settings: DecoderSettings,
        cmn: str,
    ) -> None:
        small = len(grammar.compiled.graph.sources) <= WHOLE_ARCS_MAX
        last_s = WHOLE_S if small else FREE_S
        listen_at_s = (PARTIAL_S, last_s) if settings.partial_interval_ms else (last_s,)
        super().__init__(decoder, model.lm, settings, cmn, listen_at_s=listen_at_s, whole=small)
        self._grammar = grammar
        self._spelling = spelling
        self._search = model.digest

    def _choose_search(self) -> None:
        self._decoder.abandon()
        self._decoder.activate(self._search)

    def _spell(self, word: str) -> str:
        return self._spelling[plain_word(word)]

    def _read_partial(self) -> tuple[Alternative, ...]:
        words = self._words(self._word_segments(), self._spell)
        if not words:
            return ()
        return (Alternative(text=" ".join(word.text for word in words), score=_mean_score(words), lm=self._lm),)

    def _read(self) -> tuple[Alternative, ...]:
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
        return _GrammarRecognition(self._decoder, grammar, spelling, model=model, settings=settings, cmn=cmn)

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
