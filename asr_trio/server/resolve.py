"""From the language models that a session names to those that a decoder takes."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin

import msgspec

from asr_trio.errors import GrammarError, LanguageModelError
from asr_trio.grammar import builtin
from asr_trio.grammar.link import JSGF_SCHEME
from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.recognizer import base
from asr_trio.recognizer.models import SLM_PREFIX
from asr_trio.server.language_models import Library
from asr_trio.server.pool import WorkerPool
from asr_trio.session.events import GrammarSource, LanguageModelSource, PreparedSource, UriSource
from asr_trio.settings import LanguageModelSettings

_MAX_DOCUMENTS: Final = 64


class Resolved(msgspec.Struct, frozen=True):
    """Models ready for a decoder, the language of the first, and what their authors should know."""

    models: tuple[base.LanguageModel, ...]
    language: str
    warnings: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """What keeping the compiled grammars among them costs."""
        return sum(len(model.compiled) for model in self.models if isinstance(model, base.GrammarModel))


class LanguageModels:
    """Fetches and compiles."""

    def __init__(self, settings: LanguageModelSettings, pool: WorkerPool, *, max_grammar_bytes: int) -> None:
        self._settings = settings
        self._pool = pool
        self._library = Library(settings, max_bytes=max_grammar_bytes)

    async def resolve(
        self, sources: tuple[LanguageModelSource, ...], parameters: RecognitionParameters, party: str
    ) -> Resolved:
        """Return the models that `sources` name.

        Args:
            sources: what the request names.
            parameters: those of the request, which say how the words of grammars are pronounced.
            party: who asks; parties take turns.

        Raises:
            LanguageModelError: one of them cannot be had.
        """
        compiler = _Compiler(self._pool, self._library, parameters, party)
        models: list[base.LanguageModel] = []
        for source in sources:
            match source:
                case PreparedSource(prepared=prepared, lm=lm):
                    models += [msgspec.structs.replace(model, lm=lm) for model in prepared]
                case GrammarSource(text=text, content_type=content_type, lm=lm):
                    models.append(await compiler.compile(text, content_type, lm, uri=""))
                case UriSource(uri=uri):
                    models.append(await self._named(uri, compiler))
        return Resolved(tuple(models), self._settings.default_language, tuple(compiler.warnings))

    async def _named(self, uri: str, compiler: _Compiler) -> base.LanguageModel:
        if uri.startswith(SLM_PREFIX):
            return self._pool.registry.statistical(uri)
        if uri.startswith(builtin.SCHEME):
            text, content_type = builtin.resolve(uri, self._settings.default_language)
            return await compiler.compile(text, content_type, uri, uri=uri)
        document = await self._library.fetch(uri)
        return await compiler.compile(document.text, document.content_type, uri, uri=uri)


class _Compiler:
    """Compiles the grammars of one request."""

    def __init__(self, pool: WorkerPool, library: Library, parameters: RecognitionParameters, party: str) -> None:
        self.warnings: list[str] = []
        self._pool = pool
        self._library = library
        self._party = party
        self._unknown_words = parameters.unknown_words
        # Without pronunciations they change nothing, and what is compiled can serve others.
        self._hints = parameters.hints if "[" in parameters.hints else ""

    async def compile(self, text: bytes, content_type: str | None, lm: str, *, uri: str) -> base.GrammarModel:
        """Compile a grammar; documents that it refers to are fetched as the compiler comes upon them.

        Args:
            text: the document.
            content_type: its type, where known.
            lm: what results call it.
            uri: where it was found, or "" where a client sent it: then it serves all that send the same.
        """
        frame = base.Compile(
            text=text, content_type=content_type, lm=uri, unknown_words=self._unknown_words, hints=self._hints
        )
        compiled = await self._pool.compile(frame, party=self._party)
        while compiled.missing:
            fetched = {missing: await self._referred(missing, uri) for missing in compiled.missing}
            frame = msgspec.structs.replace(frame, documents=frame.documents | fetched)
            if len(frame.documents) > _MAX_DOCUMENTS:
                raise GrammarError(f"{lm} refers to more than {_MAX_DOCUMENTS} documents", hint="put them together")
            compiled = await self._pool.compile(frame, party=self._party)
        self.warnings += compiled.warnings
        return base.GrammarModel(compiled=compiled.compiled, digest=compiled.digest, lm=lm)

    async def _referred(self, uri: str, base_uri: str) -> base.Document:
        """Return what a grammar refers to, or why it cannot be had; a JSGF package stands in a folder of its name."""
        candidates = [uri]
        if uri.startswith(JSGF_SCHEME):
            path = uri.removeprefix(JSGF_SCHEME).replace(".", "/")
            candidates = [urljoin(base_uri, f"{path}.gram"), urljoin(base_uri, f"{path}.jsgf")]
        reason = ""
        for candidate in candidates:
            try:
                document = await self._library.fetch(candidate)
            except LanguageModelError as error:
                reason = reason or str(error)
            else:
                return base.Document(text=document.text, content_type=document.content_type)
        return base.Document(error=reason)
