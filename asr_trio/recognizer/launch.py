"""Starting the fork server (`forkserver`), also before the server that will use it is there.

A fork server takes half a second to import what it needs and another to load the models, and a server half a second for
its own imports. A command that will serve begins with `ahead`, so that both get ready at once: this module imports
nothing but the standard library until there is something to say.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asr_trio.settings import RecognizerSettings


class ForkServerProcess:
    """A fork server from the outside. It ends with the thread that started it.

    Attributes:
        control: the socket to it.
        settings: what it was told to load; None before that.
    """

    def __init__(self) -> None:
        """Start it."""
        self.settings: RecognizerSettings | None = None
        self.control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this program
                [sys.executable, "-P", "-m", "asr_trio.recognizer.forkserver", str(theirs.fileno()), str(os.getpid())],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def configure(self, settings: RecognizerSettings) -> None:
        """Have it load the models."""
        from asr_trio.recognizer import control, ipc

        self.settings = settings
        self.control.sendall(ipc.encode(control.Configure(settings.model_dump_json().encode())))

    def end(self) -> None:
        """Kill it and its workers, stopped ones and those just born too, and wait until it has gone."""
        self.control.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


_AHEAD: Final[list[ForkServerProcess]] = []


@contextmanager
def ahead(read: Callable[[], RecognizerSettings]) -> Iterator[None]:
    """Start a fork server for the first `start` within this block; one that nobody took ends with it.

    Args:
        read: reads the settings, while the fork server is on its way.
    """
    process = ForkServerProcess()
    _AHEAD.append(process)
    try:
        process.configure(read())
        yield
    finally:
        while _AHEAD:
            _AHEAD.pop().end()


def start(settings: RecognizerSettings) -> ForkServerProcess:
    """Return a fork server that loads these models: the one that was started ahead, or a new one."""
    while _AHEAD:
        process = _AHEAD.pop()
        if process.settings == settings:
            return process
        process.end()
    process = ForkServerProcess()
    process.configure(settings)
    return process


def _environment() -> dict[str, str]:
    """Return the environment of a fork server.

    The package is found where this process found it, and nothing is imported from the current folder.
    """
    import asr_trio

    root = os.path.dirname(os.path.dirname(os.path.abspath(asr_trio.__file__)))  # noqa: PTH120, PTH100
    # One thread for each library: a worker is one core's worth of work, and threads do not survive a fork.
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # What a recognition no longer needs goes back to the system at once: 1.5 MiB of each leased worker.
    environment |= {"MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_TOP_PAD_": "0"}
    # Large tables lie in large pages: a search looks up n-grams all over them, and takes 4 % less time so.
    tunables = [os.environ.get("GLIBC_TUNABLES"), "glibc.malloc.hugetlb=1"]
    environment["GLIBC_TUNABLES"] = ":".join(filter(None, tunables))
    environment["HF_HUB_OFFLINE"] = "1"  # models are files of this machine; nothing may be fetched
    return environment
