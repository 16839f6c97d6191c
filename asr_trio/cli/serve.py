"""``asr-trio serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from asr_trio.recognizer import launch

if TYPE_CHECKING:
    from asr_trio.config import Settings


def serve(
    *,
    host: str | None = None,
    port: Annotated[int | None, Parameter(help="Port of the recognition WebSocket; 0 picks a free one.")] = None,
    http_port: Annotated[int | None, Parameter(help="Port of health, metrics, console and REST.")] = None,
    configuration: Annotated[Path | None, Parameter(name=["--config", "-c"], help="A TOML file.")] = None,
    log_level: str | None = None,
    record: Annotated[Path | None, Parameter(help="Record whole sessions into this folder, for bug reports.")] = None,
    open_page: Annotated[bool, Parameter(name="--open", negative="", help="Open the console in a browser.")] = False,
) -> int:
    """Serve the recognition protocol until SIGTERM or Ctrl-C.

    Prints one line with the addresses when it is ready. SIGTERM drains: running recognitions finish first.
    """
    chosen = _overrides(host=host, port=port, http_port=http_port, log_level=log_level, record=record)

    def read() -> Settings:
        from asr_trio import config

        return config.load(configuration, **chosen)

    with launch.ahead(lambda: read().recognizer):
        from asr_trio.cli import serving  # the server, which takes as long as the fork server

        serving.run(read, open_page=open_page)
    return 0


def _overrides(
    *, host: str | None, port: int | None, http_port: int | None, log_level: str | None, record: Path | None
) -> dict[str, Any]:
    server = {"host": host, "http_host": host, "port": port, "http_port": http_port}
    sections: dict[str, dict[str, Any]] = {
        "server": server,
        "log": {"level": log_level},
        "record": {"folder": record},
    }
    chosen = {name: {key: value for key, value in keys.items() if value is not None} for name, keys in sections.items()}
    return {name: keys for name, keys in chosen.items() if keys}
