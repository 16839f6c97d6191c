import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.server.handshake import (
    HandshakeError,
    RequestReader,
    UpgradeRequest,
    basic_credentials,
    normal_path,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def request(target: str = "/asr-server/asr", **changed: str | None) -> bytes:
    headers: dict[str, str | None] = {
        "Host": "localhost:8025",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def read(data: bytes, cut: int = 1 << 20) -> UpgradeRequest | None:
    reader = RequestReader()
    for at in range(0, len(data), cut):
        found = reader.feed(data[at : at + cut])
        if found is not None:
            return found
    return None


@pytest.mark.parametrize("cut", [1, 5, 4096])
def test_a_request_is_read_however_it_is_cut(cut):
    found = read(request("//asr-server//asr/?x=1", Authorization="Basic Og=="), cut)
    assert found is not None
    assert found.path == "/asr-server/asr"
    assert found.key == KEY
    assert found.headers["authorization"] == "Basic Og=="


def test_frames_behind_the_head_are_kept():
    found = read(request() + b"\x82\x80mask")
    assert found is not None
    assert found.trailing == b"\x82\x80mask"


@pytest.mark.parametrize(
    "header", ["Host", "Connection", "Sec_WebSocket_Protocol", "Sec_WebSocket_Extensions", "X_Any"]
)
def test_no_byte_of_a_client_header_reaches_the_library(header):
    value = "Upgrade, caf\xe9" if header == "Connection" else "caf\xe9.xn--\xff"
    found = read(request(**{header: value}))
    assert found is not None
    assert found.canonical().isascii()
    assert KEY.encode() in found.canonical()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(Upgrade=None), 426),
        (request(Connection="close"), 426),
        (request(Sec_WebSocket_Version="8"), 426),
        (request(Sec_WebSocket_Version=None), 426),
        (request(Sec_WebSocket_Key=None), 400),
        (request(Sec_WebSocket_Key="\xff" * 24), 400),
        (request(Sec_WebSocket_Key="c2hvcnQ="), 400),
        (request().replace(b"GET", b"POST", 1), 405),
        (request(Host=None), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 20000, 431),
        (request(**{f"X{number}": "y" for number in range(120)}), 431),
        (request(Content_Length="5") + b"hello", 400),
        (request(Transfer_Encoding="chunked") + b"0\r\n\r\n", 400),
        (request().replace(b"HTTP/1.1", b"HTTP/1.0", 1), 505),
        (request().replace(b"HTTP/1.1", b"HTTP/2.0", 1), 505),
    ],
)
def test_everything_else_is_refused_with_a_status(data, status):
    with pytest.raises(HandshakeError) as caught:
        read(data)
    assert caught.value.status == status
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.receive_data(caught.value.response())
    response = client.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code == status


@given(st.binary(max_size=300), st.integers(0, 250))
def test_any_bytes_give_a_request_or_a_refusal(garbage, position):
    whole = request()
    data = whole[:position] + garbage + whole[position:]
    try:
        found = read(data)
    except HandshakeError:
        return
    assert found is None or found.canonical().isascii()


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (None, None),
        ("", None),
        ("Bearer x", None),
        ("Basic Og==", None),
        ("Basic !!!", None),
        ("Basic /w==", None),
        ("Basic YW5uOnNlY3JldA==", ("ann", "secret")),
        ("basic  YW5uOnM6ZWNyZXQ=", ("ann", "s:ecret")),
    ],
)
def test_basic_credentials(header, credentials):
    assert basic_credentials(header) == credentials


@pytest.mark.parametrize(
    ("target", "path"),
    [("/", "/"), ("/a/b/", "/a/b"), ("//a///b?x=/y", "/a/b"), ("/a%20b", "/a b"), ("http://h/a", "/a"), ("/[", "/[")],
)
def test_paths_are_forgiving_about_slashes(target, path):
    assert normal_path(target) == path
