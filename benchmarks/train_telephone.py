"""Train the network that makes cepstra of telephone speech (`asr_trio.recognizer.telephone`); needs PyTorch.

    python -m benchmarks.train_telephone POOL/speech/{librispeech,intent,wakeword,precise}.npz --exclude ../shared/data

The pools are 16 kHz speech of many speakers, as `benchmarks.vad_training.pool` decodes it (its `sources.toml` has the
licences). No transcripts are needed: each clip is heard twice, as it is and as a telephone leaves of it. First the
network learns the cepstra of the wide band (regression, a quarter of a minute), then what counts: that under the
Gaussians of the package's model the tied states get the posteriors that the wide band gives them (a sixteenth of a
second of a core for each step). Writes asr_trio/recognizer/telephone.json.

The shipped weights are what this makes of those four pools with 2 000 steps and the seed 1: two minutes of a core to
hear 299 minutes of clips and their pieces through telephones, two to train.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import zlib
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from scipy import signal

from asr_trio.audio import dsp
from asr_trio.recognizer.acoustic import AcousticModel, _lines, _read_gaussians
from asr_trio.recognizer.bands import model_bands
from asr_trio.recognizer.channel import MEAN_WEIGHT_FRAMES, Bands, Channel
from asr_trio.recognizer.features import DELTA_REACH, SAMPLE_RATE_HZ, FrontEnd, SegmentFeatures, read_parameters
from asr_trio.recognizer.models import package_model_folder
from asr_trio.recognizer.telephone import Layer, TelephoneNetwork
from asr_trio.settings import ModelSettings
from benchmarks.vad_training import pool

TARGET = Path(__file__).resolve().parents[1] / "asr_trio" / "recognizer" / "telephone.json"
REACH = 6
HIDDEN = (96, 64)
TELEPHONES = 2
"""That hear each clip."""
PIECES_PER_MINUTE = 25
"""Single words with next to nothing around them, as callers' answers and cut recordings are."""
CLIP_MOST_S = 16
FRAMES = ((60, 0.25), (90, 0.2), (140, 0.2), (220, 0.2), (400, 0.15))
"""Lengths of what is heard at once, whose mean is subtracted; and how often."""
BATCH_FRAMES = 1500
SCORE_STEP = 6
STATE_STEP = 3
"""Scored are every sixth frames by every third state of each phone: neighbours are alike, and scores are what a step
costs."""
TEMPER = 0.5
"""Of the posteriors: with 1 only the best states count, with 0.2 isolated digits lost what spelled letters won."""
DISTANCE_WEIGHT = 3.0
"""Of the distance to the cepstra of the wide band, beside the divergence of posteriors, of which a nat counts one."""
REGRESSION_STEPS = 1500
VALIDATION_SHARE = 1 / 24


class Clips(NamedTuple):
    """What was heard of clips, one behind the other: cepstra, shape (frames, cepstra), and levels of each telephone."""

    wide: np.ndarray
    narrow: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    are_pieces: np.ndarray
    held_out: np.ndarray


def hear(front_end: FrontEnd, bands: Bands, pcm: np.ndarray, *, narrow: bool) -> np.ndarray | None:
    """Return cepstra of wide speech or levels of telephone speech, or None where it is not what it should be."""
    channel = Channel(front_end, bands)
    features = SegmentFeatures(front_end, channel)
    found = [part for part in (features.feed(pcm.tobytes()), features.finish()) if len(part)]
    return np.concatenate(found)[:, 0] if (channel.telephone is not None) == narrow else None


