"""REST against a whole server: results, shapes, parameters, refusals, and what a server that ends does with it."""

from __future__ import annotations

import time
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
from lxml import etree
from passlib.apache import HtpasswdFile
from starlette.applications import Starlette

from asr_trio.cli.recording import Recording
from asr_trio.config import Settings
from asr_trio.server import rest
from asr_trio.server.services import Services
from tests.live import LiveServer, serve

GENERAL = {"lm": "builtin:slm/general"}
NUMBER = {"lm": "builtin:grammar/number"}
RECOGNIZE = "/asr-server/rest/recognize"
INTERPRET = "/asr-server/rest/interpret"


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server.http_url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def twice(recording: Recording) -> bytes:
    """The recording twice with two seconds of silence between, as a WAV file."""
    with wave.open(str(recording.path)) as sound:
        parameters, pcm = sound.getparams(), sound.readframes(sound.getnframes())
    pause = bytes(4 * parameters.framerate)
    header = wav_header(2 * len(pcm) + 2 * len(pause), parameters.framerate)
    return header + pcm + pause + pcm + pause


def wav_header(data_bytes: int, rate_hz: int) -> bytes:
    fields = [(1, 2), (1, 2), (rate_hz, 4), (2 * rate_hz, 4), (2, 2), (16, 2)]
    form = b"".join(value.to_bytes(size, "little") for value, size in fields)
    return (
        b"RIFF" + (36 + data_bytes).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0" + form
        + b"data" + data_bytes.to_bytes(4, "little")
    )  # fmt: skip


def wait_until_idle(client: httpx.Client) -> None:
    for _ in range(100):
        state = client.get("/readyz").json()
        if state["sessions"] == state["workers_leased"] == 0:
            return
        time.sleep(0.05)
    pytest.fail(f"sessions and workers are still held: {state}")


# --- results ----------------------------------------------------------------------------------------------------


