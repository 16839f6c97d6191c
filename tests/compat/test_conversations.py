"""Whole conversations of every official SDK's model with the real server, on a real socket, with real speech."""

from __future__ import annotations

import random
import struct
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.compat.base import Grammar, Model
from tests.compat.models import MODELS
from tests.probes.peer import RawPeer

pytestmark = [pytest.mark.shared, pytest.mark.slow]

FREE_SPEECH = "builtin:slm/general"
DIGITS = "builtin:grammar/digits"
COMMAND = "what time is it"
KEEPS_SESSION = [name for name, model in MODELS.items() if model.keeps_session and name != "dotnet-lf"]
"""SDKs that recognise more than once a session; line ends make no difference there."""


@asynccontextmanager
async def conversation(name: str, port: int, parameters: Mapping[str, str] | None = None) -> AsyncIterator[Model]:
    model_type = MODELS[name]
    async with await RawPeer.connect(port) as peer, trio.open_nursery() as nursery:
        head = await peer.upgrade(extra=model_type.handshake)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"extensions" not in head.lower()
        model = model_type(peer, nursery, parameters or {})
        nursery.start_soon(model.receive)
        await model.open()
        yield model
        nursery.cancel_scope.cancel()


def best(results: list) -> str:
    assert [result["result_status"] for result in results] == ["RECOGNIZED"]
    assert results[0]["last_segment"]
    return results[0]["alternatives"][0]["text"]


@pytest.fixture(scope="module")
def data(shared: Path) -> Path:
    return shared / "data"


@pytest.fixture(scope="module")
def command(data: Path) -> bytes:
    """«what time is it», 16 kHz."""
    return (data / "home/wav/v2j_what_time_is_it.wav").read_bytes()


@pytest.fixture(scope="module")
def home(data: Path) -> Grammar:
    return Grammar("home", (data / "grammars/home.abnf").read_text())


@pytest.fixture(scope="module")
def digits(data: Path) -> bytes:
    """Spoken digits, 8 kHz."""
    return (data / "digits_fsdd/wav/str_theo_20.wav").read_bytes()


@pytest.mark.parametrize("name", MODELS)
async def test_free_speech(name, server_port, command):
    async with conversation(name, server_port) as sdk:
        assert best(await sdk.recognize(FREE_SPEECH, command))
        await sdk.close()


@pytest.mark.parametrize("name", MODELS)
async def test_builtin_grammar_at_8_khz(name, server_port, digits):
    async with conversation(name, server_port, {"decoder.maxSentences": "2"}) as sdk:
        results = await sdk.recognize(DIGITS, digits)
        assert best(results)
        assert results[0]["alternatives"][0]["interpretations"]
        await sdk.close()


@pytest.mark.parametrize("name", MODELS)
async def test_inline_grammar(name, server_port, command, home):
    async with conversation(name, server_port) as sdk:
        assert best(await sdk.recognize(home, command)) == COMMAND
        await sdk.close()


@pytest.mark.parametrize("name", KEEPS_SESSION)
async def test_cancel_in_the_middle_and_recognize_again(name, server_port, command, home):
    async with conversation(name, server_port) as sdk:
        sdk.microphone = True
        await sdk.recognize(FREE_SPEECH, command[:12_000], wait=False)
        await sdk.cancel()
        assert sdk.results == []
        sdk.microphone = False
        assert best(await sdk.recognize(home, command)) == COMMAND
        await sdk.close()


@pytest.mark.parametrize("name", KEEPS_SESSION)
async def test_ten_recognitions_in_one_session(name, server_port, home, command):
    async with conversation(name, server_port) as sdk:
        for turn in range(10):
            results = await sdk.recognize(DIGITS if turn % 2 else home, command)
            if turn % 2:
                assert results[-1]["result_status"] in {"RECOGNIZED", "NO_MATCH"}
            else:
                assert best(results) == COMMAND
        await sdk.close()


@pytest.mark.parametrize("name", [name for name in MODELS if name != "python"])
async def test_continuous_mode(name, server_port, data):
    audio = pause_between(data / "digits_fsdd/wav/str_jackson_06.wav", data / "digits_fsdd/wav/str_theo_20.wav")
    async with conversation(name, server_port, {"decoder.continuousMode": "true"}) as sdk:
        results = await sdk.recognize(DIGITS, audio)
        recognized = [result for result in results if result["result_status"] == "RECOGNIZED"]
        if name == "kotlin":  # its last packet has long left, so it takes the first result for the last
            assert recognized[0]["segment_index"] == 0
            return
        assert [result["segment_index"] for result in recognized] == [0, 1]
        assert recognized[0]["end_time"] < recognized[1]["start_time"]
        assert [result["last_segment"] for result in results] == [False] * (len(results) - 1) + [True]
        await sdk.close()


