"""Train the detector on mixtures.

    python -m benchmarks.vad_training.train MODEL.pt --train MIX.npz ... --validation MIX.npz [--start WEIGHTS.c]

Adam with a rising and falling rate and binary cross-entropy; an exponential average of the weights is written whenever
it is the best so far on the validation mixtures. One process of one thread, and every step draws from its own seed: the
same mixtures give the same weights. What was broken off goes on from MODEL.state when it is called again.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.vad_training import export
from benchmarks.vad_training.features import BANDS
from benchmarks.vad_training.model import INPUTS, PER_FRAME, Detector, stack, targets

BATCH = 64
RATE = 3e-3
AVERAGE = 0.997
COLOUR_LOG2 = 1.2  # each time an example is drawn it comes through another microphone: +-3.6 dB at five places
CHECK_EVERY_STEPS = 100


def roc_auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the receiver's curve, ties counted half."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positives = int(labels.sum())
    return float((ranks[labels > 0].sum() - positives * (positives + 1) / 2) / (positives * (len(labels) - positives)))


def moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the stacked inputs over a sample of the training mixtures."""
    stacked = (
        stack(torch.from_numpy(inputs[:: max(1, len(inputs) // 400)].astype(np.float32))).reshape(-1, INPUTS).numpy()
    )
    return stacked.mean(axis=0), stacked.std(axis=0) + 0.05


@torch.no_grad()
def keep_best(model: Detector, inputs: Tensor, labels: Tensor, best: float, path: Path) -> float:
    """Measure the validation mixtures and write the model if its cross-entropy is the best so far."""
    logits = torch.cat([model(part.float()) for part in inputs.split(100)])[:, 1:]
    wanted = targets(labels.float() / 255)[:, 1:]
    loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted).item()
    auc = roc_auc(logits.flatten().numpy(), (wanted.flatten() > 0.5).numpy())
    print(f"validation: loss {loss:.4f}, AUC {auc:.4f}", flush=True)
    if loss < best:
        torch.save(model.state_dict(), path)
    return min(loss, best)


def rate_at(step: int, options: argparse.Namespace) -> float:
    """Rise over the first 100 steps, then fall along a cosine to a fiftieth."""
    fall = 0.02 + 0.98 * (0.5 + 0.5 * np.cos(np.pi * step / options.steps))
    return float(options.rate * min(1.0, (step + 1) / 100) * fall)


def coloured(inputs: Tensor, rng: np.random.Generator) -> Tensor:
    """Change the frequency response of each example; nothing falls below the noise of rounding."""
    places, bands = np.linspace(0, 1, 5), np.linspace(0, 1, BANDS)
    gains = np.stack([np.interp(bands, places, rng.uniform(-COLOUR_LOG2, COLOUR_LOG2, 5)) for _ in inputs])
    change = np.zeros((len(inputs), 1, inputs.shape[-1]), np.float32)
    change[:, 0, :BANDS] = change[:, 0, PER_FRAME:] = gains
    change[:, 0, BANDS : BANDS + 2] = gains.mean(axis=1, keepdims=True)  # level and peak
    return torch.where(inputs > 0, (inputs + torch.from_numpy(change)).clamp(min=0), inputs)


def loss_of(model: Detector, inputs: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Cross-entropy of a batch; the first step of each example has nothing to answer for."""
    chosen = rng.integers(0, len(inputs), BATCH)
    logits = model(coloured(torch.from_numpy(inputs[chosen]).float(), rng))
    wanted = targets(torch.from_numpy(labels[chosen]).float() / 255)
    return nn.functional.binary_cross_entropy_with_logits(logits[:, 1:], wanted[:, 1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--start", type=Path, help="weights to go on from: a C table, or another MODEL.pt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=RATE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    held = [np.load(path) for path in options.train]
    inputs = np.concatenate([h["inputs"] for h in held])
    labels = np.concatenate([h["labels"] for h in held])
    check = np.load(options.validation)
    check_inputs, check_labels = torch.from_numpy(check["inputs"]), torch.from_numpy(check["labels"])
    model = Detector(*moments(inputs))
    if options.start:
        table = options.start.suffix == ".c"
        model.load_state_dict(export.read(options.start) if table else torch.load(options.start))
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(inputs)} mixtures", flush=True)
    average = copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=1e-3)
    first, best, losses = 0, float("inf"), []
    saved = options.model.with_suffix(".state")
    if saved.exists():
        state = torch.load(saved, weights_only=False)
        first, best = state["step"], state["best"]
        for module, name in ((model, "model"), (average, "average"), (optimiser, "optimiser")):
            module.load_state_dict(state[name])
    for step in range(first, options.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, options)
        loss = loss_of(model, inputs, labels, np.random.default_rng([options.seed, step]))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        decay = min(AVERAGE, step / (step + 20))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        if (step + 1) % CHECK_EVERY_STEPS == 0 or step + 1 == options.steps:
            best = keep_best(average, check_inputs, check_labels, best, options.model)
            print(f"step {step + 1}, loss {np.mean(losses[-CHECK_EVERY_STEPS:]):.4f}", flush=True)
            modules = {"model": model, "average": average, "optimiser": optimiser}
            states = {name: module.state_dict() for name, module in modules.items()}
            torch.save({"step": step + 1, "best": best, **states}, saved)


if __name__ == "__main__":
    main()
