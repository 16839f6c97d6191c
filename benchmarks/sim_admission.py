"""How many machines for how many calls: a simulation of admission under bursts.

Callers connect for a whole call and recognise now and then; a node refuses a recognition that does not fit into its
cost units, and the balancer counts connections alone (leastconn), knowing nothing of cost. The question is how much
spare capacity keeps refusals rare, and how that changes with the number of nodes.

    python -m benchmarks.sim_admission
    python -m benchmarks.sim_admission --nodes 100 --units-per-node 160 --json
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
from dataclasses import dataclass

from asr_trio.recognizer.models import GRAMMAR_COST_UNITS, STATISTICAL_COST_UNITS

TURN_UNITS = {"grammar": GRAMMAR_COST_UNITS, "free speech": STATISTICAL_COST_UNITS["balanced"]}
"""Hundredths of a core for one running recognition, as the server counts them."""


@dataclass(frozen=True)
class Load:
    """What callers do. Times in seconds."""

    free_speech_share: float = 0.1
    call_s: float = 90.0
    listening_share: float = 0.3
    turn_s: float = 4.0
    burst_factor: float = 2.0
    burst_every_s: float = 600.0
    burst_s: float = 60.0

    @property
    def units_per_call(self) -> float:
        mix = self.free_speech_share
        return self.listening_share * (mix * TURN_UNITS["free speech"] + (1 - mix) * TURN_UNITS["grammar"])


@dataclass
class Node:
    connections: int = 0
    used_units: float = 0.0


def simulate(
    nodes: int, units_per_node: float, utilization: float, load: Load, duration_s: float, seed: int
) -> dict[str, float]:
    """Run calls at `utilization` of all units on average; return the share of recognitions that were refused."""
    generator = random.Random(seed)
    fleet = [Node() for _ in range(nodes)]
    mean_calls = utilization * nodes * units_per_node / load.units_per_call
    burst_share = load.burst_s / load.burst_every_s
    base_rate_hz = mean_calls / load.call_s / (1 + (load.burst_factor - 1) * burst_share)
    pause_s = load.turn_s * (1 - load.listening_share) / load.listening_share
    events: list[tuple[float, int, str, int, float, float]] = []
    order = 0

    def push(time_s: float, kind: str, node: int, value: float = 0.0, end_s: float = 0.0) -> None:
        nonlocal order
        order += 1
        heapq.heappush(events, (time_s, order, kind, node, value, end_s))

    warm_up_s = 3 * load.call_s
    tried = refused = 0
    push(generator.expovariate(base_rate_hz), "arrival", -1)
    while events:
        now_s, _, kind, index, units, end_s = heapq.heappop(events)
        if now_s > warm_up_s + duration_s:
            break
        if kind == "arrival":
            rate_hz = base_rate_hz * (load.burst_factor if now_s % load.burst_every_s < load.burst_s else 1.0)
            push(now_s + generator.expovariate(rate_hz), "arrival", -1)
            best = min(range(nodes), key=lambda node: fleet[node].connections)
            fleet[best].connections += 1
            call_end_s = now_s + generator.expovariate(1 / load.call_s)
            push(call_end_s, "leave", best)
            push(now_s + generator.expovariate(1 / pause_s), "turn", best, 0.0, call_end_s)
        elif kind == "leave":
            fleet[index].connections -= 1
        elif kind == "turn" and now_s < end_s:
            free = generator.random() < load.free_speech_share
            units = TURN_UNITS["free speech" if free else "grammar"]
            fits = fleet[index].used_units + units <= units_per_node
            if now_s > warm_up_s:
                tried += 1
                refused += not fits
            turn_end_s = now_s + generator.expovariate(1 / load.turn_s)
            if fits:
                fleet[index].used_units += units
                push(turn_end_s, "done", index, units)
            push(turn_end_s + generator.expovariate(1 / pause_s), "turn", index, 0.0, end_s)
        elif kind == "done":
            fleet[index].used_units -= units
    return {
        "nodes": nodes,
        "utilization": utilization,
        "calls": round(mean_calls),
        "recognitions": tried,
        "refused": refused / max(1, tried),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 4, 20, 100])
    parser.add_argument("--units-per-node", type=float, default=160.0)
    parser.add_argument("--utilization", type=float, nargs="*", default=[0.4, 0.5, 0.6, 0.7, 0.8])
    parser.add_argument("--free-speech-share", type=float, default=0.1)
    parser.add_argument("--duration-s", type=float, default=1200.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    load = Load(free_speech_share=arguments.free_speech_share)
    rows = [
        simulate(nodes, arguments.units_per_node, utilization, load, arguments.duration_s, arguments.seed)
        for nodes in arguments.nodes
        for utilization in arguments.utilization
    ]
    if arguments.json:
        print(json.dumps({"load": vars(load), "units_per_node": arguments.units_per_node, "rows": rows}, indent=2))
        return
    print("| planned mean load of a node | " + " | ".join(map(_fleet, arguments.nodes)) + " |")
    print("| --- |" + " --- |" * len(arguments.nodes))
    for utilization in arguments.utilization:
        cells = (row["refused"] for row in rows if row["utilization"] == utilization)
        print(f"| {utilization:.0%} | " + " | ".join(f"{refused:.2%}" for refused in cells) + " |")
    print(f"\n{load.units_per_call:.2f} cost units a call on average")


def _fleet(nodes: int) -> str:
    return f"{nodes} node{'' if nodes == 1 else 's'}"


if __name__ == "__main__":
    main()
