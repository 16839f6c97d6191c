"""The import order of the house: a package imports only from what stands to its left, and each library has one door."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[1] / "asr_trio"

LEVELS: Final = {
    "errors": 0,
    "settings": 1,
    "protocol": 1,
    "grammar": 1,
    "audio": 1,
    "config": 2,
    "session": 2,
    "recognizer": 2,
    "server": 3,
    "client": 3,
    "cli": 4,
}

# Who may import a library: folders or files below the package.
DOORS: Final = {
    "trio": ("server", "client", "cli"),
    "trio_websocket": ("server/transport.py", "client"),
    "pocketsphinx": ("recognizer", "grammar/lexicon.py"),
    "faster_whisper": ("recognizer/whisper.py",),
    "asr_trio._dsp": ("audio/core.py",),
    "starlette": ("server",),
    "anycorn": ("server",),
}

FILES: Final = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Return the dotted names that a module imports at run time."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(name: str) -> str:
    """Return the top part of a path or dotted name inside the package."""
    return name.replace("/", ".").removeprefix("asr_trio.").split(".")[0]


@pytest.mark.parametrize("file", FILES)
def test_imports_run_from_left_to_right(file: str) -> None:
    own = part(file)
    if own not in LEVELS:
        return
    for name in imports(PACKAGE / file):
        if name.startswith("asr_trio.") and (other := part(name)) in LEVELS and other != own:
            assert LEVELS[other] < LEVELS[own], f"{file} imports {name}"


@pytest.mark.parametrize("file", FILES)
def test_each_library_has_its_door(file: str) -> None:
    for name in imports(PACKAGE / file):
        for library, doors in DOORS.items():
            if name == library or name.startswith(f"{library}."):
                assert any(file == door or file.startswith(f"{door}/") for door in doors), f"{file} imports {name}"


def test_the_order_names_every_part() -> None:
    parts = {part(file) for file in FILES if file != "__init__.py"}
    assert parts <= set(LEVELS) | {"dsp", "console"}
