from __future__ import annotations

import contextlib
import os
from functools import partial

import pytest
import trio

from asr_trio.errors import LanguageModelError, LanguageModelFetchError, LanguageModelNotFoundError
from asr_trio.server.language_models import MAX_REDIRECTS, Document, Library
from asr_trio.settings import LanguageModelSettings

GRAMMAR = b"#ABNF 1.0 UTF-8;\nroot $r;\n$r = yes;\n"


# --- files


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a b.gram").write_bytes(GRAMMAR)
    (tmp_path / "secret.gram").write_bytes(b"secret")
    return tmp_path


@pytest.fixture
def files(folder):
    return Library(LanguageModelSettings(file_roots=(folder / "open",)), max_bytes=100)


async def test_file_below_a_root_is_read(files, folder):
    for uri in (f"file://{folder}/open/a%20b.gram", f"FILE://localhost{folder}/open/../open/a%20b.gram"):
        assert await files.fetch(uri) == Document(text=GRAMMAR, content_type="application/srgs")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.grxml", "application/srgs+xml"), ("a.JSGF", "application/x-jsgf"), ("a", None), ("a.txt", None)],
)
async def test_ending_of_a_file_tells_its_type(files, folder, name, content_type):
    (folder / "open" / name).write_bytes(GRAMMAR)
    assert (await files.fetch(f"file://{folder}/open/{name}")).content_type == content_type


@pytest.mark.parametrize(
    "path",
    [
        "/secret.gram",
        "/open/../secret.gram",
        "/open/%2e%2e/secret.gram",
        "/open/link.gram",
        "/open/linked/secret.gram",
        "/open/none.gram",
        "/open",
        "/open/pipe",
        "/open/%00.gram",
        "/open/%ff.gram",
        "/open/loop",
    ],
)
async def test_everything_outside_the_fence_looks_missing(files, folder, path):
    (folder / "open" / "link.gram").symlink_to(folder / "secret.gram")
    (folder / "open" / "linked").symlink_to(folder)
    (folder / "open" / "loop").symlink_to(folder / "open" / "loop")
    os.mkfifo(folder / "open" / "pipe")
    with pytest.raises(LanguageModelNotFoundError):
        await files.fetch(f"file://{folder}{path}")


async def test_root_may_itself_be_a_link(folder):
    (folder / "root").symlink_to(folder / "open")
    library = Library(LanguageModelSettings(file_roots=(folder / "root",)), max_bytes=100)
    assert (await library.fetch(f"file://{folder}/root/a%20b.gram")).text == GRAMMAR


async def test_files_of_other_hosts_and_without_roots_are_missing(files, folder):
    with pytest.raises(LanguageModelNotFoundError):
        await files.fetch(f"file://elsewhere{folder}/open/a%20b.gram")
    with pytest.raises(LanguageModelNotFoundError):
        await Library(LanguageModelSettings(), max_bytes=100).fetch(f"file://{folder}/open/a%20b.gram")


async def test_long_file_is_refused(files, folder):
    (folder / "open" / "long.gram").write_bytes(b"x" * 101)
    with pytest.raises(LanguageModelError, match="longer than 100 bytes"):
        await files.fetch(f"file://{folder}/open/long.gram")


@pytest.mark.parametrize("uri", ["builtin:x", "urn:x", "", "ftp://h/x"])
async def test_other_schemes_are_missing(files, uri):
    with pytest.raises(LanguageModelNotFoundError):
        await files.fetch(uri)


# --- web servers: a scripted one on the loopback


class WebServer:
    """Answers each path with what the test put there; counts requests."""

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.port = 0

    def answer(self, path, body=b"", status="200 OK", **headers):
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.answers[path] = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    async def serve(self, stream):
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive_some()
            path = data.split(b" ")[1].decode()
            self.requests.append(data.decode())
            answer = self.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            if answer is None:
                await trio.sleep_forever()
            if callable(answer):
                answer = answer(data.decode())
            with trio.move_on_after(5), contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(answer)


async def with_server(check, **settings):
    server = WebServer()
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        server.port = listener.socket.getsockname()[1]
        hosts = settings.pop("http_hosts", ("127.0.0.1",))
        library = Library(LanguageModelSettings(http_hosts=hosts, **settings), max_bytes=100)
        await check(server, library, f"http://127.0.0.1:{server.port}")
        nursery.cancel_scope.cancel()


