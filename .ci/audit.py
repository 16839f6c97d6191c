"""Known vulnerabilities of what a user installs, and its bill of materials.

    audit.py ENVIRONMENT SBOM

Fails on a known vulnerability. Where the advisory service does not answer, nothing is known: that is said aloud and
does not fail, as a build must not depend on somebody else's server.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

TOOLS: Final = Path(sys.executable).parent
NOT_OURS: Final = frozenset({"asr-trio", "pip", "setuptools", "wheel"})
"""The package itself, which nobody has advisories for, and what every virtual environment brings along."""


def verdict(report: dict[str, Any] | None) -> tuple[list[str], list[str]]:
    """Return what is vulnerable and what nothing is known about; `report` is None where there is none."""
    if report is None:
        return [], ["everything: the advisory service does not answer"]
    found = [package for package in report["dependencies"] if package["name"] not in NOT_OURS]
    vulnerable = [
        f"{package['name']} {package['version']}: {advisory['id']}, fixed in "
        + (", ".join(advisory["fix_versions"]) or "no release")
        for package in found
        for advisory in package.get("vulns", ())
    ]
    return vulnerable, [f"{package['name']}: {package['skip_reason']}" for package in found if "skip_reason" in package]


def audit(environment: Path) -> dict[str, Any] | None:
    """Ask for advisories about all that is installed in an environment."""
    (packages,) = environment.glob("lib/python*/site-packages")
    ran = subprocess.run(
        [TOOLS / "pip-audit", "--path", packages, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return dict(json.loads(ran.stdout))
    except ValueError:
        sys.stderr.write(ran.stderr[-500:] + "\n")
        return None


def main() -> int:
    """Write the bill of materials, audit, and say what was found."""
    environment, sbom = map(Path, sys.argv[1:])
    materials = [TOOLS / "cyclonedx-py", "environment", environment / "bin" / "python", "--of", "JSON", "-o", sbom]
    subprocess.run(materials, check=True)
    components = [part["name"] for part in json.loads(sbom.read_text())["components"]]
    sys.stdout.write(f"{sbom}: {len(components)} components\n")
    vulnerable, unknown = verdict(audit(environment))
    if unknown:
        sys.stdout.write("!!! NOT AUDITED, run this again where the advisory service can be reached:\n")
        sys.stdout.writelines(f"!!!   {line}\n" for line in unknown)
    sys.stdout.writelines(f"VULNERABLE {line}\n" for line in vulnerable)
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
