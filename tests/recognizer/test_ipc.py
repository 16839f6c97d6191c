from __future__ import annotations

import pytest

from asr_trio.errors import RecognizerError
from asr_trio.recognizer import base, ipc

FRAMES = [
    base.Open(
        models=(base.StatisticalModel(name="general", lm="builtin:slm/general"),), settings=base.DecoderSettings()
    ),
    base.StartSegment(start_s=0.25),
    base.Audio(pcm=bytes(range(256))),
    base.EndSegment(end_s=1.5),
    base.Compile(text=b"#JSGF", content_type=None, lm="session:a"),
    base.Cancel(),
]
STREAM = b"".join(map(ipc.encode, FRAMES))


@pytest.mark.parametrize("cut", [1, 3, 7, 64, len(STREAM)])
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(cut: int) -> None:
    reader = ipc.to_worker_reader()
    found = [frame for start in range(0, len(STREAM), cut) for frame in reader.feed(STREAM[start : start + cut])]
    assert found == FRAMES


def test_a_frame_of_the_other_direction_is_an_error() -> None:
    with pytest.raises(RecognizerError):
        ipc.to_worker_reader().feed(ipc.encode(base.Opened()))


@pytest.mark.parametrize(
    "rubbish", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\3abc", b"\0\0\0\x0b\x81\xa4type\xa4Ope\x91"]
)
def test_rubbish_is_an_error(rubbish: bytes) -> None:
    with pytest.raises(RecognizerError):
        ipc.from_worker_reader().feed(rubbish)
