"""Writes docs/protocol.md: what of the protocol is supported, how, and which test shows it.

Parameters, states and transitions come from the tables that the program runs by; the other rows stand here. Run
``python -m tests.conformance`` after a change; a test compares the file and looks every named test up.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from asr_trio.protocol.messages import METHODS, Method, Result, ResultStatus, SessionStatus
from asr_trio.protocol.parameters import RecognitionParameters, format_value
from asr_trio.protocol.registry import PARAMETERS, Support
from asr_trio.session.states import ANSWERS, MESSAGE_TYPES, TRANSITIONS, Answer, Phase, State
from tests.conformance_rows import (
    BEHAVIOUR,
    CODES,
    HEADERS,
    MATRIX,
    MESSAGES,
    MODELS,
    PARAMETER_TESTS,
    RESULTS,
    RULES,
    STATUSES,
)
from tests.exchange import exchange

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "protocol.md"


@cache
def tests_in(path: str) -> frozenset[str]:
    """Return what a test file defines or assigns at its top level."""
    tree = ast.parse((ROOT / "tests" / path).read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return frozenset(names | {target.id for target in targets if isinstance(target, ast.Name)})


def tested(test: str) -> str:
    """Return the cell that names a test.

    Raises:
        LookupError: there is no such test.
    """
    if not test:
        return "-"
    path, _, name = test.partition("::")
    if name not in tests_in(path):
        raise LookupError(test)
    return f"`{path}` `{name}`"


def table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (titles, tuple("---" for _ in titles), *rows)]
    return "\n".join(lines)


def parameter_rows() -> list[tuple[str, ...]]:
    supports = {Support.APPLIED: "yes", Support.RECORDED: "kept", Support.UNSUPPORTED: "refused"}
    rows = []
    for parameter in PARAMETERS:
        span = (
            "" if parameter.kind in {"bool", "text", "hints"} else f"{parameter.minimum:g} to {parameter.maximum:.15g}"
        )
        default = format_value(getattr(RecognitionParameters(), parameter.field)) if parameter.field else ""
        rows.append(
            (
                "<br>".join(f"`{name}`" for name in parameter.names),
                parameter.kind,
                parameter.unit,
                span,
                f"`{default}`" if default else "",
                supports[parameter.support],
                parameter.effect,
                tested(PARAMETER_TESTS[parameter.name]),
            )
        )
    return rows


INTRODUCTION = """\
The CPqD ASR WebSocket API 2.3 as this server speaks it. This page is written by `python -m tests.conformance` from
the tables that the program runs by; the tests named here are below `tests/`."""

PARAMETERS_TEXT = """\
In SET_PARAMETERS for the session, in START_RECOGNITION for that recognition, as defaults in `[parameters]` of the
configuration. Names are read in any case. A value that cannot be taken changes nothing and is named in the answer:
`ERR_INVALID_PARAMETER` (unknown), `ERR_INVALID_PARAMETER_VALUE`, `ERR_UNSUPPORTED_PARAMETER`. Truth values are
`true 1 yes on` and `false 0 no off`; an empty value, `None` or `null` means not set."""

TIMERS_TEXT = """\
The **no-input timer** (`noInputTimeout.*`, 10 s) runs from START_RECOGNITION, or from START_INPUT_TIMERS where
`decoder.startInputTimers` is false, until speech begins; in continuous mode again after each result. It runs on the
server's clock. Where the client itself set `noInputTimeout.value` it also runs out on that much audio without speech,
since a file arrives faster than it was spoken; that does not depend on the size of packets. After the last packet no
clock waits: the audio decides (`NO_SPEECH`).

The **recognition timer** (`recognitionTimeout.*`, 30 s) runs from the start of speech to its result; without an
endpointer from the end of the audio. Segments of continuous mode that wait for one another count from their turn.

