"""One recognition: audio in, endpointer inline, speech to a leased worker, hypotheses back.

Two tasks live while a recognition does. One takes audio from the queue through container, front end and endpointer
(microseconds per packet, so it runs in the event loop) and sends speech to the worker; the other takes hypotheses from
the worker. Both tell the session what happened through `deliver`, and end with the recognition. Whatever fails becomes
one `RecognitionFailed`; the worker goes back to the pool in every case.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import structlog
import trio

from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.audio.endpointer import EndpointerEvent
from asr_trio.audio.frontend import (
    EndpointerSettings,
    Frontend,
    SpeechAudio,
    SpeechEnd,
    SpeechPause,
    SpeechResume,
    SpeechStart,
)
from asr_trio.errors import AsrError, AudioOverflowError, RecognizerError, WorkerTimeoutError
from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.recognizer import base
from asr_trio.server.pool import Worker
from asr_trio.server.samples import SampleSource
from asr_trio.server.services import Services
from asr_trio.server.tracing import NO_SPAN
from asr_trio.session.events import (
    AudioEnded,
    AudioProcessed,
    PartialDecoded,
    RecognitionEvent,
    RecognitionFailed,
    SegmentDecoded,
    SpeechEnded,
    SpeechStarted,
)

_BYTES_PER_S: Final = 2 * base.SAMPLE_RATE_HZ
_SPEECH_BYTES: Final = _BYTES_PER_S * 6 // 100
"""What the worker is sent at once, 60 ms: waking it costs as much as decoding a packet of 20 ms with a small grammar,
and what waits here when speech ends is decoded in a few milliseconds."""
_SLICE_BYTES: Final = 16 * 1024
"""A packet of 2 MiB is worked off in slices of half a second, so that other sessions run between them."""

log = structlog.get_logger(__name__)


class _Packet(msgspec.Struct, frozen=True):
    audio: bytes
    last: bool
    content_type: str | None


class _Segment(msgspec.Struct, frozen=True):
    """A segment whose hypotheses are due; `ended_at_s` is Trio time."""

    start_s: float
    end_s: float
    ended_at_s: float


class AudioQueue:
    """Audio between the session and the front end. Pushing never waits; who reads the socket waits for `room`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._packets: deque[_Packet] = deque()
        self._popper: trio.Event | None = None
        self._pusher: trio.Event | None = None
        self._closed = False
        self.waiting_bytes = 0

    def push(self, audio: bytes, *, last: bool, content_type: str | None) -> None:
        """Add a packet."""
        self._packets.append(_Packet(audio, last, content_type))
        self.waiting_bytes += len(audio)
        if self._popper is not None:
            self._popper.set()

    async def pop(self) -> _Packet:
        """Take the next packet, once there is one."""
        while not self._packets:
            self._popper = trio.Event()
            await self._popper.wait()
            self._popper = None
        packet = self._packets.popleft()
        self.waiting_bytes -= len(packet.audio)
        if self._pusher is not None:
            self._pusher.set()
        return packet

    async def room(self) -> None:
        """Wait until less than the limit is waiting, or nobody takes any more."""
        while self.waiting_bytes >= self._limit_bytes and not self._closed:
            self._pusher = trio.Event()
            await self._pusher.wait()
            self._pusher = None

    def close(self) -> None:
        """Drop everything: nobody takes any more."""
        self._closed = True
        self._packets.clear()
        self.waiting_bytes = 0
        if self._pusher is not None:
            self._pusher.set()


