"""The official Python SDK's own tests, unchanged, against this server: what passes, and by name what does not.

    python -m tests.compat.official_python FOLDER [--python INTERPRETER] [--english DATA]

FOLDER is a checkout of the SDK (github.com/CPqD/asr-sdk-python); nothing of it is part of this project. INTERPRETER has
pytest and the SDK's requirements installed. The tests get this server's address in the place of their own; the server
takes Portuguese for its language, as they speak it, and decodes with the English model. `--english` gives them a
recording of a digit and a grammar of digits, from the development data, so that what is left is not the language.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from tests.live import serve

DEADLINE_S: Final = 900.0
FILES: Final = ("test_audioSource.py", "test_noGrammar.py", "test_parser.py", "test_recognizer.py")
"""`test_multi` wants more results than the SDK keeps; `test_stability` calls functions that the SDK does not have."""
MODEL: Final = {"languages": ["en-US", "pt-BR"], "aliases": ["callcenter-small", "general-small"]}

# Loaded by pytest before the tests: they read their server's address and their recordings from this module.
PLUGIN: Final = """
import json, os
from unit import config
for name, value in json.loads(os.environ["SDK_CONFIG"]).items():
    setattr(config, name, value)
"""


def english(data: Path) -> dict[str, str]:
    """Return what stands in the SDK's configuration for recordings and grammars, in English."""
    said = str(data / "digits_fsdd" / "wav" / "3_theo_0.wav")  # clearly spoken: the SDK wants over 90
    return {
        "phone_wav": said,
        "previsao_tempo_wav": said,
        "yes_wav": said,
        "pizza_wav": said,
        "yes_grammar_path": str(data / "grammars" / "digits.abnf"),
        "phone_grammar_uri": "builtin:grammar/digits",
    }


def run(folder: Path, interpreter: str, url: str, changes: dict[str, str], scratch: Path) -> ET.Element:
    """Run the tests and return their report."""
    (scratch / "sdk_target.py").write_text(PLUGIN)
    report = scratch / "report.xml"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (folder, folder / "tests", scratch))),
        "SDK_CONFIG": json.dumps({"url": url, **changes}),
    }
    files = [str(Path("tests", "unit", name)) for name in FILES]
    command = [
        interpreter,
        "-m",
        "pytest",
        "-q",
        "--tb=line",
        "-p",
        "sdk_target",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    subprocess.run([*command, *files], cwd=folder, env=environment, check=False, timeout=DEADLINE_S)
    return ET.parse(report).getroot()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default=sys.executable, help="an interpreter with the SDK's requirements")
    parser.add_argument("--english", type=Path, metavar="DATA", help="the folder of the development data")
    arguments = parser.parse_args()
    changes = english(arguments.english.resolve()) if arguments.english else {}
    language = "en-US" if arguments.english else "pt-BR"
    with tempfile.TemporaryDirectory() as scratch:
        settings = {
            "ASR_TRIO_LANGUAGE_MODELS__DEFAULT_LANGUAGE": language,
            "ASR_TRIO_RECOGNIZER__MODELS": json.dumps({"general": MODEL}),
        }
        with serve(Path(scratch), **settings) as server:
            report = run(arguments.folder.resolve(), arguments.python, server.ws_url, changes, Path(scratch))
    cases = list(report.iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    print(f"{len(cases) - len(failed)} of {len(cases)} passed; not:", ", ".join(filter(None, failed)) or "none")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
