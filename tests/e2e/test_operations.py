"""What an operator relies on: health, readiness, metrics, drain, TLS, authentication, limits."""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import sys
from functools import partial

import bcrypt
import httpx
import pytest
import structlog
import trio
import trustme

from asr_trio.client import ConnectionFailedError, ConnectionLostError, Grammar, RequestRefusedError, connect
from asr_trio.protocol.messages import ResultStatus
from tests.live import serve, started
from tests.processes import children, ended, fork_server

from .recordings import silence
from .serving import events_of, running, settings, settled
from .test_grammars import YES_NO


async def get(server, path):
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{server.addresses.http_port}{path}")


async def test_health_readiness_metrics_and_version():
    async with running(server={"http_enabled": True}) as server, server.connect() as session:
        assert (await get(server, "/healthz")).json() == {"status": "ok"}
        ready = await get(server, "/readyz")
        assert ready.status_code == 200
        assert ready.json()["sessions"] == 1
        assert (await get(server, "/version")).json()["protocol"] == "ASR 2.3"
        await session.recognize(silence(1).tobytes(), lm=Grammar(YES_NO), content_type="audio/raw;rate=16000").final()
        text = (await get(server, "/metrics")).text
        assert 'asr_recognitions_total{lm="session",status="NO_SPEECH"} 1.0' in text
        assert "asr_sessions 1.0" in text
        assert "asr_audio_seconds_total 1.0" in text
        for name in (
            "asr_loop_lag_seconds_count",
            "asr_cost_units_limit",
            "asr_workers_idle",
            "asr_worker_rss_bytes",
            "asr_final_latency",
        ):
            assert name in text


async def test_drain_lets_recognitions_finish_refuses_new_ones_and_closes_idle_sessions_with_a_reason():
    async with (
        running(server={"http_enabled": True}) as server,
        server.connect() as idle,
        server.connect() as busy,
        trio.open_nursery() as nursery,
    ):
        go_on = trio.Event()

        async def audio():
            yield silence(0.5).tobytes()
            await go_on.wait()
            yield silence(0.5).tobytes()

        heard = []

        async def recognise():
            heard.extend(
                await events_of(busy.recognize(audio(), lm=Grammar(YES_NO), content_type="audio/raw;rate=16000"))
            )

        nursery.start_soon(recognise)
        await settled(lambda: server.pool.workers_leased == 1)
        server.server.drain()
        await settled(lambda: not idle.open)
        with pytest.raises(ConnectionLostError, match="shutting down") as lost:
            await idle.get_parameters()
        assert lost.value.close_code == 1001
        assert (await get(server, "/readyz")).status_code == 503
        with pytest.raises(ConnectionFailedError):
            async with server.connect():
                pass
        assert heard == []
        go_on.set()
        await settled(lambda: heard)
        assert heard[-1].status is ResultStatus.NO_SPEECH
        await settled(lambda: not busy.open)


