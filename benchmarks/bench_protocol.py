"""What a message costs the server's event loop: parse, decide, write, without socket and decoder.

    python -m benchmarks.bench_protocol [--rounds 200] [--json FILE]

Processor time in microseconds per message, as the median of rounds. `exchange` is a whole recognition of the Python
SDK with 100 packets and its events, per client message. The peer is the header parser of the standard library on the
same header lines: less than half of what our `parse` does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from email.parser import BytesHeaderParser

from asr_trio.protocol.messages import (
    CreateSession,
    GetParameters,
    SendAudio,
    SetParameters,
    StartInputTimers,
    StartRecognition,
)
from asr_trio.protocol.parser import ClientParser, parse_client_message
from asr_trio.protocol.results import Alternative, Word
from asr_trio.protocol.writer import serialize
from asr_trio.session.events import (
    AudioProcessed,
    Effect,
    Event,
    OpenRecognition,
    RecognitionOpened,
    SegmentDecoded,
    Send,
    SpeechEnded,
    SpeechStarted,
)
from asr_trio.session.session import Session
from asr_trio.settings import LimitSettings
from benchmarks import report

LIMIT_US = 60.0
MESSAGES_PER_ROUND = 200
PACKETS = 100
AUDIO = serialize(SendAudio(audio=bytes(640), content_type="audio/raw"))
LAST_AUDIO = serialize(SendAudio(audio=bytes(640), content_type="audio/raw", last_packet=True))
START = serialize(
    StartRecognition(
        parameters={"decoder.maxSentences": "3", "noInputTimeout.value": "5000"},
        accept="application/json",
        content_type="text/uri-list",
        body=b"builtin:slm/general",
    )
)
WORDS = ["go", "forward", "ten", "meters", "and", "then", "turn", "left"]
SENTENCE = Alternative(
    text=" ".join(WORDS),
    score=91,
    lm="builtin:slm/general",
    words=tuple(Word(text=word, score=90, start_time=i / 3, end_time=i / 3 + 0.3) for i, word in enumerate(WORDS)),
)


class Loop:
    """A session with what the shell does around it: bytes in, bytes out."""

    def __init__(self) -> None:
        self.session = Session(LimitSettings(), handle=202501011200000001, now_s=0.0)
        self.parser = ClientParser()
        self.sent_bytes = 0

    def write(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.sent_bytes += len(serialize(effect.message))
            elif isinstance(effect, OpenRecognition):
                self.tell(RecognitionOpened(recognition=effect.recognition))

    def take(self, data: bytes) -> None:
        self.write(self.session.receive(self.parser.parse(data), 1.0))

    def tell(self, event: Event) -> None:
        self.write(self.session.handle(event, 1.0))

    def exchange(self) -> int:
        """One recognition; returns the number of client messages."""
        self.take(START)
        number = self.session.recognition
        assert number is not None
        self.take(serialize(StartInputTimers()))
        for packet in range(PACKETS - 1):
            self.take(AUDIO)
            self.tell(AudioProcessed(recognition=number, position_s=packet * 0.02))
            if packet == 20:
                self.tell(SpeechStarted(recognition=number, start_s=0.1, decided_s=0.4))
        self.take(LAST_AUDIO)
        self.tell(SpeechEnded(recognition=number, end_s=2.0, decided_s=2.0, audio_ended=True))
        self.tell(SegmentDecoded(recognition=number, start_s=0.1, end_s=2.0, alternatives=(SENTENCE,)))
        return PACKETS + 2


def listening() -> Loop:
    loop = Loop()
    loop.take(serialize(CreateSession()))
    loop.take(START)
    return loop


def idle() -> Loop:
    loop = Loop()
    loop.take(serialize(CreateSession()))
    return loop


def repeated(action: Callable[[], object]) -> Callable[[], int]:
    def run() -> int:
        for _ in range(MESSAGES_PER_ROUND):
            action()
        return MESSAGES_PER_ROUND

    return run


def cases() -> dict[str, Callable[[], int]]:
    hearing, quiet = listening(), idle()
    get_all = serialize(GetParameters())
    set_some = serialize(SetParameters(parameters={"decoder.maxSentences": "3", "endpointer.waitEnd": "700"}))
    header_lines = AUDIO.split(b"\r\n\r\n")[0].split(b"\r\n", 1)[1] + b"\r\n\r\n"
    peer = BytesHeaderParser()
    return {
        "send_audio": repeated(lambda: hearing.take(AUDIO)),
        "start_input_timers": repeated(lambda: hearing.take(serialize(StartInputTimers()))),
        "set_parameters": repeated(lambda: quiet.take(set_some)),
        "get_parameters_all": repeated(lambda: quiet.take(get_all)),
        "exchange": quiet.exchange,
        "peer_header_parser": repeated(lambda: peer.parsebytes(header_lines)),
        "parse_send_audio": repeated(lambda: parse_client_message(AUDIO)),
    }


def measure(run: Callable[[], int], rounds: int) -> dict[str, float]:
    """Return microseconds per message: median and 95th percentile of the rounds."""
    run()
    costs_us = []
    for _ in range(rounds):
        start_s = time.process_time()
        messages = run()
        costs_us.append((time.process_time() - start_s) * 1e6 / messages)
    return {
        "median_us": round(statistics.median(costs_us), 2),
        "p95_us": round(statistics.quantiles(costs_us, n=20)[-1], 2),
        "messages_per_s": round(1e6 / statistics.median(costs_us)),
    }


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    results = {name: measure(run, arguments.rounds) for name, run in cases().items()}
    for name, row in results.items():
        print(f"{name:20s} {row['median_us']:8.2f} us  p95 {row['p95_us']:8.2f} us  {row['messages_per_s']:9d} /s")
    report.write(arguments.json, "protocol", results, limit_us=LIMIT_US)


if __name__ == "__main__":
    main()
