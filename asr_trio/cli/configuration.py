"""``asr-trio config``: check a configuration and show the effective one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from asr_trio import config

app = App(name="config", help="Check and show the configuration.")

File = Annotated[Path | None, Parameter(name=["--config", "-c"], help="A TOML file.")]


@app.command
def check(*, configuration: File = None) -> int:
    """Read the configuration as ``serve`` would; exit 2 and say why where it cannot be used."""
    config.load(configuration)
    print("The configuration is good.")
    return 0


@app.command
def show(*, configuration: File = None) -> int:
    """Print the effective configuration as JSON: defaults, file and environment together."""
    print(config.load(configuration).model_dump_json(indent=2))
    return 0
