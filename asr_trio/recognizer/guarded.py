"""One PocketSphinx decoder behind a strict little state machine.

The binding trusts its caller: audio after the end of an utterance never returns and holds the interpreter lock, a
search changed in the middle of an utterance ends the process, an empty block raises. So nothing else touches a
decoder; what is not allowed in a state raises LocalProtocolError before it reaches C.

Features come from `features`, not from the decoder. It still remembers the utterances before: its own cepstral mean,
and (in tied-mixture models) the best Gaussians of codebooks that were not looked at since. The first is set to nothing
at each start, the second is driven out by a few fixed frames, so that a result depends on its own audio only. A search
of a graph in every frame needs no driving out: without the phone look-ahead of the other search it sees all Gaussians
of a codebook in the frame in which it wants any (180 recordings after others, the same to the last score).
"""

from __future__ import annotations

import contextlib
import enum
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import numpy as np
import pocketsphinx

from asr_trio.errors import AcousticModelError, LocalProtocolError
from asr_trio.recognizer.features import Frames
from asr_trio.recognizer.hints import PRONUNCIATIONS_MAX, HintWord, entry_of, text_of

FRAMES_PER_SECOND: Final = 100

PRIMER_SPARE_FRAMES: Final = 5
"""Beyond the phone-loop window. The mixture cache looks back two; with one frame less than that results do differ."""

PROCESS_FRAMES: Final = 6
"""Handed over at once: more than the decoder's look-ahead buffers hold is lost without a word (46 are too many), and a
long first block shifts all times by three frames."""

_LOG_BASE: Final = math.log(1.0001)
"""PocketSphinx counts probabilities in powers of 1.0001."""
_AVERAGE_WORD: Final = "++AVERAGE++"
"""In the language model only: its probability is that of a word of weight 1."""

FILLERS: Final = frozenset({"<s>", "</s>", "<sil>", "(NULL)"})


class Segment(msgspec.Struct, frozen=True):
    """One word or silence of a hypothesis. Frames are 10 ms from the start of the utterance, `end` exclusive."""

    word: str
    start: int
    end: int
    posterior: float


class _State(enum.Enum):
    IDLE = enum.auto()
    UTTERANCE = enum.auto()
    ENDED = enum.auto()


