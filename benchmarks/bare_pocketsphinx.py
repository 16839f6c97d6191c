"""The bound of the capacity benchmark: PocketSphinx decoders alone, one process a core, fed at live pace.

No socket, no protocol, no endpointing, no worker protocol, no confidence pass: each process holds a decoder for each of
its streams and gives it the speech that the server's front end would give it, at the moment at which it would, or all
of the audio. What is left is the decoder.
"""

from __future__ import annotations

import heapq
import multiprocessing
import time
from typing import Any

import msgspec
import pocketsphinx


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


def live(workload: Workload, *, streams: int, processes: int, duration_s: float, ramp_s: float) -> dict[str, Any]:
    """Decode `streams` live streams; return latencies in milliseconds and the processors kept busy.

    A latency runs from the moment at which the packet that ends the speech is due to the hypothesis.
    """
    context = multiprocessing.get_context("spawn")
    shares = [streams // processes + (index < streams % processes) for index in range(processes)]
    barrier = context.Barrier(sum(share > 0 for share in shares))
    results = context.SimpleQueue()
    running = [
        context.Process(
            target=_process, args=(msgspec.msgpack.encode(workload), share, index, duration_s, ramp_s, barrier, results)
        )
        for index, share in enumerate(shares)
        if share
    ]
    for process in running:
        process.start()
    parts = [results.get() for _ in running]
    for process in running:
        process.join()
    return {
        "latencies_ms": [value for part in parts for value in part[0]],
        "cores": sum(part[1] for part in parts),
    }


def _process(
    encoded: bytes, streams: int, index: int, duration_s: float, ramp_s: float, barrier: Any, results: Any
) -> None:
    workload = msgspec.msgpack.decode(encoded, type=Workload)
    decoders = [decoder(workload) for _ in range(streams)]
    count = len(workload.utterances)
    for made in decoders:
        _whole(made, workload.utterances[0])  # pages and caches warm, as the server's are
    barrier.wait()
    cpu_began_s, began_s = time.process_time(), time.monotonic()
    latencies: list[float] = []
    # (due, stream, utterance, step, begin of the utterance)
    queue = [
        (began_s + ramp_s * stream / streams + workload.packet_s, stream, (index + stream) % count, 0)
        for stream in range(streams)
    ]
    heapq.heapify(queue)
    started = [False] * streams
    while queue:
        due_s, stream, utterance, at = heapq.heappop(queue)
        if (pause_s := due_s - time.monotonic()) > 0:
            time.sleep(pause_s)
        made, step = decoders[stream], workload.utterances[utterance][at]
        if step.pcm:
            if not started[stream]:
                made.start_utt()
                started[stream] = True
            made.process_raw(step.pcm, False, False)
        if not step.ends:
            heapq.heappush(queue, (due_s + workload.packet_s, stream, utterance, at + 1))
            continue
        if started[stream]:
            made.end_utt()
            made.hyp()
            started[stream] = False
        now_s = time.monotonic()
        if due_s >= began_s + ramp_s:
            latencies.append(1000 * (now_s - due_s))
        if now_s < began_s + ramp_s + duration_s:
            heapq.heappush(queue, (now_s + workload.packet_s, stream, (utterance + 1) % count, 0))
    results.put((latencies, (time.process_time() - cpu_began_s) / (time.monotonic() - began_s)))


def _whole(made: pocketsphinx.Decoder, utterance: list[Step]) -> None:
    made.start_utt()
    for step in utterance:
        if step.pcm:
            made.process_raw(step.pcm, False, False)
    made.end_utt()
    made.hyp()
