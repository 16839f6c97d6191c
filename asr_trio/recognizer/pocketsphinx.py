"""The PocketSphinx engine: free speech by an n-gram model, grammars by a finite-state graph.

For each configured model two decoders are loaded before processes are forked: one with the full dictionary and the
language model, one whose dictionary holds only what the grammars of this process brought along (6 MB instead of 28;
`graphs`).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import msgspec

from asr_trio.errors import AcousticModelError
from asr_trio.protocol.hints import parse_hints
from asr_trio.protocol.results import Alternative, Word
from asr_trio.recognizer.acoustic import FRAME_STEP, AcousticModel, SegmentScores
from asr_trio.recognizer.alternatives import place_words
from asr_trio.recognizer.bands import model_bands
from asr_trio.recognizer.base import DecoderSettings, GrammarModel, LanguageModel, Pulse, Recognition, no_pulse
from asr_trio.recognizer.channel import Bands, Channel
from asr_trio.recognizer.confidence import Evidence, SpokenWord, trained_model
from asr_trio.recognizer.features import WARPS, FrontEnd, read_parameters
from asr_trio.recognizer.grammars import lexicon
from asr_trio.recognizer.graphs import GraphDecoder, LoadedGrammar, phone_graph
from asr_trio.recognizer.guarded import FRAMES_PER_SECOND, GuardedDecoder, Segment, is_filler, plain_word
from asr_trio.recognizer.hints import hint_words, hinted_pronunciations
from asr_trio.recognizer.listening import Hearing, Listener
from asr_trio.recognizer.models import ModelFiles, model_files
from asr_trio.recognizer.sentences import SentenceSearch
from asr_trio.settings import ModelSettings

NBEST_DEPTH: Final = 200
"""Entries of the lattice looked through for distinct sentences; 100 cost 0.7 ms."""

UNKNOWN_SCORE: Final = 50
"""Of hypotheses of an acoustic model that cannot be read for evidence."""
UNKNOWN_POSTERIOR: Final = 0.5
"""Of words in partial hypotheses: there is no lattice yet."""

REJECTION_PROBABILITY: Final = 0.32
REJECTION_WORD_SHARE: Final = 0.14
"""A sentence of n words of a grammar that is right with less than 0.32 ** (1 + 0.14 (n - 1)) is no result.

