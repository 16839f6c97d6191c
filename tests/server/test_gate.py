import pytest

from asr_trio.errors import BusyError
from asr_trio.server.gate import ConnectionGate, address_group


def test_places_are_bounded_in_all_and_by_address_and_come_back():
    gate = ConnectionGate(connections=3, connections_per_address=2)
    with gate.admit("192.0.2.1"), gate.admit("192.0.2.1"):
        with pytest.raises(BusyError), gate.admit("192.0.2.1"):
            pass
        with gate.admit("192.0.2.2"), pytest.raises(BusyError), gate.admit("192.0.2.3"):
            pass
    assert gate.open == 0
    with gate.admit("192.0.2.1"):
        assert gate.open == 1


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_one_ipv6_network_is_one_origin(address, group):
    assert address_group(address) == group
