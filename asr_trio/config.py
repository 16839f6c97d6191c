"""The configuration: `settings` from where they come.

Strength, weakest first: defaults, one TOML file, environment (``ASR_TRIO_SERVER__PORT=9000``), command line. Unknown
keys are errors.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from asr_trio.errors import ConfigError
from asr_trio.settings import (
    AuthSettings,
    ConsoleSettings,
    LanguageModelSettings,
    LimitSettings,
    LogSettings,
    QuotaSettings,
    RecognizerSettings,
    RecordSettings,
    RestSettings,
    ServerSettings,
    TlsSettings,
    TracingSettings,
)

_PREFIX: Final = "ASR_TRIO_"


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    recognizer: RecognizerSettings = RecognizerSettings()
    language_models: LanguageModelSettings = LanguageModelSettings()
    quota: QuotaSettings = QuotaSettings()
    auth: AuthSettings = AuthSettings()
    tls: TlsSettings = TlsSettings()
    console: ConsoleSettings = ConsoleSettings()
    rest: RestSettings = RestSettings()
    record: RecordSettings = RecordSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    parameters: dict[str, str] = {}
    """Defaults of recognition parameters by wire name (``endpointer.waitEnd = "800"``)."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class fixes the signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, environment, file."""
        file_source = InitSettingsSource(settings_cls, init_kwargs=_file_values.get())
        return (init_settings, env_settings, file_source)


_file_values: ContextVar[dict[str, Any]] = ContextVar("file_values", default={})  # noqa: B039 - never mutated


def load(file: Path | None = None, **overrides: Any) -> Settings:
    """Read the configuration.

    Args:
        file: a TOML file; None takes the one that the environment variable ASR_TRIO_CONFIG names, if any.
        overrides: what the command line said, by section.

    Raises:
        ConfigError: with every fault on a line of its own.
    """
    named = named_file(file)
    token = _file_values.set(_read(named) if named else {})
    faults = _misspelt_variables()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        faults += [_describe(fault) for fault in error.errors()]
    finally:
        _file_values.reset(token)
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def named_file(file: Path | None = None) -> Path | None:
    """Return the configuration file: the one given, or the one that the environment names."""
    named = os.environ.get("ASR_TRIO_CONFIG")
    return file or (Path(named) if named else None)


def variables() -> list[str]:
    """Return the names of the environment variables that set something."""
    names = (name for name in os.environ if name.upper().startswith(_PREFIX))
    return sorted(name for name in names if _section(name) in Settings.model_fields)


def _section(variable: str) -> str:
    return variable[len(_PREFIX) :].partition("__")[0].lower()


def _misspelt_variables() -> list[str]:
    """Return what is wrong with names of variables. Within a section the validation of the settings finds it."""
    sections = ((name, field.annotation) for name, field in Settings.model_fields.items())
    known = [f"{_PREFIX}{name}__{key}".upper() for name, kind in sections for key in getattr(kind, "model_fields", ())]
    faults = []
    for variable in sorted(name for name in os.environ if name.upper().startswith(_PREFIX)):
        if _section(variable) in Settings.model_fields:
            continue
        near = difflib.get_close_matches(variable.upper(), known, n=1, cutoff=0.85)
        if near or "__" in variable:  # others may use the prefix for matters of their own
            faults.append(f"{variable}: there is no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    return faults


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        msg = f"{file}: {error.strerror}"
        raise ConfigError(msg) from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{file}: {error}"
        raise ConfigError(msg) from error


def _describe(fault: ErrorDetails) -> str:
    *parents, key = fault["loc"] or ("",)
    where = ".".join(map(str, fault["loc"]))
    if fault["type"] != "extra_forbidden":
        return f"{where}: {fault['msg']}"
    section: Any = Settings
    for parent in parents:
        fields = getattr(section, "model_fields", None)
        if fields is None:  # a table of sections by names of the operator's
            section = get_args(section)[-1] if get_args(section) else None
        else:
            section = fields[parent].annotation if parent in fields else None
    near = difflib.get_close_matches(str(key), getattr(section, "model_fields", {}), n=1)
    return f"{where}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")
