"""Dictation: python dictation.py ws://localhost:8025/asr-server/asr speech.wav

Continuous mode gives a result for each piece of speech between pauses, until the audio ends. The recording comes at the
pace of speech, as from a microphone.
"""

import sys
import wave
from collections.abc import AsyncIterator

import trio

from asr_trio.client import FinalResult, PartialResult, connect, paced

PARAMETERS = {
    "decoder.continuousMode": True,
    "decoder.partialResultEnabled": True,
    "decoder.partialResultInterval": 300,
    "endpointer.waitEnd": 700,
    "recognitionTimeout.enabled": False,
}


async def speech(file: str) -> AsyncIterator[bytes]:
    with wave.open(file) as recording:
        pcm, rate_hz = recording.readframes(recording.getnframes()), recording.getframerate()
    async for packet in paced(pcm, bytes_per_s=2 * rate_hz):
        yield packet


async def main(url: str, file: str) -> None:
    with wave.open(file) as recording:
        audio_type = f"audio/raw;rate={recording.getframerate()}"
    async with connect(url) as session:
        async for event in session.recognize(
            speech(file), lm="builtin:slm/general", parameters=PARAMETERS, content_type=audio_type
        ):
            match event:
                case PartialResult():
                    print(f"\r  {event.text}", end="", flush=True)
                case FinalResult() if event.text:
                    print(f"\r{event.result.start_time:6.2f} s  {event.text}")


trio.run(main, *sys.argv[1:])
