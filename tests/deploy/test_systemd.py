"""The shipped unit under a real systemd: a container whose process 1 it is, on a copy-on-write view of this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
UNIT: Final = ROOT / "deploy" / "systemd" / "asr-trio.service"
BOOT_DEADLINE_S: Final = 150
PYTHON: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
EXPOSURE_LIMIT: Final = 2.5
"""`systemd-analyze security`: 0 is locked up, 10 is wide open; below 4 it says OK."""

pytestmark = pytest.mark.slow


def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    # The program is not installed here: its path is the one thing that is changed.
    text = re.sub(r"^ExecStart=/opt/asr-trio/bin/asr-trio", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE)
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line and "man asr-trio" not in line]
    assert complaints == []


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Boot the container, let the driver try the unit, and return what it found."""
    if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None:
        pytest.skip("systemd-nspawn (Debian: systemd-container) and root are needed")
    folder = tmp_path_factory.mktemp("systemd")
    layers, root, results = folder / "layers", folder / "root", folder / "results"
    for made in (layers, root, results):
        made.mkdir()
    mounted: list[Path] = []
    try:
        for kind, options, place in (
            ("tmpfs", "size=1G", layers),
            ("overlay", f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work", root),
        ):
            if subprocess.run(
                ["mount", "-t", kind, kind, "-o", options, place], check=False, capture_output=True
            ).returncode:
                pytest.skip(f"this machine does not let a {kind} be mounted")
            mounted.append(place)
            for name in ("upper", "work"):
                (layers / name).mkdir(exist_ok=True)
        install(root)
        booted = boot(root, results)
        found = results / "findings.json"
        assert found.is_file(), booted[-4000:]
        yield json.loads(found.read_text())
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", place], check=True)


def install(root: Path) -> None:
    """Lay the program out as the unit's head says, from this interpreter and this checkout."""
    home = root / "opt" / "asr-trio"
    for folder in (home / "bin", home / "lib" / PYTHON / "site-packages", home / "src", root / "opt" / "base"):
        folder.mkdir(parents=True)
    (home / "pyvenv.cfg").write_text(f"home = /opt/base/bin\nversion = {sys.version.split()[0]}\n")
    (home / "bin" / "python3").symlink_to("/opt/base/bin/python3")
    # An interpreter in somebody's home looks there for its library, which ProtectHome= hides.
    program = home / "bin" / "asr-trio"
    program.write_text(
        "#!/bin/sh\nexport LD_LIBRARY_PATH=/opt/base/lib PYTHONPATH=/opt/asr-trio/src\n"
        'exec /opt/asr-trio/bin/python3 -P -m asr_trio.cli.main "$@"\n'
    )
    program.chmod(0o755)
    etc = root / "etc"
    (etc / "asr-trio").mkdir()
    (etc / "asr-trio" / "asr-trio.toml").write_text("[recognizer]\nworkers_idle = 1\n")
    units = etc / "systemd" / "system"
    shutil.copy(UNIT, units)
    # The shipped half minute would make the test as long; everything else of the unit is as shipped.
    (units / f"{UNIT.name}.d").mkdir()
    (units / f"{UNIT.name}.d" / "test.conf").write_text("[Service]\nWatchdogSec=3\n")
    (units / "try.service").write_text(
        "[Unit]\nDefaultDependencies=no\nAfter=sysinit.target\nWants=systemd-journald.service\n[Service]\n"
        "Environment=PYTHONPATH=/opt/asr-trio/src\n"
        "ExecStart=/opt/asr-trio/bin/python3 /results/driver.py /results\n"
    )


def boot(root: Path, results: Path) -> str:
    """Run the container until it switches itself off, and return what its console showed."""
    shutil.copy(Path(__file__).with_name("systemd_driver.py"), results / "driver.py")
    packages = Path(pytest.__file__).parents[1]
    binds = {
        sys.base_prefix: "/opt/base",
        str(packages): f"/opt/asr-trio/lib/{PYTHON}/site-packages",
        str(ROOT): "/opt/asr-trio/src",
    }
    command = ["systemd-nspawn", "--quiet", "--directory", str(root), "--private-network", "--register=no"]
    command += ["--keep-unit", "--machine", f"asr-trio-{os.getpid()}", f"--bind={results}:/results"]
    command += [f"--bind-ro={source}:{target}" for source, target in binds.items()]
    done = subprocess.run(
        [*command, "--boot", "systemd.unit=try.service"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOOT_DEADLINE_S,
        check=False,
    )
    return done.stdout + done.stderr


def test_it_starts_reloads_and_drains(findings: dict[str, Any]) -> None:
    assert "error" not in findings, findings
    assert (findings["start"], findings["state"]) == ("", "active"), findings["journal"]
    assert findings["recognition"] == "NO_SPEECH"
    assert findings["reload"] == ""
    assert findings["reloaded"]
    assert findings["drained"] == "NO_SPEECH"  # it ran while the unit was stopped
    assert findings["stopped"]
    assert findings["result"] == ["success", "0"]
    assert "Traceback" not in findings["journal"]


def test_a_hung_server_is_restarted_by_the_watchdog(findings: dict[str, Any]) -> None:
    assert findings["restarted"], findings["journal"]
    assert findings["recognition_after_hang"] == "NO_SPEECH"


def test_it_runs_locked_up(findings: dict[str, Any]) -> None:
    process = findings["process"]
    assert process["Uid"].split()[0] not in {"0", str(os.getuid())}
    assert int(process["CapEff"], 16) == 0
    assert process["NoNewPrivs"] == "1"
    assert process["Seccomp"] == "2"
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", findings["security"])
    assert exposure is not None, findings["security"]
    assert float(exposure[1]) < EXPOSURE_LIMIT, findings["security"]
