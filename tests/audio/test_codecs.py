"""Compressed audio through the optional codecs: files made here by libsndfile itself."""

from __future__ import annotations

import builtins
import io

import numpy as np
import pytest

from asr_trio.audio import codecs
from asr_trio.audio.container import AudioFormat, AudioReader
from asr_trio.errors import AudioFormatError
from tests.audio.signals import pcm16, sentence

soundfile = pytest.importorskip("soundfile", reason="the extra 'codecs' is not installed")
RAW_16K = AudioFormat("pcm_s16", 16_000, 1)


def encode(samples, rate_hz, **options):
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.int16), rate_hz, **options)
    return file.getvalue()


def read(data, content_type=None, *, packet=10**9):
    reader = AudioReader(default_format=RAW_16K, content_type=content_type)
    parts = [reader.feed(data[i : i + packet]) for i in range(0, len(data), packet)]
    parts.append(reader.feed(b"", last=True))
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
    assert reader.decodes_whole
    assert reader.ended
    assert audio_format.sample_rate_hz == rate_hz
    values = np.frombuffer(decoded, "<f4" if audio_format.encoding == "float32" else "<i2").astype(float)
    assert abs(len(values) - len(samples)) <= 2_400
    delays = range(2_400) if options["format"] == "MP3" else [0]  # what MP3 puts in front is nowhere written down
    half = len(samples) // 2
    assert max(np.corrcoef(values[d : d + half], samples[:half])[0, 1] for d in delays) >= correlation - 1e-6


@pytest.mark.parametrize("content_type", ["audio/flac", "audio/mpeg", "audio/ogg", "audio/gsm"])
def test_rubbish_under_a_codec_s_name_is_a_format_error(content_type):
    data = np.random.default_rng(1).bytes(4_000)
    if content_type == "audio/gsm":
        assert read(data, content_type)[0] == AudioFormat("pcm_s16", 8_000, 1)  # any bytes are GSM
        return
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


def test_compressed_audio_is_bounded(monkeypatch):
    data = encode(sentence(), 16_000, format="FLAC", subtype="PCM_16")
    monkeypatch.setattr(codecs, "MAX_DECODED_SAMPLES", 10_000)
    with pytest.raises(AudioFormatError, match="too long"):
        read(data)
    monkeypatch.setattr(codecs, "MAX_COMPRESSED_BYTES", 10_000)
    with pytest.raises(AudioFormatError, match="limited"):
        read(data, packet=4_000)


def test_missing_extra_is_named(monkeypatch):
    def refuse(name, *arguments, **options):
        if name == "soundfile":
            raise ImportError(name)
        return original(name, *arguments, **options)

    data = encode(sentence(), 16_000, format="FLAC", subtype="PCM_16")
    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(AudioFormatError, match=r"asr-trio\[codecs\]"):
        read(data)
