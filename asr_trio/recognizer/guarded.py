"""One PocketSphinx decoder behind a strict little state machine.

The binding trusts its caller: audio after the end of an utterance never returns and holds the interpreter lock, a
search changed in the middle of an utterance ends the process, an empty block raises. So nothing else touches a
decoder; what is not allowed in a state raises LocalProtocolError before it reaches C.

A decoder remembers the utterances before: the cepstral mean, the noise estimate, and (in tied-mixture models) the best
Gaussians of codebooks that were not looked at since. `forget` clears all three, the last by a short fixed noise that
visits every codebook, so that a result depends on its own audio only.
"""

from __future__ import annotations

import array
import enum
import tempfile
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pocketsphinx

from asr_trio.errors import AcousticModelError, LocalProtocolError

FRAMES_PER_SECOND: Final = 100

PRIMER_SAMPLES: Final = 3200
"""0.2 s: more than the look-back of the mixture cache (phone-loop window + 2 frames)."""

PRIMING_BYTES_MIN: Final = 6400
"""0.2 s: a mean over less says more about the sound than about the channel."""

FILLERS: Final = frozenset({"<s>", "</s>", "<sil>", "(NULL)"})


class Segment(msgspec.Struct, frozen=True):
    """One word or silence of a hypothesis. Frames are 10 ms from the start of the utterance, `end` exclusive."""

    word: str
    start: int
    end: int
    acoustic_score: float
    posterior: float


class _State(enum.Enum):
    IDLE = enum.auto()
    UTTERANCE = enum.auto()
    ENDED = enum.auto()


def _primer() -> bytes:
    # A linear congruential generator (Numerical Recipes) as white noise of +-1000: any fixed broadband sound would do.
    state, samples = 1, array.array("h")
    for _ in range(PRIMER_SAMPLES):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        samples.append((state >> 16) % 2001 - 1000)
    return samples.tobytes()


class GuardedDecoder:
    """A decoder that cannot be misused."""

    def __init__(self, *, cmn_init: str, options: dict[str, Any]) -> None:
        """Load a decoder.

        Args:
            cmn_init: comma-separated cepstral mean to start from.
            options: configuration of PocketSphinx.

        Raises:
            AcousticModelError: PocketSphinx does not take these files or options.
        """
        try:
            self._decoder = pocketsphinx.Decoder(pocketsphinx.Config(**{"loglevel": "FATAL", **options}))
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise AcousticModelError(f"PocketSphinx cannot load the model: {error}") from error
        self._cmn_init = cmn_init
        self._state = _State.IDLE
        self._clean = False
        self._search = ""
        self._words: set[str] = set()

    def _require(self, *allowed: _State) -> None:
        if self._state not in allowed:
            raise LocalProtocolError(f"the decoder is {self._state.name.lower()}")

    # --- searches ------------------------------------------------------------------------------------------------

    def add_word(self, word: str, phones: str) -> None:
        """Add a pronunciation (phones separated by blanks) to the dictionary; known words stay as they are.

        Raises:
            AcousticModelError: the acoustic model has no such phone.
        """
        self._require(_State.IDLE, _State.ENDED)
        if word in self._words:
            return
        if not word or not phones.strip():
            raise AcousticModelError(f"the word {word!r} has no pronunciation")
        try:
            self._decoder.add_word(word, phones, False)
        except RuntimeError as error:
            raise AcousticModelError(f"the acoustic model cannot say {word!r}: {phones}") from error
        self._words.add(word)

    def add_graph(self, name: str, text: str) -> None:
        """Add a grammar search, in the text form of PocketSphinx.

        Raises:
            AcousticModelError: PocketSphinx does not take the graph.
        """
        self._require(_State.IDLE, _State.ENDED)
        try:
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".fsg") as file:
                file.write(text)
                file.flush()
                self._decoder.add_fsg(name, self._decoder.read_fsg(file.name))
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
        """Forget every utterance before: after a recognition, when nobody waits for it (some 10 ms)."""
        self.abandon()
        if self._clean:
            return
        self._decoder.reinit_feat()
        self._decoder.set_cmn(self._cmn_init)
        self._decoder.start_utt()
        self._decoder.process_raw(_PRIMER)
        self._decoder.end_utt()
        self._decoder.reinit_feat()
        self._state = _State.IDLE
        self._clean = True

    def prepare(self, cmn: str) -> None:
        """Get ready for a new caller: the cepstral mean starts from `cmn`, or where empty from the model's own."""
        self.forget()
        self._decoder.set_cmn(cmn or self._cmn_init)

    def prime(self, pcm: bytes) -> None:
        """Let the cepstral mean of the next utterance start from the mean over this audio."""
        self.abandon()
        if len(pcm) < PRIMING_BYTES_MIN:
            return
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, True, True)  # features only, and the mean over the whole
        self._decoder.end_utt()
        cmn = self._decoder.get_cmn(True)
        self._decoder.reinit_feat()
        self._decoder.set_cmn(cmn)
        self._state = _State.IDLE
        self._clean = False

    def start(self) -> None:
        """Begin an utterance."""
        self._require(_State.IDLE, _State.ENDED)
        self._decoder.start_utt()
        self._state = _State.UTTERANCE
        self._clean = False

    def process(self, pcm: bytes) -> None:
        """Decode whole samples; results depend on the block size, which the caller keeps constant."""
        self._require(_State.UTTERANCE)
        if len(pcm) % 2:
            raise LocalProtocolError("half a sample was given to the decoder")
        if pcm:
            self._decoder.process_raw(pcm)

    def end(self) -> None:
        """End the utterance."""
        self._require(_State.UTTERANCE)
        self._decoder.end_utt()
        self._state = _State.ENDED

    def abandon(self) -> None:
        """End the utterance if one is running; its result is not wanted."""
        if self._state is _State.UTTERANCE:
            self.end()

    def cmn(self) -> str:
        """Return the cepstral mean as it is now, for `prepare` of a later recognition of the same speaker."""
        return str(self._decoder.get_cmn(False))

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
        log = self._decoder.get_logmath().log
        return [
            Segment(
                segment.word,
                segment.start_frame,
                segment.end_frame + 1,
                float(log(segment.ascore)) if segment.ascore > 0 else float("-inf"),
                min(1.0, segment.prob),
            )
            for segment in self._decoder.seg()
            if segment.end_frame >= segment.start_frame >= 0 and segment.word != "(NULL)"
        ]

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


_PRIMER: Final = _primer()


def is_filler(word: str) -> bool:
    """Tell silences and noises ("<sil>", "[NOISE]", "++UH++") from words."""
    return word in FILLERS or word.startswith(("[", "++", "<"))


def plain_word(word: str) -> str:
    """Return a dictionary word without the number of its pronunciation: "read(2)" is "read"."""
    if word.endswith(")") and "(" in word[1:]:
        stem, _, number = word[:-1].rpartition("(")
        if number.isdigit():
            return stem
    return word
