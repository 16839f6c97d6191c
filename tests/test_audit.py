"""The step of CI that looks for known vulnerabilities: fails on one, and says aloud what it could not find out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"
SAFE = {"name": "h11", "version": "0.16.0", "vulns": []}
KNOWN = {
    "name": "h11",
    "version": "0.14.0",
    "vulns": [{"id": "CVE-2025-43859", "fix_versions": ["0.16.0"]}, {"id": "X-1", "fix_versions": []}],
}
UNKNOWN = {"name": "attrs", "skip_reason": "not found"}


@pytest.fixture(scope="module")
def verdict():
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.verdict


def test_a_known_vulnerability_is_named_with_its_remedy(verdict):
    vulnerable, unknown = verdict({"dependencies": [SAFE, KNOWN]})
    assert vulnerable == ["h11 0.14.0: CVE-2025-43859, fixed in 0.16.0", "h11 0.14.0: X-1, fixed in no release"]
    assert unknown == []


def test_what_was_not_audited_is_told_and_is_no_vulnerability(verdict):
    assert verdict({"dependencies": [SAFE, UNKNOWN]}) == ([], ["attrs: not found"])
    assert verdict(None)[0] == []
    assert "does not answer" in verdict(None)[1][0]


def test_the_installer_is_not_ours(verdict):
    assert verdict({"dependencies": [{**KNOWN, "name": "pip"}, {**UNKNOWN, "name": "asr-trio"}]}) == ([], [])
