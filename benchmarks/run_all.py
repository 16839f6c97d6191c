"""Every benchmark, one after the other: what each prints, and its figures as JSON in one folder.

    python -m benchmarks.run_all [--out benchmarks/results] [--only capacity,dsp]

A benchmark that fails or lacks its data is named at the end and costs the others nothing. Run it on an idle machine:
the load before each is written into its report.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
TIME_LIMIT_S: Final = 3600

# How a benchmark is told where its report goes, where it is not by --json alone.
REPORT_OPTIONS: Final = {
    "bench_dsp": lambda out: ["--out", str(out / "dsp")],
    "bench_capacity": lambda out: ["--flame", "--json", str(out / "capacity.json")],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--only", default="", help="names without bench_, separated by commas")
    arguments = parser.parse_args()
    wanted = {f"bench_{name}" for name in arguments.only.split(",") if name}
    benchmarks = [path for path in sorted(HERE.glob("bench_*.py")) if not wanted or path.stem in wanted]
    if missing := wanted - {path.stem for path in benchmarks}:
        parser.error(f"there is no {', '.join(sorted(missing))}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for path in benchmarks:
        print(f"\n=== {path.stem}", flush=True)
        name = path.stem.removeprefix("bench_")
        report = REPORT_OPTIONS.get(path.stem, lambda out, name=name: ["--json", str(out / f"{name}.json")])
        started_s = time.monotonic()
        try:
            command = [sys.executable, "-m", f"benchmarks.{path.stem}", *report(arguments.out.resolve())]
            code = subprocess.run(command, check=False, timeout=TIME_LIMIT_S, cwd=HERE.parent).returncode
        except subprocess.TimeoutExpired:
            code = -1
        print(
            f"=== {path.stem}: {'done' if code == 0 else 'FAILED'} in {time.monotonic() - started_s:.0f} s", flush=True
        )
        if code != 0:
            failed.append(path.stem)
    print(f"\nReports are in {arguments.out}." + (f" Failed: {', '.join(failed)}." if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
