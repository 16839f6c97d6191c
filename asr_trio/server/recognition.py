"""One recognition: audio in, endpointer inline, speech to a leased worker, hypotheses back.

Live audio is worked off where it arrives, in `push`: container, front end and endpointer (`listening`) take
microseconds a packet, and the worker's socket has room. Two tasks live while a recognition does. One works off what
could not be at once; the other takes hypotheses from the worker. All tell the session what happened through `deliver`,
and end with the recognition. Whatever fails becomes one `RecognitionFailed`; the worker goes back to the pool in every
case.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

import msgspec
import structlog
import trio

from asr_trio.audio.endpointer import EndpointerEvent
from asr_trio.audio.frontend import (
    EndpointerSettings,
    SpeechAudio,
    SpeechEnd,
    SpeechPause,
    SpeechResume,
    SpeechStart,
)
from asr_trio.errors import AsrError, AudioOverflowError, RecognizerError, WorkerTimeoutError
from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.recognizer import base
from asr_trio.server.listening import Listening
from asr_trio.server.services import Services
from asr_trio.server.tracing import NO_SPAN
from asr_trio.server.worker import PROBE_INTERVAL_S, Worker
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
from asr_trio.settings import LimitSettings

_BYTES_PER_S: Final = 2 * base.SAMPLE_RATE_HZ
_SPEECH_BYTES: Final = _BYTES_PER_S * 18 // 100
_SPEECH_BYTES_OF_GRAMMARS: Final = _BYTES_PER_S * 48 // 100
_SPEECH_BYTES_WITH_PARTIALS: Final = _BYTES_PER_S * 6 // 100
"""What the worker is sent at once: waking it costs as much as decoding a packet of 20 ms with a small grammar. Nobody
waits for it: at the first pause, long before the end of speech is decided, everything is sent. Before that a grammar is
hardly ever decoded, and if it is, half a second of speech takes 10 ms."""
_BATCH_LEAD_S: Final = 5.0
"""Audio that came so much faster than it was spoken is a file, and nobody's turn to speak depends on it: it is decoded
at lower priority. Less is a live caller's packets after a hold-up of the network."""

log = structlog.get_logger(__name__)


class _Segment(msgspec.Struct, frozen=True):
    """A segment whose hypotheses are due; `ended_at_s` is Trio time."""

    start_s: float
    end_s: float
    ended_at_s: float


