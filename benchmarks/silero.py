"""Silero VAD (MIT licence, weights included), as a peer and as a teacher; `pip install silero-vad onnxruntime`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any


def session() -> Any:
    """Open the model that the silero-vad package brings, on one thread.

    Raises:
        ImportError: a package is missing.
    """
    import onnxruntime

    package = importlib.util.find_spec("silero_vad")
    if package is None or package.origin is None:
        raise ImportError("silero-vad")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = Path(package.origin).parent / "data" / "silero_vad.onnx"
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
