"""Recognise what the microphone hears: python microphone.py ws://localhost:8025/asr-server/asr

Needs sounddevice (pip install 'asr-trio[microphone]'). Its callback runs in a thread of its own and must never wait, so
packets go through a bounded channel; the recognition ends by itself when the speaker does.
"""

import sys
from collections.abc import AsyncIterator

import sounddevice
import trio

from asr_trio.client import FinalResult, PartialResult, SpeechStarted, connect

RATE_HZ = 16_000
PACKET_SAMPLES = 640  # 40 ms
WAITING_PACKETS = 250  # 10 s: a network slower than that is no network for speech


async def microphone() -> AsyncIterator[bytes]:
    send, receive = trio.open_memory_channel[bytes](WAITING_PACKETS)
    token = trio.lowlevel.current_trio_token()

    def heard(data: bytes, *_: object) -> None:
        token.run_sync_soon(send.send_nowait, bytes(data))

    with sounddevice.RawInputStream(RATE_HZ, PACKET_SAMPLES, channels=1, dtype="int16", callback=heard):
        async for packet in receive:
            yield packet


async def main(url: str) -> None:
    async with connect(url) as session:
        print("Speak.")
        parameters = {"decoder.partialResultEnabled": True, "decoder.partialResultInterval": 300}
        audio_type = f"audio/raw;rate={RATE_HZ}"
        async for event in session.recognize(
            microphone(), lm="builtin:slm/general", parameters=parameters, content_type=audio_type
        ):
            match event:
                case SpeechStarted():
                    print("…")
                case PartialResult():
                    print(f"\r{event.text}", end="", flush=True)
                case FinalResult():
                    print(f"\r{event.text or event.status}")


trio.run(main, *sys.argv[1:])