class Recognition:
    """A recognition from OpenRecognition to its last hypotheses, or to StopRecognition."""

    def __init__(
        self,
        number: int,
        models: tuple[base.LanguageModel, ...],
        parameters: RecognitionParameters,
        *,
        services: Services,
        party: str,
        channel_state: bytes,
        deliver: Callable[[RecognitionEvent], None],
    ) -> None:
        self.number = number
        self._limits = services.settings.limits
        self._listening = Listening(
            _endpointer_settings(parameters, self._limits),
            services.pool,
            limit_bytes=int(self._limits.audio_buffer_s * _BYTES_PER_S),
            raw_rate_hz=services.raw_rate_hz,
        )
        self._party = party
        self.channel_state = channel_state
        self.finished = trio.Event()
        self.span = NO_SPAN
        self._models = models
        self._parameters = parameters
        self._pool = services.pool
        self._metrics = services.metrics
        self._tracing = services.tracing
        self._log_text = services.settings.log.recognized_text
        self._active = services.recognitions
        self._deliver = deliver
        self._scope = trio.CancelScope()
        self._work_scope = trio.CancelScope()
        self._worker: Worker | None = None
        self._push_may_work = False
        self._pushed = trio.Event()
        self._began_s = trio.current_time()
        self.batch = False
        """Its audio is a file: it has come faster than anybody speaks."""
        self._gives_way = False
        self._segments: deque[_Segment] = deque()
        self._segment_start_s = 0.0
        self._turn_s = -math.inf
        self._speech_since_s: float | None = None
        self._counted_s = 0.0
        self._speech = bytearray()
        self._speech_bytes = _speech_bytes(models, parameters)
        self._fed = False
        self._patience: trio.CancelScope | None = None
        self._failure: Exception | None = None

    @property
    def waiting_s(self) -> float:
        """Audio that waits, in seconds of 16-bit samples at 16 kHz."""
        return self._listening.waiting_bytes / _BYTES_PER_S

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
                cost_units = self._pool.cost_units(self._models, settings)
                async with self._pool.lease(cost_units, self._models, party=self._party) as worker:
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
            self._count_audio(self._listening.position_s)
            self._listening.close()
            self.finished.set()

    # --- audio ------------------------------------------------------------------------------------------------------

    async def room(self) -> None:
        """Wait until there is room for more audio."""
        await self._listening.room()

    def push(self, audio: bytes, *, last: bool, content_type: str | None) -> None:
        """Take a packet, and work it off at once where nothing is in front of it: live audio's usual way.

        Leaving it to the task would cost a turn of the scheduler, which is more than the work itself.
        """
        self._listening.push(audio, last=last, content_type=content_type)
        if not self._push_may_work:
            return
        assert self._worker is not None
        try:
            self._step(self._worker)
        except Exception as error:  # noqa: BLE001 - told by `run`, as if its task had met it
            self._fail(error)
        if self._fed or self._worker.behind or self._listening.has_work:
            self._push_may_work = False
            self._pushed.set()

    async def _feed(self, worker: Worker) -> None:
        """Work off what `push` leaves: what a worker has no room for yet, long packets, compressed audio."""
        async with AsyncExitStack() as processes:
            while not self._fed:
                if worker.behind:
                    await worker.catch_up()
                elif self._listening.wants_decompression:
                    await self._listening.decompress(processes)
                elif self._listening.has_work:
                    self._step(worker)
                    await trio.lowlevel.checkpoint()
                else:
                    self._pushed = trio.Event()
                    self._push_may_work = True
                    with trio.move_on_after(PROBE_INTERVAL_S) as quiet:
                        await self._pushed.wait()
                    if quiet.cancelled_caught:
                        worker.probe()
        await worker.catch_up()

    def _step(self, worker: Worker) -> None:
        """Work off a slice of audio."""
        self._pass_on(worker, self._listening.step())
        if self._fed:
            return
        self._progress(worker, self._listening.position_s)
        if self._listening.ended:
            self._fed = True
            self._deliver(AudioEnded(recognition=self.number, position_s=self._listening.position_s))

    def _pass_on(self, worker: Worker, events: list[EndpointerEvent]) -> None:
        """Carry the endpointer's findings to session and worker."""
        for event in events:
            match event:
                case SpeechAudio(pcm=pcm):
                    self._speech += pcm
                    if len(self._speech) >= self._speech_bytes:
                        self._send_speech(worker)
                case SpeechPause():
                    self._send_speech(worker)
                    worker.pause()
                case SpeechResume():
                    self._send_speech(worker)
                    worker.resume()
                case SpeechStart(start_s=start_s, decided_s=decided_s):
                    self._segment_start_s = start_s
                    self._speech_since_s = trio.current_time()
                    self.span.add_event("start of speech", {"position_s": start_s})
                    self._deliver(SpeechStarted(recognition=self.number, start_s=start_s, decided_s=decided_s))
                    worker.start_segment(start_s)
                case SpeechEnd(end_s=end_s, decided_s=decided_s, reason=reason):
                    audio_ended = reason == "audio_ended"
                    self.span.add_event("end of speech", {"position_s": end_s})
                    self._segments.append(_Segment(self._segment_start_s, end_s, trio.current_time()))
                    self._set_patience()
                    self._deliver(
                        SpeechEnded(recognition=self.number, end_s=end_s, decided_s=decided_s, audio_ended=audio_ended)
                    )
                    self._send_speech(worker)
                    worker.end_segment(end_s)
                    if audio_ended or not self._parameters.continuous_mode:
                        self._fed = True
                        return

    def _send_speech(self, worker: Worker) -> None:
        if self._speech:
            worker.send_audio(bytes(self._speech))
            self._speech.clear()

    def _progress(self, worker: Worker, position_s: float) -> None:
        if position_s - self._counted_s >= 1:
            self._count_audio(position_s)
            if not self.batch and position_s - (trio.current_time() - self._began_s) > _BATCH_LEAD_S:
                self.batch = True
                self._set_patience()
                worker.lower_priority()
            if self.batch and not self._gives_way and not all(other.batch for other in self._active):
                self._gives_way = True
                worker.lower_priority(gives_way=True)
        self._deliver(AudioProcessed(recognition=self.number, position_s=position_s))
        if position_s > self._limits.audio_total_s:
            raise AudioOverflowError(f"One recognition takes {self._limits.audio_total_s:g} s of audio at most")

    def _count_audio(self, position_s: float) -> None:
        self._metrics.audio_seconds.inc(position_s - self._counted_s)
        self._counted_s = position_s

    # --- the two tasks ----------------------------------------------------------------------------------------------

    async def _work(self, worker: Worker) -> None:
        self._worker = worker
        async with trio.open_nursery() as nursery:
            self._work_scope = nursery.cancel_scope
            nursery.start_soon(self._guarded, self._receive, worker)
            await self._guarded(self._feed, worker)
            if not self._segments:
                self._work_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _guarded(self, task: Callable[[Worker], Awaitable[None]], worker: Worker) -> None:
        """Run one of the two tasks; its failure ends the other, and leaves the nursery without a group around it."""
        try:
            await task(worker)
        except Exception as error:  # noqa: BLE001 - `run` tells them apart
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._push_may_work = False
        self._fed = True
        self._work_scope.cancel()

    async def _receive(self, worker: Worker) -> None:
        while not (self._fed and not self._segments):
            frame = await self._next(worker)
            if isinstance(frame, base.Final):
                segment = self._segments.popleft()
                self._turn_s = trio.current_time()
                self.span.add_event("result", {"alternatives": len(frame.alternatives)})
                if self._log_text and frame.alternatives:
                    log.info("heard", text=frame.alternatives[0].text, score=frame.alternatives[0].score)
                self.channel_state = frame.channel_state or self.channel_state
                self._metrics.decoded(self.lm_label, cpu_s=frame.cpu_s, speech_s=segment.end_s - segment.start_s)
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
        if self._patience is None or not self._segments:
            return
        if self.batch:  # it waits until live audio leaves it a turn; a worker that hangs shows by its silence
            self._patience.deadline = math.inf
            return
        # Segments are decoded one after the other: the time of each counts from its turn.
        since_s = max(self._segments[0].ended_at_s, self._turn_s)
        self._patience.deadline = since_s + self._limits.result_timeout_s

    # --- parameters in the terms of front end and decoder -------------------------------------------------------

    def _decoder_settings(self) -> base.DecoderSettings:
        wanted = self._parameters
        return base.DecoderSettings(
            max_sentences=wanted.max_sentences,
            # The times of words part what two segments heard of a forced cut.
            word_details=max(wanted.word_details, int(wanted.continuous_mode)),
            partial_interval_ms=wanted.partial_interval_ms if wanted.partial_results_enabled else None,
            hints=wanted.hints,
        )


def _endpointer_settings(wanted: RecognitionParameters, limits: LimitSettings) -> EndpointerSettings:
    longest_ms = round(limits.speech_segment_s * 1000)
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


def _speech_bytes(models: tuple[base.LanguageModel, ...], parameters: RecognitionParameters) -> int:
    if parameters.partial_results_enabled:
        return _SPEECH_BYTES_WITH_PARTIALS
    only_grammars = all(isinstance(model, base.GrammarModel) for model in models)
    return _SPEECH_BYTES_OF_GRAMMARS if only_grammars else _SPEECH_BYTES


def _ignore(_event: RecognitionEvent) -> None:
    """Take an event that nobody wants any more."""
