"""The client for asyncio, against a whole server in a process of its own."""

from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asr_trio.cli.recording import Recording
from asr_trio.client import ConnectionFailedError, FinalResult, PartialResult, RequestRefusedError, SpeechStarted, aio
from tests.live import LiveServer

DEADLINE_S = 60
RAW = "audio/raw;rate=16000"
GENERAL = "builtin:slm/general"


def run(coroutine: Any) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, DEADLINE_S))


async def speech(recording: Recording, pace: float = 0.0) -> AsyncIterator[bytes]:
    with wave.open(str(recording.path)) as sound:
        pcm = sound.readframes(sound.getnframes())
    for start in range(0, len(pcm), 1280):
        await asyncio.sleep(pace)
        yield pcm[start : start + 1280]


def test_packets_of_an_asyncio_source_are_recognised(live_server: LiveServer, recording: Recording) -> None:
    async def main() -> list[object]:
        parameters = {"decoder.partialResultEnabled": True, "decoder.partialResultInterval": 200}
        async with aio.connect(live_server.ws_url) as session:
            events = session.recognize(speech(recording, 0.04), lm=GENERAL, content_type=RAW, parameters=parameters)
            return [event async for event in events]

    events = run(main())
    assert isinstance(events[0], SpeechStarted)
    assert any(isinstance(event, PartialResult) for event in events)
    assert isinstance(events[-1], FinalResult)
    assert events[-1].text.startswith("he was not")


def test_the_loop_goes_on_while_the_server_works(live_server: LiveServer, recording: Recording) -> None:
    async def main() -> tuple[int, str]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        async with aio.connect(live_server.ws_url) as session:
            texts = [
                event.text
                async for event in session.recognize(recording.path.read_bytes(), lm=GENERAL)
                if isinstance(event, FinalResult)
            ]
        ticking.cancel()
        return ticks, texts[0]

    ticks, text = run(main())
    assert ticks > 5
    assert text.startswith("he was not")


def test_requests_answers_and_refusals_are_the_same(live_server: LiveServer) -> None:
    async def main() -> None:
        async with aio.connect(live_server.ws_url, parameters={"decoder.maxSentences": 2}) as session:
            assert session.handle > 0
            assert await session.get_parameters("decoder.maxSentences") == {"decoder.maxSentences": "2"}
            assert await session.set_parameters({"no.such": 1}) == {"no.such": "ERR_INVALID_PARAMETER"}
            uri = await session.define_grammar("g", "#ABNF 1.0 UTF-8;\nlanguage en-US;\nroot $a;\n$a = yes | no;\n")
            assert (await session.interpret("yes", lm=uri)).text == "yes"
            with pytest.raises(RequestRefusedError, match="line 1"):
                await session.define_grammar("g", "#ABNF 1.0 UTF-8; nonsense")
            with pytest.raises(RequestRefusedError):
                async for _ in session.recognize(b"", lm="builtin:slm/none"):
                    pass

    run(main())


def test_leaving_the_loop_cancels_and_the_session_goes_on(live_server: LiveServer, recording: Recording) -> None:
    async def main() -> str:
        async with aio.connect(live_server.ws_url) as session:
            events = session.recognize(speech(recording, 0.02), lm=GENERAL, content_type=RAW)
            async for event in events:
                if isinstance(event, SpeechStarted):
                    break
            await events.aclose()
            last = [event async for event in session.recognize(speech(recording), lm=GENERAL, content_type=RAW)][-1]
            assert isinstance(last, FinalResult)
            return last.text

    assert run(main()).startswith("he was not")


def test_a_source_that_fails_is_told_and_gives_no_result(live_server: LiveServer, recording: Recording) -> None:
    async def unplugged() -> AsyncIterator[bytes]:
        async for packet in speech(recording):
            yield packet
            break
        raise OSError("unplugged")

    async def main() -> None:
        async with aio.connect(live_server.ws_url) as session:
            async for _ in session.recognize(unplugged(), lm=GENERAL):
                pytest.fail("half an utterance was taken for a whole one")

    with pytest.raises(OSError, match="unplugged"):
        run(main())


def test_no_server_is_an_error_and_no_thread_is_left() -> None:
    async def main() -> None:
        async with aio.connect("ws://127.0.0.1:9/asr-server/asr"):
            pass

    with pytest.raises(ConnectionFailedError):
        run(main())
    assert not any("asr-trio client" in thread.name for thread in threading.enumerate())


def test_a_cancelled_task_leaves_nothing_behind(live_server: LiveServer, recording: Recording) -> None:
    async def main() -> None:
        async with aio.connect(live_server.ws_url) as session:
            async for _ in session.recognize(speech(recording, 0.05), lm=GENERAL, content_type=RAW):
                pass

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(main(), 0.5)

    run(impatient())
    assert not any("asr-trio client" in thread.name for thread in threading.enumerate())
