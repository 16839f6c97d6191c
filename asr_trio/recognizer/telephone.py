"""Cepstra of telephone speech as a model of wide-band speech expects them.

A telephone carries 300 to 3400 Hz, and a cosine transform over filters of which a quarter hear nothing makes other
cepstra of it than a model was trained with. Here a small network makes cepstra of the levels of the filters that do
hear: of a frame and its neighbours, less their mean over what was heard. ``benchmarks/train_telephone.py`` trained it
on speech and what telephones leave of it, so that the states of the acoustic model find both equally likely.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from asr_trio.recognizer.features import Frames


class Layer(msgspec.Struct, frozen=True):
    """One layer of the network, as it is kept.

    Attributes:
        steps: weights, shape (inputs, outputs), int8 in base64, as multiples of the scales.
        scales: of each output.
        biases: of each output.
    """

    steps: str
    scales: list[float]
    biases: list[float]

    @classmethod
    def of(cls, weights: NDArray[np.floating[Any]], biases: NDArray[np.floating[Any]]) -> Layer:
        """Round a layer."""
        scales = np.maximum(np.abs(weights).max(axis=0), 1e-9) / 127
        steps = np.rint(weights / scales).astype(np.int8)
        kept = [[float(f"{value:.5g}") for value in values] for values in (scales, biases)]
        return cls(base64.b64encode(steps.tobytes()).decode(), *kept)

    def arrays(self) -> tuple[Frames, Frames]:
        """Return weights and biases."""
        steps = np.frombuffer(base64.b64decode(self.steps), np.int8).reshape(-1, len(self.scales))
        return np.asarray(steps * np.array(self.scales), np.float32), np.array(self.biases, np.float32)


class TelephoneNetwork(msgspec.Struct, frozen=True):
    """The network, as it is kept.

    Attributes:
        mean: of the levels, that recognitions start from.
        reach: frames before and after that it looks at.
        layers: rectified but the last, which sees what the one before gives and the inputs.
    """

    mean: list[float]
    reach: int
    layers: list[Layer]


class Telephone:
    """Makes cepstra of levels; shared by all recognitions of a process."""

    def __init__(self, network: TelephoneNetwork) -> None:
        """Unpack the network."""
        self.reach = network.reach
        *self._inner, self._last = [layer.arrays() for layer in network.layers]

    def cepstra(self, levels: Frames) -> Frames:
        """Return normalised cepstra, shape (frames, cepstra).

        Args:
            levels: natural logarithms of the energies of the lowest filters, less their mean; shape
                (frames + 2 `reach`, filters).
        """
        window = 2 * self.reach + 1
        if len(levels) < window:
            return np.zeros((0, len(self._last[1])), np.float32)
        inputs = np.lib.stride_tricks.sliding_window_view(levels, window, axis=0)
        inputs = np.ascontiguousarray(inputs.transpose(0, 2, 1)).reshape(len(inputs), -1)
        values = inputs
        for weights, biases in self._inner:
            values = np.maximum(values @ weights + biases, 0.0)
        weights, biases = self._last
        return np.asarray(np.concatenate([values, inputs], axis=1) @ weights + biases)


class TelephoneStream:
    """Makes cepstra of one pass over a segment as its levels come; they come `Telephone.reach` frames later."""

    def __init__(self, telephone: Telephone) -> None:
        """Begin a pass."""
        self._telephone = telephone
        self._levels: Frames | None = None
        """Those that later frames look at; before the first frame it is repeated, and behind the last that one."""

    def feed(self, levels: Frames) -> Frames:
        """Return the cepstra of the frames whose neighbours are known now."""
        reach = self._telephone.reach
        if self._levels is None:
            self._levels = np.repeat(levels[:1], reach, axis=0)
        levels = np.concatenate([self._levels, levels])
        self._levels = levels[-2 * reach :]
        return self._telephone.cepstra(levels)

    def finish(self) -> Frames:
        """Return the cepstra of the last frames."""
        if self._levels is None:
            return self._telephone.cepstra(np.zeros((0, 0), np.float32))
        return self.feed(np.repeat(self._levels[-1:], self._telephone.reach, axis=0))
