import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.server.frame import Foreign, FrameBoundError, FrameMeter, FrameSplitter

TEXT, BINARY, CONTINUATION, PING = 1, 2, 0, 9


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


def masked(payload: bytes, *, opcode: int = BINARY, fin: bool = True) -> bytes:
    head = frame(opcode, len(payload), fin=fin)[: -len(payload) or None]
    return head + bytes(byte ^ head[len(head) - 4 + index % 4] for index, byte in enumerate(payload))


def split(pieces: list[bytes]) -> list[bytes | Foreign]:
    splitter = FrameSplitter()
    taken = []
    for piece in pieces:
        splitter.feed(piece)
        while (found := splitter.take()) is not None:
            taken.append(found)
    return taken


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 200, 100_000])
def test_whole_binary_messages_come_out_and_all_else_is_the_librarys(cut):
    pieces = [
        masked(b""),
        masked(b"hello"),
        masked(bytes(range(256)) * 3),
        frame(PING, 5),
        masked(b"x" * 70_000),
        masked(b"hello", opcode=TEXT),
        masked(b"one", fin=False),
        frame(PING, 0),
        masked(b"two", opcode=CONTINUATION),
        masked(b"after"),
    ]
    stream = b"".join(pieces)
    plain = {0: b"", 1: b"hello", 2: bytes(range(256)) * 3, 4: b"x" * 70_000, 9: b"after"}
    expected = [plain.get(index, Foreign(piece)) for index, piece in enumerate(pieces)]
    assert split([stream[at : at + cut] for at in range(0, len(stream), cut)]) == expected


@pytest.mark.parametrize(
    "illegal",
    [
        frame(BINARY, 5, masked=False),
        frame(BINARY | 0x40, 5),
        frame(PING, 126),
        frame(PING, 1, fin=False),
    ],
)
def test_what_breaks_the_rules_is_left_to_the_library_with_all_behind_it(illegal):
    assert split([masked(b"hello") + illegal + masked(b"more")]) == [
        b"hello",
        Foreign(illegal + masked(b"more"), illegal=True),
    ]
