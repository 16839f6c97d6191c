"""The console's routes: what is served, under which policy, and when it is not served at all."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from asr_trio.config import Settings
from asr_trio.server import console
from asr_trio.server.services import Services

FILES = Path(console.__file__).parents[1] / "console"


def browse(settings: Settings | None = None, *, base_url: str = "http://asr.example:8026") -> httpx.AsyncClient:
    services = Services(settings or Settings())
    services.websocket_port = 4711
    application = Starlette(routes=console.routes(services))
    return httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=base_url)


async def test_the_root_leads_to_the_page() -> None:
    async with browse() as client:
        for path in ("/", "/console"):
            assert (await client.get(path)).headers["location"] == "/console/"
        page = await client.get("/", follow_redirects=True)
    assert page.status_code == 200
    assert "<title>asr-trio console</title>" in page.text


async def test_every_file_that_the_page_names_is_served_with_its_type() -> None:
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    sources = [FILES / "index.html", FILES / "asr-client.js", *(FILES / "app").glob("*.js")]
    named = {
        (source.parent / name).resolve().relative_to(FILES)
        for source in sources
        for name in re.findall(r"""(?:from |src=|href=|URL\()['"]([^'"#]+\.\w+)['"]""", source.read_text("utf-8"))
    }
    assert len(named) > 12
    async with browse() as client:
        for path in named:
            response = await client.get(f"/console/{path}")
            assert response.status_code == 200, path
            assert response.headers["content-type"].partition(";")[0] == types[path.suffix], path


async def test_the_policy_allows_this_server_and_nothing_else() -> None:
    async with browse() as client:
        policy = (await client.get("/console/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "connect-src 'self' ws://asr.example:4711;" in policy


@pytest.mark.parametrize("host", ["[::1]:8026", "a b", "x;script-src *", ""])
async def test_a_host_that_a_policy_cannot_name_does_not_get_into_it(host: str) -> None:
    async with browse() as client:
        policy = (await client.get("/console/", headers={"host": host})).headers["content-security-policy"]
    assert "connect-src 'self' ws://*:4711;" in policy


def test_the_page_obeys_its_own_policy() -> None:
    page = (FILES / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    for script in (FILES / "app").glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", script.read_text("utf-8"))


async def test_the_page_is_told_where_the_protocol_is() -> None:
    async with browse() as client:
        response = await client.get("/console/config.json")
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["websocket"] == {"url": None, "scheme": "ws", "port": 4711, "path": "/asr-server/asr"}
    models = {model["uri"]: model["language"] for model in response.json()["models"]}
    assert models["builtin:slm/general"] == models["builtin:grammar/digits"] == "en-US"
    assert "builtin:grammar/digits-pt" not in models


async def test_behind_a_proxy_the_configured_address_is_told_and_allowed() -> None:
    async with browse(Settings(console={"websocket_url": "wss://asr.example/asr"})) as client:
        told = (await client.get("/console/config.json")).json()["websocket"]["url"]
        policy = (await client.get("/console/")).headers["content-security-policy"]
    assert told == "wss://asr.example/asr"
    assert "connect-src 'self' wss://asr.example/asr;" in policy


async def test_files_outside_are_not_served() -> None:
    async with browse() as client:
        for path in ("/console/../config.py", "/console/%2e%2e/config.py", "/console/..%2fconfig.py"):
            assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("auth", "enabled", "served"),
    [(False, None, True), (True, None, False), (True, True, True), (False, False, False)],
)
def test_with_auth_the_page_is_off_unless_asked_for(
    tmp_path: Path, auth: bool, enabled: bool | None, served: bool
) -> None:
    users = tmp_path / "users"
    users.touch()
    settings = Settings(auth={"htpasswd_file": users} if auth else {}, console={"enabled": enabled})
    assert bool(console.routes(Services(settings))) is served
