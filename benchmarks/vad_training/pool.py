"""Decode the sources to 16 kHz mono and keep each as one array: the pool that mixtures are drawn from.

    python -m benchmarks.vad_training.pool AUDIO_DIR POOL_DIR [--exclude TEST_DIR]

AUDIO_DIR holds the repositories of sources.toml as OWNER/NAME. A clip that overlaps a file of TEST_DIR (the set the
detector is judged on) is left out, so that a test clip cannot slip into training by way of a common origin.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import tomllib
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
from scipy import signal

SAMPLE_RATE_HZ = 16_000
SOURCES = Path(__file__).with_name("sources.toml")

Pcm = npt.NDArray[np.int16]


class Clip(NamedTuple):
    """One recording."""

    name: str
    speaker: str
    pcm: Pcm  # 16 kHz mono


def decode(path: Path) -> Pcm:
    """Read any format libsndfile knows as 16 kHz mono int16."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate_hz != SAMPLE_RATE_HZ:
        common = gcd(rate_hz, SAMPLE_RATE_HZ)
        mono = signal.resample_poly(mono, SAMPLE_RATE_HZ // common, rate_hz // common, window=("kaiser", 9.0))
    return np.clip(np.rint(mono * 32768), -32768, 32767).astype(np.int16)


def files_of(source: dict[str, Any], audio: Path) -> list[Path]:
    """Return the files of a source in a stable order."""
    root = audio / source["repository"]
    found = {path for pattern in source["files"] for path in root.glob(pattern) if path.is_file()}
    return sorted(p for p in found if not any(fnmatch.fnmatch(str(p), drop) for drop in source.get("exclude", ())))


class Overlap:
    """Finds clips that share audio with a test set, by matched filtering against pieces of each test file."""

    DECIMATION = 4  # 0-2 kHz says as much about identity and costs a quarter
    PIECE = SAMPLE_RATE_HZ // DECIMATION  # 1 s; independent speech correlates below 0.3 over so long a piece
    THRESHOLD = 0.6
    PIECES_PER_FILE = 2

    def __init__(self, folder: Path) -> None:
        pieces = []
        for path in sorted(folder.rglob("*.wav")):
            samples = self._narrow(decode(path))
            if len(samples) < self.PIECE:
                continue
            starts = range(0, len(samples) - self.PIECE, self.PIECE)
            by_energy = sorted(starts or [0], key=lambda at: -float(np.square(samples[at : at + self.PIECE]).sum()))
            pieces += [self._unit(samples[at : at + self.PIECE]) for at in by_energy[: self.PIECES_PER_FILE]]
        self._pieces = np.array(pieces)
        self._spectra: dict[int, npt.NDArray[np.complex64]] = {}

    @classmethod
    def _narrow(cls, pcm: Pcm) -> npt.NDArray[np.float32]:
        whole = len(pcm) // cls.DECIMATION * cls.DECIMATION
        return pcm[:whole].reshape(-1, cls.DECIMATION).mean(axis=1, dtype=np.float32)

    @staticmethod
    def _unit(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return (samples / (np.linalg.norm(samples) + 1e-9)).astype(np.float32)

    def shared_with(self, pcm: Pcm) -> bool:
        """Tell whether any test piece occurs in the clip."""
        from scipy import fft

        samples = self._narrow(pcm)
        if len(samples) < self.PIECE:
            return False
        size = 1 << (len(samples) + self.PIECE - 1).bit_length()
        if size not in self._spectra:
            self._spectra = {size: np.conj(fft.rfft(self._pieces, size, axis=1)).astype(np.complex64)}
        score = fft.irfft(fft.rfft(samples, size)[None] * self._spectra[size], size, axis=1)
        score = score[:, : len(samples) - self.PIECE + 1]
        energy = np.cumsum(np.concatenate([[0.0], np.square(samples, dtype=np.float64)]))
        norm = np.sqrt(energy[self.PIECE :] - energy[: -self.PIECE] + 1.0)
        return bool((np.abs(score) / norm).max() > self.THRESHOLD)


def clips_of(source: dict[str, Any], audio: Path, overlap: Overlap | None) -> list[Clip]:
    """Decode one source, without digital silence and without what the test set holds."""
    clips, dropped = [], []
    for path in files_of(source, audio):
        try:
            pcm = decode(path)
        except soundfile.LibsndfileError as error:
            print(f"left out {path}: {error}", flush=True)
            continue
        if len(pcm) < SAMPLE_RATE_HZ // 5 or np.abs(pcm).max() < 50:
            continue
        if overlap is not None and overlap.shared_with(pcm):
            dropped.append(path.name)
            continue
        match = re.search(source["speaker"], str(path)) if "speaker" in source else None
        clips.append(Clip(path.name, f"{source['name']}/{match[1] if match else ''}", pcm))
    seconds = sum(len(clip.pcm) for clip in clips) / SAMPLE_RATE_HZ
    left_out = ", ".join(dropped) or "none"
    print(f"{source['name']:12} {len(clips):5} clips {seconds / 3600:6.2f} h; in the test set: {left_out}", flush=True)
    return clips


def save(clips: list[Clip], path: Path) -> None:
    """Write clips as one array and their lengths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        pcm=np.concatenate([clip.pcm for clip in clips]),
        lengths=np.array([len(clip.pcm) for clip in clips]),
        names=np.array([clip.name for clip in clips]),
        speakers=np.array([clip.speaker for clip in clips]),
    )


def load(path: Path) -> list[Clip]:
    """Read what `save` wrote."""
    with np.load(path) as held:
        ends = np.cumsum(held["lengths"])
        pieces = np.split(held["pcm"], ends[:-1])
        return [Clip(str(n), str(s), p) for n, s, p in zip(held["names"], held["speakers"], pieces, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--exclude", type=Path, help="folder of test files that no clip may overlap")
    options = parser.parse_args()
    overlap = Overlap(options.exclude) if options.exclude else None
    for kind, sources in tomllib.loads(SOURCES.read_text()).items():
        for source in sources:
            if clips := clips_of(source, options.audio, overlap):
                save(clips, options.pool / kind / f"{source['name']}.npz")


if __name__ == "__main__":
    main()
