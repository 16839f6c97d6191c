"""The Gaussian mixtures of a PocketSphinx acoustic model, read for scoring instead of searching.

The decoder says how well the words of a grammar fit; whether anything else would have fitted better it cannot say,
because it looks at nothing else. Here every tied state (senone) of the model is scored on every third frame, so that
the states of the recognised words can be compared with the best state of all: the evidence of `confidence`. The tables
are made here, the C core computes (``mixture.c``).

File formats are those of CMU Sphinx (``mdef`` binary, ``means``, ``variances``, ``sendump``).
"""

from __future__ import annotations

import functools
import itertools
import struct
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr_trio.audio.core import check, ffi, lib
from asr_trio.errors import AcousticModelError
from asr_trio.recognizer.features import DELTA_REACH, Frames, with_deltas

LOG_BASE: Final = 1.0001
SENONE_SHIFT: Final = 10
"""Mixture weights are logarithms to LOG_BASE, shifted right by this many bits."""
VARIANCE_FLOOR: Final = 1e-4
FRAME_STEP: Final = 3
"""Scored are every third frames: neighbours differ little, and it is a third of the cost."""
CHUNK_FRAMES: Final = 75
"""Audio is scored in chunks as it comes, so that little is left to do when speech ends: large enough for the weights
to be read from memory seldom, small enough for what lies between to stay in the processor."""
SCORED_AT_FIRST: Final = 512
"""Scored frames that there is room for, 15 s: memory that is not written to is not there yet."""
IMPOSSIBLE: Final = -1e30
"""Log density of the Gaussians that fill up a row."""
SCORE_UNIT: Final = np.float64(1 / 512)
"""Scores are whole numbers of this: finer than what the choice of Gaussians leaves out."""

WORD_INTERNAL, WORD_BEGIN, WORD_END, WORD_SINGLE = range(4)

SILENCE: Final = "SIL"
"""Name of the phone."""

Scores = NDArray[np.int16]

_INT16: Final = ffi.typeof("int16_t[]")
_FLOAT: Final = ffi.typeof("float[]")


