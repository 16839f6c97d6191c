"""Every command line in the documents is one that the program understands, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from asr_trio.cli.main import app

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_BLOCK: Final = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND: Final = re.compile(r"(?:^|&& |\$ |\.venv/bin/)asr-trio ([^|&>\n]*)", re.MULTILINE)
_LINK: Final = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def command_lines() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for block in _BLOCK.findall(document.read_text(encoding="utf-8")):
            for command in _COMMAND.findall(block.replace("\\\n", " ")):
                yield document.name, command.strip()


@pytest.mark.parametrize(("document", "command"), sorted(set(command_lines())))
def test_a_documented_command_is_understood(document: str, command: str) -> None:
    tokens = shlex.split(command, comments=True)
    if {"--help", "--version", "--install-completion"} & set(tokens):
        return
    app.parse_args(tokens, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"
