"""Compressed audio: recognised by its first bytes, decoded as a whole by libsndfile (extra ``codecs``).

Nothing is decoded before the last byte has come: libsndfile reads files, not streams. `MAX_COMPRESSED_BYTES` bounds
what waits for that, `MAX_DECODED_SAMPLES` what a small file may unfold to.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from asr_trio.audio.format import AudioFormat
from asr_trio.errors import AudioFormatError

Codec: TypeAlias = Literal["flac", "ogg", "mp3", "gsm", "aiff", "au", "wave"]

_FrameBytes: TypeAlias = Callable[[bytes], int | None]

MAX_COMPRESSED_BYTES: Final = 32 * 1024 * 1024
MAX_DECODED_SAMPLES: Final = 60 * 60 * 16_000
"""An hour at 16 kHz, of all channels together: 230 MB as floats."""

_SIGNATURES: Final[tuple[tuple[bytes, Codec], ...]] = (
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"FORM", "aiff"),
    (b".snd", "au"),
)
_FOREIGN: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x1aE\xdf\xa3", "WebM"),
    (4, b"ftyp", "MP4"),
    (0, b"#!AMR", "AMR"),
    (0, b"RIFX", "big-endian WAV"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
)
"""(place, bytes, name) of containers that cannot be read: better said than decoded as noise."""
_FOREIGN_BYTES: Final = 8
_FOREIGN_TYPES: Final[dict[str, str]] = {
    "audio/webm": "WebM",
    "audio/mp4": "MP4",
    "audio/aac": "AAC",
    "audio/amr": "AMR",
    "audio/amr-wb": "AMR",
    "audio/x-ms-wma": "Windows Media",
}
_MEDIA_TYPES: Final[dict[str, Codec]] = {
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/vorbis": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/gsm": "gsm",
    "audio/x-gsm": "gsm",
    "audio/aiff": "aiff",
    "audio/x-aiff": "aiff",
}
_GSM_FRAME_BYTES: Final = 33
_GSM_RATE_HZ: Final = 8_000
_SURE_FRAMES: Final = 4
"""So many frame headers in their right places are no accident: raw samples look like GSM once in 65 000 times."""
_BLOCK_FRAMES: Final = 1 << 16


def recognise(head: bytes, media_type: str, *, last: bool) -> Codec | Literal["undecided"] | None:
    """Return what the stream that begins with `head` is, None for none of these.

    Args:
        head: all bytes so far.
        media_type: what the client says, in lower case without parameters.
        last: no more bytes will come, so that the answer must not be "undecided".

    Raises:
        AudioFormatError: it is audio that cannot be decoded here.
    """
    foreign = _FOREIGN_TYPES.get(media_type)
    for place, signature, name in _FOREIGN:
        if head[place : place + len(signature)] == signature:
            foreign = name
    if foreign is not None:
        raise AudioFormatError(f"{foreign} audio is not supported; send WAV, FLAC, MP3, Ogg or raw samples")
    if media_type in _MEDIA_TYPES:
        return _MEDIA_TYPES[media_type]
    for signature, codec in _SIGNATURES:
        if head.startswith(signature):
            return codec
        if signature.startswith(head) and not last:
            return "undecided"
    if len(head) < _FOREIGN_BYTES and not last:
        return "undecided"
    for codec, frame_bytes in _FRAMED.items():
        found = _count_frames(head, frame_bytes)
        if found == _SURE_FRAMES:
            return codec
        if found is None and not last:
            return "undecided"
    return None


def _count_frames(head: bytes, frame_bytes: _FrameBytes) -> int | None:
    """Count frames from the start, up to enough; None where more bytes could still make it enough."""
    position = 0
    for count in range(_SURE_FRAMES):
        header = head[position : position + 4]
        size = frame_bytes(header)
        if size == 0:
            return count
        if size is None:
            return None
        position += size
    return _SURE_FRAMES


def _gsm_frame_bytes(header: bytes) -> int | None:
    """Return the length of the GSM 06.10 frame with this header, 0 for none, None for too few bytes."""
    if not header:
        return None
    # a frame begins with the magic nibble 0xD
    return _GSM_FRAME_BYTES if header[0] >> 4 == 0xD else 0


_MP3_KBPS: Final = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES_HZ: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def _mp3_frame_bytes(header: bytes) -> int | None:
    """Return the length of the MPEG audio layer III frame with this header (ISO 11172-3, 2.4.1.3), as for GSM."""
    if header[:1] not in {b"", b"\xff"} or (len(header) > 1 and header[1] & 0xE6 != 0xE2):
        return 0
    if len(header) < 4:
        return None
    version, bit_rate, sample_rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or not 1 <= bit_rate <= 14 or sample_rate == 3:
        return 0
    generation = 1 if version == 3 else 2
    padding = header[2] >> 1 & 1
    kbps = _MP3_KBPS[generation][bit_rate]
    return (144 // generation) * 1_000 * kbps // _MP3_RATES_HZ[version][sample_rate] + padding


_FRAMED: Final[dict[Codec, _FrameBytes]] = {"mp3": _mp3_frame_bytes, "gsm": _gsm_frame_bytes}


def decode(data: bytes, codec: Codec) -> tuple[AudioFormat, bytes]:
    """Decode a whole file.

    Args:
        data: the file.
        codec: what it is; "wave" for a WAV file with compressed samples.

    Returns:
        Its format and its samples.

    Raises:
        AudioFormatError: it cannot be decoded, is too long, or the extra is not installed.
    """
    try:
        import numpy as np
        import soundfile
    except (ImportError, OSError):
        raise AudioFormatError(
            f"audio of type {codec} needs the optional codecs of the server (pip install asr-trio[codecs])"
        ) from None
    raw_gsm = {"samplerate": _GSM_RATE_HZ, "channels": 1, "format": "RAW", "subtype": "GSM610"}
    try:
        with soundfile.SoundFile(io.BytesIO(data), **(raw_gsm if codec == "gsm" else {})) as file:
            exact = file.subtype in {"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "GSM610"}
            blocks = []
            samples = 0
            while len(block := file.read(_BLOCK_FRAMES, dtype="int16" if exact else "float32", always_2d=True)):
                samples += len(block) * file.channels
                if samples > MAX_DECODED_SAMPLES:
                    raise AudioFormatError("the audio is too long for a compressed file")
                blocks.append(block[:, 0].copy())
            audio_format = AudioFormat("pcm_s16" if exact else "float32", file.samplerate, 1)
    except soundfile.LibsndfileError as error:
        raise AudioFormatError(f"audio of type {codec} cannot be decoded ({error.error_string})") from None
    return audio_format, np.concatenate(blocks).tobytes() if blocks else b""
