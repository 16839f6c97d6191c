"""Cepstral features of a PocketSphinx acoustic model, computed here instead of inside the decoder.

Doing it here pays four times. The mean that is subtracted follows the speaker from frame to frame, starting from a
mean that fits the channel (the decoder's own starts from one constant and moves after 8 s: on isolated telephone digits
that is 50 % right instead of 85). The mel scale is stretched to fit the speaker's voice (`channel`). The same features
serve the confidence score. And results are a function of the audio alone, whatever the decoder did before.

The computation is that of the Sphinx front end, whose parameters come with each model in ``feat.params``:
pre-emphasis, Hamming window, power spectrum, triangular mel filters, spectral noise removal, logarithm, cosine
transform, lifter. Frames are 10 ms. The tables are made here, the C core computes (``cepstrum.c``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr_trio.audio.core import check, ffi, lib
from asr_trio.errors import AcousticModelError
from asr_trio.recognizer.channel import Array, Channel

Frames = NDArray[np.float32]

_FLOAT: Final = ffi.typeof("float[]")

SAMPLE_RATE_HZ: Final = 16_000
FRAME_SAMPLES: Final = 160
SAMPLE_BYTES: Final = 2
FFT_SIZE: Final = 512

WARPS: Final = (0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12)
"""Stretches of the mel scale: a short vocal tract has its resonances higher, by so much, than the voices of a model."""

DELTA_REACH: Final = 3
"""Frames before and after that the differences of a frame look at."""

TELEPHONE_HZ: Final = 4100.0
HEARD_HZ: Final = 3800.0
"""Up to here audio of 8 kHz is whole, whatever resampled it."""
BAND_FRAMES: Final = 50
"""Audio that tells the band."""


class FeatureParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The front end of a model as its ``feat.params`` gives it; defaults are those of PocketSphinx."""

    nfilt: int = 40
    lowerf: float = 133.33334
    upperf: float = 6855.4976
    transform: str = "legacy"
    lifter: int = 0
    remove_noise: bool = False
    remove_dc: bool = False
    round_filters: bool = True
    unit_area: bool = True
    doublebw: bool = False
    alpha: float = 0.97
    wlen: float = 0.025625
    nfft: int = 0
    ncep: int = 13


_TRUE: Final = frozenset({"yes", "true", "1"})


def read_parameters(acoustic: str) -> FeatureParameters:
    """Read ``feat.params`` of a model folder.

    Raises:
        AcousticModelError: the file is missing or asks for something that this front end does not do.
    """
    try:
        words = (Path(acoustic) / "feat.params").read_text(encoding="ascii", errors="replace").split()
    except OSError as error:
        raise AcousticModelError("the acoustic model has no feat.params") from error
    given = {key.lstrip("-"): value for key, value in zip(words[::2], words[1::2], strict=False)}
    if given.get("feat", "1s_c_d_dd") != "1s_c_d_dd" or given.get("agc", "none") != "none":
        raise AcousticModelError("the acoustic model needs features other than 1s_c_d_dd without gain control")
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(FeatureParameters):
        if field.name in given:
            text = given[field.name]
            values[field.name] = text.lower() in _TRUE if field.type is bool or field.type == "bool" else text
    try:
        return msgspec.convert(values, FeatureParameters, strict=False)
    except msgspec.ValidationError as error:
        raise AcousticModelError(f"feat.params of the acoustic model cannot be read: {error}") from error


