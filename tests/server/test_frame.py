import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.server.frame import FrameBoundError, FrameMeter

BINARY, CONTINUATION, PING = 2, 0, 9


def frame(opcode: int, payload_bytes: int, *, fin: bool = True, masked: bool = True) -> bytes:
    mask_bit = 0x80 if masked else 0
    if payload_bytes < 126:
        length = bytes([mask_bit | payload_bytes])
    elif payload_bytes < 65536:
        length = bytes([mask_bit | 126]) + payload_bytes.to_bytes(2, "big")
    else:
        length = bytes([mask_bit | 127]) + payload_bytes.to_bytes(8, "big")
    return bytes([(0x80 if fin else 0) | opcode]) + length + (b"mask" if masked else b"") + bytes(payload_bytes)


def meter() -> FrameMeter:
    return FrameMeter(message_bytes=1000, fragments=4, control_frames=3)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 4096])
def test_allowed_traffic_passes_however_it_is_cut(cut):
    stream = b"".join(
        [
            frame(BINARY, 0),
            frame(BINARY, 125),
            frame(BINARY, 126),
            frame(BINARY, 1000),
            *[frame(PING, 5)] * 2,
            frame(BINARY, 300, fin=False),
            frame(PING, 0),
            frame(CONTINUATION, 300, fin=False),
            frame(CONTINUATION, 400),
            frame(BINARY, 1000, masked=False),
            *[frame(PING, 5)] * 3,
        ]
    )
    passed = meter()
    for at in range(0, len(stream), cut):
        passed.feed(stream[at : at + cut])
    with pytest.raises(FrameBoundError, match="control"):
        passed.feed(frame(PING, 0))


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frame(BINARY, 1001)[:8], 1009),
        (frame(BINARY, 70000)[:14], 1009),
        (frame(BINARY, 600, fin=False) + frame(CONTINUATION, 401)[:8], 1009),
        (frame(BINARY, 0, fin=False) + frame(CONTINUATION, 0, fin=False) * 4, 1009),
        (frame(PING, 0) * 4, 1008),
    ],
)
@pytest.mark.parametrize("cut", [1, 4096])
def test_a_bound_is_noticed_on_the_header_that_breaks_it(stream, code, cut):
    strict = meter()
    pieces = [stream[at : at + cut] for at in range(0, len(stream), cut)]
    with pytest.raises(FrameBoundError) as caught:  # noqa: PT012 - which piece it is depends on the cut
        for piece in pieces:
            strict.feed(piece)
    assert caught.value.close_code == code


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_give_the_same_verdict_however_they_are_cut(data, cut):
    def verdict(pieces: list[bytes]) -> int | None:
        judged = meter()
        try:
            for piece in pieces:
                judged.feed(piece)
        except FrameBoundError as fault:
            return fault.close_code
        return None

    assert verdict([data]) == verdict([data[at : at + cut] for at in range(0, len(data), cut)])
