"""A recording for the demo: real speech out of PocketSphinx's source distribution, kept in the user's cache.

The wheel of PocketSphinx has no recordings and nothing of others is committed here, so the source distribution is
fetched once through pip (which honours the user's index and proxy) and a LibriVox sentence with its transcript is taken
out. Without a network the last resort is synthesised speech, and it is named as such.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import wave
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from asr_trio.errors import AsrError

SENTENCE: Final = "sense_and_sensibility_01_austen_64kb-0880"
DOWNLOAD_TIMEOUT_S: Final = 300


class RecordingError(AsrError):
    """No recording could be had."""


class Recording(msgspec.Struct, frozen=True):
    """A WAV file, what is said in it (or "") and where it comes from."""

    path: Path
    transcript: str
    origin: str


def cache_folder() -> Path:
    """Return the folder of this program in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "asr-trio"


def is_cached() -> bool:
    """Tell whether the recording is there already."""
    return (cache_folder() / f"{SENTENCE}.wav").is_file()


def find() -> Recording:
    """Return the cached recording, fetch it, or synthesise one.

    Raises:
        RecordingError: nothing worked; the message says what was tried.
    """
    folder = cache_folder()
    path, text = folder / f"{SENTENCE}.wav", folder / f"{SENTENCE}.txt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _fetch(path, text)
        except (OSError, subprocess.SubprocessError, tarfile.TarError, KeyError) as error:
            return _synthesise(folder, str(error))
    return Recording(path, text.read_text(encoding="utf-8").strip().lower(), "a LibriVox recording from PocketSphinx")


def _fetch(path: Path, text: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        requirement = f"pocketsphinx=={version('pocketsphinx')}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pocketsphinx"]
        subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
            [*command, "--dest", temporary, requirement], check=True, capture_output=True, timeout=DOWNLOAD_TIMEOUT_S
        )
        (archive,) = Path(temporary).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            root = tar.next()
            top = root.name.split("/")[0] if root is not None else ""
            for suffix, target in ((".txt", text), (".wav", path)):  # the recording last: its presence marks success
                member = tar.extractfile(f"{top}/test/data/librivox/{SENTENCE}{suffix}")
                if member is None:
                    raise KeyError(suffix)
                target.write_bytes(member.read())


def _synthesise(folder: Path, reason: str) -> Recording:
    if find_spec("espeakng_loader") is None:
        msg = (
            f"the recording could not be fetched ({reason}) and espeakng-loader, the last resort, is not installed; "
            "give a file of your own: asr-trio demo FILE"
        )
        raise RecordingError(msg)
    text = "go forward ten meters"
    path = folder / "synthesised.wav"
    samples, rate_hz = _espeak(text)
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate_hz)
        stream.writeframes(samples)
    return Recording(path, text, f"SYNTHESISED speech, because no recording could be fetched ({reason})")


def _espeak(text: str) -> tuple[bytes, int]:
    import ctypes

    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(
        2, 0, espeakng_loader.get_data_path().encode(), 0
    )  # 2: AUDIO_OUTPUT_SYNCHRONOUS
    if rate_hz <= 0:
        raise RecordingError("espeak-ng cannot be initialised")
    pieces: list[bytes] = []
    callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

    def collect(wave_samples: int | None, count: int, _events: int | None) -> int:
        if wave_samples and count:
            pieces.append(ctypes.string_at(wave_samples, count * 2))
        return 0

    callback = callback_type(collect)  # kept alive by this name for as long as the library may call it
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(b"en-us")
    encoded = text.encode()
    # Arguments: text, its size, start, position type, end, flags (1: UTF-8), no identifier, no user data.
    library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, 1, None, None)
    library.espeak_Synchronize()
    silence = b"\0\0" * (rate_hz // 4)
    return silence + b"".join(pieces) + silence, int(rate_hz)
