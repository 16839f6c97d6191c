"""Two real nodes behind a real HAProxy with the shipped configuration: nothing is lost in a rolling restart."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
import trio

from asr_trio import client
from asr_trio.errors import AsrError

CONFIGURATION: Final = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
START_DEADLINE_S: Final = 30
CALLERS: Final = 4
AUDIO_BYTES_PER_S: Final = 16_000

pytestmark = pytest.mark.slow


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago; all are held until all are known."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


class Node:
    """A server process."""

    def __init__(self, port: int, http_port: int, folder: Path) -> None:
        self.port = port
        self.http_port = http_port
        self._log = folder / f"node-{port}.log"
        self._process: trio.Process | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "asr_trio.cli.main", "serve", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                [*command, "--http-port", str(self.http_port)], stdout=log, stderr=log
            )
        await listening(self.http_port)

    async def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


async def listening(port: int) -> None:
    with trio.fail_after(START_DEADLINE_S):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.05)
            else:
                await stream.aclose()
                return


class Site:
    """Two nodes and the balancer."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(5)
        self.nodes = [Node(ports[0], ports[1], folder), Node(ports[2], ports[3], folder)]
        self.port = ports[4]
        self._configuration = folder / "haproxy.cfg"
        self._configuration.write_text(self._adapted(CONFIGURATION.read_text()))

    def _adapted(self, text: str) -> str:
        """Put this machine's ports into the shipped file and change nothing else."""
        text = re.sub(r"^    bind :8025$", f"    bind 127.0.0.1:{self.port}", text, flags=re.MULTILINE)
        for number, node in enumerate(self.nodes, start=1):
            address = rf"^    server node{number} \S+$"
            text, count = re.subn(
                address,
                f"    server node{number} 127.0.0.1:{node.port} port {node.http_port}",
                text,
                flags=re.MULTILINE,
            )
            assert count == 1
        return text

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            for node in self.nodes:
                nursery.start_soon(node.start)
        balancer = await trio.lowlevel.open_process(
            ["haproxy", "-db", "-f", str(self._configuration)], stdout=subprocess.DEVNULL
        )
        try:
            await listening(self.port)
            await self._serving()
            yield
        finally:
            balancer.kill()
            with trio.CancelScope(shield=True):
                await balancer.wait()
                for node in self.nodes:
                    await node.kill()

    async def _serving(self) -> None:
        """Wait until HAProxy has found the nodes ready."""
        with trio.fail_after(START_DEADLINE_S):
            while True:
                try:
                    async with self.connect():
                        return
                except AsrError:
                    await trio.sleep(0.1)

    def connect(self):
        return client.connect(f"ws://127.0.0.1:{self.port}/asr-server/asr")


class Calls:
    """Callers who call again and again: a session, a recognition, and away."""

    def __init__(self, site: Site, audio: bytes) -> None:
        self._site = site
        self._audio = audio
        self.outcomes: Counter[str] = Counter()
        self.hung_up = False

    async def call(self) -> None:
        while not self.hung_up:
            try:
                async with self._site.connect() as session:
                    self.outcomes[await self._recognize(session)] += 1
            except client.ConnectionLostError as lost:
                # A session that has no recognition running may be told to go, and its client connects again.
                self.outcomes[f"closed {lost.close_code}"] += 1
            except AsrError as error:
                self.outcomes[f"{type(error).__name__}: {error}"] += 1

    async def _recognize(self, session: client.Session) -> str:
        started = False
        audio = client.paced(self._audio, bytes_per_s=AUDIO_BYTES_PER_S)
        try:
            async for event in session.recognize(audio, lm="builtin:grammar/digits"):
                started = True
                if isinstance(event, client.FinalResult):
                    return (
                        event.result.alternatives[0].text if event.result.alternatives else event.result.result_status
                    )
        except client.ConnectionLostError as lost:
            if started:
                return f"LOST in a running recognition ({lost.close_code})"
            raise
        return "LOST without a result"


@pytest.mark.shared
async def test_a_rolling_restart_loses_no_recognition(tmp_path: Path, shared: Path) -> None:
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed")
    audio = min((shared / "data" / "digits_fsdd" / "wav").glob("str_theo_*.wav")).read_bytes()
    site = Site(tmp_path)
    async with site.running():
        calls = Calls(site, audio)
        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(calls.call)
            for node in site.nodes:
                await trio.sleep(2)
                assert await node.stop() == 0
                await node.start()
                await trio.sleep(3)  # HAProxy asks each second and wants two good answers
            calls.hung_up = True
    texts = {outcome for outcome in calls.outcomes if not outcome.startswith("closed 1001")}
    assert len(texts) == 1, calls.outcomes
    assert calls.outcomes[texts.pop()] >= 2 * CALLERS


async def open_sessions(http_port: int) -> int:
    """Return how many sessions a node says that it has."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://127.0.0.1:{http_port}/metrics")).text
    found = re.search(r"^asr_sessions (\S+)$", text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


async def test_sessions_spread_evenly_and_a_killed_node_loses_only_its_own(tmp_path: Path) -> None:
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed")
    site = Site(tmp_path)
    lost = 0
    async with site.running(), AsyncExitStack() as stack:
        await trio.sleep(1)  # the probing connection of `running` has left
        sessions = [await stack.enter_async_context(site.connect()) for _ in range(10)]
        counts = [await open_sessions(node.http_port) for node in site.nodes]
        assert sorted(counts) == [5, 5]
        await site.nodes[0].kill()
        for session in sessions:
            try:
                await session.get_parameters("decoder.maxSentences")
            except client.ConnectionLostError:
                lost += 1
        assert lost == 5
        async with site.connect() as session:  # the other node takes whoever comes next
            assert await session.get_parameters("decoder.maxSentences")
