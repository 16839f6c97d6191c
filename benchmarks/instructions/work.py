"""What is counted: run under callgrind by `count`, once for each section in the order of `SECTIONS`.

A section runs inside ``PyRun_SimpleString``, which nothing else calls, so that callgrind can be told to count there.
"""

from __future__ import annotations

import ctypes

from asr_trio.protocol.parser import parse_client_message
from benchmarks import bench_protocol

MESSAGES = 60
_packet = bench_protocol.AUDIO
_start = bench_protocol.START
_loop = bench_protocol.idle()


def calibration() -> None:
    """What Python code is made of, none of it ours: calls, attributes, dictionaries, bytes and text."""
    table: dict[str, int] = {}
    for number in range(600):
        line = f"Header-{number % 50}: {number}".encode()
        name, _, value = line.partition(b": ")
        table[name.decode().lower()] = table.get("header", 0) + int(value)
        if isinstance(line, bytes) and sorted(table)[:1]:
            table.pop("nothing", None)


def parser() -> None:
    """Packets of audio and the start of a recognition."""
    for _ in range(MESSAGES):
        parse_client_message(_packet)
        parse_client_message(_start)


def session() -> None:
    """A whole recognition, from bytes in to bytes out."""
    _loop.exchange()


SECTIONS = {"calibration": calibration, "parser": parser, "session": session}

if __name__ == "__main__":
    for run in SECTIONS.values():
        run()  # caches warm
    for name in SECTIONS:
        ctypes.pythonapi.PyRun_SimpleString(f"import __main__; __main__.SECTIONS[{name!r}]()".encode())
