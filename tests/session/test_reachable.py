"""Every state that a session can be in: each waits with a deadline, and each fault leads out of it.

The reachable states are walked breadth first: from every state that was not seen before, every message, event, answer
and fault is tried. States that differ only in times, texts and counts above two are one (`seen`). A request that the
shell carries out has the shell's deadline (`limits.command_timeout_s`), and so has a result that is awaited from the
recogniser (`limits.result_timeout_s`); everything else must have one of the session's own.
"""

from __future__ import annotations

import functools
import math
from collections import Counter, deque
from collections.abc import Callable

import pytest

from asr_trio.errors import RemoteProtocolError, WorkerDiedError
from asr_trio.protocol.messages import (
    CancelRecognition,
    CreateSession,
    DefineGrammar,
    GetParameters,
    InterpretText,
    RecognitionResult,
    ReleaseSession,
    Response,
    ResultStatus,
    SendAudio,
    SessionStatus,
    SetParameters,
    StartInputTimers,
    StartRecognition,
)
from asr_trio.session import events
from asr_trio.session.session import Session
from asr_trio.session.states import State
from asr_trio.settings import LimitSettings

from .driver import FREE, alternative, closes, messages, stops

LIMITS = LimitSettings()
HEARD = (alternative("yes"),)


def start(**parameters):
    wishes = {name.replace("__", "."): value for name, value in parameters.items()}
    return StartRecognition(parameters=wishes, content_type="text/uri-list", body=FREE)


class World:
    """A session and the shell around it, as far as that has state of its own."""

    def __init__(self):
        self.now_s = 0.0
        self.session = Session(LIMITS, handle=1, now_s=0.0)
        self.request = None
        self.opened, self.stopped = Counter(), Counter()
        self.position_s = 0.0

    def take(self, effects):
        for effect in effects:
            if isinstance(effect, events.PrepareLanguageModels | events.OpenRecognition | events.Interpret):
                self.request = effect
            if isinstance(effect, events.OpenRecognition):
                self.opened[effect.recognition] += 1
        self.stopped.update(stops(effects))
        if self.session.closed:
            self.request = None  # the shell gives it up
        return effects

    def say(self, message):
        if self.session.waiting_for_answer:  # the shell holds messages back until then
            return []
        return self.take(self.session.receive(message, self.now_s))

    def say_rubbish(self):
        if self.session.waiting_for_answer:
            return []
        return self.take(self.session.malformed(RemoteProtocolError("what?"), self.now_s))

    def answer(self, *, works):
        request, self.request = self.request, None
        if request is None:
            return []
        answers = {
            events.PrepareLanguageModels: lambda: events.LanguageModelsPrepared(prepared=1),
            events.OpenRecognition: lambda: events.RecognitionOpened(recognition=request.recognition),
            events.Interpret: lambda: events.TextInterpreted(alternatives=HEARD),
        }
        if works:
            return self.take(self.session.handle(answers[type(request)](), self.now_s))
        if isinstance(request, events.OpenRecognition):
            self.opened[request.recognition] -= 1
        return self.take(self.session.handle(events.RequestFailed(error=WorkerDiedError("it ended")), self.now_s))

    def happen(self, make):
        if self.session.recognition is None:
            return []
        self.position_s += 1.0
        event = make(recognition=self.session.recognition, at_s=self.position_s)
        return self.take(self.session.handle(event, self.now_s))

    def wait(self):
        """Let time pass up to the next deadline."""
        if self.session.next_deadline_s is None:
            return []
        self.now_s = max(self.now_s, self.session.next_deadline_s)
        return self.take(self.session.tick(self.now_s))

    def seen(self):
        """Return what tells this state from others."""
        session = self.session
        recognition = session._recognition
        phase = None
        if recognition is not None:
            phase = (
                recognition._phase,
                recognition._audio_complete,
                recognition._timers_started,
                min(2, len(recognition._undecoded)),
                min(1, recognition._segment_index),
                recognition._closing_status,
                _wishes(recognition._parameters),
            )
        timers = frozenset(session._timers._deadlines_s)
        opening = _wishes(self.request.parameters) if isinstance(self.request, events.OpenRecognition) else ()
        return session.state, session.created, session._draining, type(self.request), opening, phase, timers


def _wishes(parameters):
    return (
        parameters.continuous_mode,
        parameters.endpointer_enabled,
        parameters.no_input_timer_enabled,
        parameters.start_input_timers,
    )


def _event(kind, **fields):
    def make(recognition, at_s):
        times = {name: at_s for name in kind.__struct_fields__ if name.endswith("_s")}
        return kind(recognition=recognition, **{**times, **fields})

    return lambda world: world.happen(make)


def _message(message):
    return lambda world: world.say(message)


