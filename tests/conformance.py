"""Writes docs/protocol.md: what of the protocol is supported, how, and which test shows it.

Parameters, states and transitions come from the tables that the program runs by; the other rows stand here. Run
``python -m tests.conformance`` after a change; a test compares the file and looks every named test up.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from asr_trio.protocol import headers
from asr_trio.protocol.messages import METHODS, Method, Result, ResultStatus, SessionStatus
from asr_trio.protocol.parameters import RecognitionParameters, format_value
from asr_trio.protocol.registry import PARAMETERS, Support
from asr_trio.session.states import ANSWERS, MESSAGE_TYPES, TRANSITIONS, Answer, Phase, State
from tests.exchange import exchange

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "protocol.md"

MATRIX = "session/test_matrix.py::test_cell"
SHAPE = "protocol/test_parser.py::test_shape_of_sdk_is_understood"
RECOGNITION = "session/test_recognition.py::"
REQUEST = "session/test_request.py::"
TIMER = "session/test_timer.py::"
PARSER = "protocol/test_parser.py::"
CLIENT = "protocol/test_client.py::"
REGISTRY_TEST = "protocol/test_parameters.py::test_parameter_is_taken_in_any_case_of_its_name"

MESSAGES = {
    Method.CREATE_SESSION: (
        "SUCCESS, `Handle` and `Expires`; again while idle: a fresh session",
        REQUEST + "test_create_session",
    ),
    Method.SET_PARAMETERS: (
        "For the session; what cannot be taken is echoed with an error word",
        REQUEST + "test_set_parameters_echoes_what_it_does_not_take",
    ),
    Method.GET_PARAMETERS: (
        "Named ones in the spelling of the question, or all",
        REQUEST + "test_get_parameters_named_and_all",
    ),
    Method.DEFINE_GRAMMAR: (
        "Grammar text or URI list, compiled before the answer, used as `session:<Content-ID>`",
        REQUEST + "test_defined_grammar_is_used_by_its_name",
    ),
    Method.START_RECOGNITION: (
        "URI list or inline grammar; parameters for this recognition only",
        RECOGNITION + "test_simple_recognition_from_start_to_result",
    ),
    Method.START_INPUT_TIMERS: (
        "Starts timers that `decoder.startInputTimers` held back; otherwise acknowledged",
        TIMER + "test_timers_wait_for_start_input_timers_on_wish",
    ),
    Method.SEND_AUDIO: (
        "Never answered; dropped unless the session listens",
        "session/test_matrix.py::test_audio_is_consumed_only_while_listening",
    ),
    Method.CANCEL_RECOGNITION: (
        "SUCCESS, no result follows",
        "session/test_matrix.py::test_cancel_frees_the_worker_and_swallows_the_result",
    ),
    Method.RELEASE_SESSION: (
        "SUCCESS, then the server closes",
        "session/test_matrix.py::test_release_answers_and_then_closes",
    ),
    Method.INTERPRET_TEXT: (
        "RESPONSE, then a RECOGNITION_RESULT with interpretations and no audio times",
        REQUEST + "test_interpret_text_answers_and_then_gives_a_result",
    ),
    "RESPONSE": ("To every message but SEND_AUDIO, in order", CLIENT + "test_every_client_understands_every_response"),
    "START_OF_SPEECH": ("LISTENING; once per segment", CLIENT + "test_every_client_understands_speech_events"),
    "END_OF_SPEECH": (
        "RECOGNIZING; simple mode only, since some clients stop their audio for good",
        RECOGNITION + "test_continuous_mode_sends_start_of_speech_per_segment_and_no_end_of_speech",
    ),
    "RECOGNITION_RESULT": ("JSON or XML, partial or final", CLIENT + "test_every_client_understands_every_result"),
}

HEADERS = {
    headers.ACCEPT: (
        "client",
        "`application/json` (default) or `application/xml`",
        RECOGNITION + "test_xml_result_on_wish",
    ),
    headers.CHANNEL_IDENTIFIER: ("client", "Kept as a parameter", REQUEST + "test_tags_of_create_session_are_kept"),
    headers.CONTENT_ID: (
        "client",
        "Name of a grammar; decides nothing about the body",
        "session/test_sources.py::test_a_content_id_makes_no_grammar_of_a_list",
    ),
    headers.CONTENT_LENGTH: (
        "both",
        "Audio is cut to it; text bodies are taken whole, since SDKs count wrongly",
        PARSER + "test_audio_shorter_than_declared_is_what_there_is",
    ),
    headers.CONTENT_TYPE: (
        "both",
        "Tells lists from grammars where it can; the first packet's type is that of the audio",
        "session/test_sources.py::test_grammars_are_known_by_their_beginning",
    ),
    headers.ERROR_CODE: ("server", "Never on benign answers", MATRIX),
    headers.EXPIRES: ("server", "Milliseconds", TIMER + "test_expires_is_told_in_milliseconds"),
    headers.HANDLE: ("server", "18 digits, below 2^63", REQUEST + "test_handle_is_a_time_and_a_serial"),
    headers.LAST_PACKET: ("client", "`true` in any case", RECOGNITION + "test_last_packet_ends_the_wish_for_audio"),
    headers.LOGGING_TAG: ("client", "Kept as a parameter", REQUEST + "test_tags_of_create_session_are_kept"),
    headers.MESSAGE: (
        "server",
        "In characters that every client's reader takes, last",
        CLIENT + "test_every_client_understands_every_response",
    ),
    headers.METHOD: ("server", "Always", CLIENT + "test_every_client_understands_every_response"),
    headers.RESULT: ("server", "Always", CLIENT + "test_every_client_understands_every_response"),
    headers.RESULT_STATUS: ("server", "Same as in the document", CLIENT + "test_every_client_understands_every_result"),
    headers.SESSION_STATUS: ("server", "Always", CLIENT + "test_every_client_understands_every_response"),
    headers.TEXT: ("client", "May hold colons", PARSER + "test_text_of_interpretation_may_hold_colons"),
    headers.USER_AGENT: ("client", "Kept for the log", REQUEST + "test_tags_of_create_session_are_kept"),
}

PARAMETER_TESTS = {
    "endpointer.levelMode": "e2e/test_parameters.py::test_endpointer_parameters",
    "loggingTag": "e2e/test_parameters.py::test_tags_stand_in_the_log",
    "license.manager.accountTag": "e2e/test_parameters.py::test_tags_stand_in_the_log",
    "Channel-Identifier": REQUEST + "test_tags_of_create_session_are_kept",
    "decoder.partialResultInterval": "e2e/test_recognition.py::test_free_speech_with_all_events_in_order",
    "decoder.startInputTimers": TIMER + "test_timers_wait_for_start_input_timers_on_wish",
    "decoder.maxSentences": RECOGNITION + "test_max_sentences_gives_exactly_so_many_where_they_exist",
    "decoder.confidenceThreshold": RECOGNITION + "test_nothing_above_the_threshold_is_no_match",
    "decoder.continuousMode": RECOGNITION + "test_continuous_mode_gives_a_result_per_segment_and_a_closing_one",
    "decoder.wordDetails": RECOGNITION + "test_word_details",
    "decoder.partialResultEnabled": RECOGNITION + "test_partial_result",
    "endpointer.enabled": RECOGNITION + "test_without_endpointer_no_speech_events_are_sent",
    "endpointer.headMargin": "e2e/test_parameters.py::test_endpointer_parameters",
    "endpointer.tailMargin": "e2e/test_parameters.py::test_endpointer_parameters",
    "endpointer.waitEnd": "e2e/test_parameters.py::test_continuous_parameters",
    "endpointer.levelThreshold": "e2e/test_parameters.py::test_endpointer_parameters",
    "endpointer.maxSegmentDuration": "e2e/test_parameters.py::test_continuous_parameters",
    "endpointer.segmentOverlapTime": "audio/test_frontend.py::test_segment_after_a_cut_repeats_the_overlap",
    "noInputTimeout.enabled": TIMER + "test_no_input_timer_can_be_switched_off",
    "noInputTimeout.value": TIMER + "test_explicit_no_input_time_runs_out_on_audio_that_arrives_faster_than_real_time",
    "recognitionTimeout.enabled": TIMER + "test_recognition_timer_can_be_switched_off",
    "recognitionTimeout.value": TIMER + "test_recognition_time_runs_from_the_start_of_speech_to_the_result",
    "textify.enabled": "session/test_textify.py::test_text_of_a_result_is_written_in_figures_on_wish",
    "textify.formatting.enabled": "session/test_textify.py::test_rules_choose_the_kinds",
    "textify.formatting.rules": "session/test_textify.py::test_only_the_chosen_kinds_are_written",
    "Media-Type": RECOGNITION + "test_media_type_stands_in_where_packets_have_no_type",
    "Verify-Buffer-Utterance": "protocol/test_parameters.py::test_classifier_may_be_declined_but_not_asked_for",
    "Infer-age-enabled": "protocol/test_parameters.py::test_classifier_may_be_declined_but_not_asked_for",
    "Infer-gender-enabled": "protocol/test_parameters.py::test_classifier_may_be_declined_but_not_asked_for",
    "Infer-emotion-enabled": "protocol/test_parameters.py::test_classifier_may_be_declined_but_not_asked_for",
    "hints.words": "e2e/test_parameters.py::test_hints_move_the_result_of_their_recognition_only",
}

RESULTS = {
    Result.SUCCESS: ("", MATRIX),
    Result.FAILURE: (
        "The server or a language model failed",
        RECOGNITION + "test_failed_start_leaves_the_session_usable",
    ),
    Result.INVALID_ACTION: ("Not in this state", MATRIX),
    Result.INVALID_MESSAGE: (
        "No message; costs nothing else",
        "session/test_matrix.py::test_malformed_is_answered_and_costs_nothing",
    ),
}
STATUSES = {
    ResultStatus.NONE: ("Never sent", ""),
    ResultStatus.PROCESSING: ("Partial, with at least one alternative", RECOGNITION + "test_partial_result"),
    ResultStatus.RECOGNIZED: ("", RECOGNITION + "test_simple_recognition_from_start_to_result"),
    ResultStatus.NO_MATCH: (
        "Nothing, or nothing above the threshold",
        RECOGNITION + "test_nothing_above_the_threshold_is_no_match",
    ),
    ResultStatus.NO_INPUT_TIMEOUT: (
        "No speech in time",
        TIMER + "test_no_input_time_runs_from_the_start_of_the_recognition",
    ),
    ResultStatus.MAX_SPEECH: (
        "A segment longer than `limits.speech_segment_s` (120 s), where continuous mode does not cut it",
        RECOGNITION + "test_a_segment_longer_than_one_may_be_ends_in_max_speech",
    ),
    ResultStatus.EARLY_SPEECH: (
        "Never sent: no parameter asks for silence first, and the SDKs' tests want such recordings recognised",
        RECOGNITION + "test_speech_at_the_very_start_is_recognised",
    ),
    ResultStatus.RECOGNITION_TIMEOUT: (
        "No result in time from the start of speech",
        TIMER + "test_recognition_time_runs_from_the_start_of_speech_to_the_result",
    ),
    ResultStatus.NO_SPEECH: (
        "The audio ended without speech",
        RECOGNITION + "test_end_of_audio_without_speech_is_no_speech",
    ),
    ResultStatus.CANCELED: ("Never sent: CANCEL_RECOGNITION swallows the result, as clients need", ""),
    ResultStatus.FAILURE: (
        "The document says why in `error_code` and `message`",
        RECOGNITION + "test_failure_mid_recognition_is_a_result_and_the_session_stays_usable",
    ),
}
CODES = {
    "ERROR_BUSY": (
        "No decoding capacity is left, or the server ends",
        "e2e/test_faults_inside.py::test_capacity_is_refused_at_once_and_comes_back",
    ),
    "ERR_ARG_INVALID": (
        "No acoustic model for the language that a grammar names",
        "recognizer/test_models.py::test_language_without_a_model_tells_which_there_are",
    ),
    "ERR_BUFFER_OVERFLOW": (
        "More audio than one recognition may have",
        "e2e/test_parameters.py::test_audio_of_one_recognition_is_bounded_and_the_session_goes_on",
    ),
    "ERR_INVALID_STATE": ("Not in this state", MATRIX),
    "ERR_INVALID_ARGUMENT": (
        "Malformed message; audio that cannot be decoded",
        "session/test_matrix.py::test_malformed_is_answered_and_costs_nothing",
    ),
    "ERR_NO_ACTIVE_LM": ("The request names no language model", RECOGNITION + "test_start_without_model_is_refused"),
    "ERR_FILE_OPEN": (
        "No such language model, or outside the fences",
        "server/test_language_models.py::test_everything_outside_the_fence_looks_missing",
    ),
    "ERR_PATH_READ": (
        "A language model could not be fetched",
        "server/test_language_models.py::test_failures_have_their_codes",
    ),
    "ERR_CORRUPTED_LM": (
        "A grammar cannot be used; `Message` says line, column and why",
        REQUEST + "test_bad_grammar_is_refused_and_the_older_definition_kept",
    ),
    "ERR_MAX_LICENSES": ("All sessions are taken", REQUEST + "test_session_past_the_licences_is_refused_at_once"),
    "ERR_INTERNAL_ERROR": (
        "The recogniser failed",
        RECOGNITION + "test_failure_mid_recognition_is_a_result_and_the_session_stays_usable",
    ),
}
MODELS = {
    "`builtin:slm/<name>`": (
        "Free speech by configured name or alias (`general`, `general-small`, `callcenter-small`)",
        RECOGNITION + "test_start_asks_for_the_named_models",
    ),
    "`builtin:grammar/<name>`": (
        "`boolean cnpj cpf currency date digits number phone time`, `samples/…` and `…-pt` too",
        REQUEST + "test_definition_by_uri_list",
    ),
    "`session:<Content-ID>`": (
        "What DEFINE_GRAMMAR defined, matched exactly",
        REQUEST + "test_alias_is_matched_exactly",
    ),
    "`file:///…`": (
        "Below `language_models.file_roots`, links resolved",
        "server/test_language_models.py::test_file_below_a_root_is_read",
    ),
    "`http(s)://…`": (
        "Hosts of `language_models.http_hosts`, redirections too; bounded; cached by ETag",
        "server/test_language_models.py::test_redirections_stay_inside_the_fence",
    ),
    "Inline": (
        "ABNF, GrXML and JSGF, told apart by type or beginning",
        "session/test_sources.py::test_grammars_are_known_by_their_beginning",
    ),
}
RULES = {
    "Header shapes of Python, Java, C++, .NET (both line ends), Kotlin, iOS": SHAPE,
    "Any bytes are a message or a protocol error": PARSER + "test_any_bytes_are_a_message_or_a_protocol_error",
    "Any order of messages, events and time": "session/test_machine.py::TestSessionMachine",
    "Every answer understood by models of seven SDK parsers": CLIENT + "test_every_client_understands_every_response",
    "Every result understood by models of seven SDK parsers": CLIENT + "test_every_client_understands_every_result",
    "Protocol versions 2.x are accepted, 2.3 is answered": PARSER + "test_any_minor_version_is_accepted",
    "A silent session closes with 1000 `Session timeout.`": TIMER
    + "test_session_expires_with_the_reason_that_clients_read",
    "A draining server closes with 1001 after the running recognition": TIMER
    + "test_drain_lets_a_running_recognition_end",
}


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
                tested(PARAMETER_TESTS.get(parameter.name, REGISTRY_TEST)),
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
(`endpointer.segmentOverlapTime`), every word is told once. No END_OF_SPEECH is sent: clients would stop their audio."""

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
    return "\n\n".join([*parts, "## An exchange", exchange()]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document())
