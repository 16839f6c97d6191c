"""What the official SDKs really sent, byte for byte, to the real server: each message is understood, each answer read.

A capture is one session: free speech, an inline grammar, a cancelled recognition, free speech. The replay waits where
the SDK waited: for the answer to a command, and for the result after the last packet of a recognition that goes on.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.compat.readers import READERS, Reader, Seen
from tests.probes.peer import BINARY, RawPeer, frame

pytestmark = [pytest.mark.shared, pytest.mark.slow]

RECOGNITIONS = {"python": 3, "java": 3, "cpp": 3, "dotnet": 3, "dotnet_lf": 3, "kotlin": 1}


class Replay:
    """A peer that says what was recorded."""

    def __init__(self, peer: RawPeer, reader: Reader) -> None:
        self._peer = peer
        self._reader = reader
        self.results: list[Seen] = []

    async def say(self, message: bytes) -> None:
        await self._peer.send(frame(BINARY, message))

    async def hear(self, wanted: str) -> Seen | None:
        """Read up to the answer to a command or a result; None where the server closed."""
        with trio.fail_after(30):
            while (got := await self._peer.message()) is not None:
                opcode, payload = got
                if opcode != BINARY:
                    return None
                seen = self._reader(payload)
                if seen.name == "RECOGNITION_RESULT":
                    self.results.append(seen)
                if wanted in {seen.name, seen.headers.get("Method")}:
                    return seen
        return None


@pytest.mark.parametrize("name", RECOGNITIONS)
async def test_recorded_session(name, shared, server_port):
    folder: Path = shared / "captures" / name
    rows = [line.split("\t") for line in (folder / "index.tsv").read_text().splitlines()]
    messages = [(row[3], (folder / row[0]).read_bytes()) for row in rows if row[3] not in {"HANDSHAKE", "CLOSE"}]
    async with await RawPeer.connect(server_port) as peer:
        assert (await peer.upgrade()).startswith(b"HTTP/1.1 101 ")
        replay = Replay(peer, READERS[name.removesuffix("_lf")])
        listening = released = False
        for kind, message in messages:
            await replay.say(message)
            if released or kind == "SEND_AUDIO":
                continue
            if kind == "SEND_AUDIO-last":
                if listening:
                    assert await replay.hear("RECOGNITION_RESULT")
                listening = False
                continue
            answer = await replay.hear(kind)
            assert answer is not None
            assert answer.headers["Result"] == "SUCCESS", (kind, answer.headers)
            listening = kind == "START_RECOGNITION" or (listening and kind != "CANCEL_RECOGNITION")
            released = kind == "RELEASE_SESSION"
    assert len(replay.results) == RECOGNITIONS[name]
    statuses = {result.document["result_status"] for result in replay.results if result.document}
    assert statuses <= {"RECOGNIZED", "NO_MATCH", "NO_SPEECH"}
