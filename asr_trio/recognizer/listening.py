"""One segment of speech on its way into a decoder: when decoding begins, and from which cepstral mean.

What a segment sounds like is told by its mean, and a decoder that starts from the mean of other recordings makes more
errors until its own has settled. So a segment is heard before it is decoded: its cepstra are kept until speech pauses
or some seconds have come, and decoded from the mean of them all; later frames go along with the running mean. That
costs what decoding along costs, and what is decoded in a pause falls into the wait for the end of speech. Where speech
goes on after so early a pause that little is known, nothing more is decoded before the next one, which begins anew.
What was heard also tells how the mel scale is stretched to fit the voice (`channel`). Of a caller whose voice has been
compared for long enough the mean is known too, and half a second of a segment mends it.

Partial hypotheses want a decoder that goes along from the start, so where they are asked for there is one pass more.

All of this depends on positions in the audio alone, never on when packets came.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from asr_trio.recognizer.acoustic import AcousticModel, SegmentScorer, SegmentScores
from asr_trio.recognizer.base import Pulse
from asr_trio.recognizer.channel import Array, Channel
from asr_trio.recognizer.features import FRAME_SAMPLES, SAMPLE_BYTES, Frames, FrontEnd, SegmentFeatures, with_deltas
from asr_trio.recognizer.guarded import GuardedDecoder
from asr_trio.recognizer.telephone import TelephoneStream

FIT_STEP: Final = 2
QUIET_SHARE: Final = 0.25
"""Warps are compared on every second frame of the louder three quarters: silence says nothing of a voice."""
FRAME_BYTES: Final = FRAME_SAMPLES * SAMPLE_BYTES
HEARD_AT_ONCE_BYTES: Final = 16_000
"""Features of half a second are computed at once while nothing is decoded: a call costs as much as what it computes."""
DECODED_AT_ONCE_BYTES: Final = 5_760
"""The same while decoding: 180 ms take one call's time for each step in Python instead of three."""
PULSE_FRAMES: Final = 30
"""Decoded between signs of life: free speech takes 50 ms for them, a busy machine longer."""


class Hearing(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a segment is heard before it is decoded.

    Attributes:
        longest_frames: longest wait for a pause: as much as is decoded in less time than a caller's silence takes.
        known_frames: a pass whose mean rests on so many is not begun anew.
    """

    longest_frames: int
    known_frames: int


class Listener:
    """Features, decoder and evidence of one segment."""

    def __init__(
        self,
        decoder: GuardedDecoder,
        front_end: FrontEnd,
        channel: Channel,
        mixtures: AcousticModel | None,
        *,
        pulse: Pulse,
        hearing: Hearing,
        along: bool,
    ) -> None:
        """Begin a segment.

        Args:
            decoder: with its search chosen; nobody else uses it.
            front_end: of the model.
            channel: of the caller; moves on with the audio.
            mixtures: for evidence, where the model has any.
            pulse: called while much is decoded at once.
            hearing: how much is heard first.
            along: decode from the start, for partial hypotheses.
        """
        self._decoder = decoder
        self._features = SegmentFeatures(front_end, channel)
        self._channel = channel
        self._mixtures = mixtures
        self._pulse = pulse
        self._most_frames = hearing.longest_frames
        self._enough_frames = hearing.known_frames
        self._along = along
        self.scorer: SegmentScorer | None = None
        self._unheard = bytearray()
        self._fed_bytes = 0
        self._telephone: TelephoneStream | None = None
        self._kept: list[Frames] = []
        self._heard_frames = 0
        self._known_frames = 0
        """What the mean of the running pass rests on, so far as it was known before the pass."""
        self.passing = False
        self._holding = False
        """The running pass will be begun anew: what comes is kept and not decoded."""
        if along:
            self._begin(np.zeros((0, front_end.parameters.ncep), np.float32))

    def feed(self, pcm: bytes) -> None:
        """Take audio."""
        self._unheard += pcm
        self._fed_bytes += len(pcm)
        is_decoding = self.passing and not self._holding
        many = DECODED_AT_ONCE_BYTES if is_decoding else HEARD_AT_ONCE_BYTES
        enough = not is_decoding and self._fed_bytes >= self._most_frames * FRAME_BYTES
        if self._along or enough or len(self._unheard) >= many:
            self._hear()
            if self._heard_frames >= self._most_frames:
                self._begin_from_own_mean()

    def pause(self) -> None:
        """Decode what was heard: the segment may be over."""
        self._hear()
        self._begin_from_own_mean()
        if self.scorer is not None:
            self.scorer.catch_up()

    def resume(self) -> None:
        """Speech goes on."""
        self._holding = self.passing and not self._along and self._known_frames < self._enough_frames

    def finish(self) -> SegmentScores | None:
        """Decode what is left, and return the evidence; the decoder has its result then."""
        self._hear()
        self._take(self._features.finish())
        if not self._known_frames or self._holding:
            self._begin_from_own_mean()
        if self._telephone is not None:
            self._hand_over(self._telephone.finish())
        self._decoder.end()
        self._channel.end_segment()
        return self.scorer.finish() if self.scorer is not None else None

    def _hear(self) -> None:
        self._take(self._features.feed(bytes(self._unheard)))
        self._unheard.clear()

    def _take(self, cepstra: Frames) -> None:
        if not len(cepstra):
            return
        self._heard_frames += len(cepstra)
        if self._known_frames < self._enough_frames:
            self._kept.append(cepstra)
        normalised = self._channel.subtract_mean(cepstra)
        if self.passing and not self._holding:
            self._pass_on(normalised[:, self._channel.row].astype(np.float32))

    def _begin_from_own_mean(self) -> None:
        if self._known_frames >= self._enough_frames or not self._heard_frames:
            return
        self._known_frames = self._heard_frames
        kept = np.concatenate(self._kept)
        if self._known_frames >= self._enough_frames:
            self._kept.clear()
        normalised: Frames = (kept - self._channel.mean).astype(np.float32)
        if self._mixtures is not None and not self._channel.is_settled:
            self._channel.compare_warps(_fits(self._mixtures, normalised))
        self._begin(normalised[:, self._channel.row])

    def _begin(self, cepstra: Frames) -> None:
        self._decoder.abandon()
        self._decoder.start()
        self.scorer = SegmentScorer(self._mixtures) if self._mixtures is not None else None
        self._telephone = None
        self.passing, self._holding = True, False
        for at in range(0, len(cepstra), PULSE_FRAMES):
            self._pulse()
            self._pass_on(cepstra[at : at + PULSE_FRAMES])

    def _pass_on(self, normalised: Frames) -> None:
        if self._channel.telephone is not None and len(normalised):
            self._telephone = self._telephone or TelephoneStream(self._channel.telephone)
            normalised = self._telephone.feed(normalised)
        self._hand_over(normalised)

    def _hand_over(self, cepstra: Frames) -> None:
        self._decoder.process(cepstra)
        if self.scorer is not None:
            self.scorer.feed(cepstra)


def _fits(mixtures: AcousticModel, cepstra: Frames) -> Array:
    """Return the log likelihoods of the louder frames, shape (frames, warps), from shape (frames, warps, cepstra)."""
    features = with_deltas(cepstra)[::FIT_STEP]
    level = features[:, :, 0].mean(axis=1)
    loud = features[level >= np.quantile(level, QUIET_SHARE)]
    return np.stack([mixtures.fit(loud[:, warp]) for warp in range(loud.shape[1])], axis=1)
