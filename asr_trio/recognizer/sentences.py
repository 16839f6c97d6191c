"""The n best sentences of a grammar on frames that were scored already.

A tree-trellis search (Soong and Huang, 1991). Forwards, one Viterbi pass over the whole graph finds how good the best
way to each of its states is at each frame. Backwards, sentences are put together from their last word on, the most
promising first: what the forward pass knows of the words still missing is exact, so sentences are complete in the order
of their likelihood, whatever words they share, and no more is looked at than was asked for.

It is coarser than the decoder: a step is a scored frame, within which all states of a phone may pass, and a phone at
the edge of a word fits as well as beside the best of the words that can stand there. So the best sentence and its times
are left to the decoder.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from asr_trio.recognizer.acoustic import FRAME_STEP, SegmentScores
from asr_trio.recognizer.confidence import SpokenWord
from asr_trio.recognizer.phone_graph import NEVER, PHONE_STATES, Chains, Floats, Integers, PhoneGraph

STATES_MAX: Final = 20_000
"""States in the search, those of some thousand words; of larger grammars go in the words that fit best anywhere."""

BATCH: Final = 8
BATCH_STATES_MAX: Final = 5000
"""Ends of sentences that grow by one word at once: for few states a frame costs the same, be it one end or eight."""

BEAM: Final = np.float32(300.0)
"""A word begins where its sentence is at most so much worse than with the best place for its beginning."""

CHECKED_FRAMES: Final = 8
"""Whether a word can still begin well is looked at so often."""

VISITS_MAX: Final = 4
"""Ends of sentences of one text that begin at the same state of the graph; fillers, which have none, make many."""


class Sentence(msgspec.Struct, frozen=True):
    """Words of a grammar, how and when each was said, and how likely that is."""

    words: tuple[int, ...]
    spoken: tuple[SpokenWord, ...]
    likelihood: float


class _Ending(msgspec.Struct, frozen=True):
    """The end of a sentence from one of its words on, or of the audio.

    Attributes:
        text: of the words.
        node: state of the graph before them.
        arcs: their ways through the graph.
        likelihoods: of the audio from each frame on, if the first word begins there.
    """

    text: str
    node: int
    arcs: tuple[int, ...]
    likelihoods: Floats


class SentenceSearch:
    """The search for sentences in one segment."""

    def __init__(self, graph: PhoneGraph, scores: SegmentScores, keep: Sequence[int]) -> None:
        """Go forwards over all frames.

        Args:
            graph: of the grammar.
            scores: of the segment.
            keep: words that take part however large the grammar is: those of the best sentence.
        """
        self._graph = graph
        self._fits = graph.fits(scores)
        self._n_frames = len(self._fits)
        self._silence = np.zeros(self._n_frames + 1, np.float32)
        """Likelihood that nothing is said before a frame."""
        np.cumsum(self._fits[:, graph.silence], out=self._silence[1:])
        self._arcs = self._chosen_arcs(keep)
        self._reached = self._forwards()
        self._ceiling = self._reached.max(axis=1)
        self._into = self._arcs_into()

    def _chosen_arcs(self, keep: Sequence[int]) -> Integers:
        graph = self._graph
        if len(graph.states) <= STATES_MAX or not self._n_frames:
            return np.arange(len(graph.words))
        peaks = self._fits.max(axis=0)[graph.states]
        peaks[graph.firsts + graph.lengths - 1] = 0.0  # silence says nothing of a word
        fit = np.add.reduceat(peaks, graph.firsts) / (graph.lengths - 1)
        fit[np.isin(graph.words, keep)] = np.inf
        order = np.argsort(-fit, kind="stable")
        return np.sort(order[np.cumsum(graph.lengths[order]) <= STATES_MAX])

    def _forwards(self) -> Floats:
        """Return the likelihood of the best way to each state of the graph by number of frames before it."""
        graph, arcs = self._graph, self._arcs
        chains = Chains(graph, arcs)
        sources, weights = graph.sources[arcs], graph.weights[arcs]
        targets, edges = np.unique(graph.targets[arcs], return_index=True)
        empty_sources = np.array([way.source for way in graph.empty], np.intp)
        empty_weights = np.array([way.weight for way in graph.empty], np.float32)
        empty_targets, empty_edges = np.unique([way.target for way in graph.empty], return_index=True)
        empty_targets = empty_targets.astype(np.intp)
        reached = np.full((self._n_frames + 1, graph.n_nodes), NEVER)
        here = np.full(len(chains.units), NEVER)
        pairs = np.full_like(here, NEVER)
        for frame, row in enumerate(reached):
            if frame:
                here[chains.entries] = reached[frame - 1, sources] + weights
                np.maximum(here[1:], here[:-1], out=pairs[1:])
                np.maximum(pairs[2:], pairs[:-2], out=here[2:])
                here += self._fits[frame - 1].take(chains.units)
                out = np.maximum(np.maximum(here[chains.exits - 1], here[chains.exits - 2]), here[chains.exits - 3])
                row[targets] = np.maximum.reduceat(out, edges)
            row[graph.start] = max(row[graph.start], self._silence[frame])
            if graph.empty:
                ways = np.maximum.reduceat(row[empty_sources] + empty_weights, empty_edges)
                row[empty_targets] = np.maximum(row[empty_targets], ways)
        return reached

    def _arcs_into(self) -> dict[int, tuple[Integers, Floats]]:
        """Return for each state of the graph the arcs that lead there, be it over empty ones, and the cost of those."""
        nodes, edges = np.unique(self._graph.targets[self._arcs], return_index=True)
        direct = dict(zip(nodes.tolist(), np.split(self._arcs, edges[1:]), strict=True))
        parts = {node: [(arcs, 0.0)] for node, arcs in direct.items()}
        for way in self._graph.empty:
            if way.source in direct:
                parts.setdefault(way.target, []).append((direct[way.source], way.weight))
        return {
            node: (
                np.concatenate([arcs for arcs, _ in found]),
                np.concatenate([np.full(len(arcs), weight, np.float32) for arcs, weight in found]),
            )
            for node, found in parts.items()
        }

    def best(self, limit: int) -> Iterator[Sentence]:
        """Yield sentences of different texts, the likeliest first.

        Args:
            limit: how many, at most.
        """
        graph = self._graph
        starts = {graph.start: 0.0} | {way.target: way.weight for way in graph.empty if way.source == graph.start}
        at_end = np.full(self._n_frames + 1, NEVER)
        at_end[-1] = 0.0
        order = itertools.count()
        growing: list[tuple[float, int, _Ending]] = [(0.0, next(order), _Ending("", graph.final, (), at_end))]
        complete: list[tuple[float, int, _Ending]] = []
        visits: dict[tuple[str, int], int] = {}
        texts: set[str] = set()
        while (growing or complete) and len(texts) < limit:
            if complete and (not growing or complete[0] < growing[0]):
                cost, _, ending = heapq.heappop(complete)
                if ending.text and ending.text not in texts:
                    texts.add(ending.text)
                    yield self._placed(ending.arcs, -cost)
                continue
            for total, ending in self._grown(self._most_promising(growing, complete, visits), limit):
                heapq.heappush(growing, (-total, next(order), ending))
                if ending.node in starts and ending.text not in texts:
                    whole = float((self._silence + ending.likelihoods).max()) + starts[ending.node]
                    heapq.heappush(complete, (-whole, next(order), ending))

    def _most_promising(
        self,
        growing: list[tuple[float, int, _Ending]],
        complete: list[tuple[float, int, _Ending]],
        visits: dict[tuple[str, int], int],
    ) -> list[_Ending]:
        """Take from the queue what is to grow before any complete sentence is known to be the next best."""
        batch: list[_Ending] = []
        n_states = 0
        while growing and not (complete and complete[0] < growing[0]):
            ending = heapq.heappop(growing)[2]
            visit = (ending.text, ending.node)
            visits[visit] = visits.get(visit, 0) + 1
            if visits[visit] <= VISITS_MAX and ending.node in self._into:
                batch.append(ending)
                n_states += int(self._graph.lengths[self._into[ending.node][0]].sum())
                if len(batch) == BATCH or n_states > BATCH_STATES_MAX:
                    break
        return batch

    def _grown(self, batch: list[_Ending], limit: int) -> Iterator[tuple[float, _Ending]]:
        """Put one word more before each ending, and tell how likely the best sentence with each is.

        An ending gets no more different words than sentences are wanted: each of them makes one.
        """
        if not batch:
            return
        graph = self._graph
        into = [self._into[ending.node] for ending in batch]
        owners = np.repeat(np.arange(len(batch)), [len(arcs) for arcs, _ in into])
        arcs = np.concatenate([arcs for arcs, _ in into])
        after = np.stack([ending.likelihoods for ending in batch], axis=1)[:, owners]
        after += np.concatenate([weights for _, weights in into])
        reached = self._reached[:, graph.sources[arcs]] + graph.weights[arcs]
        begun = self._backwards(Chains(graph, arcs), after, reached)
        whole = begun + reached
        totals = whole.max(axis=0)
        begun[whole < totals - BEAM] = NEVER
        begun += graph.weights[arcs]
        found: list[dict[tuple[str, int], tuple[float, _Ending]]] = [{} for _ in batch]
        words: list[set[str]] = [set() for _ in batch]
        for number in np.argsort(-totals, kind="stable").tolist():
            owner, arc = int(owners[number]), int(arcs[number])
            spelled, node = graph.spelled[graph.words[arc]], int(graph.sources[arc])
            if totals[number] == NEVER or (len(words[owner]) == limit and spelled not in words[owner]):
                continue
            if (spelled, node) in found[owner]:  # another pronunciation, which fits less on the whole
                known = found[owner][spelled, node][1].likelihoods
                np.maximum(known, begun[:, number], out=known)
                continue
            words[owner].add(spelled)
            text = " ".join(filter(None, (spelled, batch[owner].text)))
            ending = _Ending(text, node, (arc, *batch[owner].arcs), begun[:, number].copy())
            found[owner][spelled, node] = (float(totals[number]), ending)
        for grown in found:
            yield from grown.values()

    def _backwards(self, chains: Chains, after: Floats, reached: Floats) -> Floats:
        """Return the likelihood from each frame to the end where a chain begins there, shape (frames + 1, chains).

        Args:
            chains: side by side.
            after: likelihood of what follows them, by the frame at which it begins, shape (frames + 1, chains).
            reached: likelihood of what comes before them, of the same shape. What it makes hopeless is left out.
        """
        begun = np.full(after.shape, NEVER)
        best = np.full(after.shape[1], NEVER)
        here = np.full(len(chains.units), NEVER)
        pairs = np.full_like(here, NEVER)
        ends = np.flatnonzero((after > NEVER).any(axis=1))
        last = int(ends[-1]) if len(ends) else 0
        for frame in range(last - 1, -1, -1):
            here[chains.exits] = after[frame + 1]
            np.maximum(here[:-1], here[1:], out=pairs[:-1])
            np.maximum(pairs[:-2], pairs[2:], out=here[:-2])
            here += self._fits[frame].take(chains.units)
            row = begun[frame]
            np.maximum(here[chains.entries + 1], here[chains.entries + 2], out=row)
            np.maximum(row, here[chains.entries + 3], out=row)
            np.maximum(best, row + reached[frame], out=best)
            if not (last - frame) % CHECKED_FRAMES and frame < ends[0]:
                hope = np.maximum.reduceat(here, chains.begins) + self._ceiling[frame]
                if (hope < best - BEAM).all():
                    break
        return begun

    def _placed(self, arcs: tuple[int, ...], likelihood: float) -> Sentence:
        """Find the frames of each word of a sentence: a Viterbi alignment with the same steps as in the search."""
        graph = self._graph
        lengths = np.array([1, *graph.lengths[list(arcs)]])  # silence before the first word is a part of its own
        begins = np.cumsum(lengths) - lengths
        part = np.repeat(np.arange(len(lengths)), lengths)
        place = np.arange(len(part)) - begins[part]
        left = lengths[part] - place
        own = [graph.states[graph.firsts[arc] : graph.firsts[arc] + graph.lengths[arc]] for arc in arcs]
        fits = self._fits[:, np.concatenate([[graph.silence], *own])]
        steps = np.arange(2 * PHONE_STATES)
        before = np.arange(len(part))[:, None] - steps
        inside = (part[before] == part[:, None]) & (steps <= PHONE_STATES)
        across = (part[before] == part[:, None] - 1) & (place[:, None] < PHONE_STATES) & (left[before] <= PHONE_STATES)
        costs = np.where((before >= 0) & (inside | across), np.float32(0.0), NEVER)
        padded = np.full(len(part) + len(steps), NEVER)
        best = padded[len(steps) :]
        best[: 1 + PHONE_STATES] = fits[0, : 1 + PHONE_STATES]
        came = np.zeros(fits.shape, np.intp)
        for frame in range(1, self._n_frames):
            ways = padded[before + len(steps)] + costs
            came[frame] = ways.argmax(axis=1)
            best[:] = ways.max(axis=1) + fits[frame]
        state = len(part) - PHONE_STATES + int(best[-PHONE_STATES:].argmax())
        where = np.empty(self._n_frames, np.intp)
        for frame in range(self._n_frames - 1, -1, -1):
            where[frame] = state
            state -= came[frame, state]
        starts = FRAME_STEP * np.searchsorted(where, begins[1:])
        ends = FRAME_STEP * np.searchsorted(where, begins[1:] + lengths[1:] - 1)
        return Sentence(
            words=tuple(graph.words[arc] for arc in arcs),
            spoken=tuple(
                SpokenWord(graph.phones[arc], int(start), int(end), is_garbage=not graph.spelled[graph.words[arc]])
                for arc, start, end in zip(arcs, starts, ends, strict=True)
            ),
            likelihood=likelihood,
        )
