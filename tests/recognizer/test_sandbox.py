import json
import subprocess
import sys

import pytest

from asr_trio.recognizer import sandbox

# What a worker tries inside: each line is an expression, its outcome the name of the exception or "allowed".
PROBE = """
import json, os, socket, sys, threading
from asr_trio.recognizer import sandbox
pair = socket.socketpair()
folder = sys.argv[1]
enter = sandbox.prepare()
enter()
def thread():
    worker = threading.Thread(target=lambda: None)
    worker.start()
    worker.join()
def speak():
    pair[0].sendall(b"x")
    assert pair[1].recv(1) == b"x"
def new_privileges():
    lines = open("/proc/self/status").read().splitlines()
    assert "NoNewPrivs:\\t1" in lines
attempts = {
    "read a file": lambda: open(__import__("os").__file__, "rb").read(),
    "speak on its socket": speak,
    "start a thread": thread,
    "have no new privileges": new_privileges,
    "open a socket": lambda: socket.socket(),
    "open a local socket": lambda: socket.socket(socket.AF_UNIX),
    "write a file": lambda: open(folder + "/new", "wb"),
    "append to a file": lambda: open(folder + "/there", "ab"),
    "remove a file": lambda: os.unlink(folder + "/there"),
    "rename a file": lambda: os.rename(folder + "/there", folder + "/moved"),
    "make a folder": lambda: os.mkdir(folder + "/folder"),
    "change a mode": lambda: os.chmod(folder + "/there", 0o777),
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os.fork() or os._exit(0),
    "kill another process": lambda: os.kill(os.getppid(), 0),
}
outcomes = {}
for name, attempt in attempts.items():
    try:
        attempt()
        outcomes[name] = "allowed"
    except OSError as error:
        outcomes[name] = type(error).__name__
print(json.dumps(outcomes))
"""
NEEDED = {"read a file", "speak on its socket", "start a thread", "have no new privileges"}


@pytest.mark.skipif(not sandbox.is_available(), reason="needs Linux, libseccomp and the package pyseccomp")
def test_a_worker_can_compute_and_nothing_else(tmp_path):
    (tmp_path / "there").write_text("kept")
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    outcomes = json.loads(ran.stdout)
    assert {name for name, outcome in outcomes.items() if outcome == "allowed"} == NEEDED
    assert {outcome for name, outcome in outcomes.items() if name not in NEEDED} == {"PermissionError"}
    assert (tmp_path / "there").read_text() == "kept"


def test_without_the_library_only_the_filter_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    assert not sandbox.is_available()
    assert callable(sandbox.prepare())
