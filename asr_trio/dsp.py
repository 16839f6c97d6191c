"""The speech front end for other programs: the classes of `asr_trio.audio.dsp`, and the C library behind them."""

from __future__ import annotations

from pathlib import Path

from asr_trio.audio.dsp import *  # noqa: F403 - the same names in a shorter place
from asr_trio.audio.dsp import __all__ as _names

__all__ = [*_names, "get_include"]  # noqa: PLE0604 - all are names


def get_include() -> Path:
    """Return the folder of ``asr_dsp.h``; an installed package has the whole library there as one ``asr_dsp.c``."""
    package = Path(__file__).parent
    installed = package / "include"
    return installed if installed.is_dir() else package.parent / "csrc" / "include"
