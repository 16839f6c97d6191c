"""Ask Silero v6 how sure it is of speech in every 10 ms of the clean recordings: half of what the detector is taught.

    python -m benchmarks.vad_training.teacher POOL_DIR

Silero VAD (MIT licence, weights included; `pip install silero-vad onnxruntime`) hears each clip before anything is
mixed into it, at one level. It decides for windows of 32 ms and late: windows are laid every 16 ms and what they say is
brought forward, so that the student, which hears 30 ms ahead and no more, is taught what the teacher knew afterwards.
POOL_DIR/teacher/NAME.npy holds the answers of all clips of a source in a row, 255 for certainty.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import silero
from benchmarks.vad_training import pool
from benchmarks.vad_training.labels import FRAME

WINDOW, CONTEXT = 512, 64
HOP = 256
EARLIER_FRAMES = 4
"""Where the answers agree best with the forced alignment of LibriSpeech speaker 8629 (AUC 0.995; as it comes 0.990)."""
LEVEL_DBFS = -24.0
TOGETHER = 16  # clips of about one length

Answers = npt.NDArray[np.uint8]


def levelled(pcm: pool.Pcm) -> npt.NDArray[np.float32]:
    """Bring the loud half of a clip to one level."""
    samples = pcm.astype(np.float32) / 32768
    power = np.square(samples[: len(samples) // FRAME * FRAME]).reshape(-1, FRAME).mean(axis=1)
    return np.clip(samples * 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.percentile(power, 80) + 1e-9), -1, 1)


def answers(model: Any, clips: list[pool.Pcm]) -> list[Answers]:
    """Answer for the whole 10 ms frames of each clip; the clips should have about one length."""
    offsets = range(0, WINDOW, HOP)
    steps = -(-(max(len(pcm) for pcm in clips) + EARLIER_FRAMES * FRAME + WINDOW) // WINDOW) + 1
    heard = np.zeros((len(clips) * len(offsets), CONTEXT + steps * WINDOW), np.float32)
    for row, pcm in enumerate(clips):
        for nth, offset in enumerate(offsets):
            at = CONTEXT + offset
            heard[row * len(offsets) + nth, at : at + len(pcm)] = levelled(pcm)
    state, rate = np.zeros((2, len(heard), 128), np.float32), np.array(pool.SAMPLE_RATE_HZ, np.int64)
    said = np.zeros((len(heard), steps))
    for step in range(steps):
        window = heard[:, step * WINDOW : step * WINDOW + CONTEXT + WINDOW]
        score, state = model.run(None, {"input": window, "state": state, "sr": rate})
        said[:, step] = score[:, 0]
    found = []
    for row, pcm in enumerate(clips):
        centres = (np.arange(len(pcm) // FRAME) + 0.5 + EARLIER_FRAMES) * FRAME
        each = []
        for nth, offset in enumerate(offsets):
            each.append(said[row * len(offsets) + nth][((centres + offset) // WINDOW).astype(int)])
        found.append(np.rint(255 * np.mean(each, axis=0)).astype(np.uint8))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    options = parser.parse_args()
    model = silero.session()
    folder = options.pool / "teacher"
    folder.mkdir(exist_ok=True)
    for path in sorted((options.pool / "speech").glob("*.npz")):
        clips = [clip.pcm for clip in pool.load(path)]
        order = np.argsort([len(pcm) for pcm in clips], kind="stable")
        found: list[Answers] = [np.zeros(0, np.uint8)] * len(clips)
        for first in range(0, len(order), TOGETHER):
            some = order[first : first + TOGETHER]
            for index, said in zip(some, answers(model, [clips[i] for i in some]), strict=True):
                found[index] = said
        together = np.concatenate(found)
        np.save(folder / f"{path.stem}.npy", together)
        print(f"{path.stem:12} {len(clips)} clips, {together.mean() / 255:.2f} speech", flush=True)


if __name__ == "__main__":
    main()
