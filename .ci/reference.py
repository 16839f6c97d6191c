"""Pages of the site that are written from the code: mkdocs runs this file by its plugin gen-files.

A page here cannot differ from the program. What explains and shows how is written by hand, in docs/.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import mkdocs_gen_files
import trio
from cyclopts.docs import generate_markdown_docs
from prometheus_client.core import Metric
from pydantic import BaseModel

from asr_trio.cli.configuration import describe
from asr_trio.cli.main import app
from asr_trio.config import Settings
from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.protocol.registry import PARAMETERS, Support
from asr_trio.server.rest_schema import openapi
from asr_trio.server.services import Services
from asr_trio.settings import ModelSettings

ROOT = Path(__file__).parents[1]


def page(name: str, text: str) -> None:
    with mkdocs_gen_files.open(name, "w") as file:
        file.write(text)


def cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def table(head: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)]) + "\n\n"


def configuration() -> str:
    text = "# Configuration\n\nEvery setting with its default. `asr-trio config default` prints the same as a file.\n\n"
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    for name, section in [*sections.items(), ("recognizer.models.NAME", ModelSettings)]:
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            text += f"## {name}\n\n{Settings.model_fields[name].description}\n\n"
            continue
        text += f"## {name}\n\n{inspect.getdoc(section)}\n\n"
        rows = (
            (f"`{key}`", "" if value is None else f"`{json.dumps(value)}`", words)
            for key, words, value in describe(section)
        )
        text += table(("key", "default", ""), rows)
    return text


async def collected() -> list[Metric]:
    """Return all families; some are of the event loop, so there must be one."""
    return list(Services(Settings()).metrics.registry.collect())


def metrics() -> str:
    text = (
        "# Metrics\n\nWhat `/metrics` exposes, for Prometheus. `deploy/grafana` and `deploy/prometheus` use them.\n\n"
    )
    families = sorted(trio.run(collected), key=lambda family: family.name)
    suffix = {"counter": "_total"}
    rows = ((f"`{family.name}{suffix.get(family.type, '')}`", family.type, family.documentation) for family in families)
    return text + table(("name", "type", ""), rows)


def parameters() -> str:
    text = "# Recognition parameters\n\nHeaders of SET_PARAMETERS and START_RECOGNITION, and of REST requests.\n\n"
    defaults = RecognitionParameters()
    become = {Support.APPLIED: "", Support.RECORDED: "kept, no effect", Support.UNSUPPORTED: "refused"}
    rows = (
        (
            ", ".join(f"`{name}`" for name in parameter.names),
            parameter.kind.value,
            f"`{getattr(defaults, parameter.field)}` {parameter.unit}" if parameter.field else "",
            f"{parameter.effect} {become[parameter.support]}",
        )
        for parameter in PARAMETERS
    )
    return text + table(("name", "type", "default", ""), rows)


def rest() -> str:
    document = openapi(RecognitionParameters(), body_bytes=64 * 1024 * 1024, default_lm="builtin:slm/general")
    text = "# REST\n\nFrom the OpenAPI document, which a server has at `/asr-server/rest/openapi.json`.\n\n"
    for path, item in document["paths"].items():
        operation = item["post"]
        text += f"## POST {path}\n\n{operation['summary']}.\n\n"
        rows = (
            (f"`{found['name']}`", found["in"], found["schema"].get("type"), found["description"])
            for found in operation["parameters"]
        )
        text += table(("name", "in", "type", ""), rows)
        text += table(("status", ""), ((code, found["description"]) for code, found in operation["responses"].items()))
    return text


def javascript() -> str:
    source = (ROOT / "asr_trio" / "console" / "asr-client.js").read_text("utf-8")
    text = "# JavaScript client\n\nWhat `asr-trio-client` exports, from its source.\n\n"
    for comment, declaration in re.findall(
        r"^/\*\*((?:(?!\*/).)*)\*/\n(export [^\n{=]+)", source, re.DOTALL | re.MULTILINE
    ):
        words = "\n".join(re.sub(r"^\s*\* ?", "", line) for line in comment.splitlines()).strip()
        text += f"## `{declaration.removeprefix('export ').strip()}`\n\n```text\n{words}\n```\n\n"
    types = re.search(r"^/\*\*\n( \* @typedef.*?)\*/", source, re.DOTALL | re.MULTILINE)
    assert types is not None, "the types of the JavaScript client have moved"
    return text + "## Types\n\n```js\n/**\n" + types[1] + "*/\n```\n"


def python() -> str:
    options = "    options:\n      show_root_heading: true\n      heading_level: 2\n"
    text = "# Python client\n\n"
    for name in ("asr_trio.client", "asr_trio.client.aio", "asr_trio.protocol.results"):
        text += f"::: {name}\n{options}\n"
    return text


def c_core() -> str:
    header = (ROOT / "csrc" / "include" / "asr_dsp.h").read_text("utf-8")
    python_side = "::: asr_trio.audio.dsp\n    options:\n      show_root_heading: true\n      heading_level: 2\n"
    return f"# C core\n\nThe one header.\n\n```c\n{header}```\n\n{python_side}"


def root_document(name: str) -> str:
    return re.sub(r"\]\(docs/", "](", (ROOT / name).read_text("utf-8"))


page("reference/configuration.md", configuration())
page("reference/metrics.md", metrics())
page("reference/parameters.md", parameters())
page("reference/rest.md", rest())
page("reference/commands.md", "# Commands\n\n" + generate_markdown_docs(app, generate_toc=False, no_root_title=True))
page("reference/python.md", python())
page("reference/javascript.md", javascript())
page("reference/c.md", c_core())
page("contributing.md", root_document("CONTRIBUTING.md"))
page("changelog.md", root_document("CHANGELOG.md"))
