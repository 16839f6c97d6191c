"""A leased worker process, seen from the server: frames to it, hypotheses from it, and signs of its life.

Sending audio never waits: what the socket does not take at once waits here, and who sends asks whether the worker is
`behind` and lets it catch up. A death is seen at once, since the socket closes; a silence within a bound, since a
worker that owes an answer must show signs of life, and one with nothing to do is asked for them now and then.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import trio

from asr_trio import errors
from asr_trio.recognizer import base, ipc

RECEIVE_BYTES: Final = 65_536
BUSY_PATIENCE: Final = 4
"""A worker that computes is given this many times the hang timeout: on an overloaded machine the last pass over a long
segment, one call without a sign of life, may take that long, and killing it would lose a recognition for nothing."""
BATCH_PATIENCE: Final = 60
"""The same for a worker of lower priority: where live audio needs the machine, it may hardly get a turn for minutes."""
PROBE_INTERVAL_S: Final = 2.0
"""Each probe wakes both processes; a hang is noticed so much later than the hang timeout."""


class Worker:
    """A leased worker process. One task sends, one task may receive meanwhile."""

    def __init__(self, pid: int, stream: trio.SocketStream, hang_timeout_s: float) -> None:
        self.pid = pid
        self._stream = stream
        self._hang_timeout_s = hang_timeout_s
        self._reader = ipc.from_worker_reader()
        self._arrived: deque[base.FromWorker] = deque()
        self._owes = 0
        """Answers that are due; while there are any, silence is a fault."""
        self._receiving: trio.CancelScope | None = None
        self._probe_due_s = 0.0
        self._unsent = bytearray()
        self._patience = BUSY_PATIENCE
        self.recognizing = False
        """A recognition was opened, and not closed."""
        self.usable = True
        """False once it died, hung or broke the protocol."""
        self.recycle = False
        self.rss_bytes = 0
        self.model = ""
        """The model that this worker is kept for, if it is."""

    # --- a recognition -------------------------------------------------------------------------------------------

    async def open(
        self, models: tuple[base.LanguageModel, ...], settings: base.DecoderSettings, channel_state: bytes = b""
    ) -> None:
        """Begin a recognition.

        Raises:
            AsrError: the models cannot be used; the worker is still usable.
            WorkerDiedError: the process ended.
            WorkerTimeoutError: it did not answer in time.
        """
        self.recognizing = True
        await self.ask(base.Open(models=models, settings=settings, channel_state=channel_state), base.Opened)

    def start_segment(self, start_s: float) -> None:
        """Begin a segment.

        Raises:
            WorkerDiedError: the process ended; so from all that send.
        """
        self._put(base.StartSegment(start_s=start_s))

    def send_audio(self, pcm: bytes) -> None:
        """Send audio of the running segment."""
        self._put(base.Audio(pcm=pcm), *self._due_probe())

    def probe(self) -> None:
        """Ask for a sign of life, unless that was done a moment ago: for when there is nothing else to send."""
        self._put(*self._due_probe())

    def _due_probe(self) -> tuple[base.Probe, ...]:
        now_s = trio.current_time()
        if now_s < self._probe_due_s:
            return ()
        self._probe_due_s = now_s + PROBE_INTERVAL_S
        self._expect_answer()
        return (base.Probe(),)

    def lower_priority(self, *, gives_way: bool = False) -> None:
        """Let everybody else go first, from now on and for as long as the process lives.

        Args:
            gives_way: take only what nobody else wants.
        """
        self._patience = BATCH_PATIENCE
        self._put(base.LowerPriority(gives_way=gives_way))

    def pause(self) -> None:
        """Tell that speech pauses: the decoder may prepare its result."""
        self._put(base.Pause())

    def resume(self) -> None:
        """Tell that speech goes on after a pause."""
        self._put(base.Resume())

    def end_segment(self, end_s: float) -> None:
        """End the segment; its Final comes by `receive`."""
        self._expect_answer()
        self._put(base.EndSegment(end_s=end_s))

    @property
    def behind(self) -> bool:
        """The worker does not take what it is sent as fast as it comes; send no more before `catch_up`."""
        return bool(self._unsent)

    async def catch_up(self) -> None:
        """Wait until the worker has taken everything.

        Raises:
            WorkerDiedError: the process ended.
            WorkerTimeoutError: it takes nothing.
        """
        overdue = 0
        while self._unsent:
            with trio.move_on_after(self._hang_timeout_s) as scope, self._death_is_an_error():
                await trio.lowlevel.wait_writable(self._stream.socket)
            if scope.cancelled_caught:
                overdue += 1
                self._check_life(overdue)
            else:
                overdue = 0
                self._put()

    async def receive(self) -> base.Partial | base.Final:
        """Wait for the next hypotheses.

        Raises:
            RecognizerError: the decoder failed; the recognition is over, the worker still usable.
            WorkerDiedError: the process ended.
            WorkerTimeoutError: it owed an answer and showed no sign of life.
        """
        while True:
            frame = await self._receive()
            if isinstance(frame, base.Partial | base.Final):
                return frame
            self._unexpected(frame)

    async def close(self) -> bool:
        """Give the recognition up, or end it after its last result; return whether the worker is free again.

        Raises:
            WorkerDiedError: the process ended.
            WorkerTimeoutError: it did not answer in time.
        """
        if not self.recognizing:
            # A job that was given up half-way: its answer must never be taken for that to the next one's question.
            return not self._owes
        self.recognizing = False
        self._expect_answer()
        await self._send(base.Cancel())
        while not isinstance(frame := await self._receive(), base.Closed):
            pass  # results that nobody waits for any more
        self.recycle = frame.recycle
        self.rss_bytes = frame.rss_bytes
        self._owes = 0
        return True

    # --- anything ------------------------------------------------------------------------------------------------

    async def load(self, model: str, timeout_s: float) -> None:
        """Load the model that this worker is kept for from now on.

        Raises:
            AsrError: it cannot be loaded.
            WorkerDiedError: the process ended.
            WorkerTimeoutError: it was not loaded in time.
        """
        usual_s, self._hang_timeout_s = self._hang_timeout_s, timeout_s
        await self.ask(base.Load(model=model), base.Loaded)
        self._hang_timeout_s = usual_s
        self.model = model

    async def ask(self, frame: base.ToWorker, answer: type[Any]) -> Any:
        """Send a frame and wait for its answer.

        Raises:
            AsrError: what the worker says went wrong.
            WorkerDiedError: the process ended.
            WorkerTimeoutError: it did not answer in time.
        """
        self._expect_answer()
        await self._send(frame)
        reply = await self._receive()
        if not isinstance(reply, answer):
            self._unexpected(reply)
        return reply

    def kill_channel(self) -> None:
        """Close the socket: the process, if it still runs, ends by itself."""
        self.usable = False
        self._stream.socket.close()

    def is_alive(self) -> bool:
        """Return whether an idle worker's socket is open (it could have nothing to say) and nobody has stopped it."""
        poll = select.poll()
        poll.register(self._stream.socket, select.POLLIN)
        return not poll.poll(0) and _process_state(self.pid) != "T"

    def _expect_answer(self) -> None:
        self._owes += 1
        self._set_deadline()

    def _set_deadline(self) -> None:
        if self._receiving is not None:
            self._receiving.deadline = trio.current_time() + self._hang_timeout_s if self._owes else float("inf")

    async def _send(self, frame: base.ToWorker) -> None:
        self._put(frame)
        await self.catch_up()

    def _put(self, *frames: base.ToWorker) -> None:
        """Write what the socket takes, nearly always all; that spares the scheduler a turn a packet."""
        self._unsent += b"".join(map(ipc.encode, frames))
        try:
            del self._unsent[: os.write(self._stream.socket.fileno(), self._unsent)]
        except BlockingIOError:
            return
        except OSError as error:
            self.usable = False
            raise errors.WorkerDiedError("the recogniser's process ended") from error

    async def _receive(self) -> base.FromWorker:
        overdue = 0
        while not self._arrived:
            with trio.CancelScope() as self._receiving:
                self._set_deadline()
                with self._death_is_an_error():
                    data = await self._stream.receive_some(RECEIVE_BYTES)
                if not data:
                    self.usable = False
                    raise errors.WorkerDiedError("the recogniser's process ended")
                self._take_in(data)
                overdue = 0
            if self._receiving.cancelled_caught:
                overdue += 1
                self._check_life(overdue)
        self._receiving = None
        return self._arrived.popleft()

    def _take_in(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            if not isinstance(frame, base.Partial | base.Working):
                self._owes = max(0, self._owes - 1)
            if not isinstance(frame, base.Alive | base.Working):
                self._arrived.append(frame)

    def _check_life(self, timeouts: int) -> None:
        """Give the process up where it should have stirred by now: it has been silent for so many timeouts."""
        # "R" is one that runs or waits for a processor; others are stopped, wait for something or are gone.
        if timeouts < self._patience and _process_state(self.pid) == "R":
            return
        self.usable = False
        raise errors.WorkerTimeoutError(f"the recogniser did not answer within {timeouts * self._hang_timeout_s:g} s")

    def _unexpected(self, frame: base.FromWorker) -> NoReturn:
        if isinstance(frame, base.Failed):
            raise as_error(frame)
        self.usable = False
        raise errors.RecognizerError(f"a worker said {type(frame).__name__} out of turn")

    @contextlib.contextmanager
    def _death_is_an_error(self) -> Iterator[None]:
        try:
            yield
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.usable = False
            raise errors.WorkerDiedError("the recogniser's process ended") from error


def _process_state(pid: int) -> str:
    """Return the letter of a process's state in Linux' process table; "" where there is no such table or process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
            return stat.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return ""


def as_error(frame: base.Failed) -> errors.AsrError:
    """Return the exception that a worker tells of."""
    kind = getattr(errors, frame.error, None)
    if kind is errors.GrammarError:
        return errors.GrammarError(frame.message, **frame.details)
    if isinstance(kind, type) and issubclass(kind, errors.AsrError):
        return kind(frame.message)
    return errors.RecognizerError(frame.message)