One word in doubt makes a long sentence wrong, but does not mean that the caller left the grammar. Chosen on the
development recordings; docs/recognition.md has the trade-off.
"""

FOREIGN_REJECTION_SCORE: Final = 30
"""The same, whatever the number of words, where a grammar is said with the phones of another language."""

FREE_REJECTION_SCORE: Final = 20
"""Free speech whose words are right with less on average is noise, or of no use: of 115 sentences two are."""

# A search for grammars. bestpath would build a lattice at the end (seconds on loops) and improves nothing. Words cost
# what the choice among them is worth (`weigh_choices`) and a word insertion penalty of 0.03 besides. A penalty of 0.01
# alone, the best of those that are the same for all words, lets loops over letters insert: 20 % of the words of AN4
# wrong where this makes 16; with one of 0.001 optional words of other grammars are lost.
# Silence between words is six times as likely as by default: callers who spell or count pause. That makes 27 % of the
# words of strings of digits wrong instead of 32.
# Variants of pronunciation are words of their own in our graphs: looking for more only takes time.
# Beams of 1e-48, the defaults, lose half of all longer phrases before their end; at 1e-80 they are found, and the bound
# on active models keeps word lists of thousands as fast as they were.
GRAMMAR_OPTIONS: Final[dict[str, Any]] = {
    "bestpath": False,
    "wip": 0.03,
    "silprob": 0.03,
    "fsgusealtpron": False,
    "beam": 1e-80,
    "pbeam": 1e-80,
    "wbeam": 1e-60,
    "maxhmmpf": 3000,
}

# Searches for free speech, chosen by benchmarks/bench_profiles.py. The second pass (fwdflat) wins nothing and takes a
# quarter of a second when speech ends; a smaller word insertion penalty keeps out invented words, and costs less. A
# language model that weighs 5 while searching (10 in the lattice) loses fewer right words early than at the usual 6.5:
# that makes 46 % of words wrong instead of 48, and with a third of the active states at less cost. The bound on words
# that end in a frame keeps the lattice small: without one the last pass takes up to 0.4 s. So does a beam for the ends
# of words of 1e-22 instead of 7e-29: the last pass takes half as long, the search a tenth less, for 0.4 points.
_FREE_OPTIONS: Final[dict[str, Any]] = {"fwdflat": False, "wip": 0.1, "lw": 5.0, "bestpathlw": 10.0}
PROFILES: Final[dict[str, dict[str, Any]]] = {
    "fast": {**_FREE_OPTIONS, "maxhmmpf": 1500, "maxwpf": 20, "wbeam": 1e-22, "topn": 4, "ds": 1},
    "balanced": {**_FREE_OPTIONS, "maxhmmpf": 3000, "maxwpf": 20, "wbeam": 1e-22, "topn": 4, "ds": 1},
    "accurate": {**_FREE_OPTIONS, "maxhmmpf": 10000, "maxwpf": 40, "topn": 4, "ds": 1},
}


class Acoustics(msgspec.Struct, frozen=True):
    """What recognitions of one model share besides decoders."""

    front_end: FrontEnd
    bands: Bands
    mixtures: AcousticModel | None


class PocketSphinxEngine:
    """The decoders of one configured model.

    Attributes:
        acoustics: for grammars.
        free_acoustics: for free speech.
    """

    fork_safe: ClassVar[bool] = True

    def __init__(self, name: str, settings: ModelSettings) -> None:
        """Load the decoders.

        Raises:
            AcousticModelError: files are missing or cannot be used.
        """
        self._name = name
        files = model_files(name, settings)
        parameters = read_parameters(files.acoustic)
        bands, mixtures = model_bands(settings, parameters.ncep), _readable_mixtures(files.acoustic)
        self.acoustics = Acoustics(FrontEnd(parameters), bands, mixtures)
        # Phrases of a grammar are too short to tell the voice by, and gain nothing.
        self.free_acoustics = Acoustics(FrontEnd(parameters, WARPS), bands, mixtures) if mixtures else self.acoustics
        self._files = files
        self._settings = settings
        options = {"dict": None, "lm": None, **GRAMMAR_OPTIONS}
        self._grammars = GraphDecoder(_decoder(files, settings, parameters.ncep, options))
        self._free: GuardedDecoder | None = None
        if files.lm is not None:
            options = {"dict": files.dictionary, "lm": files.lm, **PROFILES[settings.profile]}
            self._free = _decoder(files, settings, parameters.ncep, options)

    def open(
        self,
        models: tuple[LanguageModel, ...],
        settings: DecoderSettings,
        channel_state: bytes,
        pulse: Pulse = no_pulse,
    ) -> Recognition:
        """Get ready to decode segments with one model of free speech, or with grammars in one graph."""
        grammars = tuple(model for model in models if isinstance(model, GrammarModel))
        if grammars:
            further = (
                hinted_pronunciations(settings.hints, lexicon(self._name, self._settings)) if settings.hints else {}
            )
            loaded = self._grammars.activate(grammars, further)
            lms = tuple(model.lm for model in grammars)
            return _GrammarRecognition(
                loaded, lms, self._grammars.decoder, self.acoustics, settings, channel_state, pulse
            )
        (model,) = models
        if self._free is None:
            raise AcousticModelError(f"model {self._name!r} has no language model: it reads grammars only")
        if settings.hints:
            say = lexicon(self._name, self._settings).say
            self._free.add_hints(hint_words(parse_hints(settings.hints), say))
        return FreeRecognition(model.lm, self._free, self.free_acoustics, settings, channel_state, pulse)


def _readable_mixtures(acoustic: str) -> AcousticModel | None:
    try:
        return AcousticModel(acoustic)
    except AcousticModelError:
        return None


def _decoder(files: ModelFiles, settings: ModelSettings, n_cepstra: int, options: dict[str, Any]) -> GuardedDecoder:
    adaptation = {"mllr": str(settings.mllr)} if settings.mllr else {}
    chosen = {"hmm": files.acoustic, **adaptation, **options, **settings.options}
    remembers = chosen["lm"] is not None or str(chosen.get("ds", 1)) != "1"
    decoder = GuardedDecoder(n_cepstra=n_cepstra, options=chosen, remembers=remembers)
    if options["lm"] is not None:
        decoder.forget()
    return decoder


class _PocketSphinxRecognition:
    """What both kinds of recognition share: from audio to words with their times."""

    hearing: ClassVar[Hearing]
    trusted_hearing: ClassVar[Hearing]
    """Where the channel is trusted."""

    def __init__(
        self,
        decoder: GuardedDecoder,
        acoustics: Acoustics,
        settings: DecoderSettings,
        channel_state: bytes,
        pulse: Pulse,
    ) -> None:
        self._decoder = decoder
        self._acoustics = acoustics
        self._settings = settings
        self._pulse = pulse
        self._channel = Channel(acoustics.front_end, acoustics.bands, state=channel_state)
        self._start_s = 0.0
        self._listener = self._new_listener(along=False)
        self._partial_scores: dict[SpokenWord, int] = {}
        decoder.forget()

    def _new_listener(self, *, along: bool) -> Listener:
        acoustics = self._acoustics
        return Listener(
            self._decoder,
            acoustics.front_end,
            self._channel,
            acoustics.mixtures,
            pulse=self._pulse,
            hearing=self.trusted_hearing if self._channel.is_trusted else self.hearing,
            along=along,
        )

    def start_segment(self, start_s: float) -> None:
        self._start_s = start_s
        self._listener = self._new_listener(along=self._settings.partial_interval_ms is not None)
        self._partial_scores.clear()

    def accept(self, pcm: bytes) -> None:
        self._listener.feed(pcm)

    def pause(self) -> None:
        self._listener.pause()

    def resume(self) -> None:
        self._listener.resume()

    def channel_state(self) -> bytes:
        return self._channel.to_bytes()

    def close(self) -> None:
        self._decoder.forget()

    def hear_out(self) -> tuple[list[Segment], SegmentScores | None]:
        """End the segment; return the decoder's words in it, and the scores of its frames where there are any."""
        scores = self._listener.finish()
        return self._spoken(), scores

    def said(self, spoken: Sequence[Segment]) -> list[SpokenWord]:
        """Return how the decoder's words were pronounced, and when."""
        raise NotImplementedError

    def _spoken(self) -> list[Segment]:
        if not self._listener.passing:
            return []
        return [segment for segment in self._decoder.segments() if not is_filler(segment.word)]

    def _partial_score(self, words: list[SpokenWord]) -> int:
        """Return the mean score of the words so far; each is weighed once, alone, as soon as its frames are scored."""
        mixtures, scorer = self._acoustics.mixtures, self._listener.scorer
        if scorer is None or mixtures is None:
            return UNKNOWN_SCORE
        scorer.catch_up()
        for word in words:
            if word.phones and word not in self._partial_scores:
                first = word.start // FRAME_STEP * FRAME_STEP
                scores = scorer.between(first, word.end)
                if len(scores.phones):
                    alone = SpokenWord(word.phones, word.start - first, word.end - first)
                    self._partial_scores[word] = self._word_score(Evidence(mixtures, scores, [alone], 1))
        known = [self._partial_scores[word] for word in words if word in self._partial_scores]
        return round(sum(known) / len(known)) if known else UNKNOWN_SCORE

    def _word_score(self, evidence: Evidence) -> int:
        """Return the score of the one word that the evidence is about."""
        raise NotImplementedError

    def _words(self, spelled: Sequence[str], times: Sequence[tuple[int, int]], scores: list[int]) -> tuple[Word, ...]:
        """Return words in stream time; frames never overlap, so times increase strictly."""
        return tuple(
            Word(
                text=text,
                score=score,
                start_time=round(self._start_s + start / FRAMES_PER_SECOND, 3),
                end_time=round(self._start_s + end / FRAMES_PER_SECOND, 3),
            )
            for text, (start, end), score in zip(spelled, times, scores, strict=True)
        )

    def _alternative(self, lm: str, words: tuple[Word, ...], score: int, rank: int) -> Alternative:
        shown = words if self._settings.shows_words(rank) else ()
        return Alternative(text=" ".join(word.text for word in words), score=score, lm=lm, words=shown)


