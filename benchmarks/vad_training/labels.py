"""Say for every 10 ms of a clean recording whether someone speaks: an energy gate, and the voice inside it.

A clean clip is loud where there is speech. The gate opens a fixed distance below the clip's own loud parts and never
closer than a margin above its own floor, on the plain signal (vowels, voiced consonants) or on the pre-emphasised one
(fricatives, bursts). Holes as short as a plosive's closure are filled and clicks shorter than a burst are dropped; a
pause of HOLE_FRAMES or more stays a pause. Words are a frame longer than their energy, to either side. What the gate
lets through far from any voiced sound is breath, room or rustle: a stretch without one is dropped, and a weak tail
after one is cut. No other detector has a say.

The constants were chosen on the forced alignment of 21 read recordings (LibriSpeech speaker 8629): the gate alone, at
-38 dB, takes 4.8 % of the pauses for speech and misses 5.9 % of the speech, mostly closures; with the voice at -42 dB
it is 2.1 % and 5.8 %; with holes of 8 frames filled instead of 5 and the edges 3.9 % and 3.5 %, which is 96.4 % right.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.vad_training.features import BANDS, features

FRAME = 160
HOLE_FRAMES = 8  # shorter silences belong to the word
CLICK_FRAMES = 3  # shorter sounds are no speech
BELOW_LOUD_DB = 42.0
ABOVE_FLOOR_DB = 8.0
USABLE_RANGE_DB = 24.0  # loud to floor; a clip with less is too noisy to be labelled by energy
VOICING = 0.3  # height of the pitch peak in a voiced frame
ALONE_FRAMES = 8  # a stretch without voice this far from the next voice is no speech
TAIL_FRAMES = 15  # final fricatives are shorter
TAIL_BELOW_LOUD_DB = 22.0

Labels = npt.NDArray[np.uint8]


def levels_db(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Level of each 10 ms, measured over 15 ms around it."""
    whole = len(samples) // FRAME * FRAME
    quarter = np.square(samples[:whole]).reshape(-1, FRAME // 4).sum(axis=1)
    padded = np.concatenate([quarter[:1], quarter, quarter[-1:]])
    power = quarter.reshape(-1, 4).sum(axis=1) + padded[0:-2:4] + padded[5::4]
    return 10 * np.log10(power / (FRAME * 1.5) + 0.1)


def runs(labels: Labels, value: int) -> list[tuple[int, int]]:
    """First and past-the-last frame of every stretch of `value`."""
    edges = np.flatnonzero(np.diff(labels)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(labels)]])
    return [(int(s), int(e)) for s, e in zip(starts, ends, strict=True) if labels[s] == value]


def gate(samples: npt.NDArray[np.float64]) -> Labels | None:
    """Label by energy; None when the recording's range is too small for that."""
    open_ = np.zeros(len(samples) // FRAME, np.uint8)
    for emphasis, below_db in ((0.0, BELOW_LOUD_DB), (1.0, BELOW_LOUD_DB - 4)):
        level_db = levels_db(samples - emphasis * np.concatenate([samples[:1], samples[:-1]]))
        floor_db, loud_db = np.percentile(level_db, 5), np.percentile(level_db, 95)
        if not emphasis and loud_db - floor_db < USABLE_RANGE_DB:
            return None
        open_ |= level_db > max(loud_db - below_db, floor_db + ABOVE_FLOOR_DB)
    return open_


def tidy(labels: Labels) -> Labels:
    """Fill the holes inside words and drop clicks."""
    for value, shorter_than in ((0, HOLE_FRAMES), (1, CLICK_FRAMES)):
        for start, end in runs(labels, value):
            if end - start < shorter_than and start > 0 and end < len(labels):
                labels[start:end] = 1 - value
    return labels


def widened(labels: Labels) -> Labels:
    """Let every stretch of speech begin a frame earlier and end a frame later."""
    padded = np.pad(labels, 1)
    return padded[:-2] | padded[1:-1] | padded[2:]


def distance_to(marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Frames from each frame to the nearest mark; there must be one."""
    places = np.flatnonzero(marks)
    frames = np.arange(len(marks))
    after = np.searchsorted(places, frames)
    left = np.abs(frames - places[np.maximum(after - 1, 0)])
    right = np.abs(places[np.minimum(after, len(places) - 1)] - frames)
    return np.minimum(left, right)


def speech_labels(pcm: npt.NDArray[np.int16]) -> Labels | None:
    """Label a clean recording; None when it has too small a range, or no voice."""
    samples = pcm.astype(np.float64)
    if len(samples) < 20 * FRAME:
        return None
    labels = gate(samples)
    if labels is None:
        return None
    labels = tidy(labels)
    voicing = features(pcm)[:, BANDS + 2]
    voicing = np.concatenate([voicing[1:], voicing[-1:]])  # a window's centre lies in the frame before its last
    voiced = (voicing > VOICING) & (labels > 0)
    if not voiced.any():
        return None
    away = distance_to(voiced)
    for start, end in runs(labels, 1):
        if not voiced[start:end].any() and away[start:end].min() > ALONE_FRAMES:
            labels[start:end] = 0
    level_db = levels_db(samples)
    labels[(away > TAIL_FRAMES) & (level_db < np.percentile(level_db, 95) - TAIL_BELOW_LOUD_DB)] = 0
    return tidy(widened(tidy(labels)))
