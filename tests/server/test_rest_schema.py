"""The OpenAPI document is true: whatever schemathesis makes of it, the server answers as the document says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from asr_trio.protocol.parameters import RecognitionParameters, update
from asr_trio.protocol.registry import PARAMETERS, Support
from asr_trio.server.rest_schema import openapi
from tests.live import LiveServer

EXAMPLES = 10
DEADLINE_S = 180


def test_every_parameter_that_is_applied_stands_in_it_with_a_default_that_the_server_takes() -> None:
    document = openapi(RecognitionParameters(), body_bytes=1, default_lm="builtin:slm/general")
    operation = document["paths"]["/asr-server/rest/recognize"]["post"]
    headers = {item["name"]: item["schema"] for item in operation["parameters"] if item["in"] == "header"}
    applied = {parameter.name for parameter in PARAMETERS if parameter.support is not Support.UNSUPPORTED}
    assert applied - set(headers) == {
        "Media-Type",
        "decoder.partialResultEnabled",
        "decoder.partialResultInterval",
        "decoder.startInputTimers",
    }
    wishes = {name: str(schema["default"]) for name, schema in headers.items()}
    assert update(RecognitionParameters(), wishes)[1] == {}


@pytest.mark.slow
def test_generated_requests_are_answered_as_the_document_says(live_server: LiveServer, tmp_path: Path) -> None:
    if importlib.util.find_spec("schemathesis") is None:
        pytest.skip("schemathesis is not installed")
    # Not checked: that what the document does not promise is refused. Parameters have more spellings than one.
    command = [
        Path(sys.executable).with_name("schemathesis"),
        *("run", live_server.http_url + "/asr-server/rest/openapi.json"),
        *("--phases", "examples,coverage,fuzzing", "--exclude-checks", "negative_data_rejection"),
        *("--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none"),
        *("--continue-on-failure", "--request-timeout", "30", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Tested: 2" in done.stdout
    state = httpx.get(live_server.http_url + "/readyz").json()
    assert state["ready"]
    assert "Traceback" not in live_server.log
