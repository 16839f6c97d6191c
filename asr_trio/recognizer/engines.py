"""The engines of the configured models: found by name, made once for each process.

``pocketsphinx``, the scripted ``fake`` and ``whisper`` (with its extra) come with this package; others come from the
entry-point group ``asr_trio.engines`` (`recognizer.base.Engine`).
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final, cast

from asr_trio.errors import AcousticModelError
from asr_trio.recognizer.base import Engine, GrammarModel, LanguageModel
from asr_trio.recognizer.grammars import lexicon
from asr_trio.recognizer.models import FAKE, POCKETSPHINX, WHISPER, ModelRegistry, grammar_model

ENTRY_POINT_GROUP: Final = "asr_trio.engines"


def find_maker(engine: str) -> type[Engine]:
    """Return what makes engines of this name.

    Raises:
        AcousticModelError: no installed package offers it, or it cannot be imported.
    """
    if engine == POCKETSPHINX:
        from asr_trio.recognizer.pocketsphinx import PocketSphinxEngine

        return PocketSphinxEngine
    if engine == FAKE:
        from asr_trio.recognizer.fake import FakeEngine

        return FakeEngine
    if engine == WHISPER:
        try:
            from asr_trio.recognizer.whisper import WhisperEngine
        except ImportError as error:
            raise AcousticModelError("the engine 'whisper' needs its extra: pip install 'asr-trio[whisper]'") from error

        return WhisperEngine
    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=engine):
        try:
            return cast("type[Engine]", entry_point.load())
        except ImportError as error:
            raise AcousticModelError(f"the engine {engine!r} needs a package that is not installed: {error}") from error
    raise AcousticModelError(f"the engine {engine!r} is not installed")


class Engines:
    """The engines of one process."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self._engines: dict[str, Engine] = {}

    def preload(self) -> None:
        """Load every model that asks for it and can be shared by the processes forked later.

        Raises:
            AcousticModelError: a model cannot be loaded.
        """
        for name, settings in self.registry.settings.models.items():
            if settings.preload and find_maker(settings.engine).fork_safe:
                self.get(name)
                if settings.engine == POCKETSPHINX:
                    _ = lexicon(name, settings).phones  # read now, shared by all processes

    def learn_spellings(self) -> None:
        """Make the models of unknown words' pronunciations and keep them on the disk: seconds each, once."""
        for name, settings in self.registry.settings.models.items():
            if settings.preload and settings.engine == POCKETSPHINX:
                lexicon(name, settings).generate("unknown")

    def get(self, name: str) -> Engine:
        """Return the engine of a model by its name proper.

        Raises:
            AcousticModelError: the model cannot be loaded.
        """
        engine = self._engines.get(name)
        if engine is None:
            settings = self.registry.settings.models[name]
            engine = self._engines[name] = find_maker(settings.engine)(name, settings)
        return engine

    def name_for(self, model: LanguageModel) -> str:
        """Return the name of the configured model that reads a language model.

        Raises:
            GrammarError: the compiled grammar is of another version of this program.
            LanguageModelNotFoundError: no model has this name.
        """
        if isinstance(model, GrammarModel):
            return grammar_model(model)
        return self.registry.get(model.name)[0]
