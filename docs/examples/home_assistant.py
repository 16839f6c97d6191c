"""Speech to text for Home Assistant: python home_assistant.py ws://localhost:8025/asr-server/asr [port] [lm]

A bridge from the Wyoming protocol to the server. In Home Assistant add the integration "Wyoming Protocol" with this
machine and port (10300). Every voice command is a connection: ``audio-start``, chunks, ``audio-stop``, and a
``transcript`` back. Audio goes on to the server as it comes, so the words are known soon after the last of them.

A Wyoming event is a line of JSON, then as many bytes of JSON data and of payload as the line announces.
"""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import trio

from asr_trio.client import FinalResult, connect

CHUNK_BYTES = 4096
WAITING_CHUNKS = 1000
MAX_EVENT_BYTES = 1024 * 1024
INFO = {
    "asr": [
        {
            "name": "asr-trio",
            "description": "Speech recognition on your own machine",
            "attribution": {"name": "asr-trio", "url": ""},
            "installed": True,
            "version": None,
            "models": [
                {
                    "name": "general",
                    "description": "English",
                    "attribution": {"name": "CMU Sphinx", "url": "https://cmusphinx.github.io"},
                    "installed": True,
                    "version": None,
                    "languages": ["en"],
                }
            ],
        }
    ]
}
# Home Assistant has found the end of the command itself: what comes until audio-stop is all of it, pauses included.
PARAMETERS = {"decoder.continuousMode": True, "noInputTimeout.enabled": False, "recognitionTimeout.enabled": False}


class Events:
    """Wyoming events on a stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._waiting = b""

    async def read(self) -> tuple[str, dict[str, Any], bytes] | None:
        """Return type, data and payload of the next event; None at the end."""
        while b"\n" not in self._waiting:
            if not await self._more():
                return None
        line, self._waiting = self._waiting.split(b"\n", 1)
        head = json.loads(line)
        data = await self._take(head.get("data_length") or 0)
        payload = await self._take(head.get("payload_length") or 0)
        return head["type"], {**head.get("data", {}), **json.loads(data or b"{}")}, payload

    async def write(self, kind: str, data: dict[str, Any]) -> None:
        await self._stream.send_all(json.dumps({"type": kind, "data": data}).encode() + b"\n")

    async def _take(self, size: int) -> bytes:
        while len(self._waiting) < size and await self._more():
            pass
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return taken

    async def _more(self) -> bool:
        if len(self._waiting) > MAX_EVENT_BYTES:
            raise ValueError("an event is too long")
        chunk = await self._stream.receive_some(CHUNK_BYTES)
        self._waiting += chunk
        return bool(chunk)


async def transcribe(events: Events, url: str, lm: str, format: dict[str, Any]) -> None:  # noqa: A002
    if (format["width"], format["channels"]) != (2, 1):
        raise ValueError("audio must be 16-bit and mono")
    texts: list[str] = []
    send, receive = trio.open_memory_channel[bytes](WAITING_CHUNKS)

    async def recognize(audio: AsyncIterator[bytes]) -> None:
        audio_type = f"audio/raw;rate={format['rate']}"
        async with connect(url) as session:
            events = session.recognize(audio, lm=lm, parameters=PARAMETERS, content_type=audio_type)
            texts.extend([event.text async for event in events if isinstance(event, FinalResult) and event.text])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recognize, receive)
        async with send:
            while (event := await events.read()) and event[0] == "audio-chunk":
                await send.send(event[2])
    await events.write("transcript", {"text": " ".join(texts)})


async def serve(stream: trio.SocketStream, url: str, lm: str) -> None:
    events = Events(stream)
    try:
        while event := await events.read():
            kind, data, _ = event
            if kind == "describe":
                await events.write("info", INFO)
            elif kind == "audio-start":
                await transcribe(events, url, lm, data)
            elif kind == "ping":
                await events.write("pong", data)
    except* Exception as errors:  # noqa: BLE001 - one command that fails is not the end of the bridge
        print(f"command failed: {errors.exceptions[0]!r}", file=sys.stderr)


async def main(url: str, port: str = "10300", lm: str = "builtin:slm/general") -> None:
    listeners = await trio.open_tcp_listeners(int(port))
    print(f"listening on port {listeners[0].socket.getsockname()[1]}", flush=True)
    await trio.serve_listeners(lambda stream: serve(stream, url, lm), listeners)


trio.run(main, *sys.argv[1:])
