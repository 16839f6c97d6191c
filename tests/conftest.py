"""Fixtures for all tests. Plain ``async def`` tests run under Trio, each with a deadline of its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from asr_trio.cli.recording import Recording, RecordingError, find
from tests.live import LiveServer, serve

TEST_DEADLINE_S = 120
LONG_DEADLINE_S = 2 * 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag of the long forms of fuzzing, soak and load tests."""
    parser.addoption("--long", action="store_true", help="run the long forms of slow tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the long forms the time that they take."""
    if config.getoption("--long"):
        for item in items:
            item.add_marker(pytest.mark.timeout(LONG_DEADLINE_S))


@pytest.fixture
def long_form(request: pytest.FixtureRequest) -> bool:
    """Return whether the long form of a test is asked for."""
    return bool(request.config.getoption("--long"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run coroutine tests under Trio; a fixture ``autojump_clock`` or ``mock_clock`` becomes Trio's clock."""
    if not inspect.iscoroutinefunction(inspect.unwrap(pyfuncitem.obj)):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    deadline_s = LONG_DEADLINE_S if pyfuncitem.config.getoption("--long") else TEST_DEADLINE_S
    clock = next((value for value in arguments.values() if isinstance(value, trio.abc.Clock)), None)

    async def bounded() -> None:
        if clock is not None:
            await pyfuncitem.obj(**arguments)
            return
        with trio.fail_after(deadline_s):
            await pyfuncitem.obj(**arguments)

    trio.run(functools.partial(bounded), clock=clock)
    return True


@pytest.fixture
def mock_clock() -> trio.testing.MockClock:
    """Return a clock that stands still until it is told to jump."""
    return trio.testing.MockClock()


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """Return a clock that jumps to the next deadline whenever every task sleeps."""
    return trio.testing.MockClock(autojump_threshold=0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of development data beside the checkout, or skip."""
    folder = Path(__file__).parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the shared development data are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Run one server in its own process for all tests that come from outside."""
    with serve(tmp_path_factory.mktemp("server"), ASR_TRIO_RECOGNIZER__WORKERS_IDLE="1") as server:
        yield server


@pytest.fixture(scope="session")
def recording() -> Recording:
    """Return a recording of "he was not an ill disposed young man", from the user's cache or PyPI, or skip."""
    try:
        found = find()
    except RecordingError as error:
        pytest.skip(str(error))
    if not found.transcript:
        pytest.skip(f"no recording of a human voice could be had: {found.origin}")
    return found
