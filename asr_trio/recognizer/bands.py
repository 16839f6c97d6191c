"""What the model of the pocketsphinx package needs to know of a channel: wide band, or the band of a telephone.

``bands.json`` comes from ``benchmarks/train_bands.py``. A telephone passes nothing above 3.4 or 4 kHz, while the model
was trained up to 6.8: the cepstra that the missing part would have given are estimated from what is left.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec
import numpy as np

from asr_trio.config import ModelSettings
from asr_trio.errors import AcousticModelError
from asr_trio.recognizer.features import Array

UNKNOWN_MEAN = (40.0, 3.0, -1.0)


class Band(msgspec.Struct, frozen=True):
    """One kind of channel.

    Attributes:
        mean: cepstral mean that recognitions start from.
        transform: log-mel energies to cepstra, shape (filters, cepstra); [] for the model's own cosine transform.
    """

    mean: list[float]
    transform: list[list[float]] = []

    @property
    def mean_vector(self) -> Array:
        """The mean as an array."""
        return np.array(self.mean)

    @property
    def transform_matrix(self) -> Array | None:
        """The transform as an array, or None."""
        return np.array(self.transform) if self.transform else None


@functools.cache
def _package_bands() -> dict[str, Band]:
    data = resources.files("asr_trio.recognizer").joinpath("bands.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Band])


def model_bands(settings: ModelSettings, n_cepstra: int) -> dict[bool, Band]:
    """Return the channels of a configured model by whether they are narrow.

    Raises:
        AcousticModelError: ``cmn_init`` is no list of numbers.
    """
    if settings.acoustic is None and settings.cmn_init is None:
        bands = _package_bands()
        return {False: bands["wide"], True: bands["narrow"]}
    try:
        given = [float(value) for value in settings.cmn_init.split(",")] if settings.cmn_init else list(UNKNOWN_MEAN)
    except ValueError as error:
        raise AcousticModelError("cmn_init is no list of numbers") from error
    band = Band((given + [0.0] * n_cepstra)[:n_cepstra])
    return {False: band, True: band}
