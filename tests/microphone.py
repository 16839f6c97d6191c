"""A microphone where there is none: a stand-in for sounddevice plays a recording, then silence, from its own thread."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_MODULE: Final = """
import os, threading, time, wave

class PortAudioError(Exception):
    pass

class RawInputStream:
    def __init__(self, samplerate, blocksize, *, channels, dtype, callback, device=None):
        assert (channels, dtype) == (1, "int16")
        self._arguments = samplerate, blocksize, callback
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _play(self):
        rate, blocksize, callback = self._arguments
        with wave.open(os.environ["RECORDING"]) as sound:
            assert sound.getframerate() == rate
            while not self._ended.is_set():
                block = sound.readframes(blocksize).ljust(2 * blocksize, b"\\0")
                callback(memoryview(block), blocksize, None, None)
                time.sleep(blocksize / rate)
"""


def plug_in(folder: Path) -> None:
    """Put the module into a folder, for the front of a program's PYTHONPATH; RECORDING names the WAV file."""
    (folder / "sounddevice.py").write_text(_MODULE)
