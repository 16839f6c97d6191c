"""The tests that docs/reliability.md and docs/security.md name are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
_TEST: Final = re.compile(r"`(?:pytest )?(…|tests/[\w/]+\.py)(?:\s-k\s(?:\"([^\"]+)\"|(\w+)))?[^`]*`")
_NAME: Final = re.compile(r"def (test_\w+)")


def claims() -> Iterator[tuple[str, str, str]]:
    for document in ("reliability.md", "security.md"):
        path = ""
        for found in _TEST.finditer((ROOT / "docs" / document).read_text(encoding="utf-8")):
            path = path if found[1] == "…" else found[1]
            for keyword in re.split(r" or ", found[2] or found[3] or ""):
                yield document, path, keyword


@pytest.mark.parametrize(("document", "path", "keyword"), sorted(set(claims())))
def test_what_a_document_says_to_run_exists(document: str, path: str, keyword: str) -> None:
    names = _NAME.findall((ROOT / path).read_text(encoding="utf-8"))
    assert any(keyword in name for name in names), f"{document}: no test of {path} matches {keyword!r}"


def test_the_documents_make_claims() -> None:
    assert len(set(claims())) > 60
