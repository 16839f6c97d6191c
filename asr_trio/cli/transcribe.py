"""``asr-trio transcribe``."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from asr_trio.cli import formats
from asr_trio.cli.inputs import input_file
from asr_trio.errors import AsrError
from asr_trio.recognizer import launch

if TYPE_CHECKING:
    from asr_trio.settings import RecognizerSettings

BATCH_PARAMETERS: Final = {
    "decoder.continuousMode": "true",
    "noInputTimeout.enabled": "false",
    "recognitionTimeout.enabled": "false",
}
"""A file is no caller: every utterance counts, and silence or length is no reason to stop."""


class AudioFileError(AsrError):
    """An audio file cannot be read."""


def transcribe(
    files: Annotated[list[str], input_file("Audio files or patterns; - is standard input.")],
    /,
    *,
    lm: Annotated[list[str] | None, Parameter(help="Language-model URI, or a grammar file; several compete.")] = None,
    url: Annotated[str | None, Parameter(help="A running server; without it one is started for this command.")] = None,
    user: str | None = None,
    password: Annotated[str | None, Parameter(env_var="ASR_TRIO_PASSWORD")] = None,
    parameter: Annotated[
        list[str] | None, Parameter(name=["--parameter", "-p"], help="NAME=VALUE of the protocol.")
    ] = None,
    output_format: Annotated[formats.Format, Parameter(name=["--format", "-f"])] = "txt",
    json: Annotated[bool, Parameter(negative="", help="Short for --format json.")] = False,
    output_dir: Annotated[
        Path | None, Parameter(help="Write one file per recording instead of standard output.")
    ] = None,
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], help="Recordings at once.")] = 2,
    raw: Annotated[bool, Parameter(negative="", help="The files are headerless 16-bit PCM at 16 kHz.")] = False,
) -> int:
    """Recognise audio files and print what was said.

    JSON of several files is a line for each, with its name.

    Exit code 1 says that in some file nothing was recognised, 2 that some file could not be read or recognised at all.
    """
    files_bytes = _expand(files)
    parameters = BATCH_PARAMETERS | dict(_pair(item) for item in parameter or [])
    with launch.ahead(_recognizer_settings) if url is None else nullcontext():
        import trio

        from asr_trio.cli.embedded import language_models
        from asr_trio.cli.transcription import Job, transcribe

        job = Job(
            files=files_bytes,
            models=language_models(lm),
            parameters=parameters,
            output_format="json" if json else output_format,
            output_dir=output_dir,
            content_type="audio/raw;rate=16000" if raw else "application/octet-stream",
        )
        return trio.run(transcribe, job, url, user, password, max(1, jobs))


def _recognizer_settings() -> RecognizerSettings:
    from asr_trio import config

    return config.load().recognizer


def _expand(patterns: Sequence[str]) -> dict[Path, int | None]:
    """Return the files and their sizes in bytes (None for standard input), in the order of the command line."""
    files: dict[Path, int | None] = {}
    for pattern in patterns:
        found = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207 - absolute patterns too
        if not found:
            msg = f"{pattern}: no such file"
            raise AudioFileError(msg)
        for path in map(Path, found):
            files[path] = path.stat().st_size if path.is_file() else None
    return files


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        msg = f"{item}: a parameter is NAME=VALUE"
        raise AsrError(msg)
    return name.strip(), value.strip()
