"""Containers: what is in the bytes, decided on the first of them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.errors import AudioFormatError

RAW_8K = AudioFormat("pcm_s16", 8_000, 1)
SAMPLES = bytes(range(1, 201))


def chunk(name, body, *, size=None):
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def fmt(tag=1, channels=1, rate=16_000, bits=16, *, extra=b""):
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits) + extra)


def wave(*chunks, size=None):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def read(data, content_type=None, *, packet=10**9, last=True):
    """Return (format, samples, ended)."""
    reader = AudioReader(default_format=RAW_8K, content_type=content_type)
    samples = b"".join(reader.feed(data[i : i + packet]) for i in range(0, len(data), packet))
    samples += reader.feed(b"", last=last)
    while reader.has_more:
        samples += reader.feed(b"", last=last)
    return reader.format, samples, reader.ended


@pytest.mark.parametrize("content_type", [None, "audio/raw", "audio/wav", "application/octet-stream"])
def test_bytes_without_container_are_raw(content_type):
    assert read(SAMPLES, content_type) == (RAW_8K, SAMPLES, False)


@pytest.mark.parametrize("packet", [1, 3, 44, 10**9])
@pytest.mark.parametrize("content_type", [None, "audio/wav", "audio/x-wav; codecs=1", "application/octet-stream"])
def test_wave_ends_with_its_data(content_type, packet):
    data = wave(chunk(b"LIST", b"INFOodd"), fmt(), chunk(b"data", SAMPLES), chunk(b"id3 ", b"x" * 30))
    assert read(data, content_type, packet=packet) == (AudioFormat("pcm_s16", 16_000, 1), SAMPLES, True)


def test_wave_labelled_raw_is_believed_but_never_ends():
    data = wave(fmt(), chunk(b"data", SAMPLES))
    assert read(data, "audio/raw") == (AudioFormat("pcm_s16", 16_000, 1), SAMPLES, False)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_unknown_data_size_means_until_the_end(size):
    data = wave(fmt(), chunk(b"data", SAMPLES, size=size), size=size)
    assert read(data) == (AudioFormat("pcm_s16", 16_000, 1), SAMPLES, False)


def test_odd_data_size_loses_only_the_odd_byte():
    data = wave(fmt(), chunk(b"data", SAMPLES[:199]))
    assert read(data) == (AudioFormat("pcm_s16", 16_000, 1), SAMPLES[:198], True)


@pytest.mark.parametrize(
    ("tag", "bits", "encoding"),
    [
        (1, 8, "pcm_u8"),
        (1, 16, "pcm_s16"),
        (1, 24, "pcm_s24"),
        (1, 32, "pcm_s32"),
        (3, 32, "float32"),
        (3, 64, "float64"),
        (6, 8, "alaw"),
        (7, 8, "mulaw"),
    ],
)
@pytest.mark.parametrize("extensible", [False, True])
def test_every_wave_format(tag, bits, encoding, extensible):
    guid_rest = bytes.fromhex("000000001000800000aa00389b71")
    extra = struct.pack("<HHIH", 22, bits, 4, tag) + guid_rest if extensible else b""
    data = wave(fmt(0xFFFE if extensible else tag, 2, 44_100, bits, extra=extra), chunk(b"data", SAMPLES))
    audio_format, samples, ended = read(data)
    assert audio_format == AudioFormat(encoding, 44_100, 2)
    assert samples == SAMPLES[: len(SAMPLES) - len(SAMPLES) % audio_format.frame_bytes]
    assert ended


@pytest.mark.parametrize(
    "data",
    [
        wave(fmt(tag=0x55), chunk(b"data", SAMPLES)),  # MP3 in WAV that is none
        wave(fmt(tag=0x1234), chunk(b"data", SAMPLES)),
        wave(fmt(bits=12), chunk(b"data", SAMPLES)),
        wave(fmt(rate=0), chunk(b"data", SAMPLES)),
        wave(fmt(channels=0), chunk(b"data", SAMPLES)),
        wave(fmt(channels=99), chunk(b"data", SAMPLES)),
        wave(chunk(b"fmt ", b"short"), chunk(b"data", SAMPLES)),
        wave(chunk(b"data", SAMPLES)),
        wave(fmt()),
        wave(fmt(), chunk(b"junk", b"", size=0x7FFFFFFF)),
        wave(chunk(b"fmt ", b"", size=0x7FFFFFFF)),
        wave(fmt(), chunk(b"junk", b"x" * 1000)),
    ],
)
def test_wave_that_cannot_be_decoded_is_a_format_error(data):
    with pytest.raises(AudioFormatError):
        read(data)


@pytest.mark.parametrize("packet", [1, 100, 10**9])
def test_rf64_is_wave(packet):
    data = b"RF64" + wave(chunk(b"ds64", b"\0" * 28), fmt(), chunk(b"data", SAMPLES, size=0xFFFFFFFF))[4:]
    assert read(data, packet=packet) == (AudioFormat("pcm_s16", 16_000, 1), SAMPLES, False)


def test_header_that_never_ends_is_refused_early():
    reader = AudioReader(default_format=RAW_8K)
    reader.feed(wave(fmt()))
    for _ in range(100):
        reader.feed(chunk(b"junk", b"x" * 10_000))
    with pytest.raises(AudioFormatError, match="no data"):
        reader.feed(chunk(b"junk", b"x" * 60_000))


@pytest.mark.parametrize(
    ("content_type", "encoding"), [("audio/basic", "mulaw"), ("audio/PCMU;rate=8000", "mulaw"), ("audio/pcma", "alaw")]
)
def test_telephone_content_types(content_type, encoding):
    assert read(SAMPLES, content_type) == (AudioFormat(encoding, 8_000, 1), SAMPLES, False)


@pytest.mark.parametrize("packet", [1, 10**9])
@pytest.mark.parametrize("head", [b"\0\0\0\x20ftypM4A ", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"RIFX\0\0\0\0WAVE"])
def test_containers_that_cannot_be_read_are_named_and_not_heard_as_noise(head, packet):
    with pytest.raises(AudioFormatError, match="is not supported"):
        read(head + SAMPLES, packet=packet)
    assert read(head + SAMPLES, "audio/raw")[0] == RAW_8K


def test_content_type_that_cannot_be_read_is_named():
    with pytest.raises(AudioFormatError, match="MP4 audio is not supported"):
        read(SAMPLES, "audio/mp4;codecs=mp4a.40.2")


def test_riff_that_is_no_wave_is_raw():
    assert read(b"RIFF\0\0\0\0AVI " + SAMPLES)[0] == RAW_8K


@given(
    data=st.binary(max_size=64),
    packet=st.integers(1, 9),
    prefix=st.sampled_from([b"", b"RIFF", b"RIFF....WAVE", b"fLaC", b"\xff\xfb\x90", b"\xd0"]),
)
def test_any_bytes_give_samples_or_a_format_error(data, packet, prefix):
    try:
        audio_format, samples, _ = read(prefix + data, packet=packet)
    except AudioFormatError:
        return
    assert audio_format is not None
    assert len(samples) % audio_format.frame_bytes == 0
