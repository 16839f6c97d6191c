"""``asr-trio demo``: the main job, end to end, on one machine.

A server on a real socket, a real recording streamed to it at the pace of speech, every event printed as it comes.
"""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final

import trio
from cyclopts import Parameter

from asr_trio import client
from asr_trio.cli import recording
from asr_trio.cli.embedded import language_models, server
from asr_trio.cli.live import Display, JsonLines, show

PACKET_MS: Final = 100
PARAMETERS: Final = {"decoder.partialResultEnabled": "true", "decoder.partialResultInterval": "500"}


def demo(
    file: Annotated[Path | None, Parameter(help="A WAV file (PCM); without it a recording is fetched once.")] = None,
    /,
    *,
    lm: str = "builtin:slm/general",
    url: Annotated[str | None, Parameter(help="A running server; without it one is started.")] = None,
    json: Annotated[bool, Parameter(negative="", help="A line of JSON for each event.")] = False,
) -> int:
    """Start a server, stream a real recording through it at live pace, print what it says."""
    return trio.run(_demo, file, lm, url, JsonLines() if json else Display())


async def _demo(file: Path | None, lm: str, url: str | None, display: Display) -> int:
    if file is not None:
        sample = recording.Recording(file, "", "your file")
    else:
        if not recording.is_cached():
            display.line("fetching a recording (once) ...")
        sample = await trio.to_thread.run_sync(recording.find)
    display.line(f"audio            {sample.path.name}: {sample.origin}")
    async with server(url) as target, target.connect() as session:
        display.line(f"server           {target.url}")
        results = await show(
            session,
            _paced(sample.path),
            display,
            lm=language_models([lm]),
            parameters=PARAMETERS,
            content_type="audio/wav",
        )
    if sample.transcript:
        display.line(f"reference        {sample.transcript}")
    return 0 if any(result.alternatives for result in results) else 1


async def _paced(path: Path) -> AsyncIterator[bytes]:
    """Yield a WAV file, header and all, as fast as it would be spoken."""
    with wave.open(str(path)) as stream:
        bytes_per_s = stream.getframerate() * stream.getnchannels() * stream.getsampwidth()
    audio = await trio.Path(path).read_bytes()
    async for packet in client.paced(audio, bytes_per_s=bytes_per_s, packet_ms=PACKET_MS):
        yield packet
