"""The way of a newcomer, by the clock: clone, the one command of docs/quickstart.md, a browser, a sentence read.

The browser is Chromium without a screen, started by the program itself as it would start anybody's (`BROWSER`); its
microphone is a recording. Packages come from wherever pip finds them here, a cache included: the report says whether.

    python -m benchmarks.newcomer
    python -m benchmarks.newcomer --no-cache --json
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from asr_trio.cli.recording import find
from benchmarks.machine import describe

ROOT = Path(__file__).parents[1]
DEADLINE_S = 900.0


def one_command() -> str:
    """Return the first command of the quickstart."""
    found = re.search(r"```sh\n(.*?)\n```", (ROOT / "docs" / "quickstart.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def browse(url: str) -> None:
    """Be the browser: open the page, speak, and print the moments at which something was seen."""
    from tests.console.browser import Page, chromium, with_silence

    folder = Path(os.environ["NEWCOMER_FOLDER"])
    driver = chromium(with_silence(find().path, folder / "microphone.wav"))
    try:
        page = Page(driver, url, folder)
        page.open()
        moments = {"page": time.time()}
        page.get("#speak").click()
        page.wait(lambda: page.all(".line.final"), "the result")
        moments["result"] = time.time()
        report = {**moments, "text": page.text(".line.final .text")}
    finally:
        driver.quit()
    (folder / "moments.part").write_text(json.dumps(report))
    (folder / "moments.part").rename(folder / "moments.json")


def walk(folder: Path, *, cache: bool) -> dict[str, float | str]:
    """Go the way and return how long each step took, in seconds."""
    started_s = time.time()
    clone = folder / "asr-trio"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    cloned_s = time.time()
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    browser = f"env PYTHONPATH={ROOT} {sys.executable} -m benchmarks.newcomer --browse %s"
    environment |= {"BROWSER": browser, "NEWCOMER_FOLDER": str(folder)}
    environment |= {"ASR_TRIO_SERVER__PORT": "0", "ASR_TRIO_SERVER__HTTP_PORT": "0"}
    if not cache:
        environment["PIP_NO_CACHE_DIR"] = "1"
    log = folder / "log"
    with log.open("w") as output:
        program = subprocess.Popen(
            ["bash", "-c", one_command()],
            cwd=clone,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    ready_s = 0.0
    moments = folder / "moments.json"
    try:
        while not moments.exists():
            if program.poll() is not None or time.time() > started_s + DEADLINE_S:
                raise SystemExit(log.read_text())
            if not ready_s and "is ready" in log.read_text():
                ready_s = time.time()
            time.sleep(0.05)
        seen = json.loads(moments.read_text())
    finally:
        os.killpg(program.pid, signal.SIGTERM)
        program.wait(60)
    return {
        "clone_s": round(cloned_s - started_s, 1),
        "install_and_start_s": round(ready_s - cloned_s, 1),
        "page_s": round(seen["page"] - ready_s, 1),
        "speak_and_read_s": round(seen["result"] - seen["page"], 1),
        "total_s": round(seen["result"] - started_s, 1),
        "text": seen["text"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-cache", action="store_true", help="let pip fetch every package")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--browse", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.browse:
        browse(arguments.browse)
        return
    with tempfile.TemporaryDirectory() as folder:
        steps = walk(Path(folder), cache=not arguments.no_cache)
    if arguments.json:
        print(
            json.dumps({"machine": describe(), "command": one_command(), "pip_cache": not arguments.no_cache, **steps})
        )
        return
    print(f"$ {shlex.join(['git', 'clone', '…'])} && {one_command()}")
    for name, value in steps.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
