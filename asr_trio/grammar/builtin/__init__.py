"""Grammars that come with the program: ``builtin:grammar/<name>``, in English and Portuguese.

The language of the session chooses (``builtin:grammar/number``); a name may say it too (``builtin:grammar/number-pt``).
Any grammar may refer to them and to their public rules: ``$<builtin:grammar/digits#digit>``.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import Final

from asr_trio.errors import LanguageModelNotFoundError

SCHEME: Final = "builtin:grammar/"
MEDIA_TYPE: Final = "application/srgs"
LANGUAGES: Final = ("en", "pt")
NAMES: Final = ("boolean", "cnpj", "cpf", "currency", "date", "digits", "number", "phone", "time")

_NAME: Final = re.compile(r"(?:samples/)?(?P<name>[a-z]+)(?:-(?P<language>[a-z]{2})(?:-[A-Za-z]{2})?)?")


@functools.lru_cache(maxsize=64)
def load(name: str, language: str = "en-US") -> bytes:
    """Return the text of a builtin grammar (ABNF).

    Args:
        name: such as ``number``, ``samples/phone`` or ``date-pt``.
        language: tag of the session's language, where the name says none; English where there is no better.

    Raises:
        LanguageModelNotFoundError: there is no such grammar.
    """
    match = _NAME.fullmatch(name)
    if match is not None and match["name"] in NAMES:
        primary = match["language"] or language.partition("-")[0].lower()
        if match["language"] is None and primary not in LANGUAGES:
            primary = "en"
        if primary in LANGUAGES:
            return resources.files(__package__).joinpath(f"{match['name']}.{primary}.abnf").read_bytes()
    raise LanguageModelNotFoundError(f"no builtin grammar {name!r}; there are: {', '.join(NAMES)}")


def resolve(uri: str, language: str = "en-US") -> tuple[bytes, str | None]:
    """Return text and media type of ``builtin:grammar/<name>``; for references from one grammar to another.

    Raises:
        LanguageModelNotFoundError: there is no such grammar.
    """
    return load(uri.removeprefix(SCHEME), language), MEDIA_TYPE
