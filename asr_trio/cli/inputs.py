"""Arguments that name a file to read, or - for standard input."""

from __future__ import annotations

from typing import Any

from cyclopts import Parameter


def input_file(help_text: str) -> Parameter:
    """Return what tells cyclopts of such an argument: - is a file here, and --misspelt is not."""
    return Parameter(help=help_text, allow_leading_hyphen=True, validator=_no_option)


def _no_option(_: Any, given: str | list[str]) -> None:
    for value in [given] if isinstance(given, str) else given:
        if value.startswith("-") and value != "-":
            raise ValueError(f"There is no option {value}; a file of that name is ./{value}.")
