from __future__ import annotations

from pathlib import Path

import pytest

from asr_trio.errors import ConfigError
from asr_trio.protocol.recording import read_entries
from asr_trio.server import record
from asr_trio.settings import RecordSettings


class Peer:
    """Says ten long messages and takes any."""

    address = "192.0.2.1"
    user = None
    last_received_s = 0.0

    def __init__(self) -> None:
        self.closed = False

    async def receive(self) -> bytes:
        return b"x" * 20_000

    async def send(self, message: bytes) -> None:
        pass

    async def ping(self) -> None:
        pass

    async def close(self, code: int, reason: str) -> None:
        self.closed = True


async def converse(peer):
    for _ in range(10):
        assert len(await peer.receive()) == 20_000
        await peer.send(b"answer")
    await peer.close(1000, "")


async def test_both_sides_are_written_down(tmp_path):
    peer = Peer()
    await converse(record.Recorder(RecordSettings(folder=tmp_path)).wrap(peer))
    (path,) = tmp_path.iterdir()
    entries = list(read_entries(path.read_bytes().splitlines(keepends=True)))
    assert [entry.side for entry in entries] == ["client", "server"] * 10
    assert peer.closed


async def test_all_recordings_together_have_a_bound(tmp_path):
    recorder = record.Recorder(RecordSettings(folder=tmp_path, total_bytes=100_000))
    for _ in range(10):
        await converse(recorder.wrap(Peer()))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 110_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_ends_the_recording_and_not_the_conversation(tmp_path, monkeypatch):
    monkeypatch.setattr(record.os, "open", lambda *_: real_open("/dev/full", record.os.O_WRONLY))
    peer = Peer()
    await converse(record.Recorder(RecordSettings(folder=tmp_path)).wrap(peer))
    assert peer.closed


real_open = record.os.open


def test_a_folder_that_cannot_be_made_is_the_operators_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"record\.folder"):
        record.Recorder(RecordSettings(folder=tmp_path / "file" / "below"))
