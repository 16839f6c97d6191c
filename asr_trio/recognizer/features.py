"""Cepstral features of a PocketSphinx acoustic model, computed here instead of inside the decoder.

Doing it here pays four times. The mean that is subtracted follows the speaker from frame to frame, starting from a
mean that fits the channel (the decoder's own starts from one constant and moves after 8 s: on isolated telephone digits
that is 50 % right instead of 85). The mel scale is stretched to fit the speaker's voice (`channel`). The same features
serve the confidence score. And results are a function of the audio alone, whatever the decoder did before.

The computation is that of the Sphinx front end, whose parameters come with each model in ``feat.params``:
pre-emphasis, Hamming window, power spectrum, triangular mel filters, spectral noise removal, logarithm, cosine
transform, lifter. Frames are 10 ms.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr_trio.errors import AcousticModelError
from asr_trio.recognizer.channel import Array, Channel

Frames = NDArray[np.float32]

SAMPLE_RATE_HZ: Final = 16_000
FRAME_SAMPLES: Final = 160

WARPS: Final = (0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12)
"""Stretches of the mel scale: a short vocal tract has its resonances higher, by so much, than the voices of a model."""

DELTA_REACH: Final = 3
"""Frames before and after that the differences of a frame look at."""

TELEPHONE_HZ: Final = 4100.0
BAND_FRAMES: Final = 50
"""Audio that tells the band."""

LOG_FLOOR: Final = 1e-4
SMOOTHED_FILTERS: Final = 4
GAIN_MAX: Final = 20.0


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
    """

    def __init__(self, parameters: FeatureParameters, warps: tuple[float, ...] = (1.0,)) -> None:
        """Make the tables.

        Args:
            parameters: of the model.
            warps: 1.0 among them; those that would put filters above what audio of 16 kHz has are left out.
        """
        self.parameters = parameters
        self.window_samples = int(parameters.wlen * SAMPLE_RATE_HZ + 0.5)
        self.fft_size = parameters.nfft or 1 << (self.window_samples - 1).bit_length()
        positions = np.arange(self.window_samples)
        self.window: Array = 0.54 - 0.46 * np.cos(2 * np.pi * positions / (self.window_samples - 1))
        self.warps = tuple(warp for warp in warps if warp == 1.0 or parameters.upperf * warp < SAMPLE_RATE_HZ / 2)
        self.plain = self.warps.index(1.0)
        self.filters = [_mel_filters(parameters, self.fft_size, warp) for warp in self.warps]
        self.cosines = _cosine_transform(parameters)
        lowest_hz = np.argmax(self.filters[self.plain] > 0, axis=0) * SAMPLE_RATE_HZ / self.fft_size
        self.above_telephone = np.flatnonzero(lowest_hz > TELEPHONE_HZ)
        near = np.abs(np.subtract.outer(np.arange(parameters.nfilt), np.arange(parameters.nfilt))) <= SMOOTHED_FILTERS
        self.smoothing: Array = (near / near.sum(axis=1, keepdims=True)).T


def _mel(frequency_hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + frequency_hz / 700.0))