class FrontEnd:
    """The constant tables of one model's front end; shared by all its recognitions.

    Attributes:
        warps: stretches of the mel scale that features can be had for.
        plain: index of the one that stretches nothing.
        telephone_filters: how many of the filters, from the lowest, a telephone hears whole.
        telephone_tables: what the C core needs to give the levels of those instead of cepstra.
    """

    def __init__(self, parameters: FeatureParameters, warps: tuple[float, ...] = (1.0,)) -> None:
        """Make the tables.

        Args:
            parameters: of the model.
            warps: 1.0 among them; those that would put filters above what audio of 16 kHz has are left out.
        """
        self.parameters = parameters
        self.window_samples = int(parameters.wlen * SAMPLE_RATE_HZ + 0.5)
        fits = FRAME_SAMPLES <= self.window_samples <= FFT_SIZE and parameters.nfft in (0, FFT_SIZE)
        if not fits or not 0 < parameters.ncep <= parameters.nfilt <= lib.ASR_CEPSTRUM_BANDS:
            raise AcousticModelError("feat.params of the acoustic model: these sizes are not supported")
        self.warps = tuple(warp for warp in warps if warp == 1.0 or parameters.upperf * warp < SAMPLE_RATE_HZ / 2)
        self.plain = self.warps.index(1.0)
        self.filters = [_mel_filters(parameters, warp) for warp in self.warps]
        lowest_hz = np.argmax(self.filters[self.plain] > 0, axis=0) * SAMPLE_RATE_HZ / FFT_SIZE
        self.above_telephone = np.flatnonzero(lowest_hz > TELEPHONE_HZ)
        beyond = self.filters[self.plain][int(HEARD_HZ * FFT_SIZE / SAMPLE_RATE_HZ) + 1 :]
        self.telephone_filters = int((~beyond.any(axis=0)).sum())
        positions = np.arange(self.window_samples)
        window = 0.54 - 0.46 * np.cos(2 * np.pi * positions / (self.window_samples - 1))
        self._shared = (window.astype(np.float32), _cosine_transform(parameters).astype(np.float32))
        self._held: list[Any] = []  # the C core has the addresses of their memory
        count = len(self.warps)
        ranges = {(0, count), *((warp, warp + 1) for warp in range(count))}
        self._tables = {(start, stop): self._make_tables(self.filters[start:stop]) for start, stop in ranges}
        self.telephone_tables = self._make_level_tables()

    def tables(self, warps: slice) -> Any:
        """Return what the C core needs for all warps, or for one of them."""
        return self._tables[warps.start, warps.stop]

    def _make_tables(self, filters: list[Array]) -> Any:
        rows = np.concatenate(filters, axis=1).T
        first = np.argmax(rows != 0, axis=1).astype(np.uint16)
        bins = np.where(rows.any(axis=1), rows.shape[1] - np.argmax(rows[:, ::-1] != 0, axis=1) - first, 0)
        weights = np.concatenate([row[at : at + count] for row, at, count in zip(rows, first, bins, strict=True)])
        window, cosines = self._shared
        tables = ffi.new("asr_cepstrum *")
        tables.struct_size = ffi.sizeof("asr_cepstrum")
        tables.window_samples, tables.warps = self.window_samples, len(filters)
        tables.bands, tables.cepstra = self.parameters.nfilt, self.parameters.ncep
        tables.remove_offset, tables.pre_emphasis = self.parameters.remove_dc, self.parameters.alpha
        tables.window, tables.cosines = ffi.from_buffer(_FLOAT, window), ffi.from_buffer(_FLOAT, cosines)
        held = (first, bins.astype(np.uint16), weights.astype(np.float32))
        tables.band_first, tables.band_bins = (ffi.from_buffer("uint16_t[]", array) for array in held[:2])
        tables.weights = ffi.from_buffer(_FLOAT, held[2])
        tables.simd = lib.ASR_SIMD_AUTO
        self._held.append(held)
        return tables

    def _make_level_tables(self) -> Any:
        tables = ffi.new("asr_cepstrum *", self.tables(slice(self.plain, self.plain + 1))[0])
        tables.bands = tables.cepstra = self.telephone_filters
        identity = np.eye(self.telephone_filters, dtype=np.float32)
        tables.cosines = ffi.from_buffer(_FLOAT, identity)
        self._held.append(identity)
        return tables


def _mel(frequency_hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + frequency_hz / 700.0))


