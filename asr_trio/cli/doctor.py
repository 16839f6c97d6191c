"""``asr-trio doctor``: what is wrong with this machine, and how to mend it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json as json_module
import os
import platform
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import trio
from cyclopts import Parameter
from rich.console import Console

from asr_trio import client, config
from asr_trio.cli.embedded import server
from asr_trio.errors import AsrError
from asr_trio.recognizer import sandbox

PROOF_TIMEOUT_S: Final = 60.0
WORKER_BYTES: Final = 25 * 1024 * 1024
"""Private memory of a busy worker, rounded up."""
DESCRIPTORS_PER_CONNECTION: Final = 3
"""The socket, and a worker's channel and process at the worst."""

EXTRAS: Final = {
    "codecs": ("av", "FLAC, MP3, Ogg, WebM, AMR and GSM audio"),
    "microphone": ("sounddevice", "asr-trio listen"),
    "otel": ("opentelemetry.sdk", "OpenTelemetry traces"),
    "redis": ("coredis", "licences shared between nodes"),
    "textify": ("text_to_num", "numbers, dates and times written as figures"),
    "whisper": ("faster_whisper", "a second engine for free speech"),
}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `state` is "ok", "note" (can be left) or "bad" (must be mended)."""

    name: str
    state: Literal["ok", "note", "bad"]
    text: str
    advice: str = ""


def doctor(
    *,
    configuration: Annotated[Path | None, Parameter(name=["--config", "-c"], help="A TOML file.")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Look at this machine as ``serve`` would find it; exit 1 where something must be mended."""
    findings: list[Finding] = []
    for check in (_python, _decoder, _core, _sandbox):
        findings += check()
    try:
        settings = config.load(configuration)
    except AsrError as error:
        findings.append(Finding("configuration", "bad", str(error), "asr-trio config default shows every setting"))
    else:
        for examine in (_descriptors, _memory, _ports, _secrets):
            findings += examine(settings)
        findings += trio.run(_proof)
    findings += _extras()
    _show(findings, as_json=json)
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _decoder() -> Iterator[Finding]:
    try:
        version = importlib.metadata.version("pocketsphinx")
    except importlib.metadata.PackageNotFoundError:
        yield Finding("decoder", "bad", "PocketSphinx is not installed", "pip install 'pocketsphinx>=5.1.1'")
        return
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
    if numbers < (5, 1, 1):
        yield Finding("decoder", "bad", f"PocketSphinx {version} has known faults", "pip install 'pocketsphinx>=5.1.1'")
    else:
        yield Finding("decoder", "ok", f"PocketSphinx {version}")


def _core() -> Iterator[Finding]:
    if importlib.util.find_spec("asr_trio._dsp") is None:
        advice = "install a C compiler and reinstall: pip install --force-reinstall asr-trio"
        yield Finding("C core", "bad", "the compiled part is missing", advice)
    else:
        yield Finding("C core", "ok", "built")


def _sandbox() -> Iterator[Finding]:
    if sandbox.is_available():
        yield Finding("sandbox", "ok", "the kernel keeps workers from network, programs and files")
    elif sys.platform == "linux":
        advice = "pip install 'asr-trio[sandbox]', and libseccomp2 from the system's packages"
        yield Finding("sandbox", "note", "workers run without the kernel's filter", advice)


def _descriptors(settings: config.Settings) -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = settings.limits.connections * DESCRIPTORS_PER_CONNECTION
    if soft != resource.RLIM_INFINITY and soft < need:
        text = f"{soft} open files are allowed; limits.connections = {settings.limits.connections} may want {need}"
        yield Finding("descriptors", "note", text, "ulimit -n, or LimitNOFILE= in the systemd unit")
    else:
        yield Finding("descriptors", "ok", f"{soft} open files are allowed")


def _memory(settings: config.Settings) -> Iterator[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    need = settings.recognizer.workers * WORKER_BYTES
    text = f"{total / 2**30:.1f} GiB; {settings.recognizer.workers} busy workers need up to {need / 2**30:.1f} GiB"
    yield Finding("memory", "ok" if need < total else "note", text, "" if need < total else "lower recognizer.workers")


def _ports(settings: config.Settings) -> Iterator[Finding]:
    wanted = [(settings.server.host, settings.server.port)]
    if settings.server.http_enabled:
        wanted.append((settings.server.http_host, settings.server.http_port))
    for host, port in wanted:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                advice = "a server may be running already; else set server.port and server.http_port"
                yield Finding("port", "note", f"{host}:{port} cannot be had: {error.strerror}", advice)
            else:
                yield Finding("port", "ok", f"{host}:{port} is free")


def _secrets(settings: config.Settings) -> Iterator[Finding]:
    for what, file in (("passwords", settings.auth.htpasswd_file), ("TLS key", settings.tls.key)):
        if file is None:
            continue
        try:
            mode = file.stat().st_mode & 0o777
        except OSError as error:
            yield Finding(what, "bad", f"{file}: {error.strerror}")
            continue
        if mode & 0o077:
            yield Finding(what, "note", f"{file} can be read by others (mode {mode:o})", f"chmod 600 {file}")
        else:
            yield Finding(what, "ok", f"{file} is private")
    if settings.auth.htpasswd_file is None and settings.server.host not in {"127.0.0.1", "::1", "localhost"}:
        advice = "asr-trio users add FILE NAME, then auth.htpasswd_file"
        yield Finding("passwords", "note", "anyone who reaches this server may use it", advice)


async def _proof() -> list[Finding]:
    """Run a whole recognition of silence and an interpretation through a server of our own."""
    try:
        with trio.fail_after(PROOF_TIMEOUT_S):
            async with server(None) as target, target.connect() as session:
                started_s = trio.current_time()
                silence = bytes(32_000)
                events = [event async for event in session.recognize(silence, lm="builtin:slm/general")]
                elapsed_ms = (trio.current_time() - started_s) * 1000
                if not isinstance(events[-1], client.FinalResult) or events[-1].result.alternatives:
                    return [Finding("recognition", "bad", "silence was not recognised as silence")]
                meaning = await session.interpret("one two three", lm="builtin:grammar/digits")
    except (AsrError, OSError, trio.TooSlowError, BaseExceptionGroup) as error:
        return [Finding("recognition", "bad", f"{type(error).__name__}: {error}", "asr-trio serve --log-level debug")]
    if not meaning.result.alternatives:
        return [Finding("recognition", "bad", "the builtin grammar of digits does not work")]
    return [Finding("recognition", "ok", f"a second of silence took {elapsed_ms:.0f} ms, grammars work")]


def _extras() -> Iterator[Finding]:
    for extra, (module, what) in EXTRAS.items():
        if not _is_installed(module):
            yield Finding(f"extra {extra}", "note", f"not installed: {what}", f"pip install 'asr-trio[{extra}]'")
        else:
            yield Finding(f"extra {extra}", "ok", what)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package above it
        return False


def _show(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        print(json_module.dumps([msgspec.to_builtins(finding) for finding in findings], indent=2))
        return
    console = Console(highlight=False)
    marks = {"ok": "[green]ok  [/]", "note": "[yellow]note[/]", "bad": "[red]BAD [/]"}
    for finding in findings:
        console.print(f"{marks[finding.state]} {finding.name:18} {finding.text}", soft_wrap=True)
        if finding.advice:
            console.print(f"{'':24}{finding.advice}", markup=False, soft_wrap=True)
