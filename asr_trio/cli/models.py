"""``asr-trio models``: what the configuration calls by which name, and whether it can be used."""

from __future__ import annotations

import json
import time
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from asr_trio import config
from asr_trio.errors import AsrError
from asr_trio.recognizer.engines import find_maker
from asr_trio.recognizer.models import POCKETSPHINX, ModelRegistry, model_files

app = App(name="models", help="Configured models: list them, check that they can be used.")


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
