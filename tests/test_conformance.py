from __future__ import annotations

from asr_trio import errors
from tests.conformance import CODES, TARGET, document


def test_page_of_the_protocol_is_up_to_date():
    """Names every test that it refers to; run ``python -m tests.conformance`` after a change."""
    assert TARGET.read_text() == document()


def test_codes_of_the_page_are_those_of_the_errors():
    known = {
        kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AsrError)
    }
    # ERR_GENERIC is the base: nothing is raised as it.
    assert set(CODES) == known - {"ERR_GENERIC"}
