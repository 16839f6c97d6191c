"""Any messages, events and passing of time, in any order: the session answers by its rules and never raises."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asr_trio.errors import GrammarError, RemoteProtocolError, WorkerDiedError
from asr_trio.protocol.messages import (
    METHODS,
    CancelRecognition,
    CreateSession,
    DefineGrammar,
    EndOfSpeech,
    GetParameters,
    InterpretText,
    RecognitionResult,
    ReleaseSession,
    Response,
    SendAudio,
    SessionStatus,
    SetParameters,
    StartInputTimers,
    StartOfSpeech,
    StartRecognition,
)
from asr_trio.protocol.registry import REGISTRY
from asr_trio.protocol.results import decode_result
from asr_trio.protocol.writer import serialize
from asr_trio.session.events import (
    AudioEnded,
    AudioProcessed,
    Close,
    Interpret,
    LanguageModelsPrepared,
    OpenRecognition,
    PartialDecoded,
    PrepareLanguageModels,
    PushAudio,
    RecognitionFailed,
    RecognitionOpened,
    RequestFailed,
    SegmentDecoded,
    Send,
    SpeechEnded,
    SpeechStarted,
    StopRecognition,
    TextInterpreted,
)
from asr_trio.session.session import Session
from asr_trio.settings import LimitSettings
from tests.compat.readers import read_by_all
from tests.protocol.strategies import ALTERNATIVES, TEXTS, TIMES

WISHES = st.dictionaries(
    st.one_of(st.sampled_from(sorted(REGISTRY)), TEXTS),
    st.one_of(st.sampled_from(["true", "false", "0", "1", "2", "50", "200", "5000"]), TEXTS),
    max_size=4,
)
BODIES = st.sampled_from(
    [
        b"builtin:slm/general",
        b"session:g\nbuiltin:grammar/digits",
        b"session:nobody",
        b"#ABNF 1.0;",
        b"",
        b"urn:x",
    ]
)
TYPES = st.sampled_from([None, "text/uri-list", "text/plain", "application/srgs", "image/png"])
ACCEPTS = st.sampled_from([None, "application/json", "application/xml"])
MESSAGES = st.one_of(
    st.builds(CreateSession, logging_tag=TEXTS),
    st.builds(SetParameters, parameters=WISHES),
    st.builds(GetParameters, names=st.lists(TEXTS, max_size=2).map(tuple)),
    st.builds(DefineGrammar, content_id=st.just("g"), content_type=TYPES, body=BODIES),
    st.builds(StartRecognition, parameters=WISHES, accept=ACCEPTS, content_type=TYPES, body=BODIES),
    st.just(StartInputTimers()),
    st.builds(SendAudio, audio=st.binary(max_size=4), last_packet=st.booleans()),
    st.just(CancelRecognition()),
    st.just(ReleaseSession()),
    st.builds(InterpretText, text=TEXTS, accept=ACCEPTS, content_type=TYPES, body=BODIES),
)
HYPOTHESES = st.lists(ALTERNATIVES, max_size=2).map(tuple)


class SessionMachine(RuleBasedStateMachine):
    """Checks the order and truth of what a session says, against what a shell and a client may rely on."""

    def __init__(self):
        super().__init__()
        self.now_s = 0.0
        self.session = Session(LimitSettings(), handle=1, now_s=0.0)
        self.request = None
        self.opened: set[int] = set()
        self.stopped: set[int] = set()
        self.closed = False

    @initialize()
    def create(self):
        self.take(self.session.receive(CreateSession(), self.now_s), answers_to=CreateSession)

    def take(self, effects, answers_to=None):
        """Check effects one by one; `answers_to` is the type of the message that caused them."""
        responses = []
        for effect in effects:
            assert not self.closed, "an effect after Close"
            match effect:
                case Send():
                    read_by_all(serialize(effect.message))
                    self.check_message(effect.message)
                    if isinstance(effect.message, Response):
                        responses.append(effect.message)
                case PrepareLanguageModels() | OpenRecognition() | Interpret():
                    assert self.request is None, "two requests at once"
                    self.request = effect
                    if isinstance(effect, OpenRecognition):
                        assert effect.recognition not in self.opened
                        self.opened.add(effect.recognition)
                case PushAudio():
                    assert answers_to is SendAudio
                case StopRecognition():
                    assert effect.recognition in self.opened - self.stopped
                    self.stopped.add(effect.recognition)
                case Close():
                    self.closed = True
        if answers_to is SendAudio or answers_to is None:
            assert not responses, "nobody asked"
        elif not self.closed or responses:
            assert len(responses) + (self.request is not None) == 1
            assert all(response.method == METHODS[answers_to] for response in responses)
        return responses

    def check_message(self, message):
        running = self.opened - self.stopped
        match message:
            case Response():
                assert (message.error_code is None) or message.result != "SUCCESS"
            case StartOfSpeech():
                assert running
                assert message.session_status is SessionStatus.LISTENING
            case EndOfSpeech():
                assert running
                assert message.session_status is SessionStatus.RECOGNIZING
            case RecognitionResult():
                document = decode_result(message.content_type, message.body)
                if running:
                    assert document.last_segment == (message.session_status is SessionStatus.IDLE)
                assert document.result_status == message.result_status
                assert document.final_result or document.alternatives
                assert document.alternatives or document.result_status != "RECOGNIZED"

    @rule(message=MESSAGES)
    @precondition(lambda self: self.request is None)
    def client_sends(self, message):
        before = self.closed
        effects = self.session.receive(message, self.now_s)
        if before:
            assert effects == []
        else:
            self.take(effects, answers_to=type(message))

    @rule(method=TEXTS)
    @precondition(lambda self: self.request is None)
    def client_sends_rubbish(self, method):
        effects = self.session.malformed(RemoteProtocolError(method, method=method), self.now_s)
        for effect in effects:
            assert effect.message.result == "INVALID_MESSAGE"
            read_by_all(serialize(effect.message))

    @rule(works=st.booleans(), alternatives=HYPOTHESES)
    @precondition(lambda self: self.request is not None)
    def shell_answers(self, works, alternatives):
        request, self.request = self.request, None
        match request:
            case PrepareLanguageModels():
                kind, event = DefineGrammar, LanguageModelsPrepared(prepared=1)
            case OpenRecognition():
                kind, event = StartRecognition, RecognitionOpened(recognition=request.recognition, language="en-US")
            case Interpret():
                kind, event = InterpretText, TextInterpreted(alternatives=alternatives, language="en-US")
        if not works:
            event = RequestFailed(error=GrammarError("ASR: no"))
            if isinstance(request, OpenRecognition):
                self.stopped.add(request.recognition)
        effects = self.session.handle(event, self.now_s)
        if self.session.closed and not effects:
            return
        (response,) = self.take(effects, answers_to=kind)
        assert (response.result == "SUCCESS") == works

    @rule(
        data=st.data(),
        start_s=TIMES,
        late=st.booleans(),
        kind=st.sampled_from(["start", "end", "processed", "ended", "partial", "decoded", "failed"]),
    )
    def shell_tells(self, data, start_s, late, kind):
        current = self.session.recognition
        number = data.draw(st.sampled_from(sorted(self.opened))) if late and self.opened else current
        if number is None:
            return
        hypotheses = data.draw(HYPOTHESES)
        event = {
            "start": lambda: SpeechStarted(recognition=number, start_s=start_s, decided_s=start_s + 0.3),
            "end": lambda: SpeechEnded(
                recognition=number, end_s=start_s, decided_s=start_s, audio_ended=data.draw(st.booleans())
            ),
            "processed": lambda: AudioProcessed(recognition=number, position_s=start_s),
            "ended": lambda: AudioEnded(recognition=number, position_s=start_s),
            "partial": lambda: PartialDecoded(
                recognition=number, start_s=start_s, end_s=start_s, alternatives=hypotheses
            ),
            "decoded": lambda: SegmentDecoded(
                recognition=number, start_s=start_s, end_s=start_s, alternatives=hypotheses
            ),
            "failed": lambda: RecognitionFailed(recognition=number, error=WorkerDiedError("The worker: gone")),
        }[kind]()
        effects = self.session.handle(event, self.now_s)
        assert number == current or effects == []
        self.take(effects)

    @rule(seconds=st.floats(0, 70))
    def time_passes(self, seconds):
        end_s = self.now_s + seconds
        for _ in itertools.count():
            deadline_s = self.session.next_deadline_s
            if deadline_s is None or deadline_s > end_s:
                break
            self.now_s = max(self.now_s, deadline_s)
            self.take(self.session.tick(self.now_s))
            assert (self.session.next_deadline_s or end_s) >= deadline_s
        self.now_s = end_s

    @rule()
    def server_drains(self):
        self.take(self.session.drain(self.now_s))

    @rule()
    def connection_breaks(self):
        self.take(self.session.connection_lost())
        self.closed = True

    @invariant()
    def bookkeeping_agrees(self):
        assert self.session.closed == self.closed
        assert self.session.waiting_for_answer == (self.request is not None and not self.closed)
        running = self.opened - self.stopped
        if self.closed:
            assert not running
            assert self.session.next_deadline_s is None
        elif self.session.recognition is not None:
            assert running == {self.session.recognition}
            assert self.session.status is not SessionStatus.IDLE
        else:
            assert self.session.status is SessionStatus.IDLE
        if not self.closed and not self.session.waiting_for_answer:
            assert self.session.next_deadline_s is not None, "a session that waits for ever"


SessionMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSessionMachine = SessionMachine.TestCase
