"""Frames on a byte stream between the server and its worker processes: sans-I/O, both directions.

A frame is a big-endian 32-bit length and a msgpack map tagged with the name of its class. Both ends are this program,
yet a worker may have been cut off in the middle of anything, so what does not decode is an error and never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from asr_trio.errors import RecognizerError
from asr_trio.recognizer.base import FromWorker, ToWorker

FRAME_BYTES_MAX = 64 * 1024 * 1024
"""A compiled grammar of 50 000 words is about 10 MB; whatever is longer than this is no frame of ours."""

LENGTH_BYTES = 4

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


def encode(frame: msgspec.Struct) -> bytes:
    """Return `frame` as bytes for the stream."""
    payload = bytearray(LENGTH_BYTES)
    _encoder.encode_into(frame, payload, LENGTH_BYTES)
    payload[:LENGTH_BYTES] = (len(payload) - LENGTH_BYTES).to_bytes(LENGTH_BYTES)
    return bytes(payload)


class FrameReader(Generic[T]):
    """Cuts a stream into frames of the types in a tagged union."""

    def __init__(self, frame_type: Any) -> None:
        """Take the union of classes that may come."""
        self._decode: Callable[[memoryview], T] = msgspec.msgpack.Decoder(frame_type).decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Take bytes as they came and return the frames that they complete, in order.

        Raises:
            RecognizerError: the stream holds something that is not a frame; it cannot be used any more.
        """
        buffer = self._buffer
        buffer += data
        frames: list[T] = []
        start = 0
        while len(buffer) - start >= LENGTH_BYTES:
            length = int.from_bytes(buffer[start : start + LENGTH_BYTES])
            if length > FRAME_BYTES_MAX:
                raise RecognizerError(f"a frame of {length} bytes came from a worker process")
            end = start + LENGTH_BYTES + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:
                try:
                    frames.append(self._decode(view[start + LENGTH_BYTES : end]))
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise RecognizerError(f"a frame of a worker process cannot be read: {error}") from error
            start = end
        del buffer[:start]
        return frames


def from_worker_reader() -> FrameReader[FromWorker]:
    """Return a reader for the server's end."""
    return FrameReader(FromWorker)


def to_worker_reader() -> FrameReader[ToWorker]:
    """Return a reader for the worker's end."""
    return FrameReader(ToWorker)
