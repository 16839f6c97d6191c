"""Instructions that the hot paths execute, counted by callgrind: unlike time, the same on a busy machine and tomorrow.

    python -m benchmarks.instructions.count [--update] [--json FILE]

Counted are the parser, a whole recognition in the session (parse, decide, write) and the C core (scalar and SSE2).
`expected.json` holds the counts by what decides them besides our code: the interpreter with its compiler, or the C
compiler, and the kind of processor. There they may differ by 3 %. Where a machine is not in the file the Python counts
are judged against a calibration loop of the same run, and those of the C core against another compiler's, by 15 %: a
gross mistake still shows, and another compiler's taste does not. `--update` writes this machine's counts into the file.

The interpreter's caches go by addresses, so that where its objects happen to lie moves a count, by up to 3 % where two
hot names fall on one place. Counts of Python that are out of bounds are therefore taken again with the objects laid
elsewhere, and the least of them are judged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.instructions import work

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EXPECTED = HERE / "expected.json"
TOLERANCE = 0.03
FOREIGN_TOLERANCE = 0.15
LAYOUTS = 4
CORE_LEVELS = {"core scalar": 1} | ({"core sse2": 2} if platform.machine() in {"x86_64", "AMD64"} else {})
"""By the numbers of ``asr_simd``."""
PYTHON_SECTIONS = [name for name in work.SECTIONS if name != "calibration"]


def missing_tool() -> str | None:
    """Return the name of a program that counting needs and that is not here."""
    return next((tool for tool in ("valgrind", "cc") if shutil.which(tool) is None), None)


def vectors() -> str:
    """Return the one property of the processor that libraries choose their code by and that valgrind passes on."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return platform.machine() + (" avx2" if " avx2" in flags else "")


def interpreter() -> str:
    return f"{platform.python_implementation()} {platform.python_version()} {platform.python_compiler()} {vectors()}"


def compiler() -> str:
    version = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout
    return f"{version.splitlines()[0]} {vectors()}"


def callgrind(function: str, command: list[str], layout: int = 0) -> list[int]:
    """Return the instructions inside each outermost call of a function.

    Args:
        function: by its name in the program.
        command: the program.
        layout: another number lays the program's objects elsewhere in memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                f"--toggle-collect={function}",
                f"--dump-after={function}",
                f"--callgrind-out-file={out}",
                *command,
            ],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LAYOUT": "x" * 48 * layout},
            capture_output=True,
            check=True,
        )
        dumps = sorted(Path(folder).glob("out.*"), key=lambda path: int(path.suffix[1:]))
        totals = [re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE) for path in dumps]
        return [int(total[1]) for total in totals if total]


def count_python(layout: int = 0) -> dict[str, int]:
    counts = callgrind("PyRun_SimpleStringFlags", [sys.executable, "-m", "benchmarks.instructions.work"], layout)
    return dict(zip(work.SECTIONS, counts, strict=True))


def count_python_anew(count: dict[str, int]) -> dict[str, int]:
    """Return the least of a count and those of other layouts."""
    counts = [count, *(count_python(layout) for layout in range(1, LAYOUTS))]
    return {name: min(count[name] for count in counts) for name in work.SECTIONS}


def count_core() -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "core"
        sources = [HERE / "core.c", *sorted((ROOT / "csrc/src").glob("*.c"))]
        flags = ["-std=c11", "-O2", "-g", f"-I{ROOT / 'csrc/include'}", f"-I{ROOT / 'csrc/src'}"]
        subprocess.run(["cc", *flags, *map(str, sources), "-lm", "-o", str(program)], check=True)
        return {
            name: sum(callgrind("asr_frontend_process", [str(program), str(level)]))
            for name, level in CORE_LEVELS.items()
        }


def judge(python: dict[str, int], core: dict[str, int], expected: dict[str, dict[str, dict[str, int]]]) -> list[str]:
    """Return what is out of bounds, in words."""
    faults = []
    known = expected["python"].get(interpreter())
    for name in PYTHON_SECTIONS:
        if known is not None:
            faults += _difference(name, python[name], known[name], TOLERANCE)
        else:
            shares = [counts[name] / counts["calibration"] for counts in expected["python"].values()]
            faults += _difference(
                name, python[name], statistics.median(shares) * python["calibration"], FOREIGN_TOLERANCE
            )
    known = expected["core"].get(compiler())
    for name, count in core.items():
        if known is not None:
            faults += _difference(name, count, known[name], TOLERANCE)
        else:
            usual = statistics.median(counts[name] for counts in expected["core"].values() if name in counts)
            faults += _difference(name, count, usual, FOREIGN_TOLERANCE)
    return faults


def check(expected: dict[str, dict[str, dict[str, int]]]) -> tuple[dict[str, int], list[str]]:
    """Count, and return the counts with what is out of bounds."""
    python, core = count_python(), count_core()
    if judge(python, core, expected):
        python = count_python_anew(python)
    return python | core, judge(python, core, expected)


def _difference(name: str, count: int, expected: float, tolerance: float) -> list[str]:
    change = count / expected - 1
    if abs(change) <= tolerance:
        return []
    better = " It got cheaper: keep that by --update." if change < 0 else ""
    return [f"{name}: {count} instructions, {change:+.1%} of what is expected, {tolerance:.0%} are allowed.{better}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="make these counts the expected ones")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if tool := missing_tool():
        parser.error(f"{tool} is missing")
    expected = json.loads(EXPECTED.read_text())
    if arguments.update:
        expected["python"][interpreter()] = count_python_anew(count_python())
        expected["core"][compiler()] = count_core()
        EXPECTED.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
        return 0
    counts, faults = check(expected)
    for name, count in counts.items():
        print(f"{name:12} {count:12,d}")
    print(*faults, sep="\n")
    if arguments.json:
        report: dict[str, Any] = {"benchmark": "instructions", "machine": machine.describe(), "results": counts}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
