"""The kinds of channel that a configured model knows.

``bands.json`` and ``telephone.json`` belong to the model of the pocketsphinx package. Means are those of the
development recordings, and of what the network of the telephone was trained with.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec

from asr_trio.errors import AcousticModelError
from asr_trio.recognizer.channel import Band, Bands
from asr_trio.recognizer.telephone import Telephone, TelephoneNetwork
from asr_trio.settings import ModelSettings

UNKNOWN_MEAN = (40.0, 3.0, -1.0)


class _PackageBands(msgspec.Struct, frozen=True):
    wide: list[float]


@functools.cache
def _package_bands() -> Bands:
    folder = resources.files("asr_trio.recognizer")
    known = msgspec.json.decode(folder.joinpath("bands.json").read_bytes(), type=_PackageBands)
    network = msgspec.json.decode(folder.joinpath("telephone.json").read_bytes(), type=TelephoneNetwork)
    return Bands(wide=Band(known.wide), narrow=Band(network.mean, Telephone(network)))


def model_bands(settings: ModelSettings, n_cepstra: int) -> Bands:
    """Return the channels of a configured model.

    Raises:
        AcousticModelError: ``cmn_init`` is no list of numbers.
    """
    if settings.acoustic is None and settings.cmn_init is None:
        return _package_bands()
    try:
        given = [float(value) for value in settings.cmn_init.split(",")] if settings.cmn_init else list(UNKNOWN_MEAN)
    except ValueError as error:
        raise AcousticModelError("cmn_init is no list of numbers") from error
    band = Band((given + [0.0] * n_cepstra)[:n_cepstra])
    return Bands(band, band)
