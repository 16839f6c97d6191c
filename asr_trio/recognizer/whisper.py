"""The Whisper engine: free speech by a neural transcriber (the extra ``whisper``; faster-whisper on CTranslate2).

A segment is read as a whole when it is over, or already while speech pauses, so that the result is ready when the pause
proves to be the end. Partial results read the running segment again, as often as a fixed share of the audio's time
pays for. Everything runs on one thread of its own, so that the process goes on listening to the server meanwhile.

The model is a folder in the form of CTranslate2, from this machine: nothing is ever downloaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

import faster_whisper
import msgspec
import numpy as np
from faster_whisper.tokenizer import Tokenizer

from asr_trio.errors import AcousticModelError
from asr_trio.protocol.hints import Hint, parse_hints
from asr_trio.protocol.results import Alternative, Word
from asr_trio.recognizer.base import SAMPLE_RATE_HZ, DecoderSettings, GrammarModel, LanguageModel, Pulse, no_pulse
from asr_trio.recognizer.models import WHISPER_PARTIAL_SHARE
from asr_trio.recognizer.transcript import (
    Budget,
    Heard,
    HeardWord,
    Samples,
    hint_gain,
    plain_words,
    prompt_text,
    quietest_place,
    repeats_itself,
    within_speech,
    word_score,
)
from asr_trio.settings import ModelSettings

BYTES_PER_S: Final = 2 * SAMPLE_RATE_HZ
FEATURE_FRAMES_PER_S: Final = 100
WINDOW_FRAMES: Final = 3000
"""The most that the encoder takes: 30 s, filled up with silence."""
TAIL_FRAMES: Final = 1000
PARTIAL_TAIL_FRAMES: Final = 500
"""Silence after the audio where that makes less than the whole window. Attention costs the square of what it looks at;
with 10 s results are as good as with the whole window at half the cost, with none at all loops start."""

SENTENCE_S: Final = 3.0
"""A pause after at least this much ends a piece too."""
PIECE_S: Final = 12.0
PIECE_LEAST_S: Final = 6.0
"""A longer segment is read in pieces, cut at the quietest place between the two. The model could take 30 s, but skips
sentences where there are several: 15 % of words wrong in pieces of 29 s where it is 9 % in pieces of 12."""

PULSE_S: Final = 0.1
TOKENS_PER_S: Final = 12
TOKENS_LEAST: Final = 24
"""Nobody says more: a bound on what a decoder in a loop may cost."""
TOKENS_MAX: Final = 448
PROMPT_TOKENS_MAX: Final = 200
ALIGNMENT_DELAY_S: Final = 0.1
"""Attention looks at a word so much later than it is said: the bias against forced alignments, at both edges."""
NO_SPEECH_PROBABILITY: Final = 0.6
NO_SPEECH_LOG_PROBABILITY: Final = -1.0
"""The two together mean that nobody spoke (the rule of Whisper's authors)."""
HYPOTHESES_MAX: Final = 10
NEEDED_FILES: Final = ("model.bin", "config.json", "tokenizer.json")

_T = TypeVar("_T")


class WhisperOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``recognizer.models.NAME.options``.

    Attributes:
        beam_size: hypotheses followed at once in final results; partial ones follow one.
        compute_type: of CTranslate2: int8 is fastest on processors, float32 the most exact.
        partial_share: processor time that partial results may cost, as a share of the time of the audio.
        text: plain words, numbers spelled, as everywhere in the protocol; or as the model writes, with capital letters,
            punctuation and figures.
    """

    beam_size: int = 5
    compute_type: str = "int8"
    partial_share: Annotated[float, msgspec.Meta(ge=0)] = WHISPER_PARTIAL_SHARE
    text: Literal["plain", "written"] = "plain"


class WhisperEngine:
    """One loaded model."""

    fork_safe: ClassVar[bool] = False

    def __init__(self, name: str, settings: ModelSettings) -> None:
        """Load the model from the folder ``acoustic``.

        Raises:
            AcousticModelError: it is not there, or is none.
        """
        try:
            options = msgspec.convert(settings.options, WhisperOptions)
        except msgspec.ValidationError as error:
            raise AcousticModelError(f"model {name!r}: its options cannot be used: {error}") from error
        folder = _checked_folder(name, settings.acoustic)
        try:
            model = faster_whisper.WhisperModel(
                str(folder), device="cpu", compute_type=options.compute_type, cpu_threads=1, local_files_only=True
            )
            self._reader = _Reader(model, options, settings.languages)
        except (RuntimeError, ValueError, OSError) as error:
            raise AcousticModelError(f"model {name!r}: CTranslate2 cannot load it: {error}") from error
        self._options = options

    def open(
        self,
        models: tuple[LanguageModel, ...],
        settings: DecoderSettings,
        channel_state: bytes,  # noqa: ARG002 - nothing is carried over
        pulse: Pulse = no_pulse,
    ) -> _WhisperRecognition:
        """Get ready to read segments."""
        (model, *others) = models
        if others or isinstance(model, GrammarModel):
            raise AcousticModelError("this engine reads free speech only, no grammars")
        return _WhisperRecognition(self._reader, self._options, model.lm, settings, pulse)

    def read(self, samples: Samples) -> tuple[Heard, ...]:
        """Return the transcript of a recording of up to 30 s with the transcriber's own probabilities, () for none."""
        return self._reader.read(samples, (), n_best=1)


def _checked_folder(name: str, folder: Path | None) -> Path:
    if folder is None:
        raise AcousticModelError(f"model {name!r}: 'acoustic' must name its folder")
    for file in NEEDED_FILES:
        if not (folder / file).is_file():
            raise AcousticModelError(f"model {name!r}: its folder has no {file}")
    return folder


class _Reader:
    """Reads pieces of audio of up to 30 s."""

    def __init__(self, model: faster_whisper.WhisperModel, options: WhisperOptions, languages: tuple[str, ...]) -> None:
        self._model = model
        self._options = options
        codes = [language.partition("-")[0].lower() for language in languages] or ["en"]
        self._tokenizers = [self._tokenizer(code) for code in (codes if model.model.is_multilingual else codes[:1])]
        self._suppressed = self._suppressed_tokens(self._tokenizers[0])

    def _tokenizer(self, language: str) -> Tokenizer:
        multilingual = self._model.model.is_multilingual
        return Tokenizer(self._model.hf_tokenizer, multilingual, task="transcribe", language=language)

    def _suppressed_tokens(self, tokenizer: Tokenizer) -> list[int]:
        special = {tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm}
        suppressed = {*tokenizer.non_speech_tokens, *special, tokenizer.no_speech}
        if self._options.text == "plain":  # what cannot be written in figures is written in words
            vocabulary = self._model.hf_tokenizer.get_vocab(with_added_tokens=False)
            suppressed |= {
                number for token, number in vocabulary.items() if any(c.isdigit() or c in "$£€%" for c in token)
            }
        return sorted(number for number in suppressed if number is not None)

    def read(self, samples: Samples, hints: tuple[Hint, ...], *, n_best: int) -> tuple[Heard, ...]:
        """Return transcripts of speech that is over, best first, () for none."""
        return self._read(
            samples, hints, beam_size=max(self._options.beam_size, min(2 * n_best, HYPOTHESES_MAX)), n_best=n_best
        )

    def glance(self, samples: Samples, hints: tuple[Hint, ...]) -> tuple[Heard, ...]:
        """Return a quick transcript of speech that goes on; its words have no times."""
        return self._read(samples, hints, beam_size=1, n_best=0)

    def _read(self, samples: Samples, hints: tuple[Hint, ...], *, beam_size: int, n_best: int) -> tuple[Heard, ...]:
        features = self._model.feature_extractor(samples, padding=160)
        n_frames = min(features.shape[1], WINDOW_FRAMES)
        window = min(WINDOW_FRAMES, n_frames + (TAIL_FRAMES if n_best else PARTIAL_TAIL_FRAMES))
        encoded = self._model.encode(faster_whisper.audio.pad_or_trim(features, window))
        tokenizer = self._language(encoded)
        result = self._generate(
            encoded,
            tokenizer,
            hints,
            tokens_max=TOKENS_LEAST + TOKENS_PER_S * len(samples) // SAMPLE_RATE_HZ,
            beam_size=beam_size,
            n_best=n_best,
        )
        log_probability = result.scores[0]
        if result.no_speech_prob > NO_SPEECH_PROBABILITY and log_probability < NO_SPEECH_LOG_PROBABILITY:
            return ()
        found: dict[str, Heard] = {}
        ranked = [
            ([token for token in tokens if token < tokenizer.eot], score)
            for tokens, score in zip(result.sequences_ids, result.scores, strict=True)
        ]
        if hints:
            ranked.sort(
                key=lambda found: -len(found[0]) * found[1] - hint_gain(plain_words(tokenizer.decode(found[0])), hints)
            )
        for spoken, score in ranked:
            if n_best:
                aligned = self._model.find_alignment(tokenizer, [spoken], encoded, n_frames)
                words = [word for entry in (aligned[0] if aligned else []) for word in self._words(entry)]
                heard = Heard(within_speech(words, samples), score)
            else:
                spelled = self._spelled(tokenizer.decode(spoken))
                heard = Heard(tuple(HeardWord(word, 0.0, 0.0, 0.0) for word in spelled), score)
            if heard.words:
                found.setdefault(heard.text, heard)
            if len(found) >= max(1, n_best):
                break
        return tuple(found.values())

    def _generate(
        self,
        encoded: Any,
        tokenizer: Tokenizer,
        hints: tuple[Hint, ...],
        *,
        tokens_max: int,
        beam_size: int,
        n_best: int,
    ) -> Any:
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        if hints:
            prompt = [tokenizer.sot_prev, *tokenizer.encode(f" {prompt_text(hints)}")[-PROMPT_TOKENS_MAX:], *prompt]
        arguments = {
            "beam_size": beam_size,
            "num_hypotheses": beam_size if n_best > 1 or hints else 1,
            "max_length": min(TOKENS_MAX, len(prompt) + tokens_max),
            "suppress_tokens": self._suppressed,
            "return_scores": True,
            "return_no_speech_prob": True,
        }
        result = self._model.model.generate(encoded, [prompt], **arguments)[0]
        if repeats_itself(tokenizer.decode(result.sequences_ids[0])):
            result = self._model.model.generate(encoded, [prompt], no_repeat_ngram_size=3, **arguments)[0]
        return result

    def _language(self, encoded: Any) -> Tokenizer:
        if len(self._tokenizers) == 1:
            return self._tokenizers[0]
        likely = dict(self._model.model.detect_language(encoded)[0])
        return max(self._tokenizers, key=lambda known: likely.get(f"<|{known.language_code}|>", 0.0))

    def _words(self, entry: dict[str, Any]) -> list[HeardWord]:
        spelled = self._spelled(entry["word"])
        start_s, length_s = float(entry["start"]) - ALIGNMENT_DELAY_S, float(entry["end"] - entry["start"])
        probability = float(entry["probability"])
        share_s = length_s / max(1, len(spelled))
        return [
            HeardWord(word, start_s + number * share_s, start_s + (number + 1) * share_s, probability)
            for number, word in enumerate(spelled)
        ]

    def _spelled(self, text: str) -> list[str]:
        return text.split() if self._options.text == "written" else plain_words(text)


class _WhisperRecognition:
    """Segments of one caller. A segment longer than a piece is read piece by piece as it comes."""

    def __init__(
        self, reader: _Reader, options: WhisperOptions, lm: str, settings: DecoderSettings, pulse: Pulse
    ) -> None:
        self._reader = reader
        self._options = options
        self._lm = lm
        self._settings = settings
        self._pulse = pulse
        self._hints = parse_hints(settings.hints)
        self._thread = ThreadPoolExecutor(1)
        self._budget = Budget(options.partial_share)
        self._heard_bytes = 0
        self.start_segment(0.0)

    def start_segment(self, start_s: float) -> None:
        self._piece_start_s = start_s
        self._pcm = bytearray()
        self._settled: tuple[Word, ...] = ()
        self._last_partial = ""
        self._paused_bytes: int | None = None
        self._prepared: tuple[Heard, ...] | None = None

    def accept(self, pcm: bytes) -> None:
        self._pcm += pcm
        self._heard_bytes += len(pcm)
        if self._paused_bytes is None and len(self._pcm) > PIECE_S * BYTES_PER_S:
            self._settle(quietest_place(_samples(self._pcm), PIECE_LEAST_S))

    def partial(self) -> tuple[Alternative, ...]:
        """Read the running piece again, where the budget allows it and there is something new."""
        if not self._pcm or self._paused_bytes is not None or not self._budget.allows(self._heard_s):
            return ()
        samples = _samples(self._pcm)
        found = self._paid(lambda: self._reader.glance(samples, self._hints))
        text = " ".join([word.text for word in self._settled] + [heard.text for heard in found[:1]])
        if not text or text == self._last_partial:
            return ()
        self._last_partial = text
        score = word_score(np.exp(found[0].log_probability), found[0].log_probability) if found else 0
        return (Alternative(text=text, score=score, lm=self._lm),)

    def pause(self) -> None:
        self._paused_bytes = len(self._pcm)
        if self._pcm and self._budget.allows(self._heard_s):
            self._prepared = self._paid(self._read_piece)

    def resume(self) -> None:
        """Keep what was said before the pause as a piece of its own, where it is long enough for one."""
        before, self._paused_bytes = self._paused_bytes or 0, None
        prepared, self._prepared = self._prepared, None
        if before >= SENTENCE_S * BYTES_PER_S:
            self._settle(before // 2, prepared)

    def finish_segment(self, end_s: float) -> tuple[Alternative, ...]:  # noqa: ARG002 - the interface's
        found = self._prepared if self._prepared is not None else self._off_thread(self._read_piece)
        alternatives: list[Alternative] = []
        for rank, heard in enumerate(found or ((Heard((), 0.0),) if self._settled else ())):
            words = self._settled + self._placed(heard)
            score = round(sum(word.score for word in words) / len(words))
            if alternatives:
                score = min(score, alternatives[-1].score)  # the search's order stands
            text = " ".join(word.text for word in words)
            shown = words if self._settings.shows_words(rank) else ()
            alternatives.append(Alternative(text=text, score=score, lm=self._lm, words=shown))
        self.start_segment(0.0)
        return tuple(alternatives)

    def channel_state(self) -> bytes:
        return b""

    def close(self) -> None:
        self._thread.shutdown(wait=False)
        self._pcm = bytearray()

    @property
    def _heard_s(self) -> float:
        return self._heard_bytes / BYTES_PER_S

    def _settle(self, cut: int, found: tuple[Heard, ...] | None = None) -> None:
        """Read the piece up to this sample for good, if it is not read yet."""
        if found is None:
            samples = _samples(self._pcm)[:cut]
            found = self._off_thread(
                lambda: self._reader.read(samples, self._hints, n_best=self._settings.max_sentences)
            )
        if found:
            self._settled += self._placed(found[0])
        del self._pcm[: 2 * cut]
        self._piece_start_s += cut / SAMPLE_RATE_HZ

    def _read_piece(self) -> tuple[Heard, ...]:
        # What came after a pause is silence, whether the pause was long enough to read in it or not.
        pcm = self._pcm if self._paused_bytes is None else self._pcm[: self._paused_bytes]
        return self._reader.read(_samples(pcm), self._hints, n_best=self._settings.max_sentences) if pcm else ()

    def _placed(self, heard: Heard) -> tuple[Word, ...]:
        return tuple(
            Word(
                text=word.text,
                score=word_score(word.probability, heard.log_probability),
                start_time=round(self._piece_start_s + word.start_s, 3),
                end_time=round(self._piece_start_s + word.end_s, 3),
            )
            for word in heard.words
        )

    def _paid(self, work: Callable[[], _T]) -> _T:
        started_s = time.process_time()
        try:
            return self._off_thread(work)
        finally:
            self._budget.spend(time.process_time() - started_s)

    def _off_thread(self, work: Callable[[], _T]) -> _T:
        """Work on the other thread, and tell the process meanwhile that work goes on."""
        future = self._thread.submit(work)
        while not wait([future], PULSE_S).done:
            self._pulse()
        return future.result()


def _samples(pcm: bytes | bytearray) -> Samples:
    return np.frombuffer(bytes(pcm), "<i2").astype(np.float32) / np.float32(32_768)