class FreeRecognition(_PocketSphinxRecognition):
    """Free speech."""

    # With twice as many known 46.3 % of the words of read sentences are wrong instead of 46.0, at 5 % more cost.
    hearing = Hearing(longest_frames=200, known_frames=100)
    # Of five sentences of a caller 47.4 % of the words are wrong, and 48.4 where each is heard as long as the first.
    trusted_hearing = Hearing(longest_frames=50, known_frames=50)

    def __init__(self, lm: str, *args: Any) -> None:
        super().__init__(*args)
        self._lm = lm

    def partial(self) -> tuple[Alternative, ...]:
        """Return what has been said so far."""
        spoken = self._spoken()
        if not spoken:
            return ()
        text = " ".join(plain_word(segment.word) for segment in spoken)
        return (Alternative(text=text, score=self._partial_score(self.said(spoken)), lm=self._lm),)

    def said(self, spoken: Sequence[Segment]) -> list[SpokenWord]:
        """Return how the decoder's words were pronounced, and when."""
        return [SpokenWord(self._decoder.phones(found.word), found.start, found.end) for found in spoken]

    def _word_score(self, evidence: Evidence) -> int:
        return trained_model().free_word_scores(evidence, [UNKNOWN_POSTERIOR])[0]

    def finish_segment(self, end_s: float) -> tuple[Alternative, ...]:  # noqa: ARG002 - the interface's
        """Return what was said, best first, or nothing where that is unlikely."""
        spoken, scores = self.hear_out()
        if not spoken:
            return ()
        best = [plain_word(segment.word) for segment in spoken]
        times = [(segment.start, segment.end) for segment in spoken]
        pronounced = [self._decoder.phones(segment.word) for segment in spoken]
        posteriors = [segment.posterior for segment in spoken]
        hypotheses = [(best, times, pronounced, posteriors)]
        if self._settings.max_sentences > 1:
            for text in self._decoder.nbest(NBEST_DEPTH):
                entries = text.split()
                words = [plain_word(entry) for entry in entries]
                if all(words != known for known, *_ in hypotheses):
                    phones = [self._decoder.phones(entry) for entry in entries]
                    placed, shares = place_words(best, times, posteriors, words, [len(found) for found in phones])
                    hypotheses.append((words, placed, phones, shares))
                if len(hypotheses) >= self._settings.max_sentences:
                    break
        found: list[Alternative] = []
        for rank, (words, where, phones, shares) in enumerate(hypotheses):
            if scores is None or not all(phones):
                word_scores = [UNKNOWN_SCORE] * len(words)
            else:
                assert self._acoustics.mixtures is not None
                said = [SpokenWord(*parts) for parts in zip(phones, *zip(*where, strict=True), strict=True)]
                evidence = Evidence(self._acoustics.mixtures, scores, said, len(words))
                word_scores = trained_model().free_word_scores(evidence, shares)
            mean = round(sum(word_scores) / len(word_scores))
            if not found and mean < FREE_REJECTION_SCORE:
                break
            score = min(mean, found[-1].score) if found else mean  # the search's order stands
            found.append(self._alternative(self._lm, self._words(words, where, word_scores), score, rank))
        return tuple(found)