async def test_document_of_an_allowed_host():
    async def check(server, library, base):
        server.answer("/a", GRAMMAR, Content_Type="application/srgs; charset=UTF-8")
        assert await library.fetch(f"{base}/a") == Document(text=GRAMMAR, content_type="application/srgs")
        server.answer("/b.grxml", GRAMMAR, Content_Type="text/plain")
        assert (await library.fetch(f"{base}/b.grxml")).content_type == "application/srgs+xml"
        server.answer("/c", GRAMMAR, Content_Type="text/html")
        assert (await library.fetch(f"{base}/c")).content_type is None

    await with_server(check)


async def test_unchanged_document_comes_from_the_cache():
    async def check(server, library, base):
        def revalidated(request):
            assert 'if-none-match: "1"' in request.lower()
            return b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"

        server.answer("/a", GRAMMAR, ETag='"1"')
        first = await library.fetch(f"{base}/a")
        server.answers["/a"] = revalidated
        assert await library.fetch(f"{base}/a") == first
        assert len(server.requests) == 2
        server.answer("/a", b"#ABNF new", ETag='"2"')
        assert (await library.fetch(f"{base}/a")).text == b"#ABNF new"

    await with_server(check)


@pytest.mark.parametrize("hosts", [(), ("localhost",), ("127.0.0.1:1",), ("127.0.0.2",)])
async def test_host_that_is_not_allowed_is_never_asked(hosts):
    async def check(server, library, base):
        server.answer("/a", GRAMMAR)
        for uri in (f"{base}/a", f"http://user@127.0.0.1:{server.port}/a"):
            with pytest.raises(LanguageModelNotFoundError):
                await library.fetch(uri)
        assert server.requests == []

    await with_server(check, http_hosts=hosts)


async def test_redirections_stay_inside_the_fence():
    async def check(server, library, base):
        server.answer("/ok", status="302 Found", Location="/a")
        server.answer("/a", GRAMMAR)
        assert (await library.fetch(f"{base}/ok")).text == GRAMMAR
        for target in ("http://169.254.169.254/meta", f"http://localhost:{server.port}/a", "file:///etc/passwd"):
            server.answer("/out", status="302 Found", Location=target)
            with pytest.raises(LanguageModelNotFoundError):
                await library.fetch(f"{base}/out")
        server.answer("/loop", status="302 Found", Location="/loop")
        server.requests.clear()
        with pytest.raises(LanguageModelFetchError, match="redirects"):
            await library.fetch(f"{base}/loop")
        assert len(server.requests) == MAX_REDIRECTS + 1

    await with_server(check)


async def test_failures_have_their_codes():
    async def check(server, library, base):
        with pytest.raises(LanguageModelNotFoundError):
            await library.fetch(f"{base}/none")
        server.answer("/broken", status="500 Oops")
        with pytest.raises(LanguageModelFetchError, match="status 500"):
            await library.fetch(f"{base}/broken")
        server.answers["/rubbish"] = b"\x00\x01\x02 rubbish\r\n\r\n"
        with pytest.raises(LanguageModelFetchError):
            await library.fetch(f"{base}/rubbish")
        server.answer("/long", b"x" * 101)
        server.answers["/endless"] = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000
        for path in ("long", "endless"):
            with pytest.raises(LanguageModelError, match="longer than 100 bytes"):
                await library.fetch(f"{base}/{path}")
        server.answer("/zip", b"x", Content_Encoding="gzip")
        with pytest.raises(LanguageModelFetchError, match="compressed"):
            await library.fetch(f"{base}/zip")
        for uri in ("http://[", "http://\ud800/", "http:///"):
            with pytest.raises(LanguageModelNotFoundError):
                await library.fetch(uri)

    await with_server(check)


async def test_silent_server_costs_no_more_than_its_time():
    async def check(server, library, base):
        server.answers["/silent"] = None
        with pytest.raises(LanguageModelFetchError, match="did not come within"):
            await library.fetch(f"{base}/silent")

    await with_server(check, http_timeout_s=0.2)


async def test_server_that_is_not_there():
    async def check(server, library, base):
        with pytest.raises(LanguageModelFetchError):
            await library.fetch("http://127.0.0.1:9/a")
        with pytest.raises(LanguageModelFetchError):
            await library.fetch("http://127.0.0.1:99999999/a")

    await with_server(check)