def test_a_recording_is_recognised(client: httpx.Client, recording: Recording) -> None:
    answer = client.post(
        RECOGNIZE, params=GENERAL, content=recording.path.read_bytes(), headers={"Content-Type": "audio/wav"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    result = answer.json()["recognition_result"]
    assert result["result_status"] == "RECOGNIZED"
    assert result["last_segment"]
    assert "he was not" in result["alternatives"][0]["text"]
    assert result["alternatives"][0]["words"][0]["text"] == "he"


def test_without_a_model_it_is_free_speech(client: httpx.Client, recording: Recording) -> None:
    answer = client.post(RECOGNIZE, content=recording.path.read_bytes())
    assert answer.json()["recognition_result"]["alternatives"][0]["lm"] == "builtin:slm/general"


def test_raw_audio_chunked_without_a_type_and_with_a_slash_is_the_same(
    client: httpx.Client, recording: Recording
) -> None:
    with wave.open(str(recording.path)) as sound:
        pcm = sound.readframes(sound.getnframes())
    chunks = (pcm[start : start + 999] for start in range(0, len(pcm), 999))
    headers = {"Media-Type": "audio/raw;rate=16000"}
    answer = client.post(RECOGNIZE + "/", params=GENERAL, content=chunks, headers=headers)
    assert "he was not" in answer.json()["recognition_result"]["alternatives"][0]["text"]


def test_xml_is_the_same_tree(client: httpx.Client, recording: Recording) -> None:
    answer = client.post(
        RECOGNIZE, params=GENERAL, content=recording.path.read_bytes(), headers={"Accept": "application/xml"}
    )
    assert answer.headers["content-type"] == "application/xml"
    root = etree.fromstring(answer.content)
    assert root.tag == "recognition_result"
    assert "he was not" in root.findtext("alternatives/alternative/text")


def test_headers_are_parameters(client: httpx.Client, recording: Recording) -> None:
    headers = {"decoder.maxSentences": "3", "DECODER.WORDDETAILS": "0"}
    answer = client.post(RECOGNIZE, params=GENERAL, content=recording.path.read_bytes(), headers=headers)
    alternatives = answer.json()["recognition_result"]["alternatives"]
    assert len(alternatives) == 3
    assert not any("words" in alternative for alternative in alternatives)


def test_continuous_mode_has_a_result_for_each_segment(client: httpx.Client, twice: bytes) -> None:
    headers = {"decoder.continuousMode": "true"}
    answer = client.post(RECOGNIZE, params=GENERAL, content=twice, headers=headers)
    results = answer.json()
    assert [result["segment_index"] for result in results] == list(range(len(results)))
    assert [result["last_segment"] for result in results] == [False] * (len(results) - 1) + [True]
    texts = [result["alternatives"][0]["text"] for result in results if result["alternatives"]]
    assert len(texts) == 2
    assert all("he was not" in text for text in texts)
    xml = client.post(RECOGNIZE, params=GENERAL, content=twice, headers={**headers, "Accept": "application/xml"})
    root = etree.fromstring(xml.content)
    assert (root.tag, len(root)) == ("recognition_results", len(results))


def test_without_it_the_first_segment_is_all(client: httpx.Client, twice: bytes) -> None:
    answer = client.post(RECOGNIZE, params=GENERAL, content=twice)
    assert answer.json()["recognition_result"]["end_time"] < 5


@pytest.mark.parametrize("audio", [b"", b"x", bytes(64_000)])
def test_no_speech_is_a_result_and_no_error(client: httpx.Client, audio: bytes) -> None:
    answer = client.post(RECOGNIZE, params=GENERAL, content=audio)
    assert answer.status_code == 200
    assert answer.json()["recognition_result"]["result_status"] == "NO_SPEECH"


def test_a_text_is_interpreted(client: httpx.Client) -> None:
    answer = client.post(INTERPRET, params=NUMBER, content="twenty\n one ", headers={"Content-Type": "text/plain"})
    assert answer.json()["recognition_result"]["alternatives"][0]["interpretations"] == ["21"]


def test_a_text_that_the_grammar_does_not_cover_has_no_alternatives(client: httpx.Client) -> None:
    answer = client.post(INTERPRET, params=NUMBER, content="good morning")
    assert answer.status_code == 200
    assert answer.json()["recognition_result"]["alternatives"] == []


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "headers", "content", "status", "code"),
    [
        (INTERPRET, "", {}, b"x", 400, "ERR_NO_ACTIVE_LM"),
        (RECOGNIZE, "lm=", {}, b"x", 400, "ERR_NO_ACTIVE_LM"),
        (RECOGNIZE, "lm=a%0D%0Ab", {}, b"x", 400, "ERR_INVALID_ARGUMENT"),
        (RECOGNIZE, "lm=gopher:x", {}, b"x", 400, "ERR_NO_ACTIVE_LM"),
        (RECOGNIZE, "lm=session:mine", {}, b"x", 404, "ERR_FILE_OPEN"),
        (RECOGNIZE, "lm=builtin:slm/none", {}, b"x", 404, "ERR_FILE_OPEN"),
        (RECOGNIZE, "lm=builtin:slm/general", {"content-type": "application/json"}, b"{}", 415, "ERR_INVALID_ARGUMENT"),
        (RECOGNIZE, "lm=builtin:slm/general", {"decoder.maxSentences": "x"}, b"x", 400, "ERR_INVALID_PARAMETER_VALUE"),
        (RECOGNIZE, "lm=builtin:slm/general", {}, b"RIFF\0\0\0\0WAVEjunk", 400, "ERR_INVALID_ARGUMENT"),
        (INTERPRET, "lm=builtin:grammar/number", {}, b" \n", 400, "ERR_INVALID_ARGUMENT"),
        (INTERPRET, "lm=builtin:grammar/number", {}, b"\xff\xfe", 400, "ERR_INVALID_ARGUMENT"),
        (INTERPRET, "lm=builtin:grammar/number", {}, b"\0\r\n", 400, "ERR_INVALID_ARGUMENT"),
        (INTERPRET, "lm=builtin:grammar/number", {}, bytes(20_000), 413, "ERR_BUFFER_OVERFLOW"),
        (INTERPRET, "lm=builtin:slm/general", {"origin": "https://evil.example"}, b"x", 403, "ERR_LIC_UNAUTHORIZED"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_in_words(
    client: httpx.Client, path: str, query: str, headers: dict[str, str], content: bytes, status: int, code: str
) -> None:
    answer = client.post(f"{path}?{query}", headers=headers, content=content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_a_refusal_leaves_nothing_behind(client: httpx.Client) -> None:
    client.post(f"{RECOGNIZE}?lm=builtin:slm/none", content=b"x")
    client.post(f"{RECOGNIZE}?lm=builtin:slm/general", content=b"RIFF\0\0\0\0WAVEjunk")
    wait_until_idle(client)


def test_a_client_that_goes_is_not_worked_for_any_longer(client: httpx.Client, twice: bytes) -> None:
    minutes = twice[:44].replace(twice[40:44], b"\xff\xff\xff\xff") + twice[44:] * 8
    with pytest.raises(httpx.TimeoutException):
        client.post(RECOGNIZE, params=GENERAL, content=minutes, headers={"decoder.continuousMode": "true"}, timeout=1)
    wait_until_idle(client)


# --- who may, how much, how long ------------------------------------------------------------------------------


@asynccontextmanager
async def inside(**sections: dict[str, object]) -> AsyncIterator[httpx.AsyncClient]:
    """The routes without a network; the server behind them is a nursery that serves nobody."""
    services = Services(Settings(**sections))
    services.attach = lambda _peer: None
    transport = httpx.ASGITransport(Starlette(routes=rest.routes(services)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_where_users_have_passwords_rest_asks_for_them(tmp_path: Path) -> None:
    users = HtpasswdFile(str(tmp_path / "users"), new=True)
    users.set_password("ann", "secret")
    users.save()
    sections = {"auth": {"htpasswd_file": tmp_path / "users"}, "rest": {"timeout_s": 0.2}}
    async with inside(**sections) as client:
        refused = await client.post(RECOGNIZE, params=GENERAL, content=b"x")
        wrong = await client.post(RECOGNIZE, params=GENERAL, content=b"x", auth=("ann", "guess"))
        admitted = await client.post(RECOGNIZE, params=GENERAL, content=b"x", auth=("ann", "secret"))
    assert (refused.status_code, wrong.status_code) == (401, 401)
    assert refused.headers["www-authenticate"].startswith("Basic ")
    assert admitted.status_code == 504  # in, and nobody there to answer


@pytest.mark.parametrize("bound", [{"concurrency": 1}, {"concurrency": 9, "concurrency_per_party": 1}])
async def test_too_many_requests_at_once_are_refused_at_once(bound: dict[str, int]) -> None:
    async with inside(rest={**bound, "timeout_s": 0.3}) as client, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: client.post(RECOGNIZE, params=GENERAL, content=b"x"))
        await trio.testing.wait_all_tasks_blocked(0.05)
        answer = await client.post(RECOGNIZE, params=GENERAL, content=b"x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ERROR_BUSY")
    assert answer.headers["retry-after"] == "1"


def test_rest_can_be_switched_off() -> None:
    assert rest.routes(Services(Settings(rest={"enabled": False}))) == []


def test_a_server_that_ends_finishes_the_request_first(tmp_path: Path, recording: Recording) -> None:
    with serve(tmp_path) as server, httpx.Client(base_url=server.http_url, timeout=60) as client:

        def audio() -> Iterator[bytes]:
            data = recording.path.read_bytes()
            yield data[:20_000]
            while not httpx.get(server.http_url + "/readyz").json()["workers_leased"]:
                time.sleep(0.02)
            server.stop()
            yield data[20_000:]

        answer = client.post(RECOGNIZE, params=GENERAL, content=audio())
        assert "he was not" in answer.json()["recognition_result"]["alternatives"][0]["text"]
