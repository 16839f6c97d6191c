"""The worker pool in force, and its replacement while the server runs.

New models are loaded beside the present ones. Once they are ready new recognitions get them; those that run finish with
what they began with, and the old pool ends with the last of them. For that time both are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import trio

from asr_trio.server.pool import WorkerPool
from asr_trio.settings import RecognizerSettings

_LOOK_INTERVAL_S: Final = 0.5


class Pools:
    """Owns every worker pool of a server."""

    def __init__(self, settings: RecognizerSettings, *, patience_s: float) -> None:
        """Make the first pool; it does not run yet.

        Args:
            settings: models and limits.
            patience_s: within this time after a replacement, who has looked at the old pool has leased from it.
        """
        self.current = WorkerPool(settings)
        self._patience_s = patience_s
        self._replaced: dict[WorkerPool, trio.Event] = {}
        """Of every pool that runs: set once another one is in its place."""
        self._nursery: trio.Nursery | None = None

    def __iter__(self) -> Iterator[WorkerPool]:
        """Go through every pool that runs."""
        return iter(self._replaced)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the pools until cancelled; started once the first one is ready.

        Raises:
            AsrError: its models cannot be loaded.
        """
        async with trio.open_nursery() as self._nursery:
            await self._nursery.start(self._run_one, self.current)
            task_status.started()
            await trio.sleep_forever()

    async def replace(self, settings: RecognizerSettings) -> None:
        """Load other models and put them in the place of the present ones.

        Raises:
            AsrError: they cannot be loaded; the present ones stay.
        """
        assert self._nursery is not None, "the pools run"
        pool = WorkerPool(settings)
        pool.restarts = self.current.restarts  # the counter of metrics goes on
        await self._nursery.start(self._run_one, pool)
        self._replaced[self.current].set()
        self.current = pool

    async def _run_one(self, pool: WorkerPool, *, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(pool.run)
            replaced = self._replaced[pool] = trio.Event()
            task_status.started()
            await replaced.wait()
            await trio.sleep(self._patience_s)
            while pool.workers_leased:  # noqa: ASYNC110 - it takes as long as somebody speaks
                await trio.sleep(_LOOK_INTERVAL_S)
            nursery.cancel_scope.cancel()
        del self._replaced[pool]
