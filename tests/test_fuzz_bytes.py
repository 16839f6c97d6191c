"""A short form of the fuzzing of bytes; `python -m tests.fuzz_bytes` is the long one."""

from __future__ import annotations

import base64

import pytest

from tests.fuzz_bytes import TARGETS, run

# Refused as Windows Media, or decoded as GSM, by the length of the first packet.
FOUND = ["/wAwJrJ1jmbPEVL//////////v//AAAAAAAAWFv///////////8AAP///////////wAAAC//////////////////1QE="]


@pytest.mark.parametrize("data", FOUND)
def test_what_was_found_once_stays_mended(data):
    TARGETS["audio"][0](base64.b64decode(data))


@pytest.mark.parametrize(("target", "rounds"), [("audio", 150), ("ipc", 400)])
def test_any_bytes_give_what_they_hold_or_a_typed_error(target, rounds, long_form):
    run_one, seeds = TARGETS[target]
    corpus = seeds()
    for seed in corpus:
        run_one(seed)
    for number in range(rounds * (50 if long_form else 1)):
        run(target, number, corpus)
