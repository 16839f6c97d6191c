"""G.711 against the value tables of the Recommendation, built here from its definition."""

from __future__ import annotations

import numpy as np
import pytest

from asr_trio.audio.dsp import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)


def ulaw_table():
    """Table 2/G.711: 8 segments of 16 steps in 14 bits, here 2 bits to the left."""
    values = np.empty(256, int)
    for code in range(256):
        bits = code ^ 0xFF
        segment, step = (bits >> 4) & 7, bits & 15
        magnitude = (2 * step + 33) * 2**segment - 33
        values[code] = 4 * (-magnitude if bits & 0x80 else magnitude)
    return values


def alaw_table():
    """Table 1/G.711: segments 0 and 1 are one straight line; 13 bits, even bits of the code inverted."""
    values = np.empty(256, int)
    for code in range(256):
        bits = code ^ 0x55
        segment, step = (bits >> 4) & 7, bits & 15
        magnitude = 2 * step + 1 if segment == 0 else (2 * step + 33) * 2 ** (segment - 1)
        values[code] = 8 * (magnitude if bits & 0x80 else -magnitude)
    return values


@pytest.mark.parametrize(("decode", "table"), [(ulaw_decode, ulaw_table()), (alaw_decode, alaw_table())])
def test_decoding_is_the_table(decode, table):
    np.testing.assert_array_equal(decode(ALL_CODES), table)


# Decision values: the smallest magnitude of each step, in 14 bits (mu-law) and 12 bits (A-law).
ULAW_DECISIONS = [max((step + 16) * 2 ** (segment + 1) - 33, 0) for segment in range(8) for step in range(16)]
ALAW_DECISIONS = [
    step if segment == 0 else (step + 16) * 2 ** (segment - 1) for segment in range(8) for step in range(16)
]


@pytest.mark.parametrize(
    ("encode", "decisions", "shift", "positive", "negative"),
    [(ulaw_encode, ULAW_DECISIONS, 2, 0xFF, 0x7F), (alaw_encode, ALAW_DECISIONS, 4, 0xD5, 0x55)],
)
def test_every_sample_is_encoded_by_the_decision_values(encode, decisions, shift, positive, negative):
    samples = ALL_SAMPLES.astype(int)
    magnitudes = np.where(samples < 0, ~samples, samples) >> shift  # as the ITU's own tools (G.191) take negative ones
    steps = np.searchsorted(decisions, magnitudes, side="right") - 1
    np.testing.assert_array_equal(list(encode(ALL_SAMPLES)), np.where(samples < 0, negative, positive) ^ steps)


@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)])
def test_codes_survive_decoding_and_encoding(encode, decode):
    again = encode(decode(ALL_CODES))
    different = [(code, other) for code, other in zip(ALL_CODES, again, strict=True) if code != other]
    # mu-law has two zeros; the negative one becomes the positive one
    assert different in ([], [(0x7F, 0xFF)])


@pytest.mark.parametrize(
    ("encode", "pairs"),
    [
        (ulaw_encode, {0: 0xFF, 32767: 0x80, -32768: 0x00, 1000: 0xCE, -1000: 0x4E, -1: 0x7F}),
        (alaw_encode, {0: 0xD5, 32767: 0xAA, -32768: 0x2A, 1000: 0xFA, -1000: 0x7A, -1: 0x55}),
    ],
)
def test_known_codes(encode, pairs):
    assert encode(np.array(list(pairs), np.int16)) == bytes(pairs.values())