class AcousticModel:
    """States and mixtures of one model; read-only, shared by all processes."""

    phones: dict[str, int]
    n_senones: int
    _owners: NDArray[np.intp]
    _sequences: NDArray[np.integer]

    def __init__(self, acoustic: str) -> None:
        """Read a model folder.

        Raises:
            AcousticModelError: the model is not of a supported kind (tied mixtures with ``sendump``) or damaged.
        """
        folder = Path(acoustic)
        try:
            self._read_definition((folder / "mdef").read_bytes())
            means = _read_gaussians((folder / "means").read_bytes())
            variances = _read_gaussians((folder / "variances").read_bytes())
            weights = self._read_weights((folder / "sendump").read_bytes(), len(means))
        except (OSError, ValueError, IndexError, struct.error) as error:
            raise AcousticModelError("the acoustic model has no tied mixtures that could be read") from error
        self._n_codebooks = means[0].shape[0]
        if self._n_codebooks not in (1, len(self.phones)):
            raise AcousticModelError("the acoustic model has mixtures that are tied in an unknown way")
        # Senones are numbered anew, those of a phone side by side: so are those of a codebook.
        order = np.argsort(self._owners, kind="stable")
        self._sequences = np.argsort(order)[self._sequences]
        phone_starts = np.searchsorted(self._owners[order], np.arange(len(self.phones) + 1)).astype(np.uint32)
        starts = phone_starts if self._n_codebooks > 1 else phone_starts[[0, -1]]
        packed = _packed(weights[:, :, order], starts)
        self._tables = (starts, phone_starts, _lines(means, variances), packed)  # the C core has their addresses
        self._mixtures = _mixtures([mean.shape[-1] for mean in means], means[0].shape[1], self._tables)
        # Not touched before processes fork; fresh memory for each chunk would cost a quarter of its time.
        self._work = np.empty(lib.asr_mixtures_work_bytes(self._mixtures) // 4 + 1, np.float32)

    def _read_definition(self, data: bytes) -> None:
        if data[:4] != b"BMDF":
            raise ValueError("not a binary model definition")
        _, header_bytes = struct.unpack_from("<2i", data, 4)
        at = 12 + header_bytes
        (n_phones, n_triphones, n_states, _, n_senones, _, n_sequences, _, n_nodes, _) = struct.unpack_from(
            "<10i", data, at
        )
        names_at = at = at + 40
        phones = []
        for _ in range(n_phones):
            end = data.index(b"\0", at)
            phones.append(data[at:end].decode("ascii"))
            at = end + 1
        at = names_at + (at - names_at + 3) // 4 * 4
        tree = np.frombuffer(data, [("context", "<i2"), ("n", "<i2"), ("down", "<i4")], n_nodes, at)
        self._tree: list[list[int]] = [tree[field].tolist() for field in ("context", "n", "down")]
        at += 8 * n_nodes
        entries = np.frombuffer(data, [("sequence", "<i4"), ("tmat", "<i4"), ("attributes", "u1", 4)], n_triphones, at)
        at += 12 * n_triphones + 4
        self._sequences = np.frombuffer(data, "<u2", n_sequences * n_states, at).reshape(n_sequences, n_states)
        self._sequence_of = entries["sequence"]
        self.phones = {name: number for number, name in enumerate(phones)}
        self.n_senones = n_senones
        owners = np.zeros(n_senones, dtype=np.intp)
        bases = np.where(np.arange(n_triphones) < n_phones, np.arange(n_triphones), entries["attributes"][:, 1])
        owners[self._sequences[entries["sequence"]]] = bases[:, None]
        self._owners = owners

    def _read_weights(self, data: bytes, n_streams: int) -> NDArray[np.float32]:
        at = 0
        for _ in range(2):  # title, header
            (length,) = struct.unpack_from("<i", data, at)
            at += 4 + length
        while True:
            (length,) = struct.unpack_from("<i", data, at)
            at += 4
            if not length:
                break
            line = data[at : at + length].rstrip(b"\0")
            at += length
            if line.startswith(b"cluster_count ") and line != b"cluster_count 0":
                raise ValueError("clustered mixture weights are not read")
        n_rows, n_columns = struct.unpack_from("<2i", data, at)
        raw = np.frombuffer(data, np.uint8, n_streams * n_rows * n_columns, at + 8)
        shifted = raw.reshape(n_streams, n_rows, n_columns)[:, :, : self.n_senones]
        values = np.arange(256, dtype=np.float32)  # of a byte
        return np.asarray(np.exp(-values * np.float32((1 << SENONE_SHIFT) * np.log(LOG_BASE)))[shifted])

    @functools.lru_cache(maxsize=65_536)  # noqa: B019 - one model lives as long as its process
    def senones(self, phone: str, left: str, right: str, position: int) -> tuple[int, ...]:
        """Return the states of a phone between two others; of the phone without context where that was never seen.

        Args:
            phone: name.
            left: name of the phone before.
            right: name of the phone after.
            position: WORD_INTERNAL, WORD_BEGIN, WORD_END or WORD_SINGLE.

        Raises:
            KeyError: the model has no such phone.
        """
        base = self.phones[phone]
        for place in (position, WORD_INTERNAL, WORD_BEGIN, WORD_END, WORD_SINGLE):
            found = self._descend(place, base, self.phones[left], self.phones[right])
            if found is not None:
                return tuple(self._sequences[self._sequence_of[found]].tolist())
        return tuple(self._sequences[self._sequence_of[base]].tolist())

    def _descend(self, *contexts: int) -> int | None:
        start, count = 0, 4
        found, counts, down = self._tree
        for context in contexts:
            try:
                node = found.index(context, start, start + count)
            except ValueError:
                return None
            count, start = counts[node], down[node]
            if not count:
                return start
        return None

    def fit(self, features: Frames) -> NDArray[np.float32]:
        """Tell roughly, for a fraction of what `score` costs, how likely frames are by the best of all phones.

        Args:
            features: shape (frames, 39).

        Returns:
            Log likelihoods, shape (frames,).
        """
        fits = np.empty(len(features), np.float32)
        given = np.ascontiguousarray(features)
        check(
            lib.asr_mixtures_fit(
                self._mixtures, ffi.from_buffer(_FLOAT, given), len(given), ffi.from_buffer(_FLOAT, fits)
            )
        )
        return fits

    def score(self, features: Frames, senones: Scores, phones: Scores) -> None:
        """Score every senone on every frame.

        Args:
            features: shape (frames, 39).
            senones: shape (frames, senones), contiguous: gets log likelihoods relative to the best senone of the frame,
                in units of SCORE_UNIT and -60 at least.
            phones: shape (frames, phones): gets those of the best senone of each phone.
        """
        given = np.ascontiguousarray(features)
        arrays = [ffi.from_buffer(_FLOAT, given), len(given), ffi.from_buffer(_FLOAT, self._work)]
        out = [ffi.from_buffer(_INT16, scores) for scores in (senones, phones)]
        check(lib.asr_mixtures_score(self._mixtures, *arrays, *out))


class SegmentScores(msgspec.Struct, frozen=True):
    """Scores of the frames of a segment whose number is a multiple of FRAME_STEP; see `AcousticModel.score`.

    Attributes:
        senones: shape (frames, senones).
        phones: shape (frames, phones).
    """

    senones: Scores
    phones: Scores


class SegmentScorer:
    """Computes the scores of one segment as its features come."""

    def __init__(self, model: AcousticModel) -> None:
        self._model = model
        self._cepstra: list[Frames] = []
        self._n_frames = 0
        self._scored = 0
        self._senones = np.empty((SCORED_AT_FIRST, model.n_senones), np.int16)
        self._phones = np.empty((SCORED_AT_FIRST, len(model.phones)), np.int16)

    def feed(self, cepstra: Frames) -> None:
        """Take the next frames."""
        if len(cepstra):
            self._cepstra.append(cepstra)
            self._n_frames += len(cepstra)
        while self._n_frames - DELTA_REACH >= self._scored + CHUNK_FRAMES:
            self._score(self._scored + CHUNK_FRAMES)

    def catch_up(self) -> None:
        """Score all frames that can be scored: there is time for it now."""
        end = (self._n_frames - DELTA_REACH) // FRAME_STEP * FRAME_STEP
        if end > self._scored:
            self._score(end)

    def finish(self) -> SegmentScores:
        """Return the scores of all frames."""
        if self._n_frames > self._scored:
            self._score(self._n_frames)
        return self.between(0, self._n_frames)

    def between(self, start: int, end: int) -> SegmentScores:
        """Return the scores of the frames from `start` to before `end`, as far as they have been computed.

        Args:
            start: number of a frame, a multiple of FRAME_STEP.
            end: number of a frame.
        """
        wanted = slice(start // FRAME_STEP, (min(end, self._scored) + FRAME_STEP - 1) // FRAME_STEP)
        return SegmentScores(self._senones[wanted], self._phones[wanted])

    def _score(self, end: int) -> None:
        cepstra = np.concatenate(self._cepstra)
        base = self._n_frames - len(cepstra)  # number of the first frame that is still kept
        first = max(base, self._scored - DELTA_REACH)
        features = with_deltas(cepstra[first - base : end + DELTA_REACH - base])
        rows = slice(self._scored // FRAME_STEP, (end + FRAME_STEP - 1) // FRAME_STEP)
        if rows.stop > len(self._senones):
            self._senones, self._phones = (_doubled(scores) for scores in (self._senones, self._phones))
        chosen = features[self._scored - first : end - first : FRAME_STEP]
        self._model.score(chosen, self._senones[rows], self._phones[rows])
        self._scored = end
        self._cepstra = [cepstra[max(0, end - DELTA_REACH - base) :]]


def _doubled(scores: Scores) -> Scores:
    """Return the scores with as much room again, not written to."""
    room = np.empty((2 * len(scores), scores.shape[1]), np.int16)
    room[: len(scores)] = scores
    return room


def _read_gaussians(data: bytes) -> list[NDArray[np.float32]]:
    """Return means or variances, for each stream an array of shape (codebooks, Gaussians, dimensions)."""
    at = data.index(b"endhdr\n") + 7
    if data[at : at + 4] != struct.pack("<I", 0x11223344):
        raise ValueError("of another byte order")
    n_codebooks, n_streams, n_gaussians = struct.unpack_from("<3i", data, at + 4)
    widths = struct.unpack_from(f"<{n_streams}i", data, at + 16)
    at += 16 + 4 * n_streams + 4
    values = np.frombuffer(data, "<f4", n_codebooks * n_gaussians * sum(widths), at).reshape(n_codebooks, -1)
    edges = np.cumsum([0, *(n_gaussians * width for width in widths)])
    return [
        values[:, edges[number] : edges[number + 1]].reshape(n_codebooks, n_gaussians, width)
        for number, width in enumerate(widths)
    ]


def _packed(weights: NDArray[np.float32], starts: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Return the weights, shape (streams, Gaussians, senones), codebook by codebook as the C core reads them."""
    lanes = lib.ASR_MIXTURE_LANES
    parts = []
    for start, end in itertools.pairwise(starts.tolist()):
        padding = ((0, 0), (0, 0), (0, (start - end) % lanes))
        tiles = np.pad(weights[:, :, start:end], padding).reshape(*weights.shape[:2], -1, 2, lanes // 2)
        parts.append(tiles.transpose(2, 0, 1, 4, 3).ravel())
    rounded = np.concatenate(parts).view(np.uint32) + np.uint32(0x8000)  # half of what is cut off
    return (rounded >> 16).astype(np.uint16)


def _lines(means: list[NDArray[np.float32]], variances: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return Gaussians as linear functions of values and squares, codebook by codebook as the C core reads them.

    Args:
        means: for each stream, shape (codebooks, Gaussians, dimensions).
        variances: the same.
    """
    streams = []
    for mean, given in zip(means, variances, strict=True):
        variance = np.maximum(given.astype(np.float64), VARIANCE_FLOOR)
        constants = -0.5 * (mean * mean / variance + np.log(2 * np.pi * variance)).sum(axis=2)
        factors = np.stack([mean / variance, -0.5 / variance], axis=3).reshape(*mean.shape[:2], -1)
        rows = np.concatenate([constants[:, :, None], factors], axis=2).transpose(0, 2, 1)
        spare = -rows.shape[2] % lib.ASR_MIXTURE_LANES
        padded = np.pad(rows, ((0, 0), (0, 0), (0, spare)))
        padded[:, 0, rows.shape[2] :] = IMPOSSIBLE
        streams.append(padded)
    return np.concatenate(streams, axis=1).astype(np.float32)


def _mixtures(
    dimensions: list[int],
    n_gaussians: int,
    tables: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float32], NDArray[np.uint16]],
) -> Any:
    """Return what the C core wants; the tables must outlive it.

    Args:
        dimensions: of the features of each stream.
        n_gaussians: of each codebook.
        tables: first state of each codebook and of each phone, `_lines`, and weights as `_packed`.

    Raises:
        AcousticModelError: the model is larger than the C core takes.
    """
    if len(dimensions) > lib.ASR_MIXTURE_STREAMS or n_gaussians > lib.ASR_MIXTURE_GAUSSIANS:
        raise AcousticModelError("the acoustic model has more streams or Gaussians than can be scored")
    starts, phone_starts, lines, weights = tables
    mixtures = ffi.new("asr_mixtures *")
    mixtures.struct_size = ffi.sizeof("asr_mixtures")
    mixtures.streams, mixtures.gaussians = len(dimensions), n_gaussians
    for stream, count in enumerate(dimensions):
        mixtures.dimensions[stream] = count
    mixtures.codebooks, mixtures.phones = len(starts) - 1, len(phone_starts) - 1
    mixtures.codebook_starts = ffi.from_buffer("uint32_t[]", starts)
    mixtures.phone_starts = ffi.from_buffer("uint32_t[]", phone_starts)
    mixtures.lines = ffi.from_buffer(_FLOAT, lines)
    mixtures.weights = ffi.from_buffer("uint16_t[]", weights)
    mixtures.simd = lib.ASR_SIMD_AUTO
    return mixtures