The **session** expires when its client sends nothing for `Expires` milliseconds, but not while the client waits for a
result. A recognition that listens then gets its result first; the close reason is `Session timeout.`"""

CONTINUOUS_TEXT = """\
With `decoder.continuousMode` every segment has its own result, `last_segment` false. Nobody can know that a segment
closed by silence was the last one, so a closing result without alternatives follows when the audio ends (`NO_SPEECH`)
or nobody speaks any more (`NO_INPUT_TIMEOUT`). A segment that the end of the audio cuts off is itself the last. Speech
longer than `endpointer.maxSegmentDuration` is cut at its quietest place; where the next segment hears some of it again
(`endpointer.segmentOverlapTime`), every word is told once; within a grammar where what is left is a sentence of it. No
END_OF_SPEECH is sent: clients would stop their audio."""

TEXTIFY_TEXT = """\
`textify.enabled` writes the `text` of results in figures, in English and Portuguese, where the extra `textify` is
installed (otherwise the answer is `ERR_UNSUPPORTED_PARAMETER`); `words` stay as they were spoken. `$25.30`,
`march 3, 2025`, `5:30 p.m.`; `R$ 232,20`, `03/03/2025`, `às 10:30`. `textify.formatting.rules` chooses among `number`,
`date`, `time` and `currency`."""

MODELS_TEXT = """\
START_RECOGNITION, DEFINE_GRAMMAR and INTERPRET_TEXT name language models in their body: a list of URIs, one a line, or
a grammar. `Content-Type` tells which (`text/uri-list`, or one of the grammar types); where it is missing or
`text/plain` the beginning of the body does (`#ABNF`, `#JSGF`, `<`). Several models compete, and `lm` in the result says
which one matched. Models from files and web servers are off until the operator sets the fences:

```toml
[language_models]
file_roots = ["/srv/grammars"]       # file:///srv/grammars/menu.gram; links may not lead out
http_hosts = ["grammars.example.org", "10.0.0.7:8080"]  # with a port: that port only
http_timeout_s = 5.0
```"""

ANSWER_WORDS = {
    Answer.ACCEPT: "done",
    Answer.ACKNOWLEDGE: "SUCCESS",
    Answer.REFUSE_MILDLY: "INVALID_ACTION, no Error-Code",
    Answer.REFUSE: "INVALID_ACTION",
    Answer.DROP: "dropped",
}


def document() -> str:
    """Return the whole page."""
    states = [state for state in State if state is not State.CLOSED]
    assert set(RESULTS) == set(Result)
    assert set(STATUSES) == set(ResultStatus)
    assert set(MESSAGES) >= set(Method)
    parts = [
        "# Protocol",
        INTRODUCTION,
        "## Rules",
        table(("Rule", "Tested by"), [(rule, tested(test)) for rule, test in RULES.items()]),
        "## Messages",
        table(
            ("Message", "How", "Tested by"),
            [(f"`{name}`", how, tested(test)) for name, (how, test) in MESSAGES.items()],
        ),
        "## Headers",
        "Names are read in any case, in any order, with or without a blank after the colon.",
        table(
            ("Header", "From", "How", "Tested by"),
            [(f"`{name}`", side, how, tested(test)) for name, (side, how, test) in HEADERS.items()],
        ),
        "## Parameters",
        PARAMETERS_TEXT,
        table(("Name", "Type", "Unit", "Range", "Default", "Supported", "Effect", "Tested by"), parameter_rows()),
        "## Timers",
        TIMERS_TEXT,
        "## Continuous mode",
        CONTINUOUS_TEXT,
        "## Textify",
        TEXTIFY_TEXT,
        "## Messages out of order",
        f"Every cell is a case of {tested(MATRIX)}.",
        table(
            ("Message", *(state.name for state in states)),
            [
                (f"`{METHODS[kind]}`", *(ANSWER_WORDS[ANSWERS[state][kind]] for state in states))
                for kind in MESSAGE_TYPES
            ],
        ),
        "## Course of a recognition",
        table(
            ("Phase", "Trigger", "Next phase"),
            [
                (phase.name, trigger.name, target.name)
                for phase in Phase
                for trigger, target in TRANSITIONS[phase].items()
            ],
        ),
        "## Statuses",
        "`Session-Status` is " + ", ".join(f"`{status}`" for status in SessionStatus) + ", in every message.",
        table(
            ("Result", "Meaning", "Tested by"),
            [(f"`{name}`", how, tested(test)) for name, (how, test) in RESULTS.items()],
        ),
        table(
            ("Result-Status", "When", "Tested by"),
            [(f"`{name}`", how, tested(test)) for name, (how, test) in STATUSES.items()],
        ),
        table(
            ("Error-Code", "When", "Tested by"),
            [(f"`{name}`", how, tested(test)) for name, (how, test) in CODES.items()],
        ),
        "## Language models",
        MODELS_TEXT,
        table(("URI or body", "How", "Tested by"), [(name, how, tested(test)) for name, (how, test) in MODELS.items()]),
    ]
    for title, rows in BEHAVIOUR.items():
        parts += [f"## {title}", table(("What", "Tested by"), [(what, tested(test)) for what, test in rows.items()])]
    return "\n\n".join([*parts, "## An exchange", exchange()]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document())
