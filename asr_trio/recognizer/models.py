"""The registry of models: what ``builtin:slm/NAME`` and the language of a grammar stand for, and what each costs.

Everything here is decided from the settings without loading a model, so the server can ask it about any name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from asr_trio.errors import AcousticModelError, GrammarError, LanguageModelNotFoundError
from asr_trio.recognizer.base import DecoderSettings, GrammarModel, LanguageModel, StatisticalModel
from asr_trio.settings import ModelSettings, RecognizerSettings

SLM_PREFIX: Final = "builtin:slm/"

POCKETSPHINX: Final = "pocketsphinx"
FAKE: Final = "fake"
WHISPER: Final = "whisper"

# Hundredths of a core for a second of live audio, partials included (benchmarks/bench_decode.py prints them).
STATISTICAL_COST_UNITS: Final = {"fast": 10.0, "balanced": 12.0, "accurate": 22.0}
"""1.3 times what one alone takes (7.5, 9.3 and 16.9): on a full machine each costs more, and a fifth is to be spare."""
GRAMMAR_COST_UNITS: Final = 3.0
GRAMMAR_COST_UNITS_PER_KIB: Final = 0.02
"""The search grows with the graph, and the bytes of a compiled grammar are proportional to it."""
WHISPER_COST_UNITS: Final = 25.0
"""Final results of a small model (tiny takes 4, and each size up two to three times as much)."""
WHISPER_PARTIAL_SHARE: Final = 0.5
"""Of the audio's time, that the engine spends on partial results where the configuration does not say."""
OTHER_ENGINE_COST_UNITS: Final = 100.0


class ModelFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts of a PocketSphinx model are; every path exists. `lm` is None for a model of grammars only."""

    acoustic: str
    dictionary: str
    lm: str | None


def package_model_folder() -> Path:
    """Return the folder of the US English model inside the pocketsphinx package, without importing its decoder."""
    from importlib.util import find_spec

    spec = find_spec("pocketsphinx")
    if spec is None or spec.origin is None:
        raise AcousticModelError("the pocketsphinx package is not installed")
    return Path(spec.origin).parent / "model" / "en-us"


def model_files(name: str, settings: ModelSettings) -> ModelFiles:
    """Find the files of a PocketSphinx model.

    A model that names no acoustic model is the one of the pocketsphinx package, whole; a model that does takes the
    package's dictionary only where it names none, and has a language model only where it names one.

    Raises:
        AcousticModelError: a part is missing; the message names the model and the part, not the path.
    """
    package = package_model_folder()
    acoustic = settings.acoustic or package / "en-us"
    dictionary = settings.dictionary or package / "cmudict-en-us.dict"
    lm = settings.lm or (package / "en-us.lm.bin" if settings.acoustic is None else None)
    for part, path in (("acoustic model", acoustic / "mdef"), ("dictionary", dictionary), ("language model", lm)):
        if path is not None and not path.is_file():
            raise AcousticModelError(f"model {name!r}: its {part} is missing")
    return ModelFiles(acoustic=str(acoustic), dictionary=str(dictionary), lm=None if lm is None else str(lm))


class _GrammarHead(msgspec.Struct, frozen=True):
    """What of a compiled grammar (`grammars`) names its reader."""

    model: str


def grammar_model(model: GrammarModel) -> str:
    """Return the name of the configured model that reads a compiled grammar, without reading the rest of it.

    Raises:
        GrammarError: it is of another version of this program.
    """
    try:
        return msgspec.msgpack.decode(model.compiled, type=_GrammarHead).model
    except msgspec.MsgspecError as error:
        raise GrammarError("the compiled grammar cannot be read", hint="compile it again") from error


def is_shared(settings: ModelSettings) -> bool:
    """Tell whether every worker process can be forked with this model loaded."""
    return settings.preload and settings.engine in {POCKETSPHINX, FAKE}


class ModelRegistry:
    """Names, aliases and languages of the configured models."""

    def __init__(self, settings: RecognizerSettings) -> None:
        self.settings = settings
        self._names = {alias: name for name, model in settings.models.items() for alias in (name, *model.aliases)}

    def get(self, name: str) -> tuple[str, ModelSettings]:
        """Return the name proper and the settings of a model by name or alias.

        Raises:
            LanguageModelNotFoundError: no model has this name.
        """
        proper = self._names.get(name)
        if proper is None:
            known = ", ".join(sorted(self._names))
            raise LanguageModelNotFoundError(f"no model is called {name!r}; there are: {known}")
        return proper, self.settings.models[proper]

    def statistical(self, uri: str) -> StatisticalModel:
        """Return the model that ``builtin:slm/NAME`` names.

        Raises:
            LanguageModelNotFoundError: no model of free speech has this name.
        """
        name, model = self.get(uri.removeprefix(SLM_PREFIX))
        if model.engine == POCKETSPHINX and model.acoustic is not None and model.lm is None:
            raise LanguageModelNotFoundError(f"model {name!r} has no language model: it reads grammars only")
        return StatisticalModel(name=name, lm=uri)

    def for_language(self, language: str) -> tuple[str, ModelSettings]:
        """Return the model that reads grammars of a language: exact tag first, then the same primary language.

        Raises:
            AcousticModelError: none does.
        """
        readers = {name: model for name, model in self.settings.models.items() if model.engine == POCKETSPHINX}
        default = self.settings.default_model
        order = sorted(readers, key=lambda name: name != default)
        tag = language.lower().replace("_", "-")
        for wanted in (tag, tag.partition("-")[0]):
            for name in order:
                tags = [known.lower() for known in readers[name].languages]
                if wanted in tags or wanted in [known.partition("-")[0] for known in tags]:
                    return name, readers[name]
        known = ", ".join(sorted({known for model in readers.values() for known in model.languages}))
        raise AcousticModelError(f"no acoustic model is configured for the language {language!r}; there are: {known}")

    def kept(self, models: tuple[LanguageModel, ...]) -> str:
        """Return the model whose own worker processes must serve these competing ones, "" where any process can."""
        names = (model.name if isinstance(model, StatisticalModel) else grammar_model(model) for model in models)
        return next((name for name in names if not is_shared(self.settings.models[name])), "")

    def cost_units(self, models: tuple[LanguageModel, ...], settings: DecoderSettings) -> float:
        """Return what a live recognition with these competing models needs, in hundredths of a core."""
        return sum(self._cost_units(model, settings) for model in models)

    def _cost_units(self, model: LanguageModel, wanted: DecoderSettings) -> float:
        if not isinstance(model, StatisticalModel):
            return GRAMMAR_COST_UNITS + GRAMMAR_COST_UNITS_PER_KIB * len(model.compiled) / 1024
        settings = self.settings.models[model.name]
        if settings.cost_units is not None:
            return settings.cost_units
        if settings.engine == WHISPER:
            share = settings.options.get("partial_share", WHISPER_PARTIAL_SHARE) if wanted.partial_interval_ms else 0.0
            return WHISPER_COST_UNITS + 100 * share
        if settings.engine != POCKETSPHINX:
            return OTHER_ENGINE_COST_UNITS
        return STATISTICAL_COST_UNITS[settings.profile]