class _GrammarRecognition(_PocketSphinxRecognition):
    """Speech within grammars."""

    hearing = trusted_hearing = Hearing(longest_frames=400, known_frames=200)

    def __init__(self, loaded: LoadedGrammar, lms: tuple[str, ...], *args: Any) -> None:
        super().__init__(*args)
        self.loaded = loaded
        self._lms = lms
        mixtures = self._acoustics.mixtures
        self._phones = phone_graph(mixtures, loaded) if mixtures and self._settings.max_sentences > 1 else None
        self._told: Word | None = None
        """The last word of the results so far."""

    def partial(self) -> tuple[Alternative, ...]:
        spoken = self._spoken()
        sentence = [self.loaded.index(segment.word) for segment in spoken]
        text = self._text(sentence)
        if not text:
            return ()
        owner = self.loaded.grammar.owners[sentence[0]]
        said = [found for found in self.said(spoken) if not found.is_garbage]
        return (Alternative(text=text, score=self._partial_score(said), lm=self._lms[owner]),)

    def said(self, spoken: Sequence[Segment]) -> list[SpokenWord]:
        loaded = self.loaded
        return [
            SpokenWord(loaded.phones(found.word), found.start, found.end, is_garbage=not loaded.text(found.word))
            for found in spoken
        ]

    def _word_score(self, evidence: Evidence) -> int:
        return trained_model().word_scores(evidence)[0]

    def finish_segment(self, end_s: float) -> tuple[Alternative, ...]:  # noqa: ARG002 - the interface's
        spoken, scores = self._untold(*self.hear_out())
        if not any(self.loaded.text(segment.word) for segment in spoken):
            return ()
        grammar = self.loaded.grammar
        best = [self.loaded.index(segment.word) for segment in spoken]
        said = self.said(spoken)
        mixtures = self._acoustics.mixtures
        if scores is None or mixtures is None:
            self._told = self._in_stream(spoken[-1])
            unknown = [UNKNOWN_SCORE for word in said if not word.is_garbage]
            return (self._scored(best, said, unknown, UNKNOWN_SCORE, 0),)
        score, word_scores = self._judged(mixtures, scores, said)
        if score < (FOREIGN_REJECTION_SCORE if grammar.foreign else rejection_score(len(word_scores))):
            return ()
        self._told = self._in_stream(spoken[-1])
        found = [self._scored(best, said, word_scores, score, 0)]
        for indices, other in self._others(scores, best):
            own_score, word_scores = self._judged(mixtures, scores, other)
            score = min(own_score, score)  # the order of the search stands
            found.append(self._scored(indices, other, word_scores, score, len(found)))
        return tuple(found)

    def _judged(self, mixtures: AcousticModel, scores: SegmentScores, said: list[SpokenWord]) -> tuple[int, list[int]]:
        """Return the score of a sentence, and those of its words.

        Around garbage the whole tells little, and a sentence is as sure as its least sure word. Said with the phones of
        another language none seems right, and the mean of its words tells more.
        """
        evidence = Evidence(mixtures, scores, said, len(self.loaded.grammar.words))
        word_scores = trained_model().word_scores(evidence)
        if self.loaded.grammar.foreign:
            return round(statistics.mean(word_scores)), word_scores
        score = trained_model().sentence_score(evidence)
        return (min(score, *word_scores) if len(word_scores) < len(said) else score), word_scores

    def _untold(
        self, spoken: list[Segment], scores: SegmentScores | None
    ) -> tuple[list[Segment], SegmentScores | None]:
        """Let the segment begin behind the words that were told before a forced cut, where a sentence begins there."""
        n_told = sum(1 for _ in itertools.takewhile(lambda found: self._in_stream(found).repeats(self._told), spoken))
        rest = spoken[n_told:]
        if not n_told or not rest:
            return rest, scores
        if not self.loaded.grammar.accepts([self.loaded.index(found.word) for found in rest]):
            return spoken, scores
        skipped = rest[0].start // FRAME_STEP
        first = skipped * FRAME_STEP
        self._start_s += first / FRAMES_PER_SECOND
        if scores is not None:
            scores = SegmentScores(scores.senones[skipped:], scores.phones[skipped:])
        moved = [msgspec.structs.replace(found, start=found.start - first, end=found.end - first) for found in rest]
        return moved, scores

    def _in_stream(self, spoken: Segment) -> Word:
        (word,) = self._words([spoken.word], [(spoken.start, spoken.end)], [UNKNOWN_SCORE])
        return word

    def _others(self, scores: SegmentScores, best: list[int]) -> Iterator[tuple[list[int], list[SpokenWord]]]:
        """Yield what else may have been said, the likeliest first: as many sentences as are wanted besides the best."""
        if self._phones is None:
            return
        text = self._text(best)
        wanted = self._settings.max_sentences - 1
        for sentence in SentenceSearch(self._phones, scores, best).best(wanted + 1):
            if self._text(sentence.words) != text:
                yield list(sentence.words), list(sentence.spoken)
                wanted -= 1
                if not wanted:
                    return

    def _text(self, sentence: Sequence[int]) -> str:
        return " ".join(filter(None, (self.loaded.grammar.words[word] for word in sentence)))

    def _scored(
        self, sentence: list[int], said: list[SpokenWord], scores: list[int], score: int, rank: int
    ) -> Alternative:
        """Return a result; `scores` are those of the words that are not garbage."""
        named = [
            (self.loaded.grammar.words[index], (word.start, word.end))
            for index, word in zip(sentence, said, strict=True)
            if not word.is_garbage
        ]
        spelled, times = zip(*named, strict=True)
        words = self._words(spelled, times, scores)
        return self._interpreted(sentence, words, score, rank)

    def _interpreted(self, sentence: Sequence[int], words: tuple[Word, ...], score: int, rank: int) -> Alternative:
        member = self.loaded.grammar.member(sentence)
        interpretations = self.loaded.grammar.interpret(member, [word.text for word in words], score)
        alternative = self._alternative(self._lms[member], words, score, rank)
        return msgspec.structs.replace(alternative, interpretations=interpretations)


def rejection_score(n_words: int) -> float:
    """Return the score, 0-100, below which a sentence of a grammar with so many words is no result."""
    return 100 * math.pow(REJECTION_PROBABILITY, 1 + REJECTION_WORD_SHARE * (n_words - 1))
