"""What the server and its fork server (`forkserver`) say to each other, in msgpack frames as `ipc` cuts them.

Who says what, and what answers it:

server: Configure(settings)       fork server: Ready | Unusable(error, message)
server: Spawn(+ a socket)         fork server: Spawned(pid) | NotSpawned(reason), in order of the requests
server: Kill(pid)                 fork server: -
                                  fork server: Exited(pid, status), at any time
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class _Control(msgspec.Struct, frozen=True, tag=True):
    pass


class Configure(_Control, frozen=True):
    """The first frame: RecognizerSettings as JSON."""

    settings: bytes


class Spawn(_Control, frozen=True):
    """Fork a worker; its end of a stream socket pair comes with this frame."""


class Kill(_Control, frozen=True):
    """Kill a worker."""

    pid: int


class Ready(_Control, frozen=True):
    """The models are loaded."""


class Unusable(_Control, frozen=True):
    """The models cannot be loaded; the fork server ends."""

    error: str
    message: str


class Spawned(_Control, frozen=True):
    """A worker runs."""

    pid: int


class NotSpawned(_Control, frozen=True):
    """The system has no room for another process now."""

    reason: str


class Exited(_Control, frozen=True):
    """A worker ended; `status` is negative for the signal that killed it."""

    pid: int
    status: int


ToForkServer: TypeAlias = Configure | Spawn | Kill
FromForkServer: TypeAlias = Ready | Unusable | Spawned | NotSpawned | Exited