def test_sigterm_ends_the_program_with_0(tmp_path):
    with serve(tmp_path) as server:  # the end of which is what is asserted
        server.reload()
        assert '"reloaded"' in server.log
    assert "Traceback" not in server.log


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no system call ties the life of one to the other")
async def test_a_server_that_is_killed_is_outlived_by_nothing_though_its_fork_server_is_stopped(tmp_path):
    with started(tmp_path) as server:
        loader = fork_server(server.pid)
        workers = children(loader)
        assert workers
        try:
            for pid in (loader, workers[0]):
                os.kill(pid, signal.SIGSTOP)
            server.kill()
            for pid in (loader, *workers):
                await ended(pid)
        finally:  # where it is outlived: nobody else would end a process that is stopped
            for pid in (loader, *workers):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def own_logging():
    """A reload sets logging up for the whole process; this puts it back."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("own_logging")
async def test_tls_with_a_certificate_that_is_renewed_while_serving(tmp_path):
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"

    def issue():
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(key)
        certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    async def presented(port):
        stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=trust, https_compatible=True)
        await stream.do_handshake()
        found = stream.getpeercert(binary_form=True)
        await trio.aclose_forcefully(stream)
        return found

    issue()
    files = {"certificate": str(certificate), "key": str(key)}
    async with running(tls={**files, "http": True}, server={"http_enabled": True}) as server:
        port, http_port = server.addresses.ws_port, server.addresses.http_port
        read = partial(settings, tls={**files, "http": True}, server={"http_enabled": True})
        async with connect(f"wss://127.0.0.1:{port}/asr-server/asr", tls=trust) as session:
            first = {await presented(port), await presented(http_port)}
            issue()
            await server.server.reload(read)
            renewed = {await presented(port), await presented(http_port)}
            assert len(first) == len(renewed) == 1
            assert first != renewed
            certificate.write_text("rubbish")
            await server.server.reload(read)
            assert {await presented(port), await presented(http_port)} == renewed
            assert await session.get_parameters()  # the old connection lives on
        with pytest.raises(ConnectionFailedError):
            async with connect(f"wss://127.0.0.1:{port}/asr-server/asr"):  # not trusted
                pass
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", os.urandom(200)):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(rubbish)
            with trio.fail_after(60):
                try:
                    while await stream.receive_some():
                        pass
                except trio.BrokenResourceError:
                    pass
            await stream.aclose()
        async with connect(f"wss://127.0.0.1:{port}/asr-server/asr", tls=trust) as session:
            assert await session.get_parameters()


async def test_passwords_paths_and_origins_are_judged_before_the_upgrade(tmp_path):
    htpasswd = tmp_path / "htpasswd"
    htpasswd.write_bytes(b"ann:" + bcrypt.hashpw(b"s3cret", bcrypt.gensalt(4)) + b"\n")
    async with running(
        auth={"htpasswd_file": str(htpasswd)},
        limits={"sessions_per_user": 1},
        server={"origins": ["https://ok.example"]},
    ) as server:

        async def status(**options):
            with pytest.raises(ConnectionFailedError) as refused:
                async with connect(options.pop("url", server.url), **options):
                    pass
            return refused.value.status

        assert await status() == 401
        assert await status(user="ann", password="wrong") == 401
        assert await status(url=server.url.replace("asr-server", "elsewhere"), user="ann", password="s3cret") == 404
        async with connect(server.url, user="ann", password="s3cret") as session:
            assert await session.get_parameters()
            with pytest.raises(RequestRefusedError) as full:
                async with connect(server.url, user="ann", password="s3cret"):
                    pass
            assert full.value.error_code == "ERR_MAX_LICENSES"
        for _ in range(10):
            last = await status(user="ann", password="wrong")
        assert last == 429
        assert await status(user="ann", password="s3cret") == 429


async def test_licences_are_counted_and_come_back():
    async with running(limits={"sessions": 2}) as server:
        async with server.connect(), server.connect():
            with pytest.raises(RequestRefusedError) as full:
                async with server.connect():
                    pass
            assert full.value.error_code == "ERR_MAX_LICENSES"
        await settled(lambda: server.server.services.places.taken == 0)
        async with server.connect() as session:
            assert await session.get_parameters()


async def test_a_fault_of_our_own_costs_the_request_and_not_the_session(monkeypatch):
    async with running() as server, server.connect() as session:

        async def fail(*_arguments):
            raise ZeroDivisionError

        with monkeypatch.context() as broken:
            broken.setattr(server.server.services.models, "resolve", fail)
            with pytest.raises(RequestRefusedError) as refused:
                await session.define_grammar("g", YES_NO)
            assert refused.value.error_code == "ERR_INTERNAL_ERROR"
            assert "Zero" not in str(refused.value)
        assert await session.define_grammar("g", YES_NO) == "session:g"


@pytest.mark.parametrize("wanted", [False, True])
async def test_what_people_say_is_logged_only_where_that_is_wanted(recording, wanted):
    with structlog.testing.capture_logs() as lines:
        async with running(log={"recognized_text": wanted}) as server, server.connect() as session:
            audio = recording.path.read_bytes()
            await session.recognize(audio, lm="builtin:slm/general", content_type="audio/wav").final()
    assert any(line["event"] == "recognition" for line in lines)
    assert ("he was not" in str(lines)) is wanted
