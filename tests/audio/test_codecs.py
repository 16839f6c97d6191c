"""Compressed audio through the optional codecs: files made here by libsndfile and FFmpeg."""

from __future__ import annotations

import builtins
import io
import threading

import numpy as np
import pytest

from asr_trio.audio import decoder
from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.errors import AudioFormatError
from tests.audio.signals import pcm16, sentence

soundfile = pytest.importorskip("soundfile")
av = pytest.importorskip("av", reason="the extra 'codecs' is not installed")
RAW_16K = AudioFormat("pcm_s16", 16_000, 1)


def encode(samples, rate_hz, **options):
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.int16), rate_hz, **options)
    return file.getvalue()


def parts_of(reader, data, *, last=False):
    parts = [reader.feed(data, last=last)]
    while reader.has_more:
        parts.append(reader.feed(b"", last=last))
    return parts


def read(data, content_type=None, *, packet=10**9):
    reader = AudioReader(default_format=RAW_16K, content_type=content_type)
    parts = []
    for i in range(0, len(data), packet):
        parts += parts_of(reader, data[i : i + packet])
    parts += parts_of(reader, b"", last=True)
    return reader.format, b"".join(parts), reader


@pytest.mark.parametrize("packet", [7, 10**9])
@pytest.mark.parametrize(
    ("options", "rate_hz", "correlation"),
    [
        ({"format": "FLAC", "subtype": "PCM_16"}, 16_000, 1.0),
        ({"format": "FLAC", "subtype": "PCM_24"}, 44_100, 1.0),
        ({"format": "OGG", "subtype": "VORBIS"}, 16_000, 0.95),
        ({"format": "OGG", "subtype": "OPUS"}, 16_000, 0.95),
        ({"format": "MP3", "subtype": "MPEG_LAYER_III"}, 16_000, 0.9),
        ({"format": "AIFF", "subtype": "PCM_16"}, 16_000, 1.0),
        ({"format": "AU", "subtype": "ULAW"}, 8_000, 0.99),
        ({"format": "RAW", "subtype": "GSM610"}, 8_000, 0.85),
        ({"format": "WAV", "subtype": "GSM610"}, 8_000, 0.85),
        ({"format": "WAV", "subtype": "IMA_ADPCM"}, 8_000, 0.9),
    ],
)
def test_every_codec_is_recognised_and_decoded(options, rate_hz, correlation, packet):
    samples = sentence(rate_hz, lead_s=0.2, trail_s=0.2)
    data = encode(samples, rate_hz, **options)
    audio_format, decoded, reader = read(data, packet=packet)
    assert reader.computes
    assert reader.ended
    thinned = 3 if options["subtype"] == "OPUS" else 1  # it is always decoded at 48 kHz
    assert audio_format == AudioFormat("pcm_s16", rate_hz * thinned)
    values = np.frombuffer(decoded, "<i2").astype(float)[::thinned]
    assert abs(len(values) - len(samples)) <= 2_400
    delays = range(2_400) if options["format"] == "MP3" else [0]  # what MP3 puts in front is nowhere written down
    half = len(samples) // 2
    assert max(np.corrcoef(values[d : d + half], samples[:half])[0, 1] for d in delays) >= correlation - 1e-6


@pytest.mark.parametrize("content_type", ["audio/flac", "audio/mpeg", "audio/ogg", "audio/gsm", "audio/webm"])
def test_rubbish_under_a_codec_s_name_is_a_format_error(content_type):
    data = np.random.default_rng(1).bytes(4_000)
    with pytest.raises(AudioFormatError, match="cannot be decoded"):
        read(data, content_type)


