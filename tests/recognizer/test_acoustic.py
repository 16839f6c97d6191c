from __future__ import annotations

import itertools

import numpy as np
import pytest

from asr_trio.audio.core import lib
from asr_trio.recognizer.acoustic import (
    CHUNK_FRAMES,
    FRAME_STEP,
    SCORE_UNIT,
    SCORED_AT_FIRST,
    AcousticModel,
    SegmentScorer,
)
from asr_trio.recognizer.features import Frames, with_deltas
from asr_trio.recognizer.models import package_model_folder


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    return AcousticModel(str(package_model_folder() / "en-us"))


def cepstra(frames: int) -> Frames:
    spread = np.array([20, 10, 8, 8, 6, 6, 5, 5, 4, 4, 3, 3, 3])
    return np.random.default_rng(3).normal(0, spread, (frames, 13)).astype(np.float32)


def all_gaussians(model: AcousticModel, features: Frames) -> np.ndarray:
    """Return the scores that follow from all Gaussians, in double precision."""
    starts, _, lines, packed = model._tables
    values = features.astype(np.float64).reshape(len(features), 3, -1)
    weights = (packed.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    scores, at = np.zeros((len(features), model.n_senones)), 0
    for codebook, (start, end) in enumerate(itertools.pairwise(starts.tolist())):
        rows = lines[codebook].astype(np.float64).reshape(3, -1, lines.shape[2])
        lanes = lib.ASR_MIXTURE_LANES
        shape = (-(-(end - start) // lanes), 3, rows.shape[2], lanes // 2, 2)
        tiles = weights[at : at + np.prod(shape)].reshape(shape)
        at += np.prod(shape)
        for stream in range(3):
            mixed = tiles[:, stream].transpose(1, 0, 3, 2).reshape(shape[2], -1)[:, : end - start]
            part = values[:, stream]
            logs = rows[stream, 0] + part @ rows[stream, 1::2] + part * part @ rows[stream, 2::2]
            peak = logs.max(axis=1, keepdims=True)
            scores[:, start:end] += peak + np.log(np.exp(logs - peak) @ mixed)
    return np.asarray(scores - scores.max(axis=1, keepdims=True))


def test_scores_near_the_best_are_those_of_all_gaussians_within_a_hundredth_on_average(model: AcousticModel) -> None:
    features = with_deltas(cepstra(40))
    senones, phones = (np.empty((len(features), count), np.int16) for count in (model.n_senones, len(model.phones)))
    model.score(features, senones, phones)
    wanted = all_gaussians(model, features)
    near = wanted > -10
    assert near.sum() > 1000
    difference = np.abs(senones * SCORE_UNIT - wanted)[near]
    assert difference.mean() < 0.02
    assert np.quantile(difference, 0.99) < 0.2
    assert phones.shape == (40, len(model.phones))
    np.testing.assert_array_equal(phones.max(axis=1), 0)
    np.testing.assert_array_equal(senones.max(axis=1), 0)


@pytest.mark.parametrize("n_frames", [CHUNK_FRAMES + 50, FRAME_STEP * SCORED_AT_FIRST + 100])
def test_scores_do_not_depend_on_how_frames_come(model: AcousticModel, n_frames: int) -> None:
    frames = cepstra(n_frames)
    found = []
    for block in (len(frames), 7):
        scorer = SegmentScorer(model)
        for at in range(0, len(frames), block):
            scorer.feed(frames[at : at + block])
        found.append(scorer.finish())
    assert len(found[0].senones) == -(-len(frames) // 3)
    np.testing.assert_array_equal(found[0].senones, found[1].senones)
    np.testing.assert_array_equal(found[0].phones, found[1].phones)
