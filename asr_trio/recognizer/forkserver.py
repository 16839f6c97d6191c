"""The process that loads the models once and forks a worker on every request.

It is started by the server before anything else needs the models, is single-threaded, and owns its workers: it reaps
them, reports how each ended, and kills one when told to (so that a process number can never be another's). It ends
when its control socket closes, and its workers end with it: by the parent-death signal on Linux, by the signal that it
sends on its way out, and at the latest when their own socket closes. The parent-death signal is also what ends it, and
them, where it is stopped and so hears no socket close. It leads a process group, by which the server kills them all.
`control` has what the two say.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final, NoReturn

from asr_trio.errors import AsrError
from asr_trio.recognizer import ipc, sandbox, turn
from asr_trio.recognizer.control import (
    Configure,
    Exited,
    FromForkServer,
    Kill,
    NotSpawned,
    Ready,
    Spawn,
    Spawned,
    ToForkServer,
    Unusable,
)
from asr_trio.recognizer.engines import Engines
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.recognizer.worker import Worker
from asr_trio.settings import RecognizerSettings

PR_SET_PDEATHSIG: Final = 1
PR_SET_THP_DISABLE: Final = 41

WORKER_ADDRESS_SPACE_BYTES: Final = 4 * 1024 * 1024 * 1024
"""Beyond what it has at birth. Far above any honest use; a runaway allocation ends the worker, not the machine."""


class ForkServer:
    """The loop of the fork server."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._reader: ipc.FrameReader[ToForkServer] = ipc.FrameReader(ToForkServer)
        self._sockets: list[int] = []
        self._workers: set[int] = set()
        self._enter_sandbox = sandbox.prepare()

    def run(self) -> None:
        """Serve until the server closes its end."""
        engines: Engines | None = None
        wakeup = _wake_on_child_exit()
        try:
            while (frames := self._receive(wakeup)) is not None:
                for frame in frames:
                    match frame:
                        case Configure():
                            engines = self._configure(frame)
                            if engines is None:
                                return
                        case Spawn():
                            assert engines is not None, "Spawn came before Configure"
                            self._spawn(engines, wakeup)
                        case Kill():
                            if frame.pid in self._workers:
                                os.kill(frame.pid, signal.SIGKILL)
                self._reap()
        finally:
            for pid in self._workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _receive(self, wakeup: socket.socket) -> list[ToForkServer] | None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(wakeup, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if wakeup.fileno() in ready:
            wakeup.recv(4096)
        if self._control.fileno() not in ready:
            return []
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, 65_536, 64)
        except ConnectionResetError:  # the server was killed with something unread
            return None
        self._sockets.extend(descriptors)
        return self._reader.feed(data) if data else None

    def _say(self, frame: FromForkServer) -> None:
        self._control.sendall(ipc.encode(frame))

    def _configure(self, frame: Configure) -> Engines | None:
        try:
            engines = Engines(ModelRegistry(RecognizerSettings.model_validate_json(frame.settings)))
            engines.preload()
            with contextlib.suppress(ImportError):
                import av  # noqa: F401 - the optional codecs, shared by all workers
        except AsrError as error:
            self._say(Unusable(type(error).__name__, str(error)))
            return None
        gc.collect()
        gc.freeze()  # a collection in a worker must not touch, and so copy, what is shared
        self._say(Ready())
        self._learn_spellings(engines)
        return engines

    def _learn_spellings(self, engines: Engines) -> None:
        """Let a process of its own learn to spell what is not on the disk yet: workers may not write there."""
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # they are learned at the next start, or spelt in the workers
            return
        if pid == 0:
            try:
                self._close_what_is_not_ours()
                signal.set_wakeup_fd(-1)
                _die_with(parent)
                os.nice(19)
                engines.learn_spellings()
            finally:
                os._exit(0)
        self._workers.add(pid)

    def _spawn(self, engines: Engines, wakeup: socket.socket) -> None:
        channel = socket.socket(fileno=self._sockets.pop(0))
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # a limit on processes or memory: those that run must not die of it
            channel.close()
            self._say(NotSpawned(error.strerror or str(error)))
            return
        if pid == 0:
            self._close_what_is_not_ours()
            wakeup.close()
            _be_worker(channel, engines, parent, self._enter_sandbox)
        channel.close()
        self._workers.add(pid)
        self._say(Spawned(pid))

    def _close_what_is_not_ours(self) -> None:
        """Let go of the control socket and of sockets meant for others, in a new process.

        The death of a worker shows by the end of its socket, and it must not be held open elsewhere.
        """
        self._control.close()
        for descriptor in self._sockets:
            os.close(descriptor)

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._workers.discard(pid)
            self._say(Exited(pid, os.waitstatus_to_exitcode(status)))


def _wake_on_child_exit() -> socket.socket:
    """Make SIGCHLD readable; return the socket that it arrives on."""
    inner, outer = socket.socketpair()
    inner.setblocking(False)
    outer.setblocking(False)
    signal.set_wakeup_fd(inner.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return outer


def _be_worker(channel: socket.socket, engines: Engines, parent: int, enter_sandbox: Callable[[], None]) -> NoReturn:
    """Run the worker in a freshly forked process, and end it whatever happens."""
    status = 70  # EX_SOFTWARE, when something that is not ours escapes
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _die_with(parent)
        _limit_resources()
        _take_small_pages()
        turn.decode_live()
        enter_sandbox()
        channel.setblocking(True)
        Worker(channel, engines).run()
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        status = 0  # the server is gone or has given this worker up
    except BaseException:  # noqa: BLE001 - nothing may return into the fork server's stack
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of `parent` that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before that
            os._exit(0)


def _take_small_pages() -> None:
    """Have new memory come in small pages: the large ones are for what all workers share, and are hardly ever full."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)


def _limit_resources() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold what people said
    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", "rb") as statm:  # noqa: PTH123
        present = int(statm.read().split()[0]) * resource.getpagesize()
        limit = present + WORKER_ADDRESS_SPACE_BYTES
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def main(arguments: list[str] | None = None) -> None:
    """Run on an inherited socket; the arguments are its number and the process that is to be outlived by nothing."""
    descriptor, parent = map(int, arguments if arguments is not None else sys.argv[1:])
    _die_with(parent)
    # The server decides when everything ends: an interrupt at its terminal or a TERM to its group must leave running
    # recognitions alone while it drains.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ForkServer(socket.socket(fileno=descriptor)).run()


if __name__ == "__main__":
    main()
