"""Grammars from files and web servers, inside the fences that the operator has set.

``file:`` reads regular files below the configured folders; a symbolic link may not lead out of them. ``http(s):`` asks
the configured hosts only, at every step of a redirection, within a bound on time and size, and keeps what it got for
as long as the server says that it has not changed. A name is looked up once and the address that was judged is the one
that is asked (`network`). Whatever is outside the fences looks like something that is not
there. No message names a path of this machine that the client did not name itself.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx
import msgspec
import trio

from asr_trio.errors import LanguageModelError, LanguageModelFetchError, LanguageModelNotFoundError
from asr_trio.server.network import judged_address
from asr_trio.session.sources import GRAMMAR_TYPES
from asr_trio.settings import LanguageModelSettings

MAX_REDIRECTS: Final = 3
CACHED_DOCUMENTS: Final = 64
"""Each is at most as long as a grammar may be."""

_CONTENT_TYPES: Final = {
    ".abnf": "application/srgs",
    ".gram": "application/srgs",
    ".grxml": "application/srgs+xml",
    ".jsgf": "application/x-jsgf",
    ".srgs": "application/srgs",
    ".xml": "application/srgs+xml",
}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A fetched grammar: its bytes, and its type where something is known about it."""

    text: bytes
    content_type: str | None


class _Cached(msgspec.Struct, frozen=True):
    document: Document
    etag: str
    modified: str


class Library:
    """Fetches grammars by URI.

    Args:
        settings: folders, hosts and the time that a web server has.
        max_bytes: a longer document is refused.
    """

    def __init__(self, settings: LanguageModelSettings, *, max_bytes: int) -> None:
        self._roots = tuple(root.resolve() for root in settings.file_roots)
        self._hosts = frozenset(host.lower() for host in settings.http_hosts)
        self._networks = settings.http_networks
        self._timeout_s = settings.http_timeout_s
        self._max_bytes = max_bytes
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._tls = httpx.create_ssl_context(trust_env=False) if self._hosts else False

    async def fetch(self, uri: str) -> Document:
        """Return the document that a ``file:`` or ``http(s):`` URI names.

        Raises:
            LanguageModelNotFoundError: there is none, or it is outside the fences.
            LanguageModelFetchError: it is there and could not be read in time.
            LanguageModelError: it is too long.
        """
        scheme = uri.partition(":")[0].lower()
        if scheme == "file":
            return await trio.to_thread.run_sync(self._read, uri, abandon_on_cancel=True)
        if scheme in _DEFAULT_PORTS:
            with trio.move_on_after(self._timeout_s):
                return await self._get(uri)
            raise LanguageModelFetchError(f"{uri} did not come within {self._timeout_s:g} s")
        raise LanguageModelNotFoundError(f"Language model not found, {uri}")

    # --- files --------------------------------------------------------------------------------------------------

    def _read(self, uri: str) -> Document:
        missing = LanguageModelNotFoundError(f"Language model not found, {uri}")
        try:
            parts = urlsplit(uri)
            path = Path(unquote(parts.path, errors="strict")).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise missing from None
        if parts.netloc not in {"", "localhost"} or not any(path.is_relative_to(root) for root in self._roots):
            raise missing
        try:
            # The path was resolved: a link that stands there now was put there since. A pipe must not hold us up.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            raise missing from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise missing
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                text = file.read(self._max_bytes + 1)
        except OSError:
            raise LanguageModelFetchError(f"{uri} cannot be read") from None
        finally:
            os.close(descriptor)
        self._check_size(len(text), uri)
        return Document(text=text, content_type=_CONTENT_TYPES.get(path.suffix.lower()))

    def _check_size(self, size: int, uri: str) -> None:
        if size > self._max_bytes:
            raise LanguageModelError(f"{uri} is longer than {self._max_bytes} bytes")

    # --- web servers --------------------------------------------------------------------------------------------

    @staticmethod
    def _port(url: httpx.URL) -> int:
        return url.port or _DEFAULT_PORTS[url.scheme]

    def _check_host(self, url: httpx.URL) -> None:
        if url.scheme not in _DEFAULT_PORTS or not self._hosts & {url.host, f"{url.host}:{self._port(url)}"}:
            raise LanguageModelNotFoundError(f"Language model not found, {url.scheme}://{url.host} is not allowed")

    async def _get(self, uri: str) -> Document:
        cached = self._cache.get(uri)
        # What is compressed could grow without bound: it is not asked for, and refused.
        headers = {"Accept-Encoding": "identity", "Accept": "application/srgs, application/srgs+xml, text/plain, */*"}
        if cached and cached.etag:
            headers["If-None-Match"] = cached.etag
        if cached and cached.modified:
            headers["If-Modified-Since"] = cached.modified
        try:
            url = httpx.URL(uri)
            # One client a fetch: its connections are nobody else's, and end here.
            async with httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=self._timeout_s) as client:
                for _ in range(MAX_REDIRECTS + 1):
                    self._check_host(url)
                    address = await judged_address(url.host, self._port(url), self._networks)
                    async with client.stream(
                        "GET",
                        url.copy_with(host=address),
                        headers={**headers, "Host": url.netloc.decode("ascii")},
                        extensions={"sni_hostname": url.host},
                    ) as response:
                        if response.has_redirect_location:
                            url = self._redirected(url, response)
                            continue
                        if cached and response.status_code == httpx.codes.NOT_MODIFIED:
                            self._cache.move_to_end(uri)
                            return cached.document
                        document = await self._take(response, uri)
                        self._keep(uri, document, response)
                        return document
        except (httpx.InvalidURL, UnicodeError):
            raise LanguageModelNotFoundError(f"{uri} is no URL") from None
        except httpx.HTTPError as error:
            raise LanguageModelFetchError(f"{uri} cannot be fetched, {type(error).__name__}") from error
        raise LanguageModelFetchError(f"{uri} redirects more than {MAX_REDIRECTS} times")

    def _redirected(self, url: httpx.URL, response: httpx.Response) -> httpx.URL:
        target = url.join(response.headers["Location"])
        if url.scheme == "https" and target.scheme != "https":
            raise LanguageModelFetchError(f"{url} redirects to an address without TLS")
        return target

    async def _take(self, response: httpx.Response, uri: str) -> Document:
        if response.status_code in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
            raise LanguageModelNotFoundError(f"Language model not found, {uri}")
        if response.status_code != httpx.codes.OK:
            raise LanguageModelFetchError(f"{uri} cannot be fetched, status {response.status_code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise LanguageModelFetchError(f"{uri} is compressed though nobody asked for it")
        text = bytearray()
        with trio.CancelScope() as enough:
            async for chunk in response.aiter_raw():
                text += chunk
                if len(text) > self._max_bytes:
                    # Leaving the loop would leave httpcore's generators to the garbage collector; this ends them.
                    enough.cancel()
        self._check_size(len(text), uri)
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type not in GRAMMAR_TYPES:
            # "text/plain" is what web servers say of files that they do not know; the ending may say more.
            content_type = _CONTENT_TYPES.get(Path(response.url.path).suffix.lower())
        return Document(text=bytes(text), content_type=content_type)

    def _keep(self, uri: str, document: Document, response: httpx.Response) -> None:
        etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        self._cache.pop(uri, None)
        if (etag or modified) and "no-store" not in response.headers.get("Cache-Control", ""):
            self._cache[uri] = _Cached(document, etag, modified)
            if len(self._cache) > CACHED_DOCUMENTS:
                self._cache.popitem(last=False)
