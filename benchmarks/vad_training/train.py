"""Train the detector on mixtures.

    python -m benchmarks.vad_training.train MODEL.pt --train MIX.npz ... --validation MIX.npz --minutes 30

Adam with a rising and falling rate and binary cross-entropy. Each process steps on its own batches and all of them on
the same weights, without locks (Recht et al., "Hogwild!", 2011): two processes of one thread finish sooner than one
process of two threads, whose threads wait for each other. An exponential average of the weights is written whenever it
is the best so far on the validation mixtures.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.vad_training.model import INPUTS, Detector, stack, targets

BATCH = 64
RATE = 3e-3
AVERAGE = 0.997
CHECK_EVERY_S = 90


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


def learn(
    model: Detector, inputs: np.ndarray, labels: np.ndarray, seed: int, options: argparse.Namespace
) -> Iterator[float]:
    """Step by step until the time is up; yields the loss of each step."""
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=1e-3)
    step, started = 0, time.monotonic()
    while (done := (time.monotonic() - started) / 60 / options.minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * (0.5 + 0.5 * np.cos(np.pi * done)))
        chosen = rng.integers(0, len(inputs), BATCH)
        logits = model(torch.from_numpy(inputs[chosen]).float())
        wanted = targets(torch.from_numpy(labels[chosen]).float())
        loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 1:], wanted[:, 1:])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        yield loss.item()


def help_out(*arguments: Any) -> None:
    """Learn beside the first process."""
    torch.set_num_threads(1)
    for _ in learn(*arguments):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--start", type=Path, help="weights to go on from")
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
        model.load_state_dict(torch.load(options.start))
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(inputs)} mixtures", flush=True)
    average = copy.deepcopy(model)
    model.share_memory()
    seeds = [options.seed * 100 + i for i in range(options.processes)]
    workers = [
        multiprocessing.get_context("fork").Process(target=help_out, args=(model, inputs, labels, seed, options))
        for seed in seeds[1:]
    ]
    for worker in workers:
        worker.start()
    best, losses, started = 0.0, [], time.monotonic()
    last_check = started
    for loss in learn(model, inputs, labels, seeds[0], options):
        losses.append(loss)
        decay = min(AVERAGE, len(losses) / (len(losses) + 20))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        if time.monotonic() - last_check > CHECK_EVERY_S:
            best = keep_best(average, check_inputs, check_labels, best, options.model)
            minutes = (time.monotonic() - started) / 60
            print(
                f"{minutes:5.1f} min step {len(losses)} loss {np.mean(losses[-100:]):.4f} best AUC {best:.4f}",
                flush=True,
            )
            last_check = time.monotonic()
    for worker in workers:
        worker.join()
    best = keep_best(average, check_inputs, check_labels, best, options.model)
    print(f"best validation AUC {best:.4f}")


if __name__ == "__main__":
    main()
