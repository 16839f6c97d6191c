"""The long form of the property tests: messages, events and time in any order, for as long as you like.

    python -m tests.fuzz_protocol --minutes 60        # hypothesis: the state machine and the parsers
    python -m tests.fuzz_atheris -max_total_time=3600 # coverage-guided, where atheris is installed

Anything but an answer by the rules is printed with its input, and the exit code is not 0.
"""

from __future__ import annotations

import argparse
import contextlib
import time

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from asr_trio.errors import GrammarError, RemoteProtocolError, WorkerDiedError
from asr_trio.protocol.messages import Method
from asr_trio.protocol.parser import parse_client_message, parse_server_message
from asr_trio.protocol.results import Alternative, Interpretation, decode_result
from asr_trio.protocol.writer import serialize
from asr_trio.session import events
from asr_trio.session.session import Session
from asr_trio.settings import LimitSettings
from tests.compat.readers import read_by_all
from tests.protocol import test_client, test_hints, test_parameters, test_parser
from tests.session.test_machine import SessionMachine

METHODS = tuple(Method)
PROPERTIES = (
    test_client.test_every_client_understands_every_response,
    test_client.test_every_client_understands_every_result,
    test_parser.test_any_bytes_are_a_message_or_a_protocol_error,
    test_parameters.test_any_wish_is_taken_or_named,
    test_hints.test_any_text_is_hints_or_a_value_error,
)


def run_hypothesis(minutes: float, *, examples: int = 500) -> int:
    """Repeat the property tests with fresh seeds, once and until the time is up; return how often."""
    end_s = time.monotonic() + 60 * minutes
    options = settings(
        max_examples=examples,
        stateful_step_count=80,
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    checks = [options(check) for check in PROPERTIES]
    rounds = 0
    while not rounds or time.monotonic() < end_s:
        run_state_machine_as_test(seed(time.monotonic_ns())(SessionMachine), settings=options)
        for check in checks:
            seed(time.monotonic_ns())(check)()
        rounds += 1
        print(f"{rounds} rounds, nothing found", flush=True)  # noqa: T201
    return rounds


class _Script:
    """Bytes that a fuzzer made, as the choices of a run."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def byte(self) -> int:
        value, self.data = (self.data[0] if self.data else 0), self.data[1:]
        return value

    def chunk(self) -> bytes:
        length = self.byte() * 4
        chunk, self.data = self.data[:length], self.data[length:]
        return chunk


def run_one(data: bytes) -> None:
    """Play a session: each step is a client's message, an event, or time."""
    script = _Script(data)
    session = Session(LimitSettings(), handle=1, now_s=0.0)
    now_s = 0.0
    pending: events.Effect | None = None

    def perform(effects: list[events.Effect]) -> None:
        nonlocal pending
        for effect in effects:
            match effect:
                case events.Send():
                    message = effect.message
                    frame = serialize(message)
                    read_by_all(frame)
                    assert parse_server_message(frame).session_status == message.session_status
                case events.PrepareLanguageModels() | events.OpenRecognition() | events.Interpret():
                    assert pending is None
                    pending = effect

    def answer(*, works: bool) -> None:
        nonlocal pending
        request, pending = pending, None
        match request:
            case _ if not works:
                perform(session.handle(events.RequestFailed(error=GrammarError("no: ASR")), now_s))
            case events.PrepareLanguageModels():
                perform(session.handle(events.LanguageModelsPrepared(prepared=1), now_s))
            case events.OpenRecognition():
                perform(session.handle(events.RecognitionOpened(recognition=request.recognition), now_s))
            case events.Interpret():
                perform(session.handle(events.TextInterpreted(alternatives=()), now_s))

    def event() -> events.Event:
        number = session.recognition if session.recognition is not None else script.byte()
        position_s = script.byte() / 4
        with contextlib.suppress(UnicodeDecodeError):
            text = script.chunk().decode()
            found = (
                Alternative(text=text, score=50, interpretations=(Interpretation(value={text: [text]}, score=1),)),
            )
            return (
                events.SpeechStarted(recognition=number, start_s=position_s, decided_s=position_s),
                events.SpeechEnded(
                    recognition=number, end_s=position_s, decided_s=2 * position_s, audio_ended=bool(position_s)
                ),
                events.AudioProcessed(recognition=number, position_s=position_s),
                events.AudioEnded(recognition=number, position_s=position_s),
                events.PartialDecoded(recognition=number, start_s=0, end_s=position_s, alternatives=found),
                events.SegmentDecoded(recognition=number, start_s=0, end_s=position_s, alternatives=found),
                events.RecognitionFailed(recognition=number, error=WorkerDiedError(text)),
            )[script.byte() % 7]
        return events.AudioProcessed(recognition=number, position_s=position_s)

    while script.data:
        step = script.byte() % 4
        if pending is not None:
            answer(works=step != 0)
        elif step <= 1:
            start = b"" if step else f"ASR 2.3 {METHODS[script.byte() % len(METHODS)]}\n".encode()
            chunk = start + script.chunk()
            try:
                message = parse_client_message(chunk)
            except RemoteProtocolError as error:
                perform(session.malformed(error, now_s))
            else:
                perform(session.receive(message, now_s))
            with contextlib.suppress(RemoteProtocolError):
                decode_result("application/xml" if step else "application/json", chunk)
        elif step == 2:
            perform(session.handle(event(), now_s))
        else:
            now_s += script.byte()
            perform(session.tick(now_s))
    perform(session.connection_lost())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    run_hypothesis(parser.parse_args().minutes)


if __name__ == "__main__":
    main()