@contextlib.contextmanager
def _named_file(text: str) -> Iterator[str]:
    """Yield the path of a file with this text; on Linux one in memory, as a worker's sandbox lets it write none."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("grammar"), "wb") as file:
            file.write(text.encode())
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".fsg") as named:
        named.write(text)
        named.flush()
        yield named.name


def _primer(n_frames: int, n_cepstra: int) -> Frames:
    # A linear congruential generator (Numerical Recipes): any fixed features of some spread would do.
    state, values = 1, []
    for _ in range(n_frames * n_cepstra):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        values.append((state >> 16) / 32768.0 - 1.0)
    return np.array(values, dtype=np.float32).reshape(n_frames, n_cepstra)


class GuardedDecoder:
    """A decoder that cannot be misused."""

    def __init__(self, *, n_cepstra: int, options: dict[str, Any], remembers: bool = True) -> None:
        """Load a decoder.

        Args:
            n_cepstra: of a frame that the model takes.
            options: configuration of PocketSphinx.
            remembers: Gaussians of utterances before: it searches by an n-gram model, or not in every frame.

        Raises:
            AcousticModelError: PocketSphinx does not take these files or options.
        """
        try:
            self._decoder = pocketsphinx.Decoder(pocketsphinx.Config(**{"loglevel": "FATAL", **options}))
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise AcousticModelError(f"PocketSphinx cannot load the model: {error}") from error
        self._no_mean = ",".join(["0"] * n_cepstra)
        self._primer = _primer(self._decoder.config["pl_window"] + PRIMER_SPARE_FRAMES, n_cepstra)
        self._remembers = remembers
        self._state = _State.IDLE
        self._clean = False
        self._search = ""

    def _require(self, *allowed: _State) -> None:
        if self._state not in allowed:
            raise LocalProtocolError(f"the decoder is {self._state.name.lower()}")

    # --- searches ------------------------------------------------------------------------------------------------

    def add_words(self, words: Iterable[tuple[str, str]]) -> None:
        """Add words and their phones (separated by blanks) to the dictionary; no word may come twice.

        Raises:
            AcousticModelError: the acoustic model has no such phone.
        """
        self._require(_State.IDLE, _State.ENDED)
        for word, phones in words:
            try:
                self._decoder.add_word(word, phones, False)
            except RuntimeError as error:
                raise AcousticModelError(f"the acoustic model has no such phones: {phones}") from error

    def add_hints(self, hints: Iterable[HintWord]) -> None:
        """Make words of the language model likelier, or new ones possible; for as long as the decoder lives.

        Hints that the acoustic model cannot say are left out. Takes 0.2 s of a core: the search is built anew.
        """
        self._require(_State.IDLE, _State.ENDED)
        lm = self._decoder.get_lm(self._decoder.current_search())
        lm.add_word(_AVERAGE_WORD, 1.0)
        average = lm.prob([_AVERAGE_WORD])
        rebuild: tuple[str, str] | None = None
        for hint in hints:
            entry = entry_of(hint.text)
            # A phrase is at most as likely as the rarest of its words.
            usual = max(min(lm.prob([word]) for word in hint.text.split()), average)
            likelihood = min(hint.boost * math.exp((usual - average) * _LOG_BASE), math.exp(-average * _LOG_BASE) / 2)
            # Before the dictionary: that would give the word a likelihood of its own.
            lm.add_word(entry, likelihood)
            for number, phones in enumerate(hint.pronunciations, 1):
                with contextlib.suppress(RuntimeError):
                    self._decoder.add_word(entry if number == 1 else f"{entry}({number})", phones, False)
                    rebuild = rebuild or (f"{entry}({PRONUNCIATIONS_MAX + 1})", phones)
        if rebuild:
            self._decoder.add_word(*rebuild, True)

    def add_graph(self, name: str, text: str) -> None:
        """Add a grammar search, in the text form of PocketSphinx.

        Raises:
            AcousticModelError: PocketSphinx does not take the graph.
        """
        self._require(_State.IDLE, _State.ENDED)
        try:
            with _named_file(text) as path:
                self._decoder.add_fsg(name, self._decoder.read_fsg(path))
        except (RuntimeError, ValueError) as error:
            raise AcousticModelError("PocketSphinx does not take this grammar") from error

    def activate(self, name: str) -> None:
        """Choose the search of the next utterances."""
        self._require(_State.IDLE, _State.ENDED)
        if name != self._search:
            self._decoder.activate_search(name)
            self._search = name

    def remove(self, name: str) -> None:
        """Forget a search that is not the active one."""
        self._require(_State.IDLE, _State.ENDED)
        if name == self._search:
            raise LocalProtocolError("the active search cannot be removed")
        self._decoder.remove_search(name)

    # --- utterances ----------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Forget every utterance before, after a recognition; the caller's next one waits for these milliseconds."""
        self.abandon()
        if self._clean or not self._remembers:
            return
        self._begin()
        self._hand_over(self._primer)
        self._decoder.end_utt()
        self._state = _State.IDLE
        self._clean = True

    def start(self) -> None:
        """Begin an utterance."""
        self._require(_State.IDLE, _State.ENDED)
        self._begin()
        self._state = _State.UTTERANCE
        self._clean = False

    def _begin(self) -> None:
        self._decoder.reinit_feat()
        self._decoder.set_cmn(self._no_mean)  # features come normalised
        self._decoder.start_utt()

    def process(self, cepstra: Frames) -> None:
        """Decode normalised cepstra, shape (frames, cepstra)."""
        self._require(_State.UTTERANCE)
        self._hand_over(cepstra)

    def _hand_over(self, cepstra: Frames) -> None:
        for at in range(0, len(cepstra), PROCESS_FRAMES):
            self._decoder.process_cep(cepstra[at : at + PROCESS_FRAMES].tobytes())

    def end(self) -> None:
        """End the utterance."""
        self._require(_State.UTTERANCE)
        self._decoder.end_utt()
        self._state = _State.ENDED

    def abandon(self) -> None:
        """End the utterance if one is running; its result is not wanted."""
        if self._state is _State.UTTERANCE:
            self.end()

    # --- results -------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """Return the best word string so far, or ""."""
        self._require(_State.UTTERANCE, _State.ENDED)
        hypothesis = self._decoder.hyp()
        return "" if hypothesis is None else hypothesis.hypstr

    def segments(self) -> list[Segment]:
        """Return words, noises and silences of the best path, times from the start of the utterance."""
        self._require(_State.UTTERANCE, _State.ENDED)
        if self._decoder.hyp() is None:
            return []
        return [
            Segment(segment.word, segment.start_frame, segment.end_frame + 1, min(1.0, segment.prob))
            for segment in self._decoder.seg()
            if segment.end_frame >= segment.start_frame >= 0 and segment.word != "(NULL)"
        ]

    def phones(self, word: str) -> tuple[str, ...]:
        """Return the phones of a word (with the number of its pronunciation) of the dictionary, or ()."""
        found = self._decoder.lookup_word(word)
        return tuple(found.split()) if found else ()

    def nbest(self, limit: int) -> Iterator[str]:
        """Yield distinct word strings, best first, from at most `limit` entries of the search; needs a lattice."""
        self._require(_State.ENDED)
        if self._decoder.hyp() is None:
            return
        seen: set[str] = set()
        for index, hypothesis in enumerate(self._decoder.nbest()):
            if index >= limit:
                return
            if hypothesis is not None and hypothesis.hypstr and hypothesis.hypstr not in seen:
                seen.add(hypothesis.hypstr)
                yield hypothesis.hypstr


def is_filler(word: str) -> bool:
    """Tell silences and noises ("<sil>", "[NOISE]", "++UH++") from words."""
    return word in FILLERS or word.startswith(("[", "++", "<"))


def plain_word(word: str) -> str:
    """Return what a dictionary word says: "read(2)" is "read", and so is the hint "read+hint"."""
    if word.endswith(")") and "(" in word[1:]:
        stem, _, number = word[:-1].rpartition("(")
        if number.isdigit():
            return text_of(stem)
    return text_of(word)
