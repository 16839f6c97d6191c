"""``asr-trio config``: check a configuration and show the effective one."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from pydantic import BaseModel

from asr_trio import config
from asr_trio.errors import ConfigError

app = App(name="config", help="Check and show the configuration.")

_CREDENTIALS = re.compile(r"//[^/@\s\"]+@")
File = Annotated[Path | None, Parameter(name=["--config", "-c"], help="A TOML file.")]


@app.command
def check(
    *, configuration: File = None, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> int:
    """Read the configuration as ``serve`` would; exit 2 and say why where it cannot be used."""
    file = config.named_file(configuration)
    sources = [*([str(file)] if file else []), *config.variables()]
    try:
        config.load(configuration)
    except ConfigError as error:
        if not as_json:
            raise
        print(json.dumps({"good": False, "sources": sources, "faults": str(error).splitlines()}))
        return 2
    if as_json:
        print(json.dumps({"good": True, "sources": sources, "faults": []}))
        return 0
    print(f"The configuration is good: {', '.join(sources) or 'the defaults, nothing is set'}.")
    return 0


@app.command
def show(*, configuration: File = None) -> int:
    """Print the effective configuration as JSON: defaults, file and environment together; without passwords in URLs."""
    print(_CREDENTIALS.sub("//***@", config.load(configuration).model_dump_json(indent=2)))
    return 0


@app.command
def default() -> int:
    """Print a configuration file with every setting at its default, commented out and explained."""
    settings = config.Settings.model_construct()
    for name, field in config.Settings.model_fields.items():
        section = getattr(settings, name)
        print(f"# {'-' * 100}")
        if not isinstance(section, BaseModel):
            print(_comment(field.description))
            print(f"[{name}]\n")
            continue
        print(_comment(inspect.getdoc(type(section))))
        print(f"[{name}]\n")
        for key, description, value in describe(type(section)):
            if description:
                print(_comment(description))
            if value is None:
                print(f"#{key} =  (unset)\n".replace("#", "# "))
            elif not isinstance(value, dict):
                print(f"#{key} = {json.dumps(value)}\n")  # numbers, strings, booleans and lists are alike in TOML
    return 0


def describe(section: type[BaseModel]) -> list[tuple[str, str, Any]]:
    """Return key, description ("" where none) and default of each setting of a section, as plain JSON values."""
    defaults = section().model_dump(mode="json")
    return [(key, field.description or "", defaults[key]) for key, field in section.model_fields.items()]


def _comment(text: str | None) -> str:
    return textwrap.fill(" ".join((text or "").split()), 100, initial_indent="# ", subsequent_indent="# ")
