"""The worker processes of a server: started, leased, replaced.

The pool owns one fork server (`asr_trio.recognizer.forkserver`) and through it every worker. A worker is leased to one
recognition or one job at a time. Where it dies or hangs (`worker` notices) the lease ends with a typed error, the
process is killed and another forked. Admission counts cost, not heads, and refuses at once.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NoReturn

import structlog
import trio

from asr_trio import errors
from asr_trio.protocol.results import Alternative
from asr_trio.recognizer import base, control, ipc, launch
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.server.fair import FairLimiter
from asr_trio.server.kept import LOAD_TIMEOUT_S, KeptWorkers
from asr_trio.server.shares import Shares
from asr_trio.server.worker import RECEIVE_BYTES, Worker, as_error
from asr_trio.settings import RecognizerSettings

SPAWN_TIMEOUT_S: Final = 10.0
"""A fork takes 20 ms; a fork server that needs this long is not coming back."""
RESET_TIMEOUT_S: Final = 2.0
"""For a worker to forget its recognition, which takes milliseconds. One that is still computing what nobody wants any
more, or hangs, is replaced: a new one takes 20 ms, and a server that drains must not wait for it."""
RESET_PAUSE_S: Final = 0.05
"""Forgetting takes a core for 4 ms: a caller that starts again at once must not wait for a turn behind it."""
RESTART_PAUSE_S: Final = 0.5
"""Between two starts of a fork server, so that one that cannot live costs little."""
COMPILED_CACHE_BYTES: Final = 128 * 1024 * 1024
JOBS_AT_ONCE: Final = max(2, os.cpu_count() or 2)
"""Compilations and interpretations at one time: they are short, and decoding goes first. Half of them at most are one
party's: a grammar made to take its full time must not hold up those of others."""
QUEUE_TIMEOUT_S: Final = 8.0
"""For a process, or for a turn among the jobs. Clients wait for 10 s, of which 9 are given to a whole request: before
that ends in a failure that says nothing, the client is told that the server is busy, and can ask another one."""

log = structlog.get_logger(__name__)


def _cached_bytes(key: tuple[Any, ...], found: base.Compiled) -> int:
    text, _, _, documents, *_ = key
    return len(text) + sum(len(document.text) for _, document in documents) + len(found.compiled)