@pytest.mark.parametrize("name", MODELS)
async def test_partial_results(name, server_port, command, home):
    wanted = {"decoder.partialResultEnabled": "true", "decoder.partialResultInterval": "100"}
    async with conversation(name, server_port, wanted) as sdk:
        assert best(await sdk.recognize(home, command)) == COMMAND
        assert all(sdk.partials)
        await sdk.close()


@pytest.mark.parametrize("name", KEEPS_SESSION)
async def test_silence_is_no_speech(name, server_port):
    async with conversation(name, server_port) as sdk:
        (result,) = await sdk.recognize(FREE_SPEECH, wav(quiet(4.0, 8000), 8000))
        assert (result["result_status"], result["alternatives"]) == ("NO_SPEECH", [])
        await sdk.close()


@pytest.mark.parametrize("name", KEEPS_SESSION)
async def test_empty_audio_is_no_speech(name, server_port):
    async with conversation(name, server_port) as sdk:
        (result,) = await sdk.recognize(FREE_SPEECH, wav(b"", 8000))
        assert result["result_status"] == "NO_SPEECH"
        await sdk.close()


@pytest.mark.parametrize(("name", "told"), [
    ("python", ""),  # it writes a warning and returns nothing
    ("java", "ERR_FILE_OPEN - "),
    ("cpp", "[START_RECOGNITION]: ERR_FILE_OPEN: "),
    ("dotnet", "ERR_FILE_OPEN "),
    ("dotnet-lf", "ERR_FILE_OPEN "),
    ("kotlin", "ERR_FILE_OPEN"),
])  # fmt: skip
async def test_unknown_language_model_ends_as_each_sdk_knows_it(name, told, server_port, digits):
    async with conversation(name, server_port) as sdk:
        assert await sdk.recognize("builtin:grammar/no-such", digits) == []
        assert sdk.error.startswith(told)


async def test_dotnet_recognizes_twice_at_once_and_the_first_wins(server_port, command, home):
    async with conversation("dotnet", server_port) as sdk:
        await sdk.recognize(home, command[: len(command) // 2], wait=False)
        await sdk.send("START_RECOGNITION", {"Content-Type": "text/uri-list"}, FREE_SPEECH.encode())
        await sdk.until(lambda: bool(sdk.error))
        assert sdk.error.startswith("ERR_INVALID_STATE")
        await sdk.until(lambda: sdk.is_done)
        assert sdk.results[-1]["result_status"] in {"RECOGNIZED", "NO_MATCH"}
        await sdk.close()


async def test_cpp_leaves_without_a_word_and_others_go_on(server_port, digits):
    async with conversation("cpp", server_port) as leaver, conversation("java", server_port) as other:
        await leaver.recognize(DIGITS, digits, wait=False)
        await leaver.close()
        assert best(await other.recognize(DIGITS, digits))
        await other.close()


async def test_wav_container_ends_the_audio_where_no_last_packet_comes(server_port, digits):
    """The .NET SDK's continuous test sends a whole WAV as octet-stream and nothing after it."""
    async with conversation("dotnet", server_port) as sdk:
        sdk.results, sdk.is_done, sdk._audio = [], False, b""
        await sdk.send("START_RECOGNITION", {"Content-Type": "text/uri-list"}, DIGITS.encode())
        headers = {"LastPacket": "False", "Content-Type": "application/octet-stream"}
        await sdk.send("SEND_AUDIO", headers, digits)
        await sdk.until(lambda: sdk.is_done)
        assert best(sdk.results)


def pause_between(first: Path, second: Path, pause_s: float = 2.0) -> bytes:
    """Return a WAV file with both recordings and a pause."""
    pieces = []
    for path in (first, second):
        with wave.open(str(path)) as stream:
            rate = stream.getframerate()
            pieces += [stream.readframes(stream.getnframes()), quiet(pause_s, rate)]
    return wav(b"".join(pieces), rate)


def quiet(seconds: float, rate: int) -> bytes:
    chance = random.Random(1)
    return struct.pack(f"<{round(seconds * rate)}h", *(chance.randint(-3, 3) for _ in range(round(seconds * rate))))


def wav(pcm: bytes, rate: int) -> bytes:
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", len(pcm),
    )  # fmt: skip
    return header + pcm
