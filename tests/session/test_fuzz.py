from __future__ import annotations

from tests.fuzz_protocol import run_hypothesis


def test_fuzzer_finds_nothing(long_form):
    """The long form takes an hour; the short one shows that the fuzzer works."""
    assert run_hypothesis(60.0 if long_form else 0.0, examples=500 if long_form else 5) >= 1
