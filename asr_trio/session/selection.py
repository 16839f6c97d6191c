"""What of the decoder's hypotheses a client gets to see."""

from __future__ import annotations

import msgspec

from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.protocol.results import Alternative
from asr_trio.session.textify import parse_kinds, textify


def select_alternatives(
    alternatives: tuple[Alternative, ...],
    parameters: RecognitionParameters,
    language: str,
    *,
    partial: bool = False,
) -> tuple[Alternative, ...]:
    """Apply confidence threshold, n-best length, word details and textify; words stay as they were spoken.

    Args:
        alternatives: best first.
        parameters: those of the recognition.
        language: tag of the language of the texts.
        partial: only the best one, and no threshold: the score of an unfinished segment says little.

    Returns:
        Those that are left, best first; none means NO_MATCH.
    """
    threshold = 0 if partial else parameters.confidence_threshold
    length = 1 if partial else parameters.max_sentences
    chosen = [alternative for alternative in alternatives if alternative.score >= threshold][:length]
    if parameters.textify_enabled:
        rules, formatting = parameters.textify_formatting_rules, parameters.textify_formatting_enabled
        kinds = parse_kinds(rules, formatting=formatting)
        chosen = [msgspec.structs.replace(item, text=textify(item.text, language, kinds)) for item in chosen]
    words_shown = {0: 0, 1: 1}.get(parameters.word_details, length)
    return tuple(
        alternative if index < words_shown else msgspec.structs.replace(alternative, words=())
        for index, alternative in enumerate(chosen)
    )
