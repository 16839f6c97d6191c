"""SIGHUP: users, models and log level change under a server that goes on serving."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import pytest
import trio

from asr_trio.client import ConnectionFailedError, FinalResult, RequestRefusedError, Session, connect
from asr_trio.protocol.messages import ResultStatus
from tests.live import LiveServer, serve

pytestmark = pytest.mark.slow

SILENCE = bytes(16_000)
CONFIGURATION = """
[auth]
htpasswd_file = "{users}"
[limits]
session_expiry_s = {expiry_s}
[log]
level = "{level}"
[recognizer]
workers_idle = 1
[recognizer.models.general]
aliases = ["{alias}"]
dictionary = "{dictionary}"
"""


class Site:
    """The files of a server."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "asr-trio.toml"
        self.users = folder / "users"

    def write(self, *, alias: str, user: str, level: str = "info", dictionary: str = "", expiry_s: int = 60) -> None:
        self.users.write_text(f"{user}:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
        text = CONFIGURATION.format(
            users=self.users, alias=alias, level=level, dictionary=dictionary, expiry_s=expiry_s
        )
        self.file.write_text("\n".join(line for line in text.splitlines() if line != 'dictionary = ""'))


async def last_status(session: Session, lm: str) -> ResultStatus:
    events = [event async for event in session.recognize(SILENCE, lm=lm, content_type="audio/raw")]
    assert isinstance(events[-1], FinalResult)
    return events[-1].status


async def test_everything_that_may_change_changes_and_a_fault_changes_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write(alias="old", user="ana")
    with serve(tmp_path, ASR_TRIO_CONFIG=str(site.file)) as server:
        async with connect(server.ws_url, user="ana", password="secret") as session:
            with pytest.raises(RequestRefusedError):
                await last_status(session, "builtin:slm/new")
            assert await finishes_across_a_reload(server, site, session) is ResultStatus.NO_SPEECH
            assert await last_status(session, "builtin:slm/new") is ResultStatus.NO_SPEECH  # the session goes on
        async with connect(server.ws_url, user="bia", password="secret") as session:
            assert '"wait_for_a_restart": ["limits"]' in server.log
            with pytest.raises(RequestRefusedError):
                await last_status(session, "builtin:slm/old")
            site.write(alias="newest", user="bia", dictionary="/nowhere")
            await trio.to_thread.run_sync(server.reload)
            assert "its dictionary is missing" in server.log
            assert await last_status(session, "builtin:slm/new") is ResultStatus.NO_SPEECH
            site.file.write_text("[log]\nlevle = 'info'\n")
            await trio.to_thread.run_sync(server.reload)
            assert "did you mean level?" in server.log
        with pytest.raises(ConnectionFailedError):
            async with connect(server.ws_url, user="ana", password="secret"):
                pass
    assert '"level": "debug"' in server.log


async def finishes_across_a_reload(server: LiveServer, site: Site, session: Session) -> ResultStatus:
    """Reload in the middle of a recognition by the old model."""

    async def audio():
        yield SILENCE
        site.write(alias="new", user="bia", level="debug", expiry_s=61)
        await trio.to_thread.run_sync(server.reload)
        yield SILENCE

    events = [event async for event in session.recognize(audio(), lm="builtin:slm/old", content_type="audio/raw")]
    assert isinstance(events[-1], FinalResult)
    return events[-1].status
