"""The worked exchange of docs/protocol.md, made by parser, session and writer themselves."""

from __future__ import annotations

from asr_trio.protocol.parser import parse_client_message
from asr_trio.protocol.results import Alternative, Interpretation, Word
from asr_trio.protocol.writer import serialize
from asr_trio.session.events import (
    Close,
    Effect,
    OpenRecognition,
    RecognitionEvent,
    RecognitionOpened,
    SegmentDecoded,
    Send,
    SpeechEnded,
    SpeechStarted,
)
from asr_trio.session.session import Session
from asr_trio.settings import LimitSettings

GRAMMAR = """#ABNF 1.0 UTF-8;
language en-US;
tag-format <semantics/1.0-literals>;
root $answer;
$answer = yes {affirmed} | no {denied};
"""
HEARD = Alternative(
    text="yes",
    score=97,
    lm="session:answer",
    words=(Word(text="yes", score=97, start_time=0.52, end_time=0.8),),
    interpretations=(Interpretation(value="affirmed", score=97),),
)


def lines(data: bytes) -> str:
    return data.decode().replace("\r\n", "\n").rstrip("\n")


def exchange() -> str:
    """Return what a client and the server say to one another, as an indented block of Markdown."""
    session = Session(LimitSettings(), handle=202501011200000001, now_s=0.0)
    told: list[str] = []

    def tell(effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                told.append("Server:\n\n```text\n" + lines(serialize(effect.message)) + "\n```")
            elif isinstance(effect, OpenRecognition):
                tell(session.handle(RecognitionOpened(recognition=effect.recognition, language="en-US"), 0.0))
            elif isinstance(effect, Close):
                told.append(f"The server closes with {effect.code}.")

    def say(head: str, body: str = "") -> None:
        frame = f"ASR 2.3 {head}\n\n{body}".encode()
        told.append("Client:\n\n```text\n" + lines(frame) + "\n```")
        tell(session.receive(parse_client_message(frame), 0.0))

    def happen(event: RecognitionEvent) -> None:
        tell(session.handle(event, 0.0))

    say("CREATE_SESSION")
    say(
        "START_RECOGNITION\ndecoder.maxSentences: 1\nContent-ID: answer\nContent-Type: application/srgs\n"
        f"Content-Length: {len(GRAMMAR)}",
        GRAMMAR,
    )
    say("SEND_AUDIO\nLastPacket: false\nContent-Type: audio/raw\nContent-Length: 3200", "(3200 bytes of audio)")
    happen(SpeechStarted(recognition=0, start_s=0.32, decided_s=0.6))
    happen(SpeechEnded(recognition=0, end_s=1.2, decided_s=1.8, audio_ended=False))
    happen(SegmentDecoded(recognition=0, start_s=0.32, end_s=1.2, alternatives=(HEARD,)))
    say("RELEASE_SESSION")
    return "\n\n".join(told)
