from __future__ import annotations

import pytest

from asr_trio.grammar import spelling


def test_a_process_that_may_write_nowhere_reads_the_kept_model_all_the_same(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel refuses a worker every write, and then Python finds no temporary folder."""

    def refuse() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = spelling.train({word: " ".join(word.upper()) for word in ("ab", "ba", "abba", "baba", "aab", "bab")})
    monkeypatch.setattr(spelling, "train", lambda _: kept)
    entries = {"ab": "A B"}
    spelling.cached(entries)
    monkeypatch.setattr(spelling.tempfile, "gettempdir", refuse)
    monkeypatch.setattr(spelling, "train", lambda _: pytest.fail("trained though it was kept"))
    assert spelling.cached(entries).pronounce("ab") == kept.pronounce("ab")