INPUTS: dict[str, Callable[[World], list[events.Effect]]] = {
    "create": _message(CreateSession()),
    "set parameters": _message(SetParameters(parameters={"decoder.maxSentences": "2"})),
    "get parameters": _message(GetParameters()),
    "define grammar": _message(DefineGrammar(content_id="g", content_type="application/srgs", body=b"#ABNF 1.0;")),
    "start": _message(start()),
    "start without timers": _message(start(decoder__startInputTimers="false")),
    "start without limits": _message(start(noInputTimeout__enabled="false", recognitionTimeout__enabled="false")),
    "start continuous": _message(start(decoder__continuousMode="true")),
    "start without endpointer": _message(start(endpointer__enabled="false")),
    "start with nothing": _message(StartRecognition()),
    "start input timers": _message(StartInputTimers()),
    "audio": _message(SendAudio(audio=b"\0\0")),
    "last audio": _message(SendAudio(audio=b"\0\0", last_packet=True)),
    "cancel": _message(CancelRecognition()),
    "release": _message(ReleaseSession()),
    "interpret": _message(InterpretText(text="yes", content_type="text/uri-list", body=FREE)),
    "malformed": World.say_rubbish,
    "request done": lambda world: world.answer(works=True),
    "speech": _event(events.SpeechStarted),
    "silence": _event(events.SpeechEnded, audio_ended=False),
    "end in speech": _event(events.SpeechEnded, audio_ended=True),
    "audio processed": _event(events.AudioProcessed),
    "end in silence": _event(events.AudioEnded),
    "partial": _event(events.PartialDecoded, alternatives=HEARD),
    "decoded": _event(events.SegmentDecoded, alternatives=HEARD),
    "decoded nothing": _event(events.SegmentDecoded, alternatives=()),
}
FAULTS: dict[str, Callable[[World], list[events.Effect]]] = {
    "request failed": lambda world: world.answer(works=False),
    "recogniser failed": _event(events.RecognitionFailed, error=WorkerDiedError("it ended")),
    "client gone": lambda world: world.take(world.session.connection_lost()),
    "client silent": lambda world: world.wait(),
    "drain": lambda world: world.take(world.session.drain(world.now_s)),
}


def arrive(path):
    world = World()
    for name in path:
        (INPUTS | FAULTS)[name](world)
    return world


@functools.cache
def reachable() -> dict[tuple, tuple[str, ...]]:
    """Return every state with a shortest way to it."""
    first = World()
    ways = {first.seen(): ()}
    todo = deque([()])
    while todo:
        way = todo.popleft()
        for name in INPUTS | FAULTS:
            world = arrive((*way, name))
            if world.seen() not in ways:
                ways[world.seen()] = (*way, name)
                todo.append((*way, name))
    return ways


@pytest.fixture(scope="module")
def ways():
    return list(reachable().values())


def test_the_walk_comes_everywhere(ways):
    found = {arrive(way).session.state for way in ways}
    assert found == set(State)
    phases = {state[5][0].name for state in reachable() if state[5]}
    assert phases == {"WAITING", "SPEAKING", "DECODING", "CLOSING"}
    assert len(ways) > 150


def test_no_state_waits_without_a_deadline(ways):
    longest_s = max(LIMITS.session_expiry_s, LIMITS.create_session_timeout_s)
    for way in ways:
        world = arrive(way)
        session = world.session
        if session.closed:
            assert session.next_deadline_s is None
        elif not session.waiting_for_answer:
            assert session.next_deadline_s is not None, way
            assert session.next_deadline_s <= world.now_s + longest_s, way


def test_a_client_that_says_nothing_more_loses_its_session_in_bounded_time(ways):
    limit_s = 3 * LIMITS.session_expiry_s
    for way in ways:
        world = arrive(way)
        begin_s = world.now_s
        while not world.session.closed:
            if world.session.waiting_for_answer:
                world.answer(works=False)  # the shell's deadline
            elif world.session.state is State.RECOGNIZING and world.now_s > begin_s + LIMITS.result_timeout_s:
                FAULTS["recogniser failed"](world)  # the shell's deadline
            world.wait()
            assert world.now_s <= begin_s + limit_s, way


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_the_session_is_as_new_or_closed(ways, fault):
    """Nothing is left of what ran: the next recognition begins, or the connection ends."""
    for way in ways:
        world = arrive((*way, fault))
        session = world.session
        if fault == "client gone":
            assert session.closed
        if fault == "recogniser failed":
            assert session.recognition is None
        for number, count in world.opened.items():
            running = session.recognition == number or session.waiting_for_answer
            assert world.stopped[number] == (0 if running and not session.closed else count), way
        if fault == "recogniser failed" and session.state is State.IDLE and world.request is None:
            began = any(isinstance(effect, events.OpenRecognition) for effect in world.say(start()))
            assert began or session._draining, way


def test_what_runs_ends_with_one_result_and_a_failure_says_why(ways):
    for way in ways:
        world = arrive(way)
        if world.session.recognition is None:
            continue
        results = [found for found in messages(FAULTS["recogniser failed"](world)) if not isinstance(found, Response)]
        assert [type(found) for found in results] == [RecognitionResult], way
        assert results[0].result_status is ResultStatus.FAILURE
        assert results[0].session_status is SessionStatus.IDLE
        assert b"it ended" in results[0].body or b"ERR" in results[0].body


def test_a_drain_closes_what_waits_and_lets_what_runs_finish(ways):
    for way in ways:
        world = arrive(way)
        busy = world.session.recognition is not None or world.session.waiting_for_answer
        was_closed = world.session.closed
        effects = FAULTS["drain"](world)
        assert [code for code, _ in closes(effects)] == ([] if busy or was_closed else [1001]), way
        if busy:
            world.answer(works=False)
            FAULTS["recogniser failed"](world)
            assert world.session.closed, way


def test_time_alone_changes_nothing_before_a_deadline(ways):
    for way in ways:
        world = arrive(way)
        before = world.seen()
        deadline_s = world.session.next_deadline_s
        early_s = world.now_s if deadline_s is None else math.nextafter(deadline_s, -math.inf)
        assert world.session.tick(early_s) == [], way
        assert world.seen() == before, way