class WorkerPool:
    """The worker processes of one server."""

    def __init__(self, settings: RecognizerSettings) -> None:
        self.registry = ModelRegistry(settings)
        self.settings = settings
        self.ready = False
        self._capacity = Shares(settings.cost_units, each=settings.cost_units_per_party, name="decoding capacity")
        self.workers_leased = 0
        self.restarts: Counter[str] = Counter()
        """Workers replaced, by reason: died, hung, recycled, cut (its lease was cancelled in the middle of a frame)."""
        self._idle: list[Worker] = []
        self._kept = KeptWorkers(settings, self._take_idle, self._discard)
        self._idle_came = trio.Event()
        self._wanted_changed = trio.Event()
        self._leases_waiting = 0
        self._return, self._returned = trio.open_memory_channel[Worker](math.inf)  # bounded by the number of processes
        self._resetting = 0
        self._spawning: deque[socket.socket] = deque()
        self._spawn_again_s = 0.0
        self._patience = trio.CancelScope()
        """Ends what serves a fork server that does not answer."""
        self._control: trio.socket.SocketType | None = None
        self._jobs = FairLimiter(JOBS_AT_ONCE, places_each=JOBS_AT_ONCE // 2)
        self._compiled: OrderedDict[tuple[Any, ...], base.Compiled] = OrderedDict()
        self._compiled_bytes = 0

    @property
    def workers_idle(self) -> int:
        """Warm processes that wait for work."""
        return len(self._idle) + len(self._kept)

    @property
    def worker_rss_bytes(self) -> int:
        """Resident memory of the largest idle worker after its last recognition, pages shared with others included."""
        return max((worker.rss_bytes for worker in self._idle), default=0)

    @property
    def cost_units_used(self) -> float:
        """What all leases need together, in hundredths of a core."""
        return self._capacity.used

    def cost_units(self, models: tuple[base.LanguageModel, ...], settings: base.DecoderSettings) -> float:
        """Return what a live recognition with these models needs, in hundredths of a core."""
        return self.registry.cost_units(models, settings)

    # --- leases --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lease(
        self, cost_units: float, models: tuple[base.LanguageModel, ...] = (), *, party: str = ""
    ) -> AsyncIterator[Worker]:
        """Lend a worker for one recognition; after the block, however it ends, the worker is reset or replaced.

        Args:
            cost_units: what the recognition needs, in hundredths of a core.
            models: what it will open; one that is not in every process gets a worker that is kept for it.
            party: who asks; a party may have a share of the capacity.

        Raises:
            AsrError: a model cannot be loaded.
            BusyError: at once, when this would be more than the machine is allowed to do, or soon, when no process
                came free.
        """
        with self._capacity.hold(cost_units, party):
            async with self._worker(self.registry.kept(models)) as worker:
                yield worker

    @asynccontextmanager
    async def _worker(self, model: str = "") -> AsyncIterator[Worker]:
        if self.workers_leased >= self.settings.workers:
            raise errors.BusyError(f"all {self.settings.workers} recogniser processes are taken")
        self.workers_leased += 1
        try:
            worker = await (self._kept.take(model) if model else self._take_idle())
            try:
                yield worker
            except errors.WorkerDiedError:
                self.restarts["died"] += 1
                raise
            except errors.WorkerTimeoutError:
                self.restarts["hung"] += 1
                raise
            finally:
                # Another one would have to load its model, which the caller's next recognition wants.
                if worker.model or not worker.recognizing:
                    with trio.CancelScope(shield=True):
                        await self._give_back(worker)
                elif self._control is None:
                    worker.kill_channel()
                else:
                    self._resetting += 1
                    self._return.send_nowait(worker)
        finally:
            self.workers_leased -= 1
            self._wanted_changed.set()

    async def _take_idle(self) -> Worker:
        self._leases_waiting += 1
        try:
            with trio.fail_after(QUEUE_TIMEOUT_S):
                while True:
                    while self._idle:
                        worker = self._idle.pop()
                        self._wanted_changed.set()
                        if worker.is_alive():
                            return worker
                        await self._discard(worker)
                    self._wanted_changed.set()
                    await self._idle_came.wait()
        except trio.TooSlowError as error:
            raise errors.BusyError("no recogniser process came free in time") from error
        finally:
            self._leases_waiting -= 1

    async def _reset_returned(self) -> None:
        """Make workers ready for other callers; who had one does not wait for that, and may get another meanwhile."""
        async with trio.open_nursery() as nursery:
            async for worker in self._returned:
                nursery.start_soon(self._reset, worker)

    async def _reset(self, worker: Worker) -> None:
        try:
            if not self._leases_waiting:
                await trio.sleep(RESET_PAUSE_S)
            await self._give_back(worker)
        except trio.Cancelled:  # its parent ends
            worker.kill_channel()
            raise
        finally:
            self._resetting -= 1
            self._wanted_changed.set()

    async def _give_back(self, worker: Worker) -> None:
        if worker.usable:
            worker.usable = False
            with contextlib.suppress(errors.RecognizerError), trio.move_on_after(RESET_TIMEOUT_S):
                worker.usable = await worker.close()
        if self._control is None:  # the pool has ended, or its fork server has; nobody would ever close this one
            worker.kill_channel()
            return
        # After a burst as many stay as are at work, so that the next burst finds them, and no more for long. The double
        # is room for the one that came back and the one that took its place meanwhile.
        if not worker.usable or worker.recycle:
            self.restarts["recycled" if worker.recycle else "cut"] += 1
            await self._discard(worker)
        elif worker.model:
            self._kept.put(worker)
        elif len(self._idle) >= 2 * self.settings.workers_idle + self.workers_leased:
            await self._discard(worker)
        else:
            self._add_idle(worker)

    def _add_idle(self, worker: Worker, *, fresh: bool = False) -> None:
        # Who has worked before is taken first: a fork's first recognition begins milliseconds later than any other.
        self._idle.insert(0 if fresh else len(self._idle), worker)
        came, self._idle_came = self._idle_came, trio.Event()
        came.set()

    async def _discard(self, worker: Worker) -> None:
        worker.kill_channel()
        await self._tell_fork_server(control.Kill(worker.pid))

    @asynccontextmanager
    async def decompressor(self) -> AsyncIterator[Worker]:
        """Lend a worker for one compressed stream. Nobody else ever gets it: it has read what a stranger sent.

        Raises:
            BusyError: all processes are taken, or none could be started in time.
        """
        async with self._worker() as worker:
            worker.recycle = True
            yield worker

    # --- jobs ----------------------------------------------------------------------------------------------------

    async def compile(self, frame: base.Compile, *, party: str = "") -> base.Compiled:
        """Compile a grammar, or find it compiled. `party` is who asks: parties take turns.

        Raises:
            GrammarError: it is no grammar, or too large.
            AsrError: see `errors`.
        """
        documents = tuple(frame.documents.items())
        key = (frame.text, frame.content_type, frame.lm, documents, frame.unknown_words, frame.hints)
        found = self._compiled.get(key)
        if found is None:
            async with self._job(party) as worker:
                found = await worker.ask(frame, base.Compiled)
            self._compiled[key] = found
            self._compiled_bytes += _cached_bytes(key, found)
            while self._compiled_bytes > COMPILED_CACHE_BYTES:
                self._compiled_bytes -= _cached_bytes(*self._compiled.popitem(last=False))
        else:
            self._compiled.move_to_end(key)
        return found

    async def interpret(
        self, text: str, models: tuple[base.LanguageModel, ...], max_sentences: int, *, party: str = ""
    ) -> tuple[Alternative, ...]:
        """Interpret a text by grammars; () where none covers it. `party` is who asks: parties take turns.

        Raises:
            AsrError: see `errors`.
        """
        async with self._job(party) as worker:
            frame = base.Interpret(text=text, models=models, max_sentences=max_sentences)
            interpreted: base.Interpreted = await worker.ask(frame, base.Interpreted)
            return interpreted.alternatives

    @asynccontextmanager
    async def _job(self, party: str) -> AsyncIterator[Worker]:
        """Lend a worker for a job, in turn."""
        async with AsyncExitStack() as stack:
            try:
                with trio.fail_after(QUEUE_TIMEOUT_S):
                    await stack.enter_async_context(self._jobs.place(party))
            except trio.TooSlowError as error:
                raise errors.BusyError("too many grammars wait to be compiled or to interpret a text") from error
            yield await stack.enter_async_context(self._worker())

    # --- processes -----------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Own the fork server and the workers until cancelled; started once the models are loaded and workers warm.

        Raises:
            AsrError: the configured models cannot be loaded at the start.
        """
        started = False
        while True:
            try:
                async with self._fork_server() as line, trio.open_nursery() as nursery:
                    self._patience = nursery.cancel_scope
                    self._patience.deadline = trio.current_time() + LOAD_TIMEOUT_S
                    nursery.start_soon(self._keep_idle_workers)
                    nursery.start_soon(self._reset_returned)
                    nursery.start_soon(self._listen, line)
                    nursery.start_soon(self._kept.run)
                    while len(self._idle) < self.settings.workers_idle:
                        await self._idle_came.wait()
                    await self._kept.preloaded()
                    if not started:
                        started = True
                        task_status.started()
                    self.ready = True
            except* (errors.AsrError, OSError) as group:
                if not started:
                    raise
                # A model file went away, or the system is out of something: not ready until it is back.
                log.error("models cannot be loaded again", error=str(group.exceptions[0]))  # noqa: TRY400
            if not started:
                raise errors.RecognizerError("the process that loads the models ended or never answered")
            self.restarts["fork server"] += 1
            await trio.sleep(RESTART_PAUSE_S)

    @asynccontextmanager
    async def _fork_server(self) -> AsyncIterator[trio.socket.SocketType]:
        process = launch.start(self.settings)  # 2 ms, before there is anybody to serve
        try:
            self._control = trio.socket.from_stdlib_socket(process.control)
            yield self._control
        finally:
            self.ready = False
            self._control = None
            for channel in self._spawning:
                channel.close()
            self._spawning.clear()
            for worker in self._idle:
                worker.kill_channel()
            self._idle.clear()
            self._kept.clear()
            while self._returned.statistics().current_buffer_used:
                self._returned.receive_nowait().kill_channel()
                self._resetting -= 1
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(process.end)

    async def _listen(self, line: trio.socket.SocketType) -> None:
        """Take what the fork server says; when it says no more, end the nursery that it serves."""
        reader: ipc.FrameReader[control.FromForkServer] = ipc.FrameReader(control.FromForkServer)
        with contextlib.suppress(OSError):
            while data := await line.recv(RECEIVE_BYTES):
                for frame in reader.feed(data):
                    match frame:
                        case control.Unusable():
                            raise as_error(base.Failed(error=frame.error, message=frame.message))
                        case control.Ready():
                            self._set_patience()
                        case control.Spawned():
                            stream = trio.SocketStream(trio.socket.from_stdlib_socket(self._spawning.popleft()))
                            self._add_idle(Worker(frame.pid, stream, self.settings.hang_timeout_s), fresh=True)
                            self._set_patience()
                        case control.NotSpawned():
                            self._spawning.popleft().close()
                            self._set_patience()
                            self._could_not_spawn(frame.reason)
                        case control.Exited():
                            self._forget(frame.pid)
        self._patience.cancel()

    def _set_patience(self) -> None:
        self._patience.deadline = trio.current_time() + SPAWN_TIMEOUT_S if self._spawning else float("inf")

    def _forget(self, pid: int) -> None:
        for worker in self._idle:
            if worker.pid == pid:
                self._idle.remove(worker)
                worker.kill_channel()
                self.restarts["died"] += 1
                self._wanted_changed.set()
                return
        if self._kept.forget(pid):
            self.restarts["died"] += 1

    def _could_not_spawn(self, reason: str) -> None:
        """Try again in a while: the system is short of something."""
        log.warning("no recogniser process could be started", reason=reason)
        self.restarts["not started"] += 1
        self._spawn_again_s = trio.current_time() + RESTART_PAUSE_S
        self._wanted_changed.set()

    async def _keep_idle_workers(self) -> NoReturn:
        while True:
            await trio.sleep_until(self._spawn_again_s)
            self._wanted_changed = trio.Event()
            there = len(self._idle) + len(self._spawning) + self._resetting
            room = self.settings.workers - self.workers_leased + self._leases_waiting - there - len(self._kept)
            for _ in range(min(self.settings.workers_idle + self._leases_waiting - there, room)):
                await self._spawn()
            await self._wanted_changed.wait()

    async def _spawn(self) -> None:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._could_not_spawn(str(error))
            return
        with theirs:
            self._spawning.append(ours)
            if self._patience.deadline == float("inf"):
                self._set_patience()
            await self._tell_fork_server(control.Spawn(), theirs)

    async def _tell_fork_server(self, frame: control.ToForkServer, *channels: socket.socket) -> None:
        """Send one small frame, with sockets; where the fork server is gone its replacement needs none of it."""
        if self._control is None:
            return
        descriptors = b"".join(channel.fileno().to_bytes(4, sys.byteorder) for channel in channels)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)] if channels else []
        with contextlib.suppress(OSError):
            await self._control.sendmsg([ipc.encode(frame)], rights)
