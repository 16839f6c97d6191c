"""``asr-trio models``: what the configuration calls by which name, and whether it can be used."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from asr_trio import config
from asr_trio.errors import AsrError, ConfigError
from asr_trio.recognizer.engines import find_maker
from asr_trio.recognizer.models import POCKETSPHINX, WHISPER, ModelRegistry, model_files
from asr_trio.settings import ModelSettings

app = App(name="models", help="Configured models: list them, check that they can be used, add one.")


@app.command(name="list")
def list_models(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List the configured models.

    Args:
        as_json: print JSON instead of a table.
    """
    settings = config.load().recognizer
    rows = [
        {
            "name": name,
            "aliases": list(model.aliases),
            "engine": model.engine,
            "languages": list(model.languages),
            "profile": model.profile if model.engine == POCKETSPHINX else "",
            "default": name == settings.default_model,
        }
        for name, model in settings.models.items()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("name", "aliases", "engine", "languages", "profile")
    for name, model in settings.models.items():
        shown = f"{name} (default)" if name == settings.default_model else name
        profile = model.profile if model.engine == POCKETSPHINX else ""
        table.add_row(shown, " ".join(model.aliases), model.engine, " ".join(model.languages), profile)
    Console().print(table)


@app.command
def check(*names: str) -> int:
    """Load models and say what is wrong with those that cannot be used.

    Args:
        names: which; all where none is named.
    """
    registry = ModelRegistry(config.load().recognizer)
    faults = 0
    for name in names or registry.settings.models:
        started_s = time.monotonic()
        try:
            proper, model = registry.get(name)
            if model.engine == POCKETSPHINX:
                model_files(proper, model)
            find_maker(model.engine)(proper, model)
        except AsrError as error:
            faults += 1
            print(f"{name}: {error}")
        else:
            print(f"{name}: good, loaded in {time.monotonic() - started_s:.1f} s")
    return min(faults, 1)


@app.command
def add(
    name: str,
    folder: Path,
    *,
    language: str = "en-US",
    lm: Path | None = None,
    configuration: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> None:
    """Add a model of this machine to the configuration, once it has been loaded on trial.

    Args:
        name: for clients: builtin:slm/NAME.
        folder: a PocketSphinx acoustic model, alone or below its dictionary (*.dict), or a Whisper model in the
            form of CTranslate2.
        language: tag of what it reads.
        lm: a language model of PocketSphinx, for free speech; without one the model reads grammars only.
        configuration: the TOML file that it is added to; what ASR_TRIO_CONFIG names where none is given.
    """
    named = configuration or os.environ.get("ASR_TRIO_CONFIG")
    if not named:
        raise ConfigError("name the file that the model is added to: --config, or ASR_TRIO_CONFIG")
    file = Path(named)
    if name in config.load(file if file.exists() else None).recognizer.models and file.exists():
        raise ConfigError(f"a model is called {name!r} already")
    values = _found(folder.resolve()) | {"languages": [language]} | ({"lm": str(lm.resolve())} if lm else {})
    settings = ModelSettings.model_validate(values)
    find_maker(settings.engine)(name, settings)
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"\n[recognizer.models.{json.dumps(name)}]\n" + "\n".join(lines) + "\n")
    kind = "free speech" if lm or settings.engine == WHISPER else "grammars"
    print(f"{name}: added to {file}; reads {kind} in {language}. A running server takes it over at SIGHUP.")


def _found(folder: Path) -> dict[str, Any]:
    """Return the settings of what is in a folder.

    Raises:
        ConfigError: it is no model.
    """
    if (folder / "model.bin").is_file():
        return {"engine": WHISPER, "acoustic": str(folder)}
    acoustic = next((place for place in (folder, *sorted(folder.glob("*/"))) if (place / "mdef").is_file()), None)
    if acoustic is None:
        raise ConfigError(f"{folder} is no model: it has neither mdef (PocketSphinx) nor model.bin (CTranslate2)")
    dictionary = next(iter(sorted(folder.glob("*.dict"))), None)
    return {"acoustic": str(acoustic)} | ({"dictionary": str(dictionary)} if dictionary else {})
