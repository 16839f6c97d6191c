"""Cutting audio into packets, at once or at the pace of a microphone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import trio


def packets(audio: bytes, packet_bytes: int) -> Iterator[bytes]:
    """Cut `audio` into packets of `packet_bytes`; the last may be shorter."""
    for start in range(0, len(audio), packet_bytes):
        yield audio[start : start + packet_bytes]


async def paced(
    audio: bytes, *, bytes_per_s: float, packet_ms: float = 20.0, speed: float = 1.0
) -> AsyncIterator[bytes]:
    """Yield `audio` as a microphone would: a packet is handed out when its last sample has been spoken.

    Args:
        audio: encoded audio of constant rate.
        bytes_per_s: its rate.
        packet_ms: length of a packet in milliseconds.
        speed: 2.0 speaks twice as fast.
    """
    packet_bytes = max(2, int(bytes_per_s * packet_ms / 1000) // 2 * 2)
    started_s = trio.current_time()
    sent = 0
    for packet in packets(audio, packet_bytes):
        sent += len(packet)
        await trio.sleep_until(started_s + sent / bytes_per_s / speed)
        yield packet
