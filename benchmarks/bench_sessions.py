"""Many sessions at once: is every result right, and does the server's event loop stay prompt while workers decode?

    python -m benchmarks.bench_sessions [--data ../shared/data] [--sessions 50] [--seconds 20] [--json FILE]

First each recording is recognised alone; that is the reference. Then so many callers speak digits at live pace, each in
a session of its own, over and over. Printed: results that differ from the reference, latency from END_OF_SPEECH to the
result, and how late the server's event loop woke a sleeper (its own metric asr_loop_lag_seconds, only what was counted
during the load; a percentile is given as the bucket that holds it). The load generator shares the machine.
"""

from __future__ import annotations

import json
import re
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import trio

from asr_trio.cli.bench import local_server, percentile
from asr_trio.client import load
from benchmarks import report
from benchmarks.bench_capacity import workloads

LAG = re.compile(r'^asr_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


def lag_buckets(http_url: str) -> dict[float, float]:
    with urllib.request.urlopen(f"{http_url}/metrics", timeout=5) as answer:
        return {float(bound): float(count) for bound, count in LAG.findall(answer.read().decode())}


def lag_ms(before: dict[float, float], after: dict[float, float], percent: float) -> float:
    """Return the upper bound, in milliseconds, of the bucket that holds the percentile."""
    counts = {bound: after[bound] - before[bound] for bound in after}
    wanted = counts[float("inf")] * percent / 100
    return 1e3 * min(bound for bound, count in counts.items() if count >= wanted)


async def measure(data: Path, sessions: int, seconds: float) -> dict[str, Any]:
    utterances, _, request = workloads(data)["digits"]
    async with local_server() as server:
        reference: dict[str, str] = {}
        for utterance in utterances:
            plan = load.Plan.for_url(server.url, [utterance], **request)
            (seen,) = (await load.run(plan, streams=1, duration_s=0.1, ramp_s=0.0))[:1]
            reference[utterance.text] = seen.text
        plan = load.Plan.for_url(server.url, utterances, **request)
        before = await trio.to_thread.run_sync(lag_buckets, server.http_url)
        observations = await load.run(plan, streams=sessions, duration_s=seconds, ramp_s=2.0)
        after = await trio.to_thread.run_sync(lag_buckets, server.http_url)
    final = [one.final_ms for one in observations if one.final_ms == one.final_ms]
    return {
        "sessions": sessions,
        "recognitions": len(observations),
        "different_from_alone": sum(one.text != reference[one.expected] for one in observations),
        "failed": sum(one.status not in {"RECOGNIZED", "NO_MATCH"} for one in observations),
        "final_ms": {"p50": percentile(final, 50), "p95": percentile(final, 95)},
        "loop_lag_ms": {"p50": lag_ms(before, after, 50), "p99": lag_ms(before, after, 99)},
        "generator_late_ms_p99": percentile([one.late_ms for one in observations], 99),
    }


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    results = trio.run(partial(measure, arguments.data, arguments.sessions, arguments.seconds))
    print(json.dumps(results, indent=2))
    report.write(arguments.json, "sessions", results)


if __name__ == "__main__":
    main()
