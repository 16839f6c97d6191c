#!/usr/bin/env python3
"""Speech recognition in an Asterisk dialplan, by EAGI: Asterisk starts this with the caller's audio on descriptor 3.

    exten => 100,1,Answer()
     same => n,Playback(your-account-number)
     same => n,EAGI(asterisk_eagi.py,ws://localhost:8025/asr-server/asr,builtin:grammar/digits)
     same => n,GotoIf($["${ASR_STATUS}" != "RECOGNIZED"]?again)
     same => n,SayDigits(${ASR_MEANING})

It listens for one utterance and sets ASR_STATUS, ASR_TEXT, ASR_SCORE and ASR_MEANING. The audio is 16-bit at 8 kHz,
or at 16 kHz where the channel variable EAGI_AUDIO_FORMAT says slin16.
"""

import json
import os
import sys
from collections.abc import AsyncIterator

import trio

from asr_trio.client import FinalResult, connect

AUDIO_FD = 3
PACKET_BYTES = 640
PARAMETERS = {"noInputTimeout.value": 5000, "decoder.confidenceThreshold": 30}


def command(line: str) -> str:
    """Say something to Asterisk and return its answer, such as ``200 result=1``."""
    print(line, flush=True)
    return sys.stdin.readline().strip()


def set_variable(name: str, value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    command(f'SET VARIABLE {name} "{quoted}"')


async def line_audio() -> AsyncIterator[bytes]:
    """What the caller says, as it comes; it ends when the caller hangs up."""
    async with trio.lowlevel.FdStream(os.dup(AUDIO_FD)) as stream:
        while packet := await stream.receive_some(PACKET_BYTES):
            yield packet


async def listen(url: str, lm: str, rate_hz: int) -> FinalResult:
    async with connect(url) as session:
        audio_type = f"audio/raw;rate={rate_hz}"
        return await session.recognize(line_audio(), lm=lm, parameters=PARAMETERS, content_type=audio_type).final()


def main(url: str, lm: str) -> None:
    while sys.stdin.readline().strip():
        pass  # agi_channel: …, one a line until an empty one
    wide = command("GET VARIABLE EAGI_AUDIO_FORMAT").endswith("(slin16)")
    try:
        result = trio.run(listen, url, lm, 16_000 if wide else 8_000)
    except Exception as error:  # noqa: BLE001 - the dialplan goes on and decides what to do
        command(f'VERBOSE "asr-trio: {type(error).__name__}" 1')
        set_variable("ASR_STATUS", "FAILURE")
        return
    set_variable("ASR_STATUS", str(result.status))
    set_variable("ASR_TEXT", result.text)
    set_variable("ASR_SCORE", str(result.result.alternatives[0].score if result.text else 0))
    meaning = result.interpretations[0] if result.interpretations else ""
    set_variable("ASR_MEANING", meaning if isinstance(meaning, str) else json.dumps(meaning))


main(*sys.argv[1:])