def _mel_filters(parameters: FeatureParameters, fft_size: int, warp: float) -> Array:
    """Return triangular filters, shape (bins, filters), whose frequencies are stretched."""
    low, high = _mel(parameters.lowerf), _mel(parameters.upperf)
    width = (high - low) / (parameters.nfilt + 1)
    step = 1
    if parameters.doublebw:
        low, step = low - width, 2
    bin_hz = SAMPLE_RATE_HZ / fft_size
    bins_hz = np.arange(fft_size // 2 + 1) * bin_hz
    filters = np.zeros((fft_size // 2 + 1, parameters.nfilt))
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


class _NoiseRemover:
    """Spectral subtraction with a noise floor that follows the lower envelope, as the models were trained with."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._smoothing = front_end.smoothing
        self._power: Array | None = None
        self._noise: Array
        self._floor: Array
        self._peak: Array

    def __call__(self, energies: Array) -> Array:
        """Return mel energies, shape (frames, warps, filters), less their noise."""
        if not len(energies):
            return energies
        mel = energies.reshape(len(energies), -1)  # one loop for all warps
        if self._power is None:
            self._power = mel[0].copy()
            self._noise = mel[0] / GAIN_MAX
            self._floor = mel[0] / GAIN_MAX
            self._peak = np.zeros_like(mel[0])
        power, noise, floor, peak = self._power, self._noise, self._floor, self._peak
        gains = np.empty_like(mel)
        fresh = 0.3 * mel
        for index in range(len(mel)):
            power *= 0.7
            power += fresh[index]
            _follow_lower_envelope(noise, power)
            signal = power - noise
            np.maximum(signal, 1.0, out=signal)
            _follow_lower_envelope(floor, signal)
            peak *= 0.85
            heard = np.where(signal < 0.85 * peak, 0.2 * peak, signal)  # temporal masking
            np.maximum(peak, signal, out=peak)
            np.maximum(heard, floor, out=heard)
            np.divide(heard, np.maximum(power, 1e-30), out=gains[index])
        np.clip(gains, 1.0 / GAIN_MAX, GAIN_MAX, out=gains)
        return np.asarray(energies * (gains.reshape(energies.shape) @ self._smoothing))


def _follow_lower_envelope(floor: Array, level: Array) -> None:
    difference = level - floor
    floor += difference * np.where(difference >= 0.0, 0.005, 0.5)


class SegmentFeatures:
    """Turns the audio of one segment into cepstra as it comes; their mean is still to be subtracted.

    Cepstra have the shape (frames, warps, cepstra), with the warps that the channel has not ruled out yet.
    """

    def __init__(self, front_end: FrontEnd, channel: Channel) -> None:
        """Begin a segment of a caller, of whose channel the audio tells the band."""
        self._front_end = front_end
        self._channel = channel
        self._filters = np.concatenate(front_end.filters[channel.warps], axis=1)
        self._n_warps = self._filters.shape[1] // front_end.parameters.nfilt
        self._plain = 0 if self._n_warps == 1 else front_end.plain
        self._waiting: list[Array] = []
        self._remove_noise = _NoiseRemover(front_end) if front_end.parameters.remove_noise else None
        self._samples: Array = np.zeros(0)
        self._before = 0.0

    def feed(self, pcm: bytes) -> Array:
        """Return the cepstra that the audio completes."""
        front_end = self._front_end
        heard = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
        if not len(heard):
            return self._nothing()
        emphasised = heard.copy()
        emphasised[1:] -= front_end.parameters.alpha * heard[:-1]
        emphasised[0] -= front_end.parameters.alpha * self._before
        self._before = float(heard[-1])
        samples = np.concatenate([self._samples, emphasised])
        n_frames = max(0, (len(samples) - front_end.window_samples) // FRAME_SAMPLES + 1)
        self._samples = samples[n_frames * FRAME_SAMPLES :]
        return self._cepstra(samples, n_frames)

    def finish(self) -> Array:
        """Return the last frame, filled up with silence."""
        rest, self._samples = self._samples, np.zeros(0)
        filled = np.zeros(self._front_end.window_samples)
        filled[: len(rest)] = rest[: len(filled)]
        return self._cepstra(filled, 1, last=True)

    def _cepstra(self, samples: Array, n_frames: int, *, last: bool = False) -> Array:
        mel = self._mel(samples, n_frames)
        if not self._channel.is_known:  # a segment begins with a margin: until the band is known it is not missed
            self._waiting.append(mel)
            if sum(map(len, self._waiting)) < BAND_FRAMES and not last:
                mel = mel[:0]
            else:
                mel = np.concatenate(self._waiting)
                self._channel.decide(mel[:, self._plain])
                self._waiting.clear()
        if not len(mel):
            return self._nothing()
        if self._remove_noise is not None:
            mel = self._remove_noise(mel)
        return np.asarray(np.log(mel + LOG_FLOOR) @ self._front_end.cosines)

    def _mel(self, samples: Array, n_frames: int) -> Array:
        front_end = self._front_end
        shape = (n_frames, self._n_warps, front_end.parameters.nfilt)
        if not n_frames:
            return np.zeros(shape)
        windows = np.lib.stride_tricks.sliding_window_view(samples, front_end.window_samples)
        frames = windows[: n_frames * FRAME_SAMPLES : FRAME_SAMPLES]
        if front_end.parameters.remove_dc:
            frames = frames - frames.mean(axis=1, keepdims=True)
        spectrum = np.fft.rfft(frames * front_end.window, front_end.fft_size)
        return np.asarray((spectrum.real**2 + spectrum.imag**2) @ self._filters).reshape(shape)

    def _nothing(self) -> Array:
        return np.zeros((0, self._n_warps, self._front_end.parameters.ncep))


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
