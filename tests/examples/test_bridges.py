"""The bridges among the examples, with their counterparts: Wyoming's own library, and Asterisk's side of EAGI."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from asr_trio.cli.recording import Recording
from tests.live import LiveServer

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
DEADLINE_S = 60

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


# --- Home Assistant ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def bridge(url: str) -> Iterator[int]:
    command = [sys.executable, str(EXAMPLES / "home_assistant.py"), url, "0"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"port (\d+)", process.stdout.readline())
            assert found, "the bridge did not start"
            yield int(found[1])
        finally:
            process.terminate()


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")  # inside wyoming
def test_home_assistant_gets_its_transcripts(live_server: LiveServer, recording: Recording) -> None:
    pytest.importorskip("wyoming")
    from wyoming.asr import Transcribe, Transcript
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.client import AsyncTcpClient
    from wyoming.info import Describe, Info

    with wave.open(str(recording.path)) as sound:
        rate_hz, pcm = sound.getframerate(), sound.readframes(sound.getnframes())

    async def command(port: int) -> tuple[list[str], str]:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Describe().event())
            description = await client.read_event()
            assert description is not None
            names = [program.name for program in Info.from_event(description).asr]
            await client.write_event(Transcribe(language="en").event())
            await client.write_event(AudioStart(rate=rate_hz, width=2, channels=1).event())
            for start in range(0, len(pcm), 2048):
                chunk = AudioChunk(rate=rate_hz, width=2, channels=1, audio=pcm[start : start + 2048])
                await client.write_event(chunk.event())
            await client.write_event(AudioStop().event())
            answer = await asyncio.wait_for(client.read_event(), DEADLINE_S)
            assert answer is not None
            return names, Transcript.from_event(answer).text

    with bridge(live_server.ws_url) as port:
        for _ in range(2):
            names, text = asyncio.run(command(port))
            assert names == ["asr-trio"]
            assert text.startswith("he was not")


# --- Asterisk ---------------------------------------------------------------------------------------------------


class Asterisk:
    """Asterisk's side of an EAGI call: environment, answers to commands, and the caller's audio at its pace on fd 3."""

    def __init__(self, *arguments: str, pcm_8k: bytes, hang_up: bool) -> None:
        self.variables: dict[str, str] = {}
        audio, self._caller = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{audio}', sys.executable, EXAMPLES / "asterisk_eagi.py", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(audio,),
            env=environment(),
        )
        os.close(audio)
        self._ended = threading.Event()
        self._line = threading.Thread(target=self._speak, args=(pcm_8k, hang_up))

    def run(self) -> int:
        self._line.start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("agi_request: asterisk_eagi.py\nagi_channel: PJSIP/100-1\nagi_enhanced: 1.0\n\n")
        process.stdin.flush()
        for line in process.stdout:
            found = re.fullmatch(r'SET VARIABLE (\w+) "(.*)"', line.strip())
            if found:
                self.variables[found[1]] = found[2]
            process.stdin.write("200 result=0\n" if line.startswith("GET") else "200 result=1\n")
            process.stdin.flush()
        code = process.wait(DEADLINE_S)
        self._ended.set()
        self._line.join()
        process.stdin.close()
        process.stdout.close()
        return code

    def _speak(self, pcm: bytes, hang_up: bool) -> None:
        position = 0
        with contextlib.suppress(BrokenPipeError):
            while not self._ended.is_set() and not (hang_up and position >= len(pcm)):
                packet = pcm[position : position + 320].ljust(320, b"\0")
                os.write(self._caller, packet)
                position += 320
                time.sleep(0.02)
        os.close(self._caller)


@pytest.mark.parametrize("hang_up", [False, True])
def test_asterisk_hears_the_caller(live_server: LiveServer, recording: Recording, hang_up: bool) -> None:
    with wave.open(str(recording.path)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    pcm = samples[: len(samples) // 2 * 2].reshape(-1, 2).mean(axis=1).astype("<i2").tobytes()  # 16 to 8 kHz
    call = Asterisk(live_server.ws_url, "builtin:slm/general", pcm_8k=pcm, hang_up=hang_up)
    assert call.run() == 0
    assert call.variables["ASR_STATUS"] == "RECOGNIZED"
    assert call.variables["ASR_TEXT"].startswith("he was")
    assert 0 <= int(call.variables["ASR_SCORE"]) <= 100


def test_the_dialplan_goes_on_where_there_is_no_server() -> None:
    call = Asterisk("ws://127.0.0.1:9/asr-server/asr", "builtin:slm/general", pcm_8k=b"", hang_up=False)
    assert call.run() == 0
    assert call.variables == {"ASR_STATUS": "FAILURE"}
