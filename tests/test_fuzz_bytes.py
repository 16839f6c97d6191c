"""A short form of the fuzzing of bytes; `python -m tests.fuzz_bytes` is the long one."""

from __future__ import annotations

import base64
import math

import pytest

from asr_trio.recognizer import base, ipc
from tests.fuzz_bytes import TARGETS, run

SOUND_THAT_BEGINS_PAST_THE_END = (
    b"FORM\0\0\x3e\xaeAIFFCOMM\0\0\0\x12\0\1\0\0\x1f\x40\0\x10\x40\x0c\xfa\0\0\0\0\0\0\0SSND\0\0\x3e\x88\x7f\0\0\0\0\0\0\0"
) + bytes(range(256)) * 60
FOUND = {
    "refused as Windows Media, or decoded as GSM, by the length of the first packet": (
        "audio",
        base64.b64decode(
            "/wAwJrJ1jmbPEVL//////////v//AAAAAAAAWFv///////////8AAP///////////wAAAC//////////////////1QE="
        ),
    ),
    "other samples, or none, by the length of the packets": ("audio", b"\0\3" + SOUND_THAT_BEGINS_PAST_THE_END),
    "a frame more or less at the start, by the length of the packets": (
        "audio",
        b"\x14\3\xff\xf3\x88\xc4" + bytes(284) + b"\xff\xf3\x98\xc4\0\x21" + bytes(10),
    ),
    "a number that is none": ("ipc", ipc.encode(base.Final(alternatives=(), cpu_s=math.nan))),
}


@pytest.mark.parametrize(("target", "data"), FOUND.values(), ids=FOUND)
def test_what_was_found_once_stays_mended(target, data):
    if target == "audio":
        pytest.importorskip("av")
    TARGETS[target][0](data)


@pytest.mark.parametrize(("target", "rounds"), [("audio", 150), ("ipc", 400)])
def test_any_bytes_give_what_they_hold_or_a_typed_error(target, rounds, long_form):
    run_one, seeds = TARGETS[target]
    corpus = seeds()
    for seed in corpus:
        run_one(seed)
    for number in range(rounds * (50 if long_form else 1)):
        run(target, number, corpus)
