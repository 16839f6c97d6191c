"""The loop of a worker process: frames in, decoding, frames out. One process, one job at a time, no threads.

Audio is handed to decoders in blocks of one size whatever the packets were, and partial hypotheses are asked for at
fixed positions of the audio, so that results and their times do not depend on packetisation.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import sys
import time
from collections import deque
from typing import Final

import msgspec

from asr_trio import errors
from asr_trio.audio.decoder import StreamDecoder
from asr_trio.protocol.results import Alternative
from asr_trio.recognizer import base, ipc, turn
from asr_trio.recognizer.engines import Engines
from asr_trio.recognizer.grammars import compile_grammar, interpret_text

BYTES_PER_S: Final = 2 * base.SAMPLE_RATE_HZ

BLOCK_BYTES: Final = BYTES_PER_S * 3 // 50
"""60 ms: the search lags the audio by at most this much more; smaller blocks cost more than they win."""

READ_BYTES: Final = 65_536
READ_AHEAD_FRAMES: Final = 256
"""Frames looked ahead for a Cancel while audio is being decoded; the rest waits in the socket."""

WORKING_INTERVAL_S: Final = 1.0
WORKED_LEAST_S: Final = 0.01
"""Processor time since the last sign of life that tells work from waiting for ever."""


class Recycle(msgspec.Struct, frozen=True):
    """When a process asks to be replaced."""

    recognitions: int
    rss_bytes: int


class Worker:
    """One worker process, seen from the inside."""

    def __init__(self, channel: socket.socket, engines: Engines) -> None:
        """Take the blocking stream socket to the server and the loaded engines."""
        settings = engines.registry.settings
        self._channel = channel
        self._engines = engines
        self._recycle = Recycle(settings.recycle_recognitions, settings.recycle_rss_bytes)
        self._reader = ipc.to_worker_reader()
        self._waiting: deque[base.ToWorker] = deque()
        self._ended = False
        self._said_s = time.monotonic()
        self._recognition: Competition | None = None
        self._decoder: StreamDecoder | None = None
        self._recognitions = 0
        self._niced = False
        self._hinted = False
        self._abandoned = False
        self._own_bytes = 0
        self._worked_s = 0.0

    def run(self) -> None:
        """Serve frames until the server closes its end."""
        while (frame := self._next()) is not None:
            try:
                self._take(frame)
            except errors.AsrError as error:
                self._drop_recognition()
                self._say(_failed(error))
            except base.RecognitionAbandonedError:
                self._abandoned = True  # its engine may still be at it

    # --- frames --------------------------------------------------------------------------------------------------

    def _next(self) -> base.ToWorker | None:
        while not self._waiting:
            if self._ended or not self._read():
                return None
        return self._waiting.popleft()

    def _read(self) -> bool:
        data = self._channel.recv(READ_BYTES)
        self._ended = not data
        self._waiting.extend(self._reader.feed(data))
        return bool(data)

    def _look_ahead(self) -> bool:
        """Take in what has come meanwhile; return whether the recognition was given up."""
        while not self._ended and len(self._waiting) < READ_AHEAD_FRAMES and _readable(self._channel):
            self._read()
        return self._ended or any(isinstance(frame, base.Cancel) for frame in self._waiting)

    def _say(self, frame: base.FromWorker) -> None:
        self._channel.sendall(ipc.encode(frame))
        self._said_s, self._worked_s = time.monotonic(), time.process_time()

    def _take(self, frame: base.ToWorker) -> None:
        match frame:
            case base.Open():
                self._open(frame)
            case base.StartSegment():
                self._running().start_segment(frame.start_s)
            case base.Audio():
                if self._recognition is not None:  # else it failed, and this was on its way
                    self._decode(self._recognition, frame.pcm)
            case base.Pause():
                if self._recognition is not None:
                    self._recognition.pause()
            case base.Resume():
                if self._recognition is not None:
                    self._recognition.resume()
            case base.LowerPriority(gives_way=gives_way):
                self._lower_priority(gives_way=gives_way)
            case base.EndSegment():
                if self._recognition is not None:
                    self._say(self._recognition.finish_segment(frame.end_s))
            case base.Cancel():
                self._cancel()
            case base.Compile():
                started_s = time.process_time()
                compiled = compile_grammar(frame, self._engines.registry)
                self._say(msgspec.structs.replace(compiled, cpu_s=time.process_time() - started_s))
            case base.Interpret():
                self._say(base.Interpreted(alternatives=interpret_text(frame)))
            case base.Decompress():
                self._say(self._decompress(frame))
            case base.Load():
                before_bytes = resident_bytes()
                self._engines.get(frame.model)
                self._own_bytes += max(0, resident_bytes() - before_bytes)
                self._say(base.Loaded())
            case base.Probe():
                self._say(base.Alive())

    def _decompress(self, frame: base.Decompress) -> base.Decompressed:
        if self._decoder is None:
            self._decoder = StreamDecoder(frame.codec)
        pcm = self._decoder.feed(frame.data, last=frame.last)
        found = self._decoder.format
        return base.Decompressed(
            pcm=pcm,
            sample_rate_hz=found.sample_rate_hz if found is not None else 0,
            has_more=self._decoder.has_more,
            finished=self._decoder.finished,
        )

    # --- a recognition -------------------------------------------------------------------------------------------

    def _open(self, frame: base.Open) -> None:
        if self._recognition is not None:
            raise errors.LocalProtocolError("a recognition is running already")
        if not frame.models:
            raise errors.NoLanguageModelError("no language model was named")
        self._recognitions += 1
        # Words that one caller expects stay in the decoder: the next caller gets another process.
        self._hinted = self._hinted or bool(frame.settings.hints)
        self._recognition = Competition(frame, self._engines, self._pulse)
        self._say(base.Opened())

    def _lower_priority(self, *, gives_way: bool) -> None:
        if not self._niced:
            turn.decode_batch()
            self._niced = True  # there is no way back without privileges: this process serves nobody else
        if gives_way:
            turn.give_way()

    def _running(self) -> Competition:
        if self._recognition is None:
            raise errors.LocalProtocolError("no recognition is running")
        return self._recognition

    def _decode(self, recognition: Competition, pcm: bytes) -> None:
        for block in recognition.blocks(pcm):
            if self._look_ahead():
                return
            for partial in recognition.accept(block):
                self._say(partial)
            self._show_life()

    def _show_life(self) -> None:
        silent = time.monotonic() - self._said_s > WORKING_INTERVAL_S
        if silent and time.process_time() - self._worked_s > WORKED_LEAST_S:
            self._say(base.Working())

    def _pulse(self) -> None:
        """Let an engine live on in long work.

        Raises:
            RecognitionAbandonedError: its recognition was given up.
        """
        if self._look_ahead():
            raise base.RecognitionAbandonedError
        self._show_life()

    def _drop_recognition(self) -> None:
        if self._recognition is not None:
            recognition, self._recognition = self._recognition, None
            with contextlib.suppress(errors.AsrError):
                recognition.close()

    def _cancel(self) -> None:
        self._drop_recognition()
        rss_bytes = resident_bytes()
        worn = self._recognitions >= self._recycle.recognitions or rss_bytes - self._own_bytes > self._recycle.rss_bytes
        recycle = worn or self._niced or self._hinted or self._abandoned
        self._say(base.Closed(recycle=recycle, rss_bytes=rss_bytes))


class Competition:
    """The models of one recognition, fed the same audio.

    The grammars that one engine reads compete in one search. What a grammar explains goes before free speech, because a
    grammar refuses what it does not explain; otherwise the best scores win.
    """

    def __init__(self, frame: base.Open, engines: Engines, pulse: base.Pulse = base.no_pulse) -> None:
        self._settings = frame.settings
        self._grammars = {model.lm for model in frame.models if isinstance(model, base.GrammarModel)}
        states = msgspec.msgpack.decode(frame.channel_state, type=dict[str, bytes]) if frame.channel_state else {}
        self._contestants: list[tuple[str, base.Recognition]] = []
        try:
            for (engine, alone), models in _groups(frame.models, engines).items():
                searched = f"{engine} {alone}"
                recognition = engines.get(engine).open(tuple(models), frame.settings, states.get(searched, b""), pulse)
                self._contestants.append((searched, recognition))
        except BaseException:
            self.close()
            raise
        self._states = states
        self._in_segment = False
        self._block = bytearray()
        self._start_s = 0.0
        self._heard_bytes = 0
        self._next_partial_bytes: float = 0
        self._cpu_started_s = 0.0

    def start_segment(self, start_s: float) -> None:
        """Begin a segment."""
        if self._in_segment:
            raise errors.LocalProtocolError("a segment is running already")
        self._in_segment = True
        self._cpu_started_s = time.process_time()
        self._start_s = start_s
        self._heard_bytes = 0
        interval_ms = self._settings.partial_interval_ms
        self._next_partial_bytes = interval_ms * BYTES_PER_S / 1000 if interval_ms else float("inf")
        for _, recognition in self._contestants:
            recognition.start_segment(start_s)

    def blocks(self, pcm: bytes) -> list[bytes]:
        """Cut audio into blocks of the constant size; what is left over waits."""
        if not self._in_segment:
            raise errors.LocalProtocolError("audio came outside a segment")
        self._block += pcm
        whole = len(self._block) // BLOCK_BYTES * BLOCK_BYTES
        blocks = [bytes(self._block[start : start + BLOCK_BYTES]) for start in range(0, whole, BLOCK_BYTES)]
        del self._block[:whole]
        return blocks

    def accept(self, block: bytes) -> tuple[base.Partial, ...]:
        """Decode a block; return a partial result where one is due and there is something to say."""
        for _, recognition in self._contestants:
            recognition.accept(block)
        self._heard_bytes += len(block)
        if self._heard_bytes < self._next_partial_bytes:
            return ()
        self._next_partial_bytes += (self._settings.partial_interval_ms or 0) * BYTES_PER_S / 1000
        best = self._ranked([recognition.partial() for _, recognition in self._contestants])[:1]
        end_s = round(self._start_s + self._heard_bytes / BYTES_PER_S, 3)
        return (base.Partial(alternatives=best, end_s=end_s),) if best else ()

    def pause(self) -> None:
        """Let the decoders prepare their results."""
        self._flush()
        for _, recognition in self._contestants:
            recognition.pause()

    def resume(self) -> None:
        """Tell the decoders that speech goes on."""
        self._flush()
        for _, recognition in self._contestants:
            recognition.resume()

    def _flush(self) -> None:
        """Hand over what is less than a block; pauses and ends lie at fixed positions of the audio."""
        if not self._in_segment:
            raise errors.LocalProtocolError("no segment is running")
        rest = bytes(self._block[: len(self._block) // 2 * 2])
        self._block.clear()
        if rest:
            self._heard_bytes += len(rest)
            for _, recognition in self._contestants:
                recognition.accept(rest)

    def finish_segment(self, end_s: float) -> base.Final:
        """Decode what is left and return the best hypotheses of all models."""
        self._flush()
        self._in_segment = False
        results = []
        for searched, recognition in self._contestants:
            results.append(recognition.finish_segment(end_s))
            self._states[searched] = recognition.channel_state()
        return base.Final(
            alternatives=self._ranked(results)[: self._settings.max_sentences],
            cpu_s=time.process_time() - self._cpu_started_s,
            channel_state=msgspec.msgpack.encode(self._states),
        )

    def _ranked(self, results: list[tuple[Alternative, ...]]) -> tuple[Alternative, ...]:
        """Merge the hypotheses of several searches; on a tie the model named first wins."""
        if len(results) == 1:
            return results[0]
        merged = (found for result in results for found in result)
        return tuple(sorted(merged, key=lambda found: (found.lm not in self._grammars, -found.score)))

    def close(self) -> None:
        """Give all decoders back."""
        for _, recognition in self._contestants:
            recognition.close()


def _groups(
    models: tuple[base.LanguageModel, ...], engines: Engines
) -> dict[tuple[str, str], list[base.LanguageModel]]:
    """Return what is decoded together, in the order of the first of each: by engine and model of free speech, or ""."""
    groups: dict[tuple[str, str], list[base.LanguageModel]] = {}
    for model in dict.fromkeys(models):
        alone = "" if isinstance(model, base.GrammarModel) else model.name
        groups.setdefault((engines.name_for(model), alone), []).append(model)
    return groups


def _failed(error: errors.AsrError) -> base.Failed:
    details = {}
    if isinstance(error, errors.GrammarError):
        details = {"line": error.line, "column": error.column, "excerpt": error.excerpt, "hint": error.hint}
    return base.Failed(error=type(error).__name__, message=str(error), details=details)


def _readable(channel: socket.socket) -> bool:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(0))


def resident_bytes() -> int:
    """Return the resident memory of this process; where /proc is missing the peak stands in for it."""
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - on the way of every recognition
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
