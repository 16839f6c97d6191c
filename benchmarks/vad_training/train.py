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
from benchmarks.vad_training.model import INPUTS, Detector, stack, targets

BATCH = 64
RATE = 3e-3
AVERAGE = 0.997
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
    """Measure the AUC over the validation mixtures and write the model if it is the best so far."""
    logits = torch.cat([model(part.float()) for part in inputs.split(100)])[:, 1:].flatten()
    auc = roc_auc(logits.numpy(), targets(labels.float())[:, 1:].flatten().numpy())
    if auc > best:
        torch.save(model.state_dict(), path)
    return max(auc, best)


def rate_at(step: int, options: argparse.Namespace) -> float:
    """Rise over the first 100 steps, then fall along a cosine to a fiftieth."""
    fall = 0.02 + 0.98 * (0.5 + 0.5 * np.cos(np.pi * step / options.steps))
    return float(options.rate * min(1.0, (step + 1) / 100) * fall)


def loss_of(model: Detector, inputs: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> Tensor:
    """Cross-entropy of a batch; the first step of each example has nothing to answer for."""
    logits = model(torch.from_numpy(inputs[chosen]).float())
    wanted = targets(torch.from_numpy(labels[chosen]).float())
    return nn.functional.binary_cross_entropy_with_logits(logits[:, 1:], wanted[:, 1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--start", type=Path, help="C table of weights to go on from")
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
        model.load_state_dict(export.read(options.start))
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(inputs)} mixtures", flush=True)
    average = copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=1e-3)
    first, best, losses = 0, 0.0, []
    saved = options.model.with_suffix(".state")
    if saved.exists():
        state = torch.load(saved, weights_only=False)
        first, best = state["step"], state["best"]
        for module, name in ((model, "model"), (average, "average"), (optimiser, "optimiser")):
            module.load_state_dict(state[name])
    for step in range(first, options.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, options)
        chosen = np.random.default_rng([options.seed, step]).integers(0, len(inputs), BATCH)
        loss = loss_of(model, inputs, labels, chosen)
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
            print(f"step {step + 1} loss {np.mean(losses[-CHECK_EVERY_STEPS:]):.4f} best AUC {best:.4f}", flush=True)
            modules = {"model": model, "average": average, "optimiser": optimiser}
            states = {name: module.state_dict() for name, module in modules.items()}
            torch.save({"step": step + 1, "best": best, **states}, saved)


if __name__ == "__main__":
    main()
