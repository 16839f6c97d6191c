"""The network: two recurrent layers that step every 20 ms and answer for two frames, up to 30 ms late."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.vad_training.features import BANDS, FEATURES

STRIDE = 2  # frames a step: half the arithmetic of one step a frame
CONTEXT = 4  # frames a step looks at: the two new ones and the two before
LOOKAHEAD = 3  # frames: step k reads frames up to 2k + 1 and answers for 2k - 2 and 2k - 1
PER_FRAME = BANDS + 4
INPUTS = CONTEXT * PER_FRAME + BANDS  # and the floors, once: they move slowly
DENSE, FIRST, SECOND = 80, 80, 56


def stack(frames: Tensor) -> Tensor:
    """[batch, frames, FEATURES] -> [batch, steps, INPUTS]: the context of each step, the oldest frame first."""
    steps = frames.shape[1] // STRIDE
    values = nn.functional.pad(frames[:, : steps * STRIDE, :PER_FRAME], (0, 0, CONTEXT - STRIDE, 0))
    context = [values[:, i : i + steps * STRIDE : STRIDE] for i in range(CONTEXT)]
    return torch.cat([*context, frames[:, STRIDE - 1 : steps * STRIDE : STRIDE, PER_FRAME:FEATURES]], dim=-1)


def targets(labels: Tensor) -> Tensor:
    """[batch, frames] -> [batch, steps, 2]: the labels a step answers for (the first step answers for nothing)."""
    steps = labels.shape[1] // STRIDE
    late = nn.functional.pad(labels, (STRIDE, 0))[:, : steps * STRIDE]
    return late.reshape(len(labels), steps, STRIDE)


class Detector(nn.Module):
    """Dense, two gated recurrent layers, and a linear answer that sees both."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: np.ndarray | None = None, deviation: np.ndarray | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(np.zeros(INPUTS) if mean is None else mean, dtype=torch.float32))
        scale = np.ones(INPUTS) if deviation is None else 1 / deviation
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))
        self.dense = nn.Linear(INPUTS, DENSE)
        self.first = nn.GRU(DENSE, FIRST, batch_first=True)
        self.second = nn.GRU(FIRST, SECOND, batch_first=True)
        self.answer = nn.Linear(FIRST + SECOND, STRIDE)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the logits of each step's two frames."""
        inputs = ((stack(frames) - self.mean) * self.scale).clamp(-8, 8)
        hidden = torch.relu(self.dense(inputs)).clamp(max=8)
        first, _ = self.first(hidden)
        second, _ = self.second(first)
        return self.answer(torch.cat([first, second], dim=-1))