def test_truncated_file_gives_what_it_holds_or_a_format_error():
    whole = encode(sentence(), 16_000, format="FLAC", subtype="PCM_16")
    for size in (5, 50, 2_000, len(whole) // 2):
        try:
            audio_format, _, _ = read(whole[:size])
        except AudioFormatError:
            continue
        assert audio_format.sample_rate_hz == 16_000


def test_samples_that_look_like_mp3_at_first_are_raw():
    data = b"\xff\xfb\x90\x00" + pcm16(sentence(trail_s=0.1))
    assert read(data)[:2] == (RAW_16K, data)


@pytest.mark.parametrize(
    ("options", "behind_s"),
    [
        ({"format": "OGG", "subtype": "OPUS"}, 0.8),
        ({"format": "OGG", "subtype": "VORBIS"}, 1.2),
        ({"format": "MP3", "subtype": "MPEG_LAYER_III"}, 0.6),
        ({"format": "FLAC", "subtype": "PCM_16"}, 3.0),  # ten of its blocks of a quarter of a second are looked ahead
        ({"format": "WAV", "subtype": "IMA_ADPCM"}, 0.4),
    ],
)
def test_samples_come_out_while_the_audio_comes_in(options, behind_s):
    data = encode(np.concatenate([sentence()] * 4), 16_000, **options)
    reader = AudioReader(default_format=RAW_16K)
    heard = sum(len(part) for part in parts_of(reader, data[: len(data) // 2]))
    reader.close()
    total = len(read(data)[1])
    rate_hz = reader.format.sample_rate_hz
    assert heard >= total * 0.45 - behind_s * 2 * rate_hz


def test_what_unfolds_to_hours_comes_in_turns():
    data = encode(np.zeros(16_000 * 600), 16_000, format="FLAC", subtype="PCM_16")
    assert len(data) < 200_000
    reader = AudioReader(default_format=RAW_16K)
    parts = parts_of(reader, data, last=True)
    assert max(map(len, parts)) <= decoder.TURN_BYTES + 65_536
    assert sum(map(len, parts)) == 16_000 * 600 * 2


@pytest.mark.parametrize("fed", [20, 5_000, 60_000])
def test_a_stream_that_is_given_up_leaves_no_thread(fed):
    before = threading.active_count()
    data = encode(np.zeros(16_000 * 600), 16_000, format="FLAC", subtype="PCM_16")
    reader = AudioReader(default_format=RAW_16K, content_type="audio/flac")
    reader.feed(data[:fed])
    reader.feed(b"")
    assert threading.active_count() == before + 1
    reader.close()
    for thread in threading.enumerate():
        if thread.name.startswith("decoder"):
            thread.join(5)
    assert threading.active_count() == before


def test_a_damaged_packet_costs_no_other():
    data = bytearray(encode(np.concatenate([sentence()] * 4), 16_000, format="OGG", subtype="VORBIS"))
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    whole = len(sentence()) * 4 * 2
    assert whole / 2 < len(read(bytes(data))[1]) <= whole


def test_nothing_under_a_codec_s_name_is_nothing():
    audio_format, samples, _ = read(b"", "audio/flac")
    assert (audio_format, samples) == (None, b"")


def test_stereo_gives_its_first_channel():
    left = sentence()
    both = encode(np.stack([left, np.zeros_like(left)], axis=1), 16_000, format="FLAC", subtype="PCM_16")
    assert np.array_equal(np.frombuffer(read(both)[1], "<i2"), left.astype(np.int16))


@pytest.mark.parametrize("packet", [100, 10**9])
def test_what_browsers_record_is_decoded(packet):
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as output:
        stream = output.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(sentence(48_000).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = 48_000
        for block in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(block)
    audio_format, samples, _ = read(file.getvalue(), packet=packet)
    assert audio_format == AudioFormat("pcm_s16", 48_000)
    assert abs(len(samples) / 2 - len(sentence(48_000))) < 4_800


def test_amr_of_a_telephone_is_decoded():
    frame = b"\x04" + bytes(range(12))  # 20 ms at 4.75 kbit/s
    audio_format, samples, _ = read(b"#!AMR\n" + frame * 60, packet=7)
    assert (audio_format, len(samples)) == (AudioFormat("pcm_s16", 8_000), 60 * 160 * 2)


def test_missing_extra_is_named(monkeypatch):
    def refuse(name, *arguments, **options):
        if name == "av":
            raise ImportError(name)
        return original(name, *arguments, **options)

    data = encode(sentence(), 16_000, format="FLAC", subtype="PCM_16")
    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(AudioFormatError, match=r"asr-trio\[codecs\]"):
        read(data)
