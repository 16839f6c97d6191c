"""The bound of the capacity benchmark: PocketSphinx decoders alone, one process a core, fed at live pace.

No socket, no protocol, no endpointing, no worker protocol, no confidence pass: each process holds a decoder for each of
its streams and gives it the speech that the server's front end would give it, at the moment at which it would, or all
of the audio. What is left is the decoder.
"""

from __future__ import annotations

import contextlib
import heapq
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec
import pocketsphinx

START_S: Final = 0.1
"""From the word to go to the first packet: all processes have heard it by then."""


class Step(msgspec.Struct, frozen=True):
    """What one packet of an utterance gives to the decoder."""

    pcm: bytes
    ends: bool


class Workload(msgspec.Struct, frozen=True):
    """Utterances as steps of `packet_s`, and the decoder's options.

    `whole` are the same utterances with the silence before, in and after the speech. `grammar` is JSGF text; without
    one it is free speech.
    """

    utterances: list[list[Step]]
    whole: list[list[Step]]
    packet_s: float
    options: dict[str, Any]
    words: dict[str, str] = {}
    grammar: str = ""


def decoder(workload: Workload) -> pocketsphinx.Decoder:
    made = pocketsphinx.Decoder(**workload.options, loglevel="FATAL")
    if workload.grammar:
        for word, phones in workload.words.items():
            made.add_word(word, phones, False)
        made.add_jsgf_string("load", workload.grammar)
        made.activate_search("load")
    return made


def cost(workload: Workload, rounds: int = 1) -> float:
    """Return CPU seconds per second of live audio of one stream."""
    made, audio_s = decoder(workload), 0.0
    began_s = time.process_time()
    for _ in range(rounds):
        for utterance in workload.utterances:
            _whole(made, utterance)
            audio_s += len(utterance) * workload.packet_s
    return (time.process_time() - began_s) / audio_s


class Decoders:
    """Bare decoders in processes of their own, one process a core; between rounds they wait."""

    def __init__(self, workload: Workload, *, streams: int, processes: int) -> None:
        """Start the processes, with decoders for so many streams in all."""
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._running = []
        for index in range(processes):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(msgspec.msgpack.encode(workload), index, there), daemon=True)
            process.start()
            there.close()
            here.send(_share(streams, processes, index))
            self._pipes.append(here)
            self._running.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def live(self, side: str, *, streams: int, duration_s: float, ramp_s: float) -> dict[str, Any]:
        """Decode so many live streams, which begin spread over the ramp, until the time is over.

        Args:
            side: field of `Workload` whose steps are decoded.
            streams: how many.
            duration_s: utterances count that end within it.
            ramp_s: before it.

        Returns:
            `latencies_ms`, from the moment at which the packet that ends the speech is due to the hypothesis, and
            `cores` kept busy.
        """
        begin_s = time.monotonic() + START_S
        for index, pipe in enumerate(self._pipes):
            pipe.send((side, _share(streams, len(self._pipes), index), begin_s, ramp_s, duration_s))
        parts = [pipe.recv() for pipe in self._pipes]
        return {
            "latencies_ms": [value for part in parts for value in part[0]],
            "cores": sum(part[1] for part in parts),
        }

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._running:
            process.join()


def _share(streams: int, processes: int, index: int) -> int:
    return streams // processes + (index < streams % processes)


def _serve(encoded: bytes, index: int, pipe: Connection) -> None:
    """Hold decoders and run rounds until the other end closes."""
    workload = msgspec.msgpack.decode(encoded, type=Workload)
    decoders = [decoder(workload) for _ in range(pipe.recv())]
    for made in decoders:
        _whole(made, workload.utterances[0])  # pages and caches warm, as the server's are
    pipe.send(None)
    with contextlib.suppress(EOFError):
        while True:
            side, streams, *times_s = pipe.recv()
            pipe.send(_round(decoders[:streams], getattr(workload, side), workload.packet_s, index, *times_s))


def _round(
    decoders: list[pocketsphinx.Decoder],
    utterances: list[list[Step]],
    packet_s: float,
    index: int,
    begin_s: float,
    ramp_s: float,
    duration_s: float,
) -> tuple[list[float], float]:
    """Return latencies in milliseconds, and the share of a processor that was busy."""
    streams, count, stop_s = len(decoders), len(utterances), begin_s + ramp_s + duration_s
    cpu_began_s = time.process_time()
    latencies: list[float] = []
    # (due, stream, utterance, step)
    queue = [
        (begin_s + ramp_s * stream / streams + packet_s, stream, (index + stream) % count, 0)
        for stream in range(streams)
    ]
    heapq.heapify(queue)
    started = [False] * streams
    while queue:
        due_s, stream, utterance, at = heapq.heappop(queue)
        if due_s > stop_s:
            break
        if (pause_s := due_s - time.monotonic()) > 0:
            time.sleep(pause_s)
        made, step = decoders[stream], utterances[utterance][at]
        if step.pcm:
            if not started[stream]:
                made.start_utt()
                started[stream] = True
            made.process_raw(step.pcm, False, False)
        if not step.ends:
            heapq.heappush(queue, (due_s + packet_s, stream, utterance, at + 1))
            continue
        if started[stream]:
            made.end_utt()
            made.hyp()
            started[stream] = False
        now_s = time.monotonic()
        if due_s >= begin_s + ramp_s:
            latencies.append(1000 * (now_s - due_s))
        heapq.heappush(queue, (now_s + packet_s, stream, (utterance + 1) % count, 0))
    busy_s, wall_s = time.process_time() - cpu_began_s, time.monotonic() - begin_s
    for stream, made in enumerate(decoders):
        if started[stream]:
            made.end_utt()
    return latencies, busy_s / wall_s


def _whole(made: pocketsphinx.Decoder, utterance: list[Step]) -> None:
    made.start_utt()
    for step in utterance:
        if step.pcm:
            made.process_raw(step.pcm, False, False)
    made.end_utt()
    made.hyp()
