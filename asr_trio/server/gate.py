"""Bounds on connections: in all, and from one address, so that one peer cannot take all places."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asr_trio.errors import BusyError

_IPV6_SITE_BITS: Final = 64
"""One IPv6 customer owns at least a /64 and can use a new address of it for each connection."""


def address_group(address: str) -> str:
    """Return what counts as one origin: an IPv4 address, or the /64 network of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_SITE_BITS), strict=False))
    return str(parsed)


def party(user: str | None, address: str) -> str:
    """Return who shares what with whom: all of a user's connections, or all of an address where there are no users."""
    return user or address_group(address)


class ConnectionGate:
    """Counts open connections."""

    def __init__(self, *, connections: int, connections_per_address: int) -> None:
        self._limit = connections
        self._limit_per_address = connections_per_address
        self._by_address: Counter[str] = Counter()
        self.open = 0

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Hold a place while a connection lives.

        Raises:
            BusyError: there is none left.
        """
        group = address_group(address)
        if self.open >= self._limit or self._by_address[group] >= self._limit_per_address:
            raise BusyError("Too many connections")
        self.open += 1
        self._by_address[group] += 1
        try:
            yield
        finally:
            self.open -= 1
            self._by_address[group] -= 1
            if not self._by_address[group]:
                del self._by_address[group]