def telephone(pcm: np.ndarray, choose: np.random.Generator, *, as_loud: bool) -> np.ndarray:
    """Return what a telephone leaves of 16 kHz speech: edges of its band, slope, level, noise, G.711."""
    heard = dsp.resample(pcm, SAMPLE_RATE_HZ, 8000).astype(float)
    if choose.random() < 0.8:
        edge = choose.integers(1, 7), choose.uniform(80, 380), "highpass"
        heard = signal.sosfilt(signal.butter(*edge, fs=8000, output="sos"), heard)
    if choose.random() < 0.65:
        edge = choose.integers(3, 11), choose.uniform(3100, 3850), "lowpass"
        heard = signal.sosfilt(signal.butter(*edge, fs=8000, output="sos"), heard)
    if choose.random() < 0.5:
        heard = signal.lfilter([1, choose.uniform(-0.6, 0.4)], [1], heard)
    if not as_loud:
        heard *= 32768 * 10 ** (choose.uniform(-30, -2) / 20) / (np.abs(heard).max() + 1)
        if choose.random() < 0.4:
            noise = signal.lfilter(
                [1], [1, -choose.choice([0, choose.uniform(0.5, 0.95)])], choose.normal(size=len(heard))
            )
            heard += noise * heard.std() / noise.std() * 10 ** (-choose.uniform(12, 40) / 20)
    samples = np.clip(np.rint(heard), -32768, 32767).astype(np.int16)
    code = choose.random()
    if code < 0.3:
        samples = dsp.ulaw_decode(dsp.ulaw_encode(samples))
    elif code < 0.5:
        samples = dsp.alaw_decode(dsp.alaw_encode(samples))
    return dsp.resample(samples, 8000, SAMPLE_RATE_HZ)[: len(pcm)]


def cut_piece(pcm: np.ndarray, choose: np.random.Generator) -> np.ndarray:
    """Return a fraction of a second, one of the louder ones, with nearly silent margins."""
    length = min(int(choose.uniform(0.25, 1.0) * SAMPLE_RATE_HZ), len(pcm))
    places = choose.integers(0, len(pcm) - length + 1, 3)
    at = max(places, key=lambda place: float(np.square(pcm[place : place + length], dtype=float).sum()))
    fade = np.ones(length)
    edge = int(choose.uniform(0.002, 0.03) * SAMPLE_RATE_HZ)
    fade[:edge], fade[-edge:] = np.hanning(2 * edge)[:edge], np.hanning(2 * edge)[edge:]
    piece = pcm[at : at + length] * fade
    piece *= 32768 * 10 ** (choose.uniform(-18, -2) / 20) / (np.abs(piece).max() + 1)
    piece = np.pad(piece, tuple((choose.uniform(0.1, 0.35, 2) * SAMPLE_RATE_HZ).astype(int)))
    piece += choose.normal(0, 10 ** choose.uniform(-0.5, 1.8), len(piece))
    return np.clip(np.rint(piece), -32768, 32767).astype(np.int16)


def digests(folder: Path | None) -> set[bytes]:
    """Return what tells the recordings in a folder from all others."""
    paths = [path for path in folder.rglob("*") if path.suffix in (".wav", ".flac")] if folder else []
    return {digest(pool.decode(path)) for path in paths}


def digest(pcm: np.ndarray) -> bytes:
    return hashlib.sha256(pcm.tobytes()).digest()


def collect(paths: list[Path], exclude: set[bytes], choose: np.random.Generator) -> Clips:
    """Hear all clips, and pieces of them, on both sides of telephones."""
    front_end = FrontEnd(read_parameters(str(package_model_folder() / "en-us")))
    bands = model_bands(ModelSettings(), front_end.parameters.ncep)
    wide, narrow, are_pieces, held_out = [], [], [], []
    for path in paths:
        for clip in pool.load(path):
            if digest(clip.pcm) in exclude:
                continue
            pcm = clip.pcm[: CLIP_MOST_S * SAMPLE_RATE_HZ]
            n_pieces = choose.poisson(PIECES_PER_MINUTE * len(pcm) / SAMPLE_RATE_HZ / 60)
            for heard in (pcm, *(cut_piece(pcm, choose) for _ in range(n_pieces))):
                as_piece = heard is not pcm
                cepstra = hear(front_end, bands, heard, narrow=False)
                levels = [
                    hear(front_end, bands, telephone(heard, choose, as_loud=as_piece), narrow=True)
                    for _ in range(TELEPHONES)
                ]
                if cepstra is None or any(found is None or len(found) != len(cepstra) for found in levels):
                    continue
                wide.append(cepstra)
                narrow.append(np.stack(levels))
                are_pieces.append(as_piece)
                held_out.append(zlib.crc32(clip.speaker.encode()) < VALIDATION_SHARE * 2**32)
        print(path.stem, len(wide), "clips and pieces", sum(map(len, wide)) // 6000, "minutes", flush=True)
    lengths = np.array([len(cepstra) for cepstra in wide])
    starts = np.cumsum(lengths) - lengths
    sides = np.concatenate(wide), np.concatenate(narrow, axis=1)
    return Clips(*sides, starts, lengths, np.array(are_pieces), np.array(held_out))


class Batches:
    """Draws clips' pieces of one length, less their means as a recognition takes them."""

    def __init__(self, clips: Clips, choose: np.random.Generator, *, held_out: bool) -> None:
        self._clips = clips
        self._choose = choose
        self._members = np.flatnonzero(clips.held_out == held_out)
        plain = np.repeat(~clips.are_pieces, clips.lengths)
        self.means = clips.wide[plain].mean(axis=0), clips.narrow[:, plain].mean(axis=(0, 1))

    def draw(self, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return levels and cepstra, shape (clips, frames, ...)."""
        clips, choose = self._clips, self._choose
        long_enough = self._members[clips.lengths[self._members] >= frames]
        weights = clips.lengths[long_enough] / clips.lengths[long_enough].sum()
        sides: tuple[list[np.ndarray], list[np.ndarray]] = [], []
        for clip in choose.choice(long_enough, BATCH_FRAMES // frames, p=weights):
            at = clips.starts[clip] + choose.integers(0, clips.lengths[clip] - frames + 1)
            heard = clips.wide[at : at + frames], clips.narrow[choose.integers(TELEPHONES), at : at + frames]
            for side, values, mean in zip(sides, heard, self.means, strict=True):
                weighed = values.sum(axis=0) + MEAN_WEIGHT_FRAMES * mean
                side.append((values - weighed / (frames + MEAN_WEIGHT_FRAMES)).astype(np.float32))
        return torch.tensor(np.stack(sides[1])), torch.tensor(np.stack(sides[0]))


def around(frames: torch.Tensor, reach: int) -> list[torch.Tensor]:
    """Return frames shifted from -reach to reach, edges repeated."""
    padded = torch.cat([frames[:, :1]] * reach + [frames] + [frames[:, -1:]] * reach, 1)
    return [padded[:, at : at + frames.shape[1]] for at in range(2 * reach + 1)]


def with_deltas(cepstra: torch.Tensor) -> torch.Tensor:
    """Return what `features.with_deltas` returns, differentiable."""
    at = around(cepstra, DELTA_REACH)
    return torch.cat([cepstra, at[5] - at[1], (at[6] - at[2]) - (at[4] - at[0])], 2)


class Network(torch.nn.Module):
    """`telephone.Telephone`, to be trained."""

    def __init__(self, filters: int, cepstra: int) -> None:
        super().__init__()
        sizes = (filters * (2 * REACH + 1), *HIDDEN)
        self.inner = torch.nn.ModuleList(torch.nn.Linear(*size) for size in itertools.pairwise(sizes))
        self.last = torch.nn.Linear(sizes[-1] + sizes[0], cepstra)
        torch.nn.init.zeros_(self.last.weight)
        with torch.no_grad():
            self.inner[0].weight /= 4  # levels are that large

    def forward(self, levels: torch.Tensor) -> torch.Tensor:
        inputs = values = torch.cat(around(levels, REACH), 2)
        for layer in self.inner:
            values = torch.relu(layer(values))
        return self.last(torch.cat([values, inputs], 2))

    def rounded(self, mean: np.ndarray) -> TelephoneNetwork:
        """Return it as it is kept."""
        layers = [
            Layer.of(layer.weight.detach().double().numpy().T, layer.bias.detach().double().numpy())
            for layer in (*self.inner, self.last)
        ]
        return TelephoneNetwork(mean=[round(float(level), 2) for level in mean], reach=REACH, layers=layers)


class States:
    """Scores of the tied states, differentiable: `AcousticModel.score` with all Gaussians."""

    def __init__(self, acoustic: Path) -> None:
        means, variances = (_read_gaussians((acoustic / name).read_bytes()) for name in ("means", "variances"))
        self._codebooks = len(means[0])
        self._lines = [  # of each stream, shape (2 dimensions + 1, codebooks Gaussians)
            torch.tensor(_lines([mean], [variance])[:, :, : mean.shape[1]]).transpose(0, 1).flatten(1)
            for mean, variance in zip(means, variances, strict=True)
        ]
        model = AcousticModel(str(acoustic))
        weights = torch.tensor(model._read_weights((acoustic / "sendump").read_bytes(), len(self._lines)))
        owners = model._owners if self._codebooks > 1 else np.zeros(model.n_senones)
        own = [np.flatnonzero(owners == owner)[::STATE_STEP] for owner in range(self._codebooks)]
        self._weights = [weights[:, :, states].contiguous() for states in own]

    def scores(self, features: torch.Tensor) -> torch.Tensor:
        """Return log likelihoods, shape (frames, states), of features of shape (frames, 39).

        States come codebook by codebook.
        """
        peaks: torch.Tensor | float = 0.0
        shares = []
        for part, lines in zip(features.chunk(len(self._lines), dim=1), self._lines, strict=True):
            rows = torch.cat([torch.ones(len(part), 1), torch.stack([part, part * part], 2).flatten(1)], 1)
            densities = (rows @ lines).unflatten(1, (self._codebooks, -1))
            peak = densities.amax(2, keepdim=True).detach()
            peaks = peaks + peak
            shares.append((densities - peak).exp().unbind(1))
        mixed = []
        for codebook, weights in enumerate(self._weights):
            products = [share[codebook] @ rows for share, rows in zip(shares, weights, strict=True)]
            mixed.append((functools.reduce(torch.mul, products) + 1e-25).log() + peaks[:, codebook])
        return torch.cat(mixed, 1)


def divergence(states: States, cepstra: torch.Tensor, wanted: torch.Tensor, first: int) -> torch.Tensor:
    """Return how far the posteriors that cepstra give are from those wanted, in nats for a frame."""
    with torch.no_grad():
        target = torch.log_softmax(TEMPER * states.scores(with_deltas(wanted)[:, first::SCORE_STEP].flatten(0, 1)), 1)
    found = torch.log_softmax(TEMPER * states.scores(with_deltas(cepstra)[:, first::SCORE_STEP].flatten(0, 1)), 1)
    return (target.exp() * (target - found)).sum(1).mean()


def train(clips: Clips, steps: int, choose: np.random.Generator) -> TelephoneNetwork:
    """Train by regression, then through the model's Gaussians; print what held-out speakers say of it."""
    network = Network(clips.narrow.shape[2], clips.wide.shape[1])
    states = States(package_model_folder() / "en-us")
    spread = torch.tensor(clips.wide.std(axis=0), dtype=torch.float32)
    batches, unheard = (Batches(clips, choose, held_out=held_out) for held_out in (False, True))
    judge = [unheard.draw(frames) for frames in (100, 100, 250, 400)]

    def error(levels: torch.Tensor, wanted: torch.Tensor, *, through: bool) -> torch.Tensor:
        cepstra = network(levels)
        distance = (((cepstra - wanted) / spread) ** 2).mean()
        first = int(choose.integers(SCORE_STEP))
        return DISTANCE_WEIGHT * distance + divergence(states, cepstra, wanted, first) if through else distance

    for through, count, rate in ((False, REGRESSION_STEPS, 2e-3), (True, steps, 2e-3)):
        adam = torch.optim.Adam(network.parameters(), rate)
        falling = torch.optim.lr_scheduler.LambdaLR(
            adam, lambda step, count=count: min(1.0, (step + 1) / 20) * (0.51 + 0.49 * np.cos(np.pi * step / count))
        )
        for step in range(1, count + 1):
            loss = error(
                *batches.draw(int(choose.choice([n for n, _ in FRAMES], p=[p for _, p in FRAMES]))), through=through
            )
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            adam.step()
            falling.step()
            if step % max(1, count // 8) == 0:
                with torch.no_grad():
                    told = np.mean([float(error(*sides, through=through)) for sides in judge])
                print("through the model" if through else "regression", step, round(float(told), 4), flush=True)
    return network.rounded(batches.means[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pools", type=Path, nargs="+")
    parser.add_argument("--exclude", type=Path, help="folder of recordings that are none to learn from")
    parser.add_argument("--steps", type=int, default=2000, help="through the model's Gaussians")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    clips = collect(arguments.pools, digests(arguments.exclude), np.random.default_rng(arguments.seed))
    network = train(clips, arguments.steps, np.random.default_rng(arguments.seed))
    arguments.out.write_bytes(msgspec.json.encode(network) + b"\n")


if __name__ == "__main__":
    main()