def _mel_filters(parameters: FeatureParameters, warp: float) -> Array:
    """Return triangular filters, shape (bins, filters), whose frequencies are stretched."""
    low, high = _mel(parameters.lowerf), _mel(parameters.upperf)
    width = (high - low) / (parameters.nfilt + 1)
    step = 1
    if parameters.doublebw:
        low, step = low - width, 2
    bin_hz = SAMPLE_RATE_HZ / FFT_SIZE
    bins_hz = np.arange(FFT_SIZE // 2 + 1) * bin_hz
    filters = np.zeros((FFT_SIZE // 2 + 1, parameters.nfilt))
    for number in range(parameters.nfilt):
        left, centre, right = (
            warp * 700.0 * (10.0 ** ((low + (number + step * edge) * width) / 2595.0) - 1.0) for edge in range(3)
        )
        if parameters.round_filters:
            left, centre, right = (int(edge / bin_hz + 0.5) * bin_hz for edge in (left, centre, right))
        height = 2.0 / (right - left) if parameters.unit_area else 1.0
        triangle = np.minimum((bins_hz - left) / (centre - left), (right - bins_hz) / (right - centre)) * height
        filters[:, number] = np.where((bins_hz >= left) & (bins_hz <= right), triangle, 0.0)
    return filters


def _cosine_transform(parameters: FeatureParameters) -> Array:
    """Return log-mel energies to (liftered) cepstra, shape (filters, cepstra)."""
    n_filters = parameters.nfilt
    orders = np.arange(parameters.ncep)
    cosines = np.cos(np.pi / n_filters * np.outer(np.arange(n_filters) + 0.5, orders))
    match parameters.transform:
        case "dct":
            cosines *= np.sqrt(2.0 / n_filters)
            cosines[:, 0] = np.sqrt(1.0 / n_filters)
        case "htk":
            cosines *= np.sqrt(2.0 / n_filters)
        case "legacy":
            cosines /= n_filters
            cosines[0] /= 2.0
        case other:
            raise AcousticModelError(f"feat.params of the acoustic model: there is no transform {other!r}")
    if parameters.lifter:
        cosines *= 1.0 + parameters.lifter / 2 * np.sin(orders * np.pi / parameters.lifter)
    return np.asarray(cosines, dtype=np.float64)


class SegmentFeatures:
    """Turns the audio of one segment into cepstra as it comes; their mean is still to be subtracted.

    Cepstra have the shape (frames, warps, cepstra), with the warps that the channel has not ruled out yet. Over a
    telephone for which the model is prepared they are the levels of the filters that hear (`telephone`).
    """

    def __init__(self, front_end: FrontEnd, channel: Channel) -> None:
        """Begin a segment of a caller, of whose channel the audio tells the band."""
        self._front_end = front_end
        self._channel = channel
        self._tables = front_end.tables(channel.warps)
        self._n_warps = channel.warps.stop - channel.warps.start
        self._plain = 0 if self._n_warps == 1 else front_end.plain
        self._waiting: list[Frames] = []
        has_noise = front_end.parameters.remove_noise
        self._noise = ffi.new("asr_cepstrum_noise[]", self._n_warps) if has_noise else ffi.NULL
        self._samples = bytes(SAMPLE_BYTES)
        """Of the next frame so far, behind the sample before it."""

    def feed(self, pcm: bytes) -> Frames:
        """Return the cepstra that the audio completes."""
        self._samples += pcm
        spare = len(self._samples) // SAMPLE_BYTES - 1 - self._front_end.window_samples
        n_frames = max(0, spare // FRAME_SAMPLES + 1)
        cepstra = self._cepstra(n_frames)
        self._samples = self._samples[n_frames * FRAME_SAMPLES * SAMPLE_BYTES :]
        return cepstra

    def finish(self) -> Frames:
        """Return the last frame, filled up with silence."""
        return self._cepstra(1, last=True)

    def _cepstra(self, n_frames: int, *, last: bool = False) -> Frames:
        parameters = self._front_end.parameters
        energies = np.empty((n_frames, self._n_warps, parameters.nfilt), np.float32)
        samples = ffi.from_buffer("int16_t[]", self._samples)
        check(
            lib.asr_cepstrum_energies(self._tables, samples, len(samples), n_frames, ffi.from_buffer(_FLOAT, energies))
        )
        if not self._channel.is_known:  # a segment begins with a margin: until the band is known it is not missed
            self._waiting.append(energies)
            if sum(map(len, self._waiting)) < BAND_FRAMES and not last:
                energies = energies[:0]
            else:
                energies = np.concatenate(self._waiting)
                self._channel.decide(energies[:, self._plain])
                self._waiting.clear()
        tables, n_warps, width = self._tables, self._n_warps, parameters.ncep
        if self._channel.telephone is not None:
            tables, n_warps, width = self._front_end.telephone_tables, 1, self._front_end.telephone_filters
            energies = np.ascontiguousarray(energies[:, self._plain, :width])
        cepstra = np.empty((len(energies), n_warps, width), np.float32)
        arrays = (ffi.from_buffer(_FLOAT, energies), len(energies), ffi.from_buffer(_FLOAT, cepstra))
        check(lib.asr_cepstrum_cepstra(tables, self._noise, *arrays))
        return cepstra


def with_deltas(cepstra: Frames) -> Frames:
    """Return cepstra with their first and second differences as the models want them, edges repeated.

    Args:
        cepstra: shape (frames, ..., cepstra); the result has three times as many in the end.
    """
    padded = np.concatenate([cepstra[:1]] * DELTA_REACH + [cepstra] + [cepstra[-1:]] * DELTA_REACH)
    length = len(cepstra)

    def at(offset: int) -> Frames:
        return padded[DELTA_REACH + offset : DELTA_REACH + offset + length]

    return np.concatenate([cepstra, at(2) - at(-2), (at(3) - at(-1)) - (at(1) - at(-3))], axis=-1)
