"""What a worker process may still do: read files, compute, and speak on the socket that it was given.

Workers handle what strangers send (audio, grammars, scripts in them) in C code. On Linux they get no new privileges,
and where libseccomp and the package pyseccomp are there (the extra ``sandbox``) the kernel refuses them the network,
other programs, other processes and every change to the file system with EPERM. The list names what is refused, since
engines differ in what they need: threads and memory stay allowed, a new process does not.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Callable
from typing import Any, Final

PR_SET_NO_NEW_PRIVS: Final = 38
CLONE_VM: Final = 0x100
"""Set for threads, not for processes."""
_WRITING: Final = (os.O_WRONLY, os.O_RDWR)

REFUSED: Final = (
    # the network, local sockets included
    *("socket", "connect", "bind", "listen", "accept", "accept4"),
    # other programs and processes
    *("execve", "execveat", "fork", "vfork", "kill", "tkill", "ptrace", "process_vm_readv", "process_vm_writev"),
    *("pidfd_open", "pidfd_getfd", "pidfd_send_signal", "setns", "unshare"),
    # the file system
    *("creat", "truncate", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir"),
    *("link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown"),
    *("lchown", "fchownat", "setxattr", "lsetxattr", "fsetxattr", "utimensat", "mount", "umount2", "pivot_root"),
    *("chroot", "open_by_handle_at", "move_mount", "fsopen", "open_tree"),
    # the kernel
    *("bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "io_uring_setup", "init_module"),
    *("finit_module", "kexec_load", "reboot", "swapon", "swapoff", "settimeofday", "clock_settime", "sethostname"),
)


def prepare() -> Callable[[], None]:
    """Load what the sandbox needs, in the process that forks; return what a worker calls first."""
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None).prctl
    load_filter = _prepare_filter()

    def enter() -> None:
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        load_filter()

    return enter


def is_available() -> bool:
    """Tell whether workers are filtered by the kernel here."""
    return sys.platform == "linux" and _library() is not None


def _library() -> Any:
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError):  # without the package, or without libseccomp
        return None
    return pyseccomp


def _prepare_filter() -> Callable[[], None]:
    library = _library()
    if library is None:
        return lambda: None

    def load() -> None:
        refuse = library.ERRNO(errno.EPERM)
        rules = library.SyscallFilter(library.ALLOW)

        def add(action: int, name: str, *conditions: Any) -> None:
            # A call that this architecture does not have cannot be made either.
            with contextlib.suppress(OSError, ValueError):
                rules.add_rule(action, name, *conditions)

        for name in REFUSED:
            add(refuse, name)
        for mode in _WRITING:
            add(refuse, "open", library.Arg(1, library.MASKED_EQ, os.O_ACCMODE, mode))
            add(refuse, "openat", library.Arg(2, library.MASKED_EQ, os.O_ACCMODE, mode))
        add(refuse, "clone", library.Arg(0, library.MASKED_EQ, CLONE_VM, 0))
        # These take their flags from memory, where a filter cannot look: the C library does without them.
        add(library.ERRNO(errno.ENOSYS), "clone3")
        add(library.ERRNO(errno.ENOSYS), "openat2")
        rules.load()

    return load
