from __future__ import annotations

from pathlib import Path

import pytest

from asr_trio.errors import AcousticModelError, LanguageModelNotFoundError
from asr_trio.recognizer import base
from asr_trio.recognizer.models import ModelRegistry, model_files
from asr_trio.settings import ModelSettings, RecognizerSettings

GENERAL = ModelSettings(aliases=("general-small",))
SPANISH = ModelSettings(acoustic=Path("/es"), languages=("es-ES", "es-MX"))


def registry(**models: ModelSettings) -> ModelRegistry:
    return ModelRegistry(RecognizerSettings(models={"general": GENERAL, **models}))


def test_names_and_aliases_lead_to_the_name_proper() -> None:
    for uri in ("builtin:slm/general", "builtin:slm/general-small"):
        assert registry().statistical(uri) == base.StatisticalModel(name="general", lm=uri)


def test_unknown_name_tells_which_there_are() -> None:
    with pytest.raises(LanguageModelNotFoundError, match="general, general-small"):
        registry().statistical("builtin:slm/nope")


def test_model_of_grammars_only_is_no_free_speech() -> None:
    with pytest.raises(LanguageModelNotFoundError, match="grammars only"):
        registry(spanish=SPANISH).statistical("builtin:slm/spanish")


@pytest.mark.parametrize(
    ("language", "name"), [("en-US", "general"), ("en-GB", "general"), ("es-mx", "spanish"), ("es_AR", "spanish")]
)
def test_language_finds_its_model_by_tag_then_by_primary_language(language: str, name: str) -> None:
    assert registry(spanish=SPANISH).for_language(language)[0] == name


def test_language_without_a_model_tells_which_there_are() -> None:
    with pytest.raises(AcousticModelError, match=r"'pt-BR'.*en-US"):
        registry().for_language("pt-BR")


def test_missing_part_is_named_without_its_path() -> None:
    with pytest.raises(AcousticModelError, match=r"^model 'x': its acoustic model is missing$"):
        model_files("x", ModelSettings(acoustic=Path("/nonexistent")))


def test_package_model_is_whole() -> None:
    files = model_files("general", GENERAL)
    assert files.lm is not None


def test_cost_of_competing_models_adds_up_and_configuration_wins() -> None:
    models = registry(other=ModelSettings(cost_units=7.0))
    general, other = (models.statistical(f"builtin:slm/{name}") for name in ("general", "other"))
    settings = base.DecoderSettings()
    assert models.cost_units((general, other), settings) == models.cost_units((general,), settings) + 7.0
    small, large = (base.GrammarModel(compiled=bytes(size), digest="", lm="") for size in (1000, 1_000_000))
    assert models.cost_units((small,), settings) < models.cost_units((large,), settings)


def test_partial_results_of_whisper_cost_their_share() -> None:
    models = registry(dictation=ModelSettings(engine="whisper", options={"partial_share": 0.3}))
    dictation = (models.statistical("builtin:slm/dictation"),)
    without = models.cost_units(dictation, base.DecoderSettings())
    assert models.cost_units(dictation, base.DecoderSettings(partial_interval_ms=100)) == without + 30


def test_models_that_are_not_in_every_process_have_processes_of_their_own() -> None:
    models = registry(
        dictation=ModelSettings(engine="whisper"),
        rare=ModelSettings(preload=False),
        scripted=ModelSettings(engine="fake"),
    )
    general, dictation, rare, scripted = (
        models.statistical(f"builtin:slm/{name}") for name in ("general", "dictation", "rare", "scripted")
    )
    assert [models.kept((model,)) for model in (general, dictation, rare, scripted)] == ["", "dictation", "rare", ""]
    assert models.kept((general, dictation)) == "dictation"
    assert models.kept(()) == ""
