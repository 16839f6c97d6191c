import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.errors import RemoteProtocolError
from asr_trio.protocol.recording import End, Entry, Head, encode_line, read_entries

ENTRIES = [Entry(time_s=0.0, side="client", data=b"ASR \x00\xff"), Entry(time_s=1.5, side="server", data=b"")]
WHOLE = b"".join(map(encode_line, [Head(), *ENTRIES, End(time_s=2.0)]))


def read(data: bytes) -> list[Entry]:
    return list(read_entries(data.splitlines(keepends=True)))


def test_what_was_written_is_read():
    assert read(WHOLE) == ENTRIES


@pytest.mark.parametrize("cut", range(len(encode_line(Head())), len(WHOLE)))
def test_a_recording_that_was_cut_off_reads_up_to_there(cut):
    found = read(WHOLE[:cut])
    assert found == ENTRIES[: len(found)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"rubbish\n", "Line 1"),
        (encode_line(ENTRIES[0]), "out of place"),
        (encode_line(Head(format="asr-trio session 9")), "format"),
        (encode_line(Head()) * 2, "out of place"),
        (encode_line(Head()) + b'{"kind":"message","time_s":"x"}\n', "Line 2"),
    ],
)
def test_what_is_no_recording_is_told_with_its_line(data, message):
    with pytest.raises(RemoteProtocolError, match=message):
        read(data)


@given(st.binary(max_size=200))
def test_any_bytes_give_entries_or_that_error(data):
    with contextlib.suppress(RemoteProtocolError):
        read(encode_line(Head()) + data)
