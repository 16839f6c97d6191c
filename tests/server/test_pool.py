# ruff: noqa: ASYNC110, PT012 - states of foreign processes can only be polled, and a lease is a block
"""The pool with real processes and real decoders; only the silence of a stopped one is made short by settings."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import trio
import trio.testing

from asr_trio import errors
from asr_trio.recognizer import base
from asr_trio.server.pool import WorkerPool
from asr_trio.server.worker import Worker
from asr_trio.settings import ModelSettings, RecognizerSettings
from tests.processes import ended, parent_of

SECOND = bytes(2 * base.SAMPLE_RATE_HZ)
SETTINGS = base.DecoderSettings()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that runs tests may be too busy to load models in the time that a server has."""
    monkeypatch.setattr("asr_trio.server.pool.SPAWN_TIMEOUT_S", 60.0)
    monkeypatch.setattr("asr_trio.server.pool.QUEUE_TIMEOUT_S", 60.0)


@asynccontextmanager
async def running_pool(**settings: object) -> AsyncIterator[WorkerPool]:
    async with trio.open_nursery() as nursery:
        pool = WorkerPool(RecognizerSettings(workers_idle=1, **settings))
        await nursery.start(pool.run)
        yield pool
        nursery.cancel_scope.cancel()


def general(pool: WorkerPool) -> tuple[base.LanguageModel, ...]:
    return (pool.registry.statistical("builtin:slm/general"),)


async def recognize(worker: Worker, pool: WorkerPool, pcm: bytes) -> base.Final:
    await worker.open(general(pool), SETTINGS)
    worker.start_segment(0.0)
    worker.send_audio(pcm)
    worker.end_segment(len(pcm) / 32000)
    final = await worker.receive()
    assert isinstance(final, base.Final)
    return final


async def test_lease_gives_back_a_reset_worker() -> None:
    async with running_pool() as pool:
        assert pool.ready
        for _ in range(3):
            async with pool.lease(10.0) as worker:
                assert (pool.workers_leased, pool.cost_units_used) == (1, 10.0)
                final = await recognize(worker, pool, SECOND)
                assert final.alternatives == ()
        assert (pool.workers_leased, pool.cost_units_used, +pool.restarts) == (0, 0.0, {})


async def test_killed_worker_is_a_typed_error_and_is_replaced() -> None:
    async with running_pool() as pool:
        with pytest.raises(errors.WorkerDiedError):
            async with pool.lease(1.0) as worker:
                await worker.open(general(pool), SETTINGS)
                worker.start_segment(0.0)
                os.kill(worker.pid, signal.SIGKILL)
                await worker.receive()
        async with pool.lease(1.0) as other:
            assert other.pid != worker.pid
            await recognize(other, pool, SECOND)
        assert pool.restarts["died"] == 1


async def test_stopped_worker_is_killed_within_the_bound() -> None:
    async with running_pool(hang_timeout_s=0.2) as pool:
        with pytest.raises(errors.WorkerTimeoutError):
            async with pool.lease(1.0) as worker:
                await worker.open(general(pool), SETTINGS)
                worker.start_segment(0.0)
                os.kill(worker.pid, signal.SIGSTOP)
                worker.send_audio(SECOND)
                await worker.receive()
        await ended(worker.pid)
        assert pool.restarts["hung"] == 1


async def test_idle_worker_that_dies_is_replaced() -> None:
    async with running_pool() as pool:
        async with pool.lease(1.0) as worker:
            pass
        os.kill(worker.pid, signal.SIGKILL)
        await ended(worker.pid)
        async with pool.lease(1.0) as other:
            await recognize(other, pool, SECOND)


async def test_killed_fork_server_is_restarted_and_its_workers_end() -> None:
    async with running_pool() as pool:
        async with pool.lease(1.0) as worker:
            fork_server = parent_of(worker.pid)
            os.kill(fork_server, signal.SIGKILL)
            await ended(worker.pid)
        async with pool.lease(1.0) as other:
            await recognize(other, pool, SECOND)
        assert pool.restarts["fork server"] == 1


async def test_stopped_fork_server_is_replaced_after_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asr_trio.server.pool.SPAWN_TIMEOUT_S", 3.0)
    async with running_pool(recycle_recognitions=1) as pool:
        async with pool.lease(1.0) as worker:
            os.kill(parent_of(worker.pid), signal.SIGSTOP)
            await recognize(worker, pool, SECOND)
        with trio.fail_after(20):
            while not pool.restarts["fork server"] or not pool.ready:
                await trio.sleep(0.05)
        async with pool.lease(1.0) as other:
            await recognize(other, pool, SECOND)


async def test_admission_refuses_at_once_by_cost_and_by_count() -> None:
    async with running_pool(cost_units=10.0, workers=2) as pool, pool.lease(6.0):
        with pytest.raises(errors.BusyError):
            async with pool.lease(6.0):
                pass
        async with pool.lease(4.0):
            with pytest.raises(errors.BusyError):
                async with pool.lease(0.0):
                    pass


