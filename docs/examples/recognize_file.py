"""Recognise recordings: python recognize_file.py ws://localhost:8025/asr-server/asr speech.wav …

The whole file is sent at once; its header says what is in it. Ten recordings share one session here, as they may.
"""

import sys
from pathlib import Path

import trio

from asr_trio.client import connect


async def main(url: str, *files: str) -> None:
    async with connect(url) as session:
        for file in files:
            audio = await trio.Path(file).read_bytes()
            recognition = session.recognize(audio, lm="builtin:slm/general", content_type="audio/wav")
            result = await recognition.final()
            print(f"{Path(file).name}: {result.text or result.status}")


trio.run(main, *sys.argv[1:])
