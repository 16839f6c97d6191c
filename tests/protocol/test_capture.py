"""Every message that the SDKs were recorded to send is understood."""

from __future__ import annotations

import pytest

from asr_trio.protocol.messages import METHODS
from asr_trio.protocol.parser import parse_client_message

CLIENTS = ("python", "java", "cpp", "dotnet", "dotnet_lf", "kotlin")


@pytest.mark.shared
@pytest.mark.parametrize("client", CLIENTS)
def test_capture_is_understood(shared, client):
    files = [
        path
        for path in sorted((shared / "captures" / client).glob("*.bin"))
        if not path.stem.endswith(("HANDSHAKE", "CLOSE"))
    ]
    assert len(files) > 10
    for path in files:
        message = parse_client_message(path.read_bytes())
        name = path.stem.split("-", 2)[2]
        assert METHODS[type(message)] == name.removesuffix("-last")
        if name.startswith("SEND_AUDIO"):
            assert message.last_packet == name.endswith("-last")
            assert len(message.audio) % 2 == 0
