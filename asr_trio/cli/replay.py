"""``asr-trio replay``."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import msgspec
import trio
from cyclopts import Parameter

from asr_trio.cli.embedded import Server, server
from asr_trio.client.replay import compare, recorded_answers, replay
from asr_trio.errors import AsrError
from asr_trio.protocol.messages import ServerMessage
from asr_trio.protocol.recording import Entry, read_entries


def replay_file(
    file: Path,
    *,
    url: Annotated[str | None, Parameter(help="The server to play against; without it one is started here.")] = None,
    user: str | None = None,
    password: str | None = None,
    speed: Annotated[float, Parameter(help="2 plays twice as fast.")] = 1.0,
    json: Annotated[bool, Parameter(help="Differences as JSON lines.")] = False,
) -> int:
    """Play a recorded session (``asr-trio serve --record DIR``) against a server and compare its answers.

    Exits with 0 where everything is said again, 1 where something differs.
    """
    try:
        with file.open("rb") as lines:
            entries = list(read_entries(lines))
    except OSError as error:
        raise AsrError(f"{file}: {error.strerror}") from error
    then = recorded_answers(entries)
    heard = trio.run(_replay, entries, server(url, user, password), speed)
    differences = compare(then, heard)
    for difference in differences:
        if json:
            print(msgspec.json.encode(difference).decode())
        else:
            print(f"message {difference.index + 1}\n  then {difference.then}\n  now  {difference.now}")
    if not json:
        print(f"{len(then)} messages then, {len(heard)} now, {len(differences)} differences")
    return 1 if differences else 0


async def _replay(
    entries: list[Entry], served: AbstractAsyncContextManager[Server], speed: float
) -> list[ServerMessage]:
    async with served as other:
        return await replay(entries, other.url, speed=speed, user=other.user, password=other.password)
