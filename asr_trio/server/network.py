"""Which address a web server's name may lead to.

An operator allows names. Who answers for a name could lead it to an address inside this network, and to another one
each time that it is asked (DNS rebinding). So a name is looked up once, the address is judged, and that address is the
one that is asked.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import trio

from asr_trio.errors import LanguageModelFetchError, LanguageModelNotFoundError

_LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last four bytes


async def judged_address(host: str, port: int, networks: Sequence[IPv4Network | IPv6Network]) -> str:
    """Return the address to ask for a host that the operator allows.

    A host that is an address itself was allowed as such, and ``localhost`` means this machine (RFC 6761, 6.3).

    Args:
        host: a name or an address.
        port: where it is going to be asked.
        networks: where names may lead besides public addresses.

    Raises:
        LanguageModelNotFoundError: the name leads only where it must not.
        LanguageModelFetchError: nobody knows the name.
    """
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    if host == "localhost":
        networks = (*networks, *_LOOPBACK)
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise LanguageModelFetchError(f"{host} cannot be found, {error.strerror}") from error
    for *_, target in found:
        address = ip_address(str(target[0]).partition("%")[0])
        if _is_public(address) or any(address in network for network in networks):
            return str(address)
    raise LanguageModelNotFoundError(
        f"{host} leads to an address that is not public, see language_models.http_networks"
    )


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    inner = _embedded(address) if isinstance(address, IPv6Address) else None
    return address.is_global and not address.is_multicast and (inner is None or _is_public(inner))


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 one end up at."""
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour
