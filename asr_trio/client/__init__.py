"""A Trio client library of the recognition protocol; see `session`."""

from asr_trio.client.audio import paced, packets
from asr_trio.client.connection import connect
from asr_trio.client.errors import ConnectionFailedError, ConnectionLostError, RequestRefusedError
from asr_trio.client.events import FinalResult, PartialResult, RecognitionEvent, SpeechEnded, SpeechStarted
from asr_trio.client.language_model import Grammar, LanguageModel
from asr_trio.client.recognition import Audio, Recognition
from asr_trio.client.session import Session

__all__ = [
    "Audio",
    "ConnectionFailedError",
    "ConnectionLostError",
    "FinalResult",
    "Grammar",
    "LanguageModel",
    "PartialResult",
    "Recognition",
    "RecognitionEvent",
    "RequestRefusedError",
    "Session",
    "SpeechEnded",
    "SpeechStarted",
    "connect",
    "paced",
    "packets",
]
