"""Compressed audio recognised by its first bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from asr_trio.errors import AudioFormatError

Codec: TypeAlias = Literal["flac", "ogg", "mp3", "gsm", "amr", "matroska", "aiff", "au", "wav"]
"""As FFmpeg calls the containers; "wav" is a WAV file with compressed samples."""

_FrameBytes: TypeAlias = Callable[[bytes], int | None]

_SIGNATURES: Final[tuple[tuple[bytes, Codec], ...]] = (
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"FORM", "aiff"),
    (b".snd", "au"),
    (b"#!AMR", "amr"),
    (b"\x1aE\xdf\xa3", "matroska"),
)
_FOREIGN: Final[tuple[tuple[int, bytes, str], ...]] = (
    (4, b"ftyp", "MP4"),
    (0, b"RIFX", "big-endian WAV"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
)
"""(place, bytes, name) of containers that cannot be read: better said than decoded as noise."""
_FOREIGN_BYTES: Final = 8
_FOREIGN_TYPES: Final[dict[str, str]] = {
    "audio/mp4": "MP4",
    "audio/aac": "AAC",
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
    "audio/amr": "amr",
    "audio/amr-wb": "amr",
    "audio/webm": "matroska",
}
_GSM_FRAME_BYTES: Final = 33
_SURE_FRAMES: Final = 4
"""So many frame headers in their right places are no accident: raw samples look like GSM once in 65 000 times."""


def recognise(head: bytes, media_type: str, *, last: bool) -> Codec | Literal["undecided"] | None:
    """Return what the stream that begins with `head` is, None for none of these.

    Args:
        head: all bytes so far.
        media_type: what the client says, in lower case without parameters.
        last: no more bytes will come, so that the answer must not be "undecided".

    Raises:
        AudioFormatError: it is audio that cannot be decoded here.
    """
    if len(head) < _FOREIGN_BYTES and not last:  # what it is must not hang on how it was cut into packets
        return "undecided"
    foreign = _FOREIGN_TYPES.get(media_type)
    for place, signature, name in _FOREIGN:
        if head[place : place + len(signature)] == signature:
            foreign = name
    if foreign is not None:
        raise AudioFormatError(f"{foreign} audio is not supported; send WAV, FLAC, MP3, Ogg, WebM or raw samples")
    if media_type in _MEDIA_TYPES:
        return _MEDIA_TYPES[media_type]
    for signature, codec in _SIGNATURES:
        if head.startswith(signature):
            return codec
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