async def test_one_recognition_is_admitted_whatever_it_costs() -> None:
    async with running_pool(cost_units=1.0) as pool, pool.lease(50.0) as worker:
        assert worker.usable


async def test_who_waits_too_long_for_a_process_is_told_that_the_server_is_busy(monkeypatch) -> None:
    monkeypatch.setattr("asr_trio.server.pool.QUEUE_TIMEOUT_S", 0.2)
    async with running_pool() as pool, pool.lease(1.0) as worker:
        with trio.fail_after(60):
            while not pool.workers_idle:
                await trio.sleep(0.01)
        os.kill(parent_of(worker.pid), signal.SIGSTOP)
        async with pool.lease(1.0):  # the last one that was forked
            with pytest.raises(errors.BusyError):
                async with pool.lease(1.0):
                    pass


async def test_who_waits_too_long_for_a_turn_to_compile_is_told_that_the_server_is_busy(monkeypatch) -> None:
    async with running_pool() as pool, trio.open_nursery() as nursery:
        nursery.start_soon(pool.compile, compile_frame(many_words(0), "slow"))
        await trio.testing.wait_all_tasks_blocked()
        monkeypatch.setattr("asr_trio.server.pool.QUEUE_TIMEOUT_S", 0.01)
        with pytest.raises(errors.BusyError):
            await pool.compile(compile_frame(b"#ABNF 1.0;\nroot $r;\n$r = yes;\n", "quick"))
        nursery.cancel_scope.cancel()


async def test_batch_audio_is_decoded_at_lower_priority_and_its_worker_serves_nobody_else() -> None:
    async with running_pool() as pool:
        async with pool.lease(1.0) as worker:
            await worker.open(general(pool), SETTINGS)
            usual = os.getpriority(os.PRIO_PROCESS, worker.pid)
            worker.lower_priority(gives_way=True)
            worker.start_segment(0.0)
            worker.send_audio(SECOND)
            worker.end_segment(1.0)
            await worker.receive()
            assert os.getpriority(os.PRIO_PROCESS, 0) < usual
            assert os.getpriority(os.PRIO_PROCESS, worker.pid) == min(19, usual + 10)
            if hasattr(os, "SCHED_IDLE"):
                assert os.sched_getscheduler(worker.pid) == os.SCHED_IDLE
        await ended(worker.pid)
        assert pool.restarts["recycled"] == 1


async def test_who_has_given_a_worker_back_gets_another_one_while_that_is_being_reset() -> None:
    async with running_pool(workers=2) as pool:
        async with pool.lease(1.0) as first:
            await first.open(general(pool), SETTINGS)
            while not pool.workers_idle:
                await trio.sleep(0.01)
            os.kill(first.pid, signal.SIGSTOP)  # it takes a while
        assert pool.workers_leased == 0
        async with pool.lease(1.0) as second:
            assert second.pid != first.pid
            await recognize(second, pool, SECOND)
        os.kill(first.pid, signal.SIGCONT)
        while pool.workers_idle < 2:
            await trio.sleep(0.01)
        assert pool.restarts.total() == 0


async def test_a_worker_that_is_being_reset_ends_with_its_pool() -> None:
    async with running_pool() as pool:
        async with pool.lease(1.0) as worker:
            await worker.open(general(pool), SETTINGS)
            os.kill(worker.pid, signal.SIGSTOP)
        await trio.testing.wait_all_tasks_blocked()
    await ended(worker.pid)


async def test_worker_is_recycled_after_its_count() -> None:
    async with running_pool(recycle_recognitions=1) as pool:
        pids = set()
        for _ in range(3):
            async with pool.lease(1.0) as worker:
                pids.add(worker.pid)
                await recognize(worker, pool, SECOND)
        assert len(pids) == 3
        while pool.restarts["recycled"] < 3:
            await trio.sleep(0.01)


async def test_errors_of_the_engine_keep_the_worker() -> None:
    async with running_pool() as pool, pool.lease(1.0) as worker:
        with pytest.raises(errors.LanguageModelNotFoundError):
            await worker.open((base.StatisticalModel(name="nope", lm="builtin:slm/nope"),), SETTINGS)
        await worker.close()
        assert (await recognize(worker, pool, SECOND)).alternatives == ()


async def test_cancelled_lease_replaces_nothing_that_still_works() -> None:
    async with running_pool() as pool:
        with trio.move_on_after(0.05):
            async with pool.lease(1.0) as worker:
                await worker.open(general(pool), SETTINGS)
                await trio.sleep_forever()
        assert worker.usable
        assert (pool.workers_leased, pool.cost_units_used) == (0, 0.0)


async def test_missing_model_is_told_by_the_start() -> None:
    models = {"general": ModelSettings(acoustic="/nonexistent")}
    with pytest.RaisesGroup(errors.AcousticModelError, flatten_subgroups=True):
        async with running_pool(models=models):
            pass


