"""What is shipped for containers and Kubernetes, judged by the tools of those who run them: Helm, hadolint, schemas.

There is no engine here that could run an image or a cluster: these files are linted and rendered, and not more.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from asr_trio import config
from asr_trio.cli.main import COMMANDS

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
CHART: Final = DEPLOY / "kubernetes" / "asr-trio"
KUBERNETES: Final = "1.34"

VALUES: Final[dict[str, dict[str, Any]]] = {
    "as shipped": {},
    "everything": {
        "gateway": {
            "enabled": True,
            "name": "public",
            "hostname": "asr.example.com",
            "className": "envoy",
            "certificate": "asr-tls",
        },
        "autoscaling": {"enabled": True},
        "redis": {"url": "redis://redis:6379", "existingSecret": "licences"},
        "config": {
            "log": {"level": "debug"},
            "server": {"drain_timeout_s": 45},
            "recognizer": {"models": {"general": {"aliases": ["hotline"]}}},
        },
    },
}


def tool(name: str) -> str:
    """Return a linter that pip has put beside this interpreter, or skip."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def lint(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    lint(tool("hadolint"), "--no-color", DEPLOY / "docker" / "Dockerfile")


def test_yaml_is_well_formed() -> None:
    templates = CHART / "templates"
    files = [file for file in [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")] if templates not in file.parents]
    assert len(files) >= 5
    lint(tool("yamllint"), "--strict", "-c", ".ci/yamllint.yaml", *files)


def test_the_manual_page_is_one_and_names_every_command() -> None:
    page = DEPLOY / "man" / "asr-trio.1"
    named = set(
        re.findall(r"^\.BI? \"?(\w+)", page.read_text().partition(".SH COMMANDS")[2].partition(".SH")[0], re.MULTILINE)
    )
    assert named == set(COMMANDS)
    lint(tool("mandoc"), "-Tlint", "-Wwarning", page)


@pytest.mark.parametrize("file", ["haproxy/haproxy.cfg", "docker/haproxy.cfg"])
def test_haproxy_takes_its_configuration(file: str, tmp_path: Path) -> None:
    text = re.sub(
        r"(server node\d) node\d:", r"\1 127.0.0.1:", (DEPLOY / file).read_text()
    )  # names of the compose file
    (tmp_path / "haproxy.cfg").write_text(text)
    lint(tool("haproxy"), "-c", "-f", tmp_path / "haproxy.cfg")


def test_the_image_has_the_extras_that_its_charts_configure() -> None:
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    extras = re.search(r"'\.\[([\w,]+)\]'", dockerfile)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras is not None
    assert {"redis", "codecs", "sandbox"} <= set(extras[1].split(",")) <= set(known)


# --- the chart ----------------------------------------------------------------------------------------------------


def test_helm_finds_nothing_wrong_with_the_chart() -> None:
    chart = pytest.importorskip("helm_python.chart")
    for values in VALUES.values():
        report = chart.lint(CHART, values, strict=True)
        assert report["errors"] == []
        assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.fixture(scope="module", params=VALUES)
def manifests(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """What Helm makes of the chart, by kind."""
    chart = pytest.importorskip("helm_python.chart")
    yaml = pytest.importorskip("yaml")
    rendered = chart.Chart.load(CHART).render(VALUES[request.param], name="speech")
    documents = [document for text in rendered.values() for document in yaml.safe_load_all(text) if document]
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(documents)
    return found


def test_kubernetes_knows_every_field(manifests: dict[str, dict[str, Any]]) -> None:
    schemas = pytest.importorskip("kubernetes_validate")
    checked = 0
    for document in manifests.values():
        if document["kind"] not in {"Gateway", "HTTPRoute", "ScaledObject"}:  # of others than Kubernetes itself
            schemas.validate(document, KUBERNETES, strict=True)
            checked += 1
    assert checked == 4


def test_the_parts_name_each_other(manifests: dict[str, dict[str, Any]]) -> None:
    deployment, service = manifests["Deployment"], manifests["Service"]
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    for selector in (service["spec"]["selector"], manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    ports = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == ports
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}
    if "HTTPRoute" in manifests:
        (rule,) = manifests["HTTPRoute"]["spec"]["rules"]
        (backend,) = rule["backendRefs"]
        assert manifests["HTTPRoute"]["spec"]["parentRefs"] == [{"name": manifests["Gateway"]["metadata"]["name"]}]
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"] in {port["port"] for port in service["spec"]["ports"]}
        assert manifests["ScaledObject"]["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert "replicas" not in deployment["spec"]  # the autoscaler decides


def test_the_configuration_is_one_that_the_server_takes(manifests: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "asr-trio.toml"
    file.write_text(manifests["ConfigMap"]["data"]["asr-trio.toml"])
    settings = config.load(file)
    assert settings.recognizer.cost_units == 160
    grace_s = manifests["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    pause_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert grace_s > settings.server.drain_timeout_s + pause_s, "a drain would be cut short"
    if "HTTPRoute" in manifests:
        assert settings.server.drain_timeout_s == 45
        assert settings.log.level == "debug"
        assert settings.recognizer.models["general"].aliases == ("hotline",)
