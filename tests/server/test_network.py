from __future__ import annotations

import socket
import ssl
from functools import partial
from ipaddress import ip_network

import pytest
import trio
import trustme

from asr_trio.errors import LanguageModelFetchError, LanguageModelNotFoundError
from asr_trio.server.language_models import Library
from asr_trio.server.network import judged_address
from asr_trio.settings import LanguageModelSettings

GRAMMAR = b"#ABNF 1.0 UTF-8;\nroot $r;\n$r = yes;\n"
PUBLIC = "93.184.216.34"


class Names(trio.abc.HostnameResolver):
    """Answers for names: each time the next of a name's answers, the last one for ever."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked = []

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002 - the name of the interface
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        if name not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        answers = self.answers[name]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    async def getnameinfo(self, sockaddr, flags):
        raise NotImplementedError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
async def test_a_name_that_leads_inside_is_refused(address):
    trio.socket.set_custom_hostname_resolver(Names(evil_example=[[address]]))
    with pytest.raises(LanguageModelNotFoundError, match="not public"):
        await judged_address("evil.example", 80, ())


async def test_public_addresses_and_the_operators_networks_are_taken():
    names = Names(a_example=[[PUBLIC]], b_example=[["10.1.2.3"]], c_example=[["10.0.0.1", PUBLIC]], localhost=[["::1"]])
    trio.socket.set_custom_hostname_resolver(names)
    assert await judged_address("a.example", 80, ()) == PUBLIC
    assert await judged_address("b.example", 80, (ip_network("10.0.0.0/8"),)) == "10.1.2.3"
    assert await judged_address("c.example", 80, ()) == PUBLIC
    assert await judged_address("localhost", 80, ()) == "::1"
    assert await judged_address("10.9.8.7", 80, ()) == "10.9.8.7"  # named as such by the operator
    with pytest.raises(LanguageModelFetchError, match="cannot be found"):
        await judged_address("nobody.example", 80, ())


async def test_the_address_that_was_judged_is_the_one_that_is_asked():
    """DNS rebinding: the name leads elsewhere as soon as it is asked again."""
    requests = []

    async def serve(stream):
        async with stream:
            requests.append(await stream.receive_some())
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GRAMMAR) + GRAMMAR)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        names = Names(grammars_example=[["127.0.0.1"], ["169.254.169.254"]])
        trio.socket.set_custom_hostname_resolver(names)
        settings = LanguageModelSettings(http_hosts=("grammars.example",), http_networks=("127.0.0.0/8",))
        library = Library(settings, max_bytes=1000)
        uri = f"http://grammars.example:{port}/g.abnf"
        assert (await library.fetch(uri)).text == GRAMMAR
        assert names.asked == ["grammars.example"]
        assert f"host: grammars.example:{port}\r\n".encode() in requests[0].lower()
        with pytest.raises(LanguageModelNotFoundError):
            await library.fetch(uri)
        assert len(requests) == 1
        nursery.cancel_scope.cancel()


async def test_a_certificate_is_checked_against_the_name_and_not_the_address():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("grammars.example").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    async def serve(stream):
        try:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GRAMMAR) + GRAMMAR)
        except trio.BrokenResourceError:
            pass
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        serving = partial(trio.serve_ssl_over_tcp, serve, 0, context, host="127.0.0.1", https_compatible=True)
        (listener,) = await nursery.start(serving)
        port = listener.transport_listener.socket.getsockname()[1]
        names = Names(grammars_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
        trio.socket.set_custom_hostname_resolver(names)
        hosts = ("grammars.example", "other.example")
        library = Library(LanguageModelSettings(http_hosts=hosts, http_networks=("127.0.0.0/8",)), max_bytes=1000)
        library._tls = trust
        assert (await library.fetch(f"https://grammars.example:{port}/g.abnf")).text == GRAMMAR
        with pytest.raises(LanguageModelFetchError):
            await library.fetch(f"https://other.example:{port}/g.abnf")
        nursery.cancel_scope.cancel()