async def test_nothing_outlives_the_pool() -> None:
    async with running_pool() as pool, pool.lease(1.0) as worker:
        fork_server = parent_of(worker.pid)
    await ended(worker.pid)
    await ended(fork_server)


async def test_a_system_without_room_for_a_process_refuses_in_time_and_loses_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_pool() as pool:
        async with pool.lease(1.0) as worker:
            with monkeypatch.context() as short:
                short.setattr("asr_trio.server.pool.QUEUE_TIMEOUT_S", 1.0)
                short.setattr("asr_trio.server.pool.socket.socketpair", no_descriptors)
                with pytest.raises(errors.BusyError):
                    async with pool.lease(1.0), pool.lease(1.0):
                        pass
            await recognize(worker, pool, SECOND)
        async with pool.lease(1.0) as first, pool.lease(1.0) as second:
            await recognize(first, pool, SECOND)
            await recognize(second, pool, SECOND)
        assert pool.restarts["not started"] >= 1
        assert pool.restarts["fork server"] == 0


def no_descriptors() -> NoReturn:
    raise OSError(24, "Too many open files")


async def test_the_answer_to_a_job_that_was_given_up_is_never_given_to_another() -> None:
    async with running_pool() as pool:
        for delay_s in (0.0, 0.001, 0.01, 0.05):
            with trio.move_on_after(delay_s):
                await pool.compile(compile_frame(many_words(int(delay_s * 1000)), "slow"))
            answer = await pool.compile(compile_frame(b"#ABNF 1.0;\nroot $r;\n$r = yes;\n", f"quick {delay_s}"))
            model = base.GrammarModel(compiled=answer.compiled, digest=answer.digest, lm="quick")
            assert [found.text for found in await pool.interpret("yes", (model,), 1)] == ["yes"]
            assert await pool.interpret("word1", (model,), 1) == ()


def compile_frame(text: bytes, lm: str) -> base.Compile:
    return base.Compile(text=text, content_type="application/srgs", lm=lm)


def many_words(salt: int) -> bytes:
    words = b" | ".join(b"w%dx%d" % (salt, number) for number in range(5000))
    return b"#ABNF 1.0;\nroot $r;\n$r = " + words + b";\n"


def kept_models(**models: ModelSettings) -> dict[str, ModelSettings]:
    return {"general": ModelSettings(), **models}


def scripted(**settings: object) -> ModelSettings:
    return ModelSettings(engine="fake", options={"script": [{"text": "hello"}]}, **settings)  # type: ignore[arg-type]


async def test_model_that_is_not_preloaded_is_loaded_when_wanted_and_ends_when_nobody_uses_it() -> None:
    async with running_pool(models=kept_models(other=scripted(preload=False)), model_idle_s=0.5) as pool:
        models = (pool.registry.statistical("builtin:slm/other"),)
        async with pool.lease(1.0, models) as worker:
            await worker.open(models, SETTINGS)
        async with pool.lease(1.0, models) as again:
            assert again.pid == worker.pid
        async with pool.lease(1.0) as plain:
            assert plain.pid != worker.pid
        await ended(worker.pid)


async def test_of_a_preloaded_model_with_processes_of_its_own_one_always_waits_ready() -> None:
    async with running_pool(models=kept_models(other=scripted(preload=False)), model_idle_s=0.01) as pool:
        pool._kept._warm.add("other")  # as an engine that cannot be forked is
        await pool._kept.preloaded()
        async with pool.lease(1.0, (pool.registry.statistical("builtin:slm/other"),)):
            while not len(pool._kept):
                await trio.sleep(0.01)
        while len(pool._kept) > 1:
            await trio.sleep(0.01)
        await trio.sleep(0.05)
        assert len(pool._kept) == 1


async def test_model_that_cannot_be_loaded_says_why_and_harms_nobody_else() -> None:
    lost = ModelSettings(acoustic=Path("/nonexistent"), preload=False)
    async with running_pool(models=kept_models(lost=lost)) as pool:
        model = base.StatisticalModel(name="lost", lm="builtin:slm/lost")
        for _ in range(2):
            with pytest.raises(errors.AcousticModelError, match="its acoustic model is missing"):
                async with pool.lease(1.0, (model,)):
                    pass
        async with pool.lease(1.0) as worker:
            await recognize(worker, pool, SECOND)


async def test_recognition_given_up_in_long_work_ends_at_once() -> None:
    slow = ModelSettings(engine="fake", options={"script": [{"work_s": 3600}]})
    async with running_pool(models=kept_models(slow=slow), hang_timeout_s=2.0) as pool:
        models = (pool.registry.statistical("builtin:slm/slow"),)
        with trio.fail_after(60):
            async with pool.lease(1.0, models) as worker:
                await worker.open(models, SETTINGS)
                worker.start_segment(0.0)
                worker.end_segment(1.0)
                with trio.move_on_after(3.0):  # longer than silence is borne
                    await worker.receive()
        await ended(worker.pid)  # its engine may be at it still
        assert pool.restarts["recycled"] == 1
