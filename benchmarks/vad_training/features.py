"""The detector's features, computed by the C core itself, so that training and inference see the same bits."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

FRAME = 160
BANDS = 32
FEATURES = 2 * BANDS + 4
STATE_BYTES = 8192
CSRC = Path(__file__).parents[2] / "csrc"


@cache
def _library() -> ctypes.CDLL:
    folder = tempfile.mkdtemp(prefix="vad-features-")
    built = Path(folder) / "features.so"
    sources = [str(CSRC / "src" / name) for name in ("features.c", "features_tables.c", "simd.c")]
    flags = ["-std=c11", "-O3", "-ffp-contract=off", "-shared", "-fPIC", f"-I{CSRC / 'include'}"]
    subprocess.run(["cc", *flags, *sources, "-lm", "-o", str(built)], check=True)
    library = ctypes.CDLL(str(built))
    built.unlink()
    Path(folder).rmdir()
    return library


def features(pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Return [frames, FEATURES]: bands, level, peak, voicing, period and floors of each 10 ms of 16 kHz audio."""
    library = _library()
    state = ctypes.create_string_buffer(STATE_BYTES)
    library.asr_features_reset(state, 0)
    frames = np.ascontiguousarray(pcm[: len(pcm) // FRAME * FRAME], np.int16).reshape(-1, FRAME)
    out = np.zeros((len(frames), FEATURES), np.float32)
    source, target = frames.ctypes.data, out.ctypes.data
    for index in range(len(frames)):
        library.asr_features_process(
            state, ctypes.c_void_p(source + index * FRAME * 2), ctypes.c_void_p(target + index * FEATURES * 4)
        )
    return out
