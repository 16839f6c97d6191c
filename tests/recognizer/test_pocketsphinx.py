"""The engine with the model of the package, on recorded speech."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr_trio.protocol.results import Alternative
from asr_trio.recognizer import base
from asr_trio.recognizer.grammars import compile_grammar
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.recognizer.pocketsphinx import PocketSphinxEngine
from asr_trio.recognizer.worker import Competition
from asr_trio.settings import ModelSettings, RecognizerSettings
from tests.recognizer.audio import read_pcm

REGISTRY = ModelRegistry(RecognizerSettings())
DIGITS = b"#JSGF V1.0; grammar d; public <d> = <w>+; <w> = zero|oh|one|two|three|four|five|six|seven|eight|nine;"
COMMANDS = b"#JSGF V1.0; grammar c; public <c> = go|yes|no|stop|start|help|repeat|enter|erase|rubout;"


class OneEngine:
    """Stands for Engines where there is one model."""

    def __init__(self) -> None:
        self.engine = PocketSphinxEngine("general", ModelSettings())

    def get(self, name: str) -> PocketSphinxEngine:
        return self.engine

    def name_for(self, model: base.LanguageModel) -> str:
        return "general"


@pytest.fixture(scope="module")
def engines() -> OneEngine:
    return OneEngine()


def grammar(text: bytes, lm: str = "session:g") -> base.GrammarModel:
    compiled = compile_grammar(base.Compile(text=text, content_type="application/x-jsgf", lm=lm), REGISTRY)
    return base.GrammarModel(compiled=compiled.compiled, digest=compiled.digest, lm=lm)


GENERAL = base.StatisticalModel(name="general", lm="builtin:slm/general")


def recognize(
    engines: OneEngine,
    pcm: bytes,
    *models: base.LanguageModel,
    start_s: float = 0.0,
    packet_bytes: int = 6400,
    **settings: object,
) -> tuple[base.Final, list[base.Partial]]:
    frame = base.Open(models=models, settings=base.DecoderSettings(**settings))
    competition = Competition(frame, engines)
    competition.start_segment(start_s)
    partials = [
        partial
        for at in range(0, len(pcm), packet_bytes)
        for block in competition.blocks(pcm[at : at + packet_bytes])
        for partial in competition.accept(block)
    ]
    final = competition.finish_segment(start_s + len(pcm) / 32000)
    competition.close()
    return final, partials


def an4(shared: Path, name: str) -> bytes:
    return read_pcm(shared / "data" / "an4" / "flac" / name)


@pytest.mark.shared
def test_command_is_recognised_with_its_time_in_the_stream(engines: OneEngine, shared: Path) -> None:
    pcm = an4(shared, "an251-fash-b.flac")
    final, _ = recognize(engines, pcm, grammar(COMMANDS), start_s=10.0)
    best = final.alternatives[0]
    assert best.text == "yes"
    assert best.score >= 50
    (word,) = best.words
    assert 10.0 <= word.start_time < word.end_time <= 10.0 + len(pcm) / 32000
    assert [found.value for found in best.interpretations] == ["yes"]


@pytest.mark.shared
@pytest.mark.parametrize("telephone", [False, True])
@pytest.mark.parametrize("kind", ["grammar", "free"])
def test_results_do_not_depend_on_packets_nor_on_earlier_callers(
    engines: OneEngine, shared: Path, kind: str, telephone: bool
) -> None:
    model = grammar(COMMANDS) if kind == "grammar" else GENERAL
    pcm, other = an4(shared, "an251-fash-b.flac"), an4(shared, "an253-fash-b.flac")
    if telephone:
        other, pcm = pcm, read_pcm(shared / "data" / "tel" / "pcm8k" / "an298-fsaf2-b.wav")
    settings = {"max_sentences": 3, "word_details": 2, "partial_interval_ms": 200}
    wanted = None
    for packet_bytes in (640, 4096, len(pcm)):
        final, partials = recognize(engines, pcm, model, packet_bytes=packet_bytes, **settings)
        found = (final.alternatives, final.channel_state, partials)
        wanted = wanted or found
        assert found == wanted
        recognize(engines, other, model)


@pytest.mark.shared
@pytest.mark.parametrize("partial_interval_ms", [None, 200])
def test_pauses_change_nothing_but_when_decoding_begins(
    engines: OneEngine, shared: Path, partial_interval_ms: int | None
) -> None:
    pcm = an4(shared, "an251-fash-b.flac")
    settings = {"partial_interval_ms": partial_interval_ms}
    whole, _ = recognize(engines, pcm, grammar(COMMANDS), **settings)
    found = []
    for packet_bytes in (640, 4096):
        competition = Competition(
            base.Open(models=(grammar(COMMANDS),), settings=base.DecoderSettings(**settings)), engines
        )
        competition.start_segment(0.0)
        for piece in (pcm[:16000], pcm[16000:]):
            for at in range(0, len(piece), packet_bytes):
                for block in competition.blocks(piece[at : at + packet_bytes]):
                    competition.accept(block)
            competition.pause()
            competition.resume()
        found.append(competition.finish_segment(len(pcm) / 32000).alternatives)
        competition.close()
    assert found[0] == found[1]
    assert [alternative.text for alternative in found[0]] == [alternative.text for alternative in whole.alternatives]
    if partial_interval_ms is None:  # what was decoded in early pauses is begun anew: it leaves no trace at all
        assert found[0] == whole.alternatives


@pytest.mark.shared
def test_partial_hypotheses_have_scores_of_their_own(engines: OneEngine, shared: Path) -> None:
    pcm = read_pcm(shared / "data" / "free" / "flac" / "libri-clean-8629-261140-0000.flac")[: 3 * 32000]
    _, partials = recognize(engines, pcm, GENERAL, partial_interval_ms=500)
    assert len({partial.alternatives[0].score for partial in partials}) > 1


@pytest.mark.shared
def test_speech_outside_the_grammar_stays_below_the_default_threshold(engines: OneEngine, shared: Path) -> None:
    pcm = read_pcm(shared / "data" / "free" / "flac" / "libri-clean-8629-261140-0000.flac")[: 6 * 32000]
    final, _ = recognize(engines, pcm, grammar(COMMANDS))
    assert all(found.score < 30 for found in final.alternatives)


def check_nbest(found: tuple[Alternative, ...], duration_s: float) -> list[str]:
    """Check what holds for every n-best list of a grammar, and return its texts."""
    texts = [one.text for one in found]
    assert len(set(texts)) == len(texts)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    for one in found:
        assert one.interpretations
        assert [word.text for word in one.words] == one.text.split()
        times = [time for word in one.words for time in (word.start_time, word.end_time)]
        assert times == sorted(times)
        assert all(word.start_time < word.end_time <= duration_s + 0.03 for word in one.words)
    return texts


@pytest.mark.shared
@pytest.mark.parametrize("wanted", [1, 2, 4, 10, 20])
def test_nbest_of_a_grammar_are_as_many_sentences_as_there_are(engines: OneEngine, shared: Path, wanted: int) -> None:
    pcm = an4(shared, "an251-fash-b.flac")
    final, _ = recognize(engines, pcm, grammar(COMMANDS), max_sentences=wanted, word_details=2)
    texts = check_nbest(final.alternatives, len(pcm) / 32000)
    assert texts[0] == "yes"
    assert len(texts) == min(wanted, 10)


@pytest.mark.shared
def test_the_first_of_many_is_what_comes_alone(engines: OneEngine, shared: Path) -> None:
    for name in ("an251-fash-b.flac", "an253-fash-b.flac"):
        pcm = an4(shared, name)
        alone, _ = recognize(engines, pcm, grammar(COMMANDS))
        many, _ = recognize(engines, pcm, grammar(COMMANDS), max_sentences=5)
        assert alone.alternatives == many.alternatives[:1]
        assert alone.channel_state == many.channel_state


@pytest.mark.shared
def test_nbest_of_a_grammar_have_words_more_and_less_and_changed(engines: OneEngine, shared: Path) -> None:
    home = grammar((shared / "data" / "grammars" / "home.jsgf").read_bytes())
    pcm = read_pcm(shared / "data" / "home" / "wav" / "timer_status.wav")
    final, _ = recognize(engines, pcm, home, max_sentences=5, word_details=2)
    texts = check_nbest(final.alternatives, len(pcm) / 32000)
    assert texts[0] == "timer status"
    assert len(texts) == 5
    pcm = read_pcm(shared / "data" / "digits_fsdd" / "wav" / "str_nicolas_01.wav")
    final, _ = recognize(engines, pcm, grammar(DIGITS), max_sentences=12, word_details=2)
    texts = check_nbest(final.alternatives, len(pcm) / 32000)
    lengths = {len(text.split()) for text in texts}
    assert len(texts) == 12
    assert len(lengths) > 1
    assert any(len(text.split()) == len(texts[0].split()) for text in texts[1:])


@pytest.mark.shared
def test_speech_outside_the_grammar_has_no_alternatives_either(engines: OneEngine, shared: Path) -> None:
    pcm = read_pcm(shared / "data" / "free" / "flac" / "libri-clean-8629-261140-0000.flac")[: 6 * 32000]
    assert recognize(engines, pcm, grammar(COMMANDS))[0].alternatives == ()
    assert recognize(engines, pcm, grammar(COMMANDS), max_sentences=5)[0].alternatives == ()


@pytest.mark.shared
def test_nbest_of_free_speech_are_different_sentences_with_words(engines: OneEngine, shared: Path) -> None:
    pcm = read_pcm(shared / "data" / "free" / "flac" / "libri-clean-8629-261140-0000.flac")[: 3 * 32000]
    final, partials = recognize(engines, pcm, GENERAL, max_sentences=5, word_details=2, partial_interval_ms=500)
    assert len({found.text for found in final.alternatives}) == 5
    for found in final.alternatives:
        assert [word.text for word in found.words] == found.text.split()
        times = [time for word in found.words for time in (word.start_time, word.end_time)]
        assert times == sorted(times)
        assert all(word.start_time < word.end_time for word in found.words)
    assert [round(partial.end_s / 0.06) * 0.06 for partial in partials] == pytest.approx(
        [partial.end_s for partial in partials]
    )


@pytest.mark.shared
def test_of_competing_grammars_the_one_that_covers_the_speech_wins(engines: OneEngine, shared: Path) -> None:
    models = (grammar(DIGITS, "session:digits"), grammar(COMMANDS, "session:commands"))
    final, _ = recognize(engines, an4(shared, "an251-fash-b.flac"), *models)
    best = final.alternatives[0]
    assert (best.text, best.lm) == ("yes", "session:commands")


@pytest.mark.shared
def test_competing_grammars_are_one_search_and_the_first_of_those_that_cover_the_words_wins(
    engines: OneEngine, shared: Path
) -> None:
    answers = b"#JSGF V1.0; grammar a; public <a> = yes {affirmed} | no {denied};"
    models = (grammar(DIGITS, "digits"), grammar(answers, "answers"), grammar(COMMANDS, "commands"))
    pcm = an4(shared, "an251-fash-b.flac")
    final, _ = recognize(engines, pcm, *models, max_sentences=5)
    best = final.alternatives[0]
    assert (best.text, best.lm) == ("yes", "answers")
    assert [found.value for found in best.interpretations] == ["affirmed"]
    assert len({found.text for found in final.alternatives}) == len(final.alternatives)
    final, _ = recognize(engines, pcm, *reversed(models))
    assert (final.alternatives[0].text, final.alternatives[0].lm) == ("yes", "commands")
    frame = base.Open(models=(GENERAL, *models), settings=base.DecoderSettings())
    competition = Competition(frame, engines)
    assert len(competition._contestants) == 2
    competition.close()


@pytest.mark.shared
@pytest.mark.parametrize("order", [1, -1])
def test_beside_free_speech_a_grammar_wins_where_it_explains_the_speech(
    engines: OneEngine, shared: Path, order: int
) -> None:
    models = (grammar(COMMANDS, "commands"), GENERAL)[::order]
    final, _ = recognize(engines, an4(shared, "an251-fash-b.flac"), *models, max_sentences=3)
    assert (final.alternatives[0].text, final.alternatives[0].lm) == ("yes", "commands")
    pcm = read_pcm(shared / "data" / "free" / "flac" / "libri-clean-8629-261140-0000.flac")[: 3 * 32000]
    final, _ = recognize(engines, pcm, *models)
    assert final.alternatives[0].lm == GENERAL.lm
    assert len(final.alternatives[0].words) > 3


@pytest.mark.shared
def test_a_word_is_found_in_what_the_grammar_passes_over(engines: OneEngine, shared: Path) -> None:
    spotting = grammar(
        b"#JSGF V1.0; grammar s; public <s> = <GARBAGE> (light|lights|fan|timer|music) {found} <GARBAGE>;"
    )
    for name, said in (("cancel_timer", "timer"), ("turn_on_Standing_Light", "light"), ("skip_on_TV", "")):
        pcm = read_pcm(shared / "data" / "home" / "wav" / f"{name}.wav")
        final, _ = recognize(engines, pcm, spotting)
        assert [found.text.removesuffix("s") for found in final.alternatives] == ([said] if said else [])
        for found in final.alternatives:
            (word,) = found.words
            assert 0.0 < word.start_time < word.end_time < len(pcm) / 32_000
            assert [interpretation.value for interpretation in found.interpretations] == ["found"]


@pytest.mark.shared
def test_hints_bring_pronunciations_into_grammars(shared: Path) -> None:
    pcm = an4(shared, "an251-fash-b.flac")
    odd = grammar(b"#JSGF V1.0; grammar o; public <o> = Uxbridge | no;")
    engines = OneEngine()  # what is hinted stays in its decoder
    final, _ = recognize(engines, pcm, odd, hints="uxbridge:2 [Y-EH-S], no [QQ]")
    assert [found.text for found in final.alternatives] == ["Uxbridge"]
    final, _ = recognize(engines, pcm, odd, hints="uxbridge [yes]")
    assert [found.text for found in final.alternatives] == ["Uxbridge"]
    final, _ = recognize(engines, pcm, odd)
    assert final.alternatives == ()


def test_silence_and_noise_give_nothing(engines: OneEngine) -> None:
    for pcm in (bytes(32000), bytes(range(256)) * 125):
        assert recognize(engines, pcm, grammar(COMMANDS), GENERAL)[0].alternatives == ()


def test_no_audio_at_all_gives_nothing(engines: OneEngine) -> None:
    assert recognize(engines, b"", grammar(COMMANDS), GENERAL)[0].alternatives == ()
