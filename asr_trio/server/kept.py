"""Workers that are kept for one model each: of engines that cannot be forked, and of models that are not preloaded.

Such a worker begins as any other and then loads its model. One with a preloaded model always waits ready; others are
loaded when somebody asks, and end when nobody has for a while. Loading goes on though the one who asked gives up: a
model that takes longer to load than a client waits is there when the client tries again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import structlog
import trio

from asr_trio import errors
from asr_trio.recognizer.models import is_shared
from asr_trio.server.worker import Worker
from asr_trio.settings import RecognizerSettings

LOAD_TIMEOUT_S: Final = 120.0
LOAD_AGAIN_S: Final = 5.0
"""A preloaded model that could not be loaded is tried again after this."""

log = structlog.get_logger(__name__)


class KeptWorkers:
    """Idle workers by their model, and the task that loads them.

    Args:
        settings: models, and how long an unused one stays loaded.
        borrow: returns a fresh worker.
        discard: ends one.
    """

    def __init__(
        self,
        settings: RecognizerSettings,
        borrow: Callable[[], Awaitable[Worker]],
        discard: Callable[[Worker], Awaitable[None]],
    ) -> None:
        self._warm = {name for name, model in settings.models.items() if model.preload and not is_shared(model)}
        self._idle_s = settings.model_idle_s
        self._borrow = borrow
        self._discard = discard
        self._idle: dict[Worker, float] = {}
        """Workers, and since when they wait."""
        self._loading: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._faults: dict[str, errors.AsrError] = {}
        self._changed = trio.Event()

    def __len__(self) -> int:
        return len(self._idle)

    async def take(self, model: str) -> Worker:
        """Return a worker that has loaded a model.

        Raises:
            AsrError: the model cannot be loaded.
        """
        self._faults.pop(model, None)
        self._waiting[model] += 1
        self._notify()
        try:
            while True:
                for worker in reversed(self._idle):
                    if worker.model == model:
                        del self._idle[worker]
                        if worker.is_alive():
                            return worker
                        await self._discard(worker)
                        break
                else:
                    if model in self._faults:
                        raise self._faults[model]
                    await self._changed.wait()
        finally:
            self._waiting[model] -= 1
            self._notify()

    def put(self, worker: Worker) -> None:
        """Take a worker back."""
        self._idle[worker] = trio.current_time()
        self._notify()

    def forget(self, pid: int) -> bool:
        """Drop the idle worker with this process number; return whether there was one."""
        for worker in self._idle:
            if worker.pid == pid:
                del self._idle[worker]
                worker.kill_channel()
                self._notify()
                return True
        return False

    def clear(self) -> None:
        """Drop all: their parent has ended."""
        for worker in self._idle:
            worker.kill_channel()
        self._idle.clear()
        self._loading.clear()

    async def preloaded(self) -> None:
        """Wait until every preloaded model has its worker.

        Raises:
            AsrError: one cannot be loaded.
        """
        for model in self._warm:
            self.put(await self.take(model))

    async def run(self) -> NoReturn:
        """Load workers as they are wanted and end those that nobody uses, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                changed = self._changed
                for model in self._warm | set(self._waiting):
                    ready = sum(worker.model == model for worker in self._idle)
                    missing = (model in self._warm) + self._waiting[model] - ready - self._loading[model]
                    for _ in range(0 if model in self._faults else missing):
                        self._loading[model] += 1
                        nursery.start_soon(self._load, model)
                with trio.move_on_after(await self._end_unused()):
                    await changed.wait()

    async def _end_unused(self) -> float:
        """End workers that have waited too long; return the seconds until the next has."""
        now_s = trio.current_time()
        ready = Counter(worker.model for worker in self._idle)
        for worker, since_s in list(self._idle.items()):
            if now_s - since_s >= self._idle_s and ready[worker.model] > (worker.model in self._warm):
                ready[worker.model] -= 1
                del self._idle[worker]
                await self._discard(worker)
        left_s = [since_s + self._idle_s - now_s for since_s in self._idle.values()]
        return min((wait_s for wait_s in left_s if wait_s > 0), default=float("inf"))

    async def _load(self, model: str) -> None:
        try:
            worker = await self._borrow()
            try:
                await worker.load(model, LOAD_TIMEOUT_S)
            except BaseException:
                with trio.CancelScope(shield=True):
                    await self._discard(worker)
                raise
            self._idle[worker] = trio.current_time()
        except errors.AsrError as error:
            log.warning("a model cannot be loaded", model=model, error=str(error))
            self._faults[model] = error
        finally:
            self._loading[model] -= 1
            self._notify()
        if model in self._faults and model in self._warm:
            await trio.sleep(LOAD_AGAIN_S)
            self._faults.pop(model, None)
            self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()