class Recognition:
    """A recognition from OpenRecognition to its last hypotheses, or to StopRecognition."""

    def __init__(
        self,
        number: int,
        models: tuple[base.LanguageModel, ...],
        parameters: RecognitionParameters,
        *,
        services: Services,
        channel_state: bytes,
        deliver: Callable[[RecognitionEvent], None],
    ) -> None:
        self.number = number
        self._limits = services.settings.limits
        self.audio = AudioQueue(int(self._limits.audio_buffer_s * _BYTES_PER_S))
        self.channel_state = channel_state
        self.finished = trio.Event()
        self.span = NO_SPAN
        self._models = models
        self._parameters = parameters
        self._pool = services.pool
        self._metrics = services.metrics
        self._tracing = services.tracing
        self._active = services.recognitions
        self._raw_rate_hz = services.raw_rate_hz
        self._deliver = deliver
        self._scope = trio.CancelScope()
        self._segments: deque[_Segment] = deque()
        self._segment_start_s = 0.0
        self._turn_s = -math.inf
        self._speech_since_s: float | None = None
        self._counted_s = 0.0
        self._speech = bytearray()
        self._fed = False
        self._patience: trio.CancelScope | None = None
        self._failure: AsrError | None = None

    @property
    def waiting_s(self) -> float:
        """Audio that waits, in seconds of 16-bit samples at 16 kHz."""
        return self.audio.waiting_bytes / _BYTES_PER_S

    @property
    def lm_label(self) -> str:
        """The first model for metrics: a builtin one by name, others by kind, as clients choose their names freely."""
        lm = self._models[0].lm if self._models else ""
        return lm if lm.startswith("builtin:") else lm.partition(":")[0]

    def stop(self) -> None:
        """Give up; nothing more is delivered."""
        self._deliver = _ignore
        self._scope.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Work to the end; started once audio may come.

        Raises:
            AsrError: before the start: it cannot begin.
        """
        with self._tracing.span("recognition", **{"asr.lm": self.lm_label}) as self.span:
            await self._run(task_status)

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        started = False
        self._active.add(self)
        try:
            with self._scope:
                settings = self._decoder_settings()
                async with self._pool.lease(self._pool.cost_units(self._models, settings)) as worker:
                    await worker.open(self._models, settings, self.channel_state)
                    task_status.started()
                    started = True
                    await self._work(worker)
        except AsrError as error:
            if not started:
                raise
            log.warning("recognition failed", error=f"{type(error).__name__}: {error}")
            self._deliver(RecognitionFailed(recognition=self.number, error=error))
        except Exception:
            log.exception("recognition failed by a fault of the server")
            fault = RecognizerError("The recognition failed by a fault of the server")
            if not started:
                raise fault from None
            self._deliver(RecognitionFailed(recognition=self.number, error=fault))
        finally:
            self._active.discard(self)
            self.audio.close()
            self.finished.set()

    # --- the two tasks ------------------------------------------------------------------------------------------

    async def _work(self, worker: Worker) -> None:
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(self._guarded, scope, self._receive, worker)
            await self._guarded(scope, self._feed, worker)
            self._fed = True
            if not self._segments:
                scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _guarded(self, scope: trio.CancelScope, task: Callable[[Worker], object], worker: Worker) -> None:
        """Run one of the two tasks; its failure ends the other, and leaves the nursery without a group around it."""
        try:
            await task(worker)  # type: ignore[misc]
        except AsrError as error:
            self._failure = self._failure or error
            scope.cancel()

    async def _feed(self, worker: Worker) -> None:
        """Take the audio through container, front end and endpointer, until it ends or no more of it is wanted."""
        packet = await self.audio.pop()
        content_type = packet.content_type
        reader = AudioReader(default_format=_raw_format(content_type, self._raw_rate_hz), content_type=content_type)
        frontend: Frontend | None = None
        try:
            async with SampleSource(reader, self._pool) as source:
                while True:
                    samples = await source.feed(packet.audio, last=packet.last)
                    if frontend is None and source.format is not None:
                        frontend = Frontend(source.format, self._endpointer_settings())
                    if frontend is not None and not await self._process(worker, frontend, samples):
                        return
                    if source.has_more:
                        packet = _Packet(b"", packet.last, None)
                        continue
                    if packet.last or source.ended:
                        break
                    packet = await self.audio.pop()
            if frontend is None:
                self._deliver(AudioEnded(recognition=self.number, position_s=0.0))
            elif await self._pass_on(worker, frontend.flush()):
                self._deliver(AudioEnded(recognition=self.number, position_s=frontend.position_s))
        finally:
            if frontend is not None:
                self._count_audio(frontend.position_s)

    async def _process(self, worker: Worker, frontend: Frontend, samples: bytes) -> bool:
        """Work off samples slice by slice; False once no more audio is wanted."""
        for start in range(0, len(samples), _SLICE_BYTES):
            if not await self._pass_on(worker, frontend.process(samples[start : start + _SLICE_BYTES])):
                return False
            self._progress(frontend.position_s)
            if start + _SLICE_BYTES < len(samples) or self.audio.waiting_bytes:
                await trio.lowlevel.checkpoint()  # live audio waits for its next packet anyway
        return True

    async def _pass_on(self, worker: Worker, events: list[EndpointerEvent]) -> bool:
        """Carry the endpointer's findings to session and worker; False once no more audio is wanted."""
        for event in events:
            match event:
                case SpeechAudio(pcm=pcm):
                    self._speech += pcm
                    if len(self._speech) >= _SPEECH_BYTES:
                        await self._send_speech(worker)
                case SpeechPause():
                    await self._send_speech(worker)
                    await worker.pause()
                case SpeechResume():
                    await self._send_speech(worker)
                    await worker.resume()
                case SpeechStart(start_s=start_s, decided_s=decided_s):
                    self._segment_start_s = start_s
                    self._speech_since_s = trio.current_time()
                    self.span.add_event("start of speech", {"position_s": start_s})
                    self._deliver(SpeechStarted(recognition=self.number, start_s=start_s, decided_s=decided_s))
                    await worker.start_segment(start_s)
                case SpeechEnd(end_s=end_s, decided_s=decided_s, reason=reason):
                    audio_ended = reason == "audio_ended"
                    self.span.add_event("end of speech", {"position_s": end_s})
                    self._segments.append(_Segment(self._segment_start_s, end_s, trio.current_time()))
                    self._set_patience()
                    self._deliver(
                        SpeechEnded(recognition=self.number, end_s=end_s, decided_s=decided_s, audio_ended=audio_ended)
                    )
                    await self._send_speech(worker)
                    await worker.end_segment(end_s)
                    if audio_ended or not self._parameters.continuous_mode:
                        return False
        return True

    async def _send_speech(self, worker: Worker) -> None:
        speech = bytes(self._speech)
        self._speech.clear()
        if speech:
            await worker.send_audio(speech)

    def _progress(self, position_s: float) -> None:
        if position_s - self._counted_s >= 1:
            self._count_audio(position_s)
        self._deliver(AudioProcessed(recognition=self.number, position_s=position_s))
        if position_s > self._limits.audio_total_s:
            raise AudioOverflowError(f"One recognition takes {self._limits.audio_total_s:g} s of audio at most")

    def _count_audio(self, position_s: float) -> None:
        self._metrics.audio_seconds.inc(position_s - self._counted_s)
        self._counted_s = position_s

    async def _receive(self, worker: Worker) -> None:
        while not (self._fed and not self._segments):
            frame = await self._next(worker)
            if isinstance(frame, base.Final):
                segment = self._segments.popleft()
                self._turn_s = trio.current_time()
                self.span.add_event("result", {"alternatives": len(frame.alternatives)})
                self.channel_state = frame.channel_state or self.channel_state
                self._metrics.decode_cpu_seconds.inc(frame.cpu_s)
                self._metrics.final_latency.observe(trio.current_time() - segment.ended_at_s)
                self._deliver(
                    SegmentDecoded(
                        recognition=self.number,
                        start_s=segment.start_s,
                        end_s=segment.end_s,
                        alternatives=frame.alternatives,
                    )
                )
            else:
                if self._speech_since_s is not None:
                    self._metrics.partial_latency.observe(trio.current_time() - self._speech_since_s)
                    self._speech_since_s = None
                self._deliver(
                    PartialDecoded(
                        recognition=self.number,
                        start_s=self._segments[0].start_s if self._segments else self._segment_start_s,
                        end_s=frame.end_s,
                        alternatives=frame.alternatives,
                    )
                )

    async def _next(self, worker: Worker) -> base.Partial | base.Final:
        """Wait for hypotheses; those of an ended segment must come within the result timeout."""
        with trio.CancelScope() as self._patience:
            self._set_patience()
            return await worker.receive()
        worker.usable = False
        raise WorkerTimeoutError(f"No result within {self._limits.result_timeout_s:g} s")

    def _set_patience(self) -> None:
        if self._patience is not None and self._segments:
            # Segments are decoded one after the other: the time of each counts from its turn.
            since_s = max(self._segments[0].ended_at_s, self._turn_s)
            self._patience.deadline = since_s + self._limits.result_timeout_s

    # --- parameters in the terms of front end and decoder -------------------------------------------------------

    def _endpointer_settings(self) -> EndpointerSettings:
        wanted = self._parameters
        longest_ms = round(self._limits.speech_segment_s * 1000)
        return EndpointerSettings(
            enabled=wanted.endpointer_enabled,
            head_margin_ms=wanted.head_margin_ms,
            tail_margin_ms=wanted.tail_margin_ms,
            wait_end_ms=wanted.wait_end_ms,
            level_mode=wanted.level_mode,
            level_threshold=wanted.level_threshold,
            auto_level_len_ms=wanted.auto_level_len_ms,
            use_tone_detectors=wanted.use_tone_detectors,
            max_segment_duration_ms=min(longest_ms, wanted.max_segment_duration_ms) if wanted.continuous_mode else 0,
            segment_overlap_ms=wanted.segment_overlap_ms if wanted.continuous_mode else 0,
            continuous=wanted.continuous_mode,
        )

    def _decoder_settings(self) -> base.DecoderSettings:
        wanted = self._parameters
        return base.DecoderSettings(
            max_sentences=wanted.max_sentences,
            # The times of words part what two segments heard of a forced cut.
            word_details=max(wanted.word_details, int(wanted.continuous_mode)),
            partial_interval_ms=wanted.partial_interval_ms if wanted.partial_results_enabled else None,
            hints=wanted.hints,
        )


def _raw_format(content_type: str | None, default_rate_hz: int) -> AudioFormat:
    """Return the format of audio without a container: 16 bits at what ``audio/raw;rate=16000`` says, or the default."""
    for parameter in (content_type or "").split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "rate" and value.isascii() and value.isdigit() and 4000 <= int(value) <= 192_000:
            return AudioFormat("pcm_s16", int(value))
    return AudioFormat("pcm_s16", default_rate_hz)


def _ignore(_event: RecognitionEvent) -> None:
    """Take an event that nobody wants any more."""
