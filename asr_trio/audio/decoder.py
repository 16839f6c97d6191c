"""Compressed audio to samples while it comes in, by FFmpeg (PyAV, the extra ``codecs``).

The library asks for bytes when it wants them, and here bytes come when they come. So it runs in a thread of its own and
the two sides take turns: `feed` hands bytes over and sleeps until the thread wants more of them or has given out as
much as it may at once. Never do both run, neither side holds more than a packet of the one and `TURN_BYTES` of the
other, and what a file gives does not depend on how it was cut.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from asr_trio.audio.codecs import Codec
from asr_trio.audio.format import AudioFormat
from asr_trio.errors import AudioFormatError

if TYPE_CHECKING:
    import av

TURN_BYTES: Final = 1 << 20
"""Samples given out at once, half a minute of them: a few bytes of FLAC unfold to hours of silence."""
_READ_BYTES: Final = 1_024
"""What the library reads at once. It guesses nothing from the first bytes, as it is told what they are."""
_READ_WHOLE: Final = frozenset({"aiff", "mp3"})
"""Of these the head is read in whole pieces of that size: what the library makes of a head that lies hangs on how much
it got at once. For the others that would take longer than live speech at a low bit rate can wait."""


class StreamDecoder:
    """One compressed stream.

    Attributes:
        format: how the samples are laid out, or None until the first of them.
        has_more: what was fed has more to give: call `feed` with nothing.
        finished: the stream has ended by itself, or by `last`, and has nothing more to give.
    """

    def __init__(self, codec: Codec) -> None:
        """Start the thread; `close` ends it in any case, and so does the end of the stream.

        Args:
            codec: what the stream is.
        """
        self.format: AudioFormat | None = None
        self.has_more = False
        self.finished = False
        self._codec = codec
        self._turn = threading.Condition()
        self._feeder_s_turn = False
        self._input = bytearray()
        self._output = bytearray()
        self._last = False
        self._closed = False
        self._opened = False
        self._error: AudioFormatError | None = None
        threading.Thread(target=self._run, name=f"decoder of {codec}", daemon=True).start()

    # --- the side of the caller -------------------------------------------------------------------------------------

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """Take the next bytes and return the samples that they complete, `TURN_BYTES` and a block at most.

        It computes for as long as that takes: not in an event loop.

        Raises:
            AudioFormatError: the stream cannot be decoded, or the extra is not installed.
        """
        with self._turn:
            self._input += data
            self._last = self._last or last
            self._feeder_s_turn = False
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._feeder_s_turn or self.finished)
            if self._error is not None:
                raise self._error
            samples = bytes(self._output)
            self._output.clear()
            return samples

    def close(self) -> None:
        """End the thread; nothing more is wanted."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    # --- the side of the library ------------------------------------------------------------------------------------

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes once there are any, or none at the end: what the library calls."""
        wanted = count if self._codec in _READ_WHOLE and not self._opened else 1
        with self._turn:
            while len(self._input) < wanted and not self._last and not self._closed:
                self._hand_over()
            data = bytes(self._input[:count])
            del self._input[:count]
            return data

    def _give_out(self, samples: bytes) -> None:
        with self._turn:
            self._output += samples
            while len(self._output) >= TURN_BYTES and not self._closed:
                self.has_more = True
                self._hand_over()
            self.has_more = False

    def _hand_over(self) -> None:
        self._feeder_s_turn = True
        self._turn.notify_all()
        self._turn.wait_for(lambda: self._closed or not self._feeder_s_turn)

    def _run(self) -> None:
        try:
            self._decode()
        except AudioFormatError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - whatever a foreign library makes of foreign bytes
            self._error = AudioFormatError(f"audio of type {self._codec} cannot be decoded ({type(error).__name__})")
        with self._turn:
            self.finished = True
            self._turn.notify_all()

    def _decode(self) -> None:
        try:
            import av
        except ImportError:
            raise AudioFormatError(
                f"audio of type {self._codec} needs the optional codecs of the server (pip install asr-trio[codecs])"
            ) from None
        # Type and parameters are known from the first bytes: the library need not read ahead to find them out.
        hurry = {"analyzeduration": "0", "probesize": "2048"}
        with av.open(self, mode="r", format=self._codec, buffer_size=_READ_BYTES, options=hurry) as container:
            self._opened = True
            resampler: av.AudioResampler | None = None
            for packet in container.demux(container.streams.audio[0]):
                for frame in self._frames(packet):
                    if resampler is None:
                        self.format = AudioFormat("pcm_s16", frame.sample_rate)
                        resampler = av.AudioResampler(format="s16p", layout=frame.layout, rate=frame.sample_rate)
                    for block in resampler.resample(frame):
                        # One plane a channel, padded at its end: the first channel is heard.
                        self._give_out(bytes(block.planes[0])[: 2 * block.samples])
                if self._closed:
                    return
        if self.format is None:
            raise AudioFormatError(f"audio of type {self._codec} cannot be decoded (there are no samples in it)")

    @staticmethod
    def _frames(packet: av.Packet[av.AudioStream]) -> list[av.AudioFrame]:
        """Decode a packet; one that was damaged on its way costs no other."""
        import av

        try:
            return packet.decode()
        except av.InvalidDataError:
            return []
