"""What is learnt of a caller from segment to segment: the band of the line, the cepstral mean, and the voice.

Voices differ in the length of the vocal tract, which stretches their spectrum. Features are computed for several warps
of the mel scale at once, and decoded are those that fit the acoustic model best; after some seconds of a caller's
speech the warp is settled, and the others are computed no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr_trio.recognizer.telephone import Telephone

if TYPE_CHECKING:
    from asr_trio.recognizer.features import Frames, FrontEnd

Array = NDArray[np.float64]

MEAN_WEIGHT_FRAMES: Final = 30.0
"""Frames that the starting mean counts for; most of a segment is heard before it is decoded."""
MEAN_WEIGHT_MAX_FRAMES: Final = 500.0
"""Older frames fade beyond this, so that the mean follows a caller who moves."""
MEAN_WEIGHT_CARRIED_FRAMES: Final = 150.0
"""What the mean counts for when the next segment begins, whose own mean says more: carried whole, it makes 49.6 % of
the words of read sentences wrong where it is 47.9 so."""

TRUSTED_FRAMES: Final = 100.0
"""What the mean must count for, the starting one included, to be known before a segment is heard."""

NARROW_SHARE_MAX: Final = 0.05
"""Share of a frame's energy above TELEPHONE_HZ: the highest of a second of wide-band speech or noise is at least 0.14
on all development recordings, of 8 kHz ones at most 0.023."""
AUDIBLE_ENERGY: Final = 1.0

WARP_PRIOR: Final = 1.0 / 0.04**2
"""Log likelihood that a warp must gain: by the square of its distance from none."""
WARP_FRAMES: Final = 200
"""Frames compared that settle the warp: five seconds of speech."""


class Band(msgspec.Struct, frozen=True):
    """One kind of channel: wide, or the band of a telephone.

    Attributes:
        mean: that recognitions start from; of cepstra, or of the levels that a telephone's cepstra are made of.
        telephone: what makes them, where the model has that.
    """

    mean: list[float]
    telephone: Telephone | None = None


class Bands(msgspec.Struct, frozen=True):
    """The kinds of channel that a model knows."""

    wide: Band
    narrow: Band


class _ChannelState(msgspec.Struct, frozen=True):
    narrow: bool
    frames: float
    sums: list[list[float]]
    warp: int
    warp_gains: list[float]
    warp_frames: int


class Channel:
    """What is known of a caller's channel.

    It lives as long as a session: recognitions hand it on as bytes.

    Attributes:
        warp: the warp that fits best so far, as an index of those of the front end.
        warps: those that are still compared; it changes between segments, and where a telephone is noticed.
    """

    def __init__(self, front_end: FrontEnd, bands: Bands, state: bytes = b"") -> None:
        """Begin.

        Args:
            front_end: tables of the model.
            bands: kinds of channel of the model.
            state: what `to_bytes` of an earlier recognition of this caller returned; where it does not fit this model,
                or is empty, nothing is known.
        """
        self._bands = bands
        self._above = front_end.above_telephone
        self._band = bands.wide
        self._narrow: bool | None = None
        self._sum: Array = np.zeros(0)
        self._frames = 0.0
        self.warp = front_end.plain
        self.warps = slice(0, len(front_end.warps))
        self._warp_prior = WARP_PRIOR * (np.array(front_end.warps) - 1.0) ** 2
        self._warp_gains: Array = np.zeros(len(front_end.warps))
        self._warp_frames = 0
        self._segment_gains: Array = np.zeros((0, len(front_end.warps)))
        if not len(self._above):
            self._choose(narrow=False)
        try:
            known = msgspec.msgpack.decode(state, type=_ChannelState)
        except msgspec.MsgspecError:
            return
        sums = np.array(known.sums)
        width = len((bands.narrow if known.narrow else bands.wide).mean)
        fits = len(known.warp_gains) == len(front_end.warps) and 0 <= known.warp < len(front_end.warps)
        if fits and sums.shape in {(n, width) for n in (1, len(front_end.warps))}:
            self._choose(narrow=known.narrow)
            self._frames, self._sum = known.frames, sums
            self.warp, self._warp_frames = known.warp, known.warp_frames
            self._warp_gains = np.array(known.warp_gains)
            if len(sums) == 1:
                self.warps = slice(known.warp, known.warp + 1)

    @property
    def is_known(self) -> bool:
        """The band has been decided."""
        return self._narrow is not None

    def decide(self, mel: Frames) -> None:
        """Tell the band by mel energies, shape (frames, filters): a telephone never has a frame that lies high."""
        audible = mel[mel.sum(axis=1) > AUDIBLE_ENERGY]
        share = audible[:, self._above].sum(axis=1) / audible.sum(axis=1)
        self._choose(narrow=len(share) > 0 and bool(share.max() < NARROW_SHARE_MAX))

    def _choose(self, *, narrow: bool) -> None:
        self._narrow = narrow
        self._band = self._bands.narrow if narrow else self._bands.wide
        if self.telephone is not None:
            self.warps = slice(self.warp, self.warp + 1)
        self._frames = MEAN_WEIGHT_FRAMES
        self._sum = np.tile(np.array(self._band.mean) * self._frames, (self.warps.stop - self.warps.start, 1))

    @property
    def telephone(self) -> Telephone | None:
        """What makes cepstra of levels where this channel is a telephone."""
        return self._band.telephone

    @property
    def mean(self) -> Array:
        """The mean of what was heard lately, shape (warps, cepstra); the band has been decided."""
        return np.asarray(self._sum / self._frames)

    def subtract_mean(self, cepstra: Frames) -> Array:
        """Return frames, shape (frames, warps, cepstra), without the mean up to and with each of them."""
        if not len(cepstra):
            return np.zeros(cepstra.shape)
        sums = self._sum + np.cumsum(cepstra, axis=0, dtype=np.float64)
        counts = self._frames + np.arange(1.0, len(cepstra) + 1.0)
        self._sum, self._frames = sums[-1], float(counts[-1])
        self._fade(MEAN_WEIGHT_MAX_FRAMES)
        return np.asarray(cepstra - sums / counts[:, None, None])

    def _fade(self, most_frames: float) -> None:
        if self._frames > most_frames:
            self._sum = self._sum * (most_frames / self._frames)
            self._frames = most_frames

    @property
    def row(self) -> int:
        """Where among the cepstra of several warps those of the best one are."""
        return self.warp - self.warps.start

    @property
    def is_settled(self) -> bool:
        """Nothing is left to compare: one warp remains, or a telephone's filters that hear nothing would decide."""
        return bool(self._narrow) or self.warps.stop - self.warps.start == 1

    @property
    def is_trusted(self) -> bool:
        """The mean is this caller's own by now, and the warp."""
        return self.is_known and self.is_settled and self._frames >= TRUSTED_FRAMES

    def compare_warps(self, fits: Array) -> None:
        """Choose the warp by what was heard of the running segment, all of it.

        Args:
            fits: log likelihoods, shape (frames, warps).
        """
        self._segment_gains = fits
        gains = self._warp_gains + fits.sum(axis=0)
        self.warp = int(np.argmax(gains - self._warp_prior))

    def end_segment(self) -> None:
        """Keep what was compared; settle the warp when that is enough; make room for the mean of the next segment."""
        self._fade(MEAN_WEIGHT_CARRIED_FRAMES)
        self._warp_gains = self._warp_gains + self._segment_gains.sum(axis=0)
        self._warp_frames += len(self._segment_gains)
        self._segment_gains = self._segment_gains[:0]
        if self._warp_frames >= WARP_FRAMES or self.is_settled:
            self._sum = self._sum[self.row : self.row + 1]
            self.warps = slice(self.warp, self.warp + 1)

    def to_bytes(self) -> bytes:
        """Return the state, or nothing where nothing is known."""
        if self._narrow is None:
            return b""
        return msgspec.msgpack.encode(
            _ChannelState(
                narrow=self._narrow,
                frames=self._frames,
                sums=self._sum.tolist(),
                warp=self.warp,
                warp_gains=self._warp_gains.tolist(),
                warp_frames=self._warp_frames,
            )
        )
