"""From the language models that a session names to those that a decoder takes."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin

import msgspec

from asr_trio.config import LanguageModelSettings
from asr_trio.errors import GrammarError, LanguageModelError
from asr_trio.grammar import builtin
from asr_trio.grammar.link import JSGF_SCHEME
from asr_trio.recognizer import base
from asr_trio.recognizer.models import SLM_PREFIX
from asr_trio.server.language_models import Library
from asr_trio.server.pool import WorkerPool
from asr_trio.session.events import GrammarSource, LanguageModelSource, PreparedSource, UriSource

_MAX_DOCUMENTS: Final = 64


class Resolved(msgspec.Struct, frozen=True):
    """Models ready for a decoder, and the language of the first."""

    models: tuple[base.LanguageModel, ...]
    language: str


class LanguageModels:
    """Fetches and compiles."""

    def __init__(self, settings: LanguageModelSettings, pool: WorkerPool, *, max_grammar_bytes: int) -> None:
        self._settings = settings
        self._pool = pool
        self._library = Library(settings, max_bytes=max_grammar_bytes)

    async def resolve(self, sources: tuple[LanguageModelSource, ...], party: str) -> Resolved:
        """Return the models that `sources` name. `party` is who asks: parties take turns.

        Raises:
            LanguageModelError: one of them cannot be had.
        """
        models: list[base.LanguageModel] = []
        for source in sources:
            match source:
                case PreparedSource(prepared=prepared, lm=lm):
                    models += [msgspec.structs.replace(model, lm=lm) for model in prepared]
                case GrammarSource(text=text, content_type=content_type, lm=lm):
                    models.append(await self._compile(text, content_type, lm, party))
                case UriSource(uri=uri):
                    models.append(await self._named(uri, party))
        return Resolved(tuple(models), self._settings.default_language)

    async def _named(self, uri: str, party: str) -> base.LanguageModel:
        if uri.startswith(SLM_PREFIX):
            return self._pool.registry.statistical(uri)
        if uri.startswith(builtin.SCHEME):
            text, content_type = builtin.resolve(uri, self._settings.default_language)
            return await self._compile(text, content_type, uri, party)
        document = await self._library.fetch(uri)
        return await self._compile(document.text, document.content_type, uri, party)

    async def _compile(self, text: bytes, content_type: str | None, lm: str, party: str) -> base.GrammarModel:
        """Compile a grammar; documents that it refers to are fetched as the compiler comes upon them."""
        documents: dict[str, base.Document] = {}
        compiled = await self._pool.compile(text, content_type, lm, party=party)
        while compiled.missing:
            for uri in compiled.missing:
                documents[uri] = await self._referred(uri, lm)
            if len(documents) > _MAX_DOCUMENTS:
                raise GrammarError(f"{lm} refers to more than {_MAX_DOCUMENTS} documents", hint="put them together")
            compiled = await self._pool.compile(text, content_type, lm, documents, party=party)
        return base.GrammarModel(compiled=compiled.compiled, digest=compiled.digest, lm=lm)

    async def _referred(self, uri: str, lm: str) -> base.Document:
        """Return what a grammar refers to, or why it cannot be had; a JSGF package stands in a folder of its name."""
        candidates = [uri]
        if uri.startswith(JSGF_SCHEME):
            path = uri.removeprefix(JSGF_SCHEME).replace(".", "/")
            candidates = [urljoin(lm, f"{path}.gram"), urljoin(lm, f"{path}.jsgf")]
        reason = ""
        for candidate in candidates:
            try:
                document = await self._library.fetch(candidate)
            except LanguageModelError as error:
                reason = reason or str(error)
            else:
                return base.Document(text=document.text, content_type=document.content_type)
        return base.Document(error=reason)
