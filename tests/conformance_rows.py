"""What of the protocol is supported, how, and which test shows it: the rows of docs/protocol.md.

Sections are those of the protocol reference. A test is named by its file below ``tests/`` and its name there.
"""

from __future__ import annotations

from asr_trio.protocol import headers
from asr_trio.protocol.messages import Method, Result, ResultStatus

MATRIX = "session/test_matrix.py::test_cell"
SHAPE = "protocol/test_parser.py::test_shape_of_sdk_is_understood"
RECOGNITION = "session/test_recognition.py::"
CONTINUOUS = "session/test_continuous.py::"
REQUEST = "session/test_request.py::"
TIMER = "session/test_timer.py::"
PARSER = "protocol/test_parser.py::"
CLIENT = "protocol/test_client.py::"
MATRIX_FILE = "session/test_matrix.py::"
RESULT = "protocol/test_results.py::"
SOURCES = "session/test_sources.py::"
CONTAINER = "audio/test_container.py::"
FRONTEND = "audio/test_frontend.py::"

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
        CONTINUOUS + "test_continuous_mode_sends_start_of_speech_per_segment_and_no_end_of_speech",
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
        SOURCES + "test_a_content_id_makes_no_grammar_of_a_list",
    ),
    headers.CONTENT_LENGTH: (
        "both",
        "Audio is cut to it; text bodies are taken whole, since SDKs count wrongly",
        PARSER + "test_audio_shorter_than_declared_is_what_there_is",
    ),
    headers.CONTENT_TYPE: (
        "both",
        "Tells lists from grammars where it can; the first packet's type is that of the audio",
        SOURCES + "test_grammars_are_known_by_their_beginning",
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
    "decoder.continuousMode": CONTINUOUS + "test_continuous_mode_gives_a_result_per_segment_and_a_closing_one",
    "decoder.wordDetails": RECOGNITION + "test_word_details",
    "decoder.partialResultEnabled": RECOGNITION + "test_partial_result",
    "endpointer.enabled": RECOGNITION + "test_without_endpointer_no_speech_events_are_sent",
    "endpointer.headMargin": "e2e/test_parameters.py::test_endpointer_parameters",
    "endpointer.tailMargin": "e2e/test_parameters.py::test_endpointer_parameters",
    "endpointer.autoLevelLen": FRONTEND + "test_background_counts_once_it_has_been_listened_to",
    "endpointer.useToneDetectors": "audio/test_tones.py::test_without_tone_detectors_no_key_is_told",
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
    "grammar.unknownWords": "e2e/test_grammar_documents.py::test_each_session_says_what_becomes_of_unknown_words",
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
        SOURCES + "test_grammars_are_known_by_their_beginning",
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

BEHAVIOUR = {
    "Client messages (section 6)": {
        "CREATE_SESSION again on the same socket renews the session": REQUEST + "test_create_again_renews_the_session",
        "CREATE_SESSION past the licences is refused at once": REQUEST
        + "test_session_past_the_licences_is_refused_at_once",
        "Headers that are not known, empty or doubled cost nothing": PARSER
        + "test_a_line_without_colon_is_a_header_without_value",
        "SET_PARAMETERS with unknown names and bad values is a SUCCESS that names them": REQUEST
        + "test_set_parameters_echoes_what_it_does_not_take",
        "GET_PARAMETERS leaves empty values out, hints come last": "protocol/test_parameters.py"
        "::test_describe_tells_all_in_the_preferred_spelling_hints_last",
        "DEFINE_GRAMMAR takes every type of the reference server": SOURCES + "test_grammar_types_are_grammars",
        "DEFINE_GRAMMAR of a list of URIs": REQUEST + "test_definition_by_uri_list",
        "DEFINE_GRAMMAR of the same name replaces": REQUEST + "test_definition_replaces_an_older_one_of_the_same_name",
        "DEFINE_GRAMMAR of a bad grammar fails and keeps the older one": REQUEST
        + "test_bad_grammar_is_refused_and_the_older_definition_kept",
        "DEFINE_GRAMMAR is not answered before the Python client waits": "e2e/test_grammars.py"
        "::test_a_known_grammar_is_not_answered_before_the_python_client_waits",
        "START_RECOGNITION with URIs": RECOGNITION + "test_start_asks_for_the_named_models",
        "START_RECOGNITION with an inline grammar": "e2e/test_grammars.py"
        "::test_an_inline_grammar_a_defined_one_and_a_list",
        "START_RECOGNITION with Content-ID and a list": SOURCES + "test_a_content_id_makes_no_grammar_of_a_list",
        "START_RECOGNITION without Content-Type": SOURCES + "test_uri_lists_are_known_by_their_beginning",
        "START_RECOGNITION: parameters hold for that recognition": RECOGNITION
        + "test_parameters_of_a_start_hold_for_that_recognition_only",
        "START_RECOGNITION that fails: FAILURE, IDLE, Error-Code": RECOGNITION
        + "test_failed_start_leaves_the_session_usable",
        "START_INPUT_TIMERS when they run: SUCCESS without Error-Code": TIMER
        + "test_start_input_timers_again_does_not_restart_them",
        "SEND_AUDIO: the format is decided once, on the first bytes": RECOGNITION
        + "test_the_first_packet_decides_the_type_of_the_audio",
        "SEND_AUDIO: RIFF is found, anything else is raw": CONTAINER + "test_riff_that_is_no_wave_is_raw",
        "SEND_AUDIO: the length may be missing, or more than there is": PARSER
        + "test_audio_without_length_is_all_that_follows",
        "SEND_AUDIO: odd bytes are carried over": FRONTEND + "test_output_does_not_depend_on_how_the_input_is_split",
        "CANCEL_RECOGNITION sends no CANCELED result": MATRIX_FILE
        + "test_cancel_frees_the_worker_and_swallows_the_result",
        "RELEASE_SESSION is answered, then closed; what Kotlin sends after it is ignored": MATRIX_FILE
        + "test_a_closed_session_says_nothing",
        "INTERPRET_TEXT: RESPONSE, then a result": REQUEST + "test_interpret_text_answers_and_then_gives_a_result",
        "INTERPRET_TEXT: no grammar covers the text": REQUEST + "test_text_that_no_grammar_covers_is_no_match",
    },
    "Server messages (section 7)": {
        "RESPONSE to the byte": "protocol/test_headers.py::test_response_to_the_byte",
        "RESPONSE always names a method": "protocol/test_headers.py"
        "::test_response_to_a_nameless_message_has_a_method_all_the_same",
        "START_OF_SPEECH and END_OF_SPEECH carry Handle and Session-Status": CLIENT
        + "test_every_client_understands_speech_events",
        "No speech events where the endpointer is off": RECOGNITION
        + "test_without_endpointer_no_speech_events_are_sent",
        "RECOGNITION_RESULT in JSON to the byte": RESULT + "test_json_of_a_result_to_the_byte",
        "RECOGNITION_RESULT without alternatives to the byte": RESULT + "test_json_without_alternatives_to_the_byte",
        "RECOGNITION_RESULT in XML to the byte": RESULT + "test_xml_of_a_result_to_the_byte",
        "RECOGNITION_RESULT has what every client needs": CLIENT + "test_every_client_understands_every_result",
        "No partial result without alternatives": RECOGNITION
        + "test_partials_without_alternatives_or_out_of_place_are_not_sent",
        "The order of a simple recognition": RECOGNITION + "test_simple_recognition_from_start_to_result",
        "Results of earlier versions are read": RESULT + "test_old_documents_are_read",
    },
    "Out of order (section 14), besides the table above": {
        "A malformed message is INVALID_MESSAGE in every state and costs nothing": MATRIX_FILE
        + "test_malformed_is_answered_and_costs_nothing",
        "A second START_RECOGNITION leaves the first alone": MATRIX_FILE
        + "test_a_second_start_leaves_the_first_recognition_alone",
        "Audio before START_RECOGNITION is never that of the next recognition": MATRIX_FILE
        + "test_audio_is_consumed_only_while_listening",
        "Sessions are apart": "e2e/test_recognition.py::test_sessions_are_apart_and_do_not_disturb_each_other",
    },
    "Speech (section 13)": {
        "Simple mode: the first segment only": FRONTEND + "test_simple_mode_ends_with_the_first_segment",
        "Times of a segment include its margins": FRONTEND + "test_one_sentence_gives_one_segment_with_its_margins",
        "Speech at the very start is recognised": RECOGNITION + "test_speech_at_the_very_start_is_recognised",
        "A pause shorter than waitEnd stays inside": FRONTEND
        + "test_pause_shorter_than_wait_end_stays_inside_the_segment",
        "LastPacket in speech ends the segment": FRONTEND + "test_end_of_audio_inside_speech_ends_the_segment",
        "LastPacket without speech: NO_SPEECH": RECOGNITION + "test_end_of_audio_without_speech_is_no_speech",
        "LastPacket without speech, no endpointer: NO_MATCH": RECOGNITION
        + "test_without_endpointer_empty_audio_is_no_match",
        "LastPacket first, empty: NO_SPEECH": "e2e/test_recognition.py"
        "::test_silence_gives_no_speech_and_nothing_at_all_too",
        "The end of a WAV file is the end of the audio": CONTAINER + "test_wave_ends_with_its_data",
        "… but not under audio/raw": CONTAINER + "test_wave_labelled_raw_is_believed_but_never_ends",
        "Partial results at their interval": "e2e/test_recognition.py::test_free_speech_with_all_events_in_order",
    },
    "Timers (section 13)": {
        "No input runs on the clock": TIMER + "test_no_input_time_runs_from_the_start_of_the_recognition",
        "No input does not run on audio time by default": TIMER + "test_default_no_input_time_is_not_audio_time",
        "No input set by the client also runs on audio time": TIMER
        + "test_explicit_no_input_time_runs_out_on_audio_that_arrives_faster_than_real_time",
        "… wherever packets end": TIMER + "test_explicit_no_input_time_does_not_depend_on_packets",
        "Speech stops it": TIMER + "test_speech_stops_the_no_input_time",
        "The last packet stops it": TIMER + "test_after_the_last_packet_no_clock_waits_for_speech",
        "START_INPUT_TIMERS starts it": TIMER + "test_timers_wait_for_start_input_timers_on_wish",
        "Recognition runs from speech to its result": TIMER
        + "test_recognition_time_runs_from_the_start_of_speech_to_the_result",
        "A recognition time below 100 is in seconds": TIMER + "test_small_recognition_times_are_seconds",
        "After a timer: its status, IDLE, no alternatives": TIMER
        + "test_no_input_time_runs_from_the_start_of_the_recognition",
        "Switched off and no last packet: until the session expires": TIMER
        + "test_expiry_while_listening_gives_the_result_before_it_closes",
        "A silent session expires": TIMER + "test_session_expires_with_the_reason_that_clients_read",
        "Any message restarts the expiry": TIMER + "test_any_message_restarts_the_expiry",
    },
    "Continuous mode (section 13)": {
        "A result per segment, and a closing one": CONTINUOUS
        + "test_continuous_mode_gives_a_result_per_segment_and_a_closing_one",
        "The last packet in speech makes that segment the last": CONTINUOUS
        + "test_speech_up_to_the_end_of_the_audio_is_the_last_segment",
        "The no-input time restarts after each segment": TIMER
        + "test_continuous_mode_restarts_the_no_input_time_after_each_segment",
        "No END_OF_SPEECH": CONTINUOUS + "test_continuous_mode_sends_start_of_speech_per_segment_and_no_end_of_speech",
        "Long speech is cut without losing a sample": FRONTEND + "test_long_speech_is_cut_without_losing_a_sample",
        "… and no word is lost or told twice": "session/test_overlap.py::test_every_word_of_a_line_is_told_once",
        "… nor within grammars": "recognizer/test_cuts.py::test_no_word_is_told_twice_wherever_the_cut_falls",
        "Python's model: takes the first result for the last": "compat/test_conversations.py::test_free_speech",
        "The other SDKs' models": "compat/test_conversations.py::test_continuous_mode",
    },
    "Audio (section 12)": {
        "Raw, 8 kHz unless packets, Media-Type or the operator say otherwise": "e2e/test_parameters.py"
        "::test_rate_of_audio_without_a_header",
        "WAV: PCM 8, 16, 24, 32, float, A-law, µ-law": FRONTEND + "test_every_encoding_carries_the_same_sentence",
        "WAV: of several channels the first": FRONTEND + "test_first_of_many_channels_is_heard",
        "WAV: sizes 0 and 0xFFFFFFFF mean up to the last packet": CONTAINER
        + "test_unknown_data_size_means_until_the_end",
        "FLAC, MP3, Ogg Opus and Vorbis, GSM, ADPCM (extra `codecs`)": "audio/test_codecs.py"
        "::test_every_codec_is_recognised_and_decoded",
        "WebM as browsers record it": "audio/test_codecs.py::test_what_browsers_record_is_decoded",
        "AMR": "audio/test_codecs.py::test_amr_of_a_telephone_is_decoded",
        "… decoded while they come in": "e2e/test_recognition.py::test_compressed_audio_is_heard_while_it_comes_in",
        "… within bounds": "audio/test_codecs.py::test_what_unfolds_to_hours_comes_in_turns",
        "What cannot be decoded is named": CONTAINER
        + "test_containers_that_cannot_be_read_are_named_and_not_heard_as_noise",
    },
    "Connection (section 2)": {
        "HTTP Basic before the upgrade": "e2e/test_operations.py"
        "::test_passwords_paths_and_origins_are_judged_before_the_upgrade",
        "Who guesses is locked out": "server/test_auth.py"
        "::test_an_address_that_guesses_is_locked_out_and_others_are_not",
        "TLS": "e2e/test_operations.py::test_tls_with_a_certificate_that_is_renewed_while_serving",
        "Licences": "e2e/test_operations.py::test_licences_are_counted_and_come_back",
    },
}
