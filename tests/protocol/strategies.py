"""Hypothesis strategies for what people, grammars and clients may put into messages."""

from __future__ import annotations

from hypothesis import strategies as st

from asr_trio.protocol.messages import Method, Response, Result, ResultStatus, SessionStatus
from asr_trio.protocol.registry import REGISTRY
from asr_trio.protocol.results import Alternative, Interpretation, SegmentResult, Word

TRAPS = st.sampled_from(
    [
        "ASR",
        "\\ASR",
        "ASR 2.3 RESPONSE",
        "Result: FAILURE",
        "Session-Status: IDLE",
        "Message: \r\nError-Code: X",
        "\r\n\r\n",
        "[{",
        "a:b:c",
        "<tag>&amp;",
        'say "go"',
        "\u2028\x85\x00\x1b",
        "não é [ok]; $x = {y}",
        "\ufffe\uffff",
        "😀",
    ]
)
TEXTS = st.lists(st.one_of(st.text(max_size=8), TRAPS), max_size=4).map("".join)
SCORES = st.integers(0, 100)
TIMES = st.floats(0, 1e5)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda children: st.one_of(st.lists(children, max_size=3), st.dictionaries(TEXTS, children, max_size=3)),
    max_leaves=6,
)
WORDS = st.builds(Word, text=TEXTS, score=SCORES, start_time=TIMES, end_time=TIMES)
ALTERNATIVES = st.builds(
    Alternative,
    text=TEXTS,
    score=SCORES,
    lm=TEXTS,
    words=st.lists(WORDS, max_size=3).map(tuple),
    interpretations=st.lists(st.builds(Interpretation, value=VALUES, score=SCORES), max_size=3).map(tuple),
)
FINAL_RESULTS = st.builds(
    SegmentResult,
    result_status=st.sampled_from([status for status in ResultStatus if status not in {"NONE", "PROCESSING"}]),
    alternatives=st.lists(ALTERNATIVES, max_size=3).map(tuple),
    segment_index=st.integers(0, 1000),
    last_segment=st.booleans(),
    start_time=TIMES,
    end_time=TIMES,
    error_code=st.sampled_from(["", "ERR_INTERNAL_ERROR"]),
    message=TEXTS,
)
PARTIAL_RESULTS = st.builds(
    SegmentResult,
    result_status=st.just(ResultStatus.PROCESSING),
    alternatives=ALTERNATIVES.map(lambda alternative: (alternative,)),
    last_segment=st.just(False),
    final_result=st.just(False),
)
NAMES = st.one_of(
    TEXTS, st.sampled_from([*REGISTRY, "Result", "X-Result", "my session-status", "Handle", "Error-Code", ""])
)
RESPONSES = st.builds(
    Response,
    handle=st.integers(0, 2**63 - 1),
    method=st.one_of(st.sampled_from(list(Method)), TEXTS),
    result=st.sampled_from(list(Result)),
    session_status=st.sampled_from(list(SessionStatus)),
    expires_ms=st.one_of(st.none(), st.integers(0, 10**9)),
    parameters=st.dictionaries(NAMES, TEXTS, max_size=5),
    error_code=st.one_of(st.none(), st.just("ERR_FILE_OPEN")),
    message=st.one_of(st.none(), TEXTS),
)
