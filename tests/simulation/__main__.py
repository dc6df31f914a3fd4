"""`python -m tests.simulation 1000`: run seeds; `--seed N`: replay one, shrink it and show its history."""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.fakes.history import Event
from tests.simulation.check import Report, check, check_seeds, shrink
from tests.simulation.generator import generate, generate_fleet
from tests.simulation.oracle import judge
from tests.simulation.queue_worlds import generate_queues
from tests.simulation.reach import table, unreached
from tests.simulation.scenario import MappingPlan, Scenario
from tests.simulation.world import run


def main() -> int:
    """Exit code 1 if an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=1000, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--fleet", action="store_true", help="several workers that share the leases")
    parser.add_argument("--queues", action="store_true", help="worlds that are about receipts")
    parser.add_argument("--grep", default="", help="show only events with this text")
    options = parser.parse_args()
    generator = generate_fleet if options.fleet else generate_queues if options.queues else generate
    if options.seed is not None:
        return _replay(generator(options.seed), options.grep)
    seeds = range(options.start, options.start + options.seeds)
    return _run_many(seeds, options.jobs, generator)


def _run_many(seeds: Sequence[int], jobs: int, generator: Callable[[int], Scenario]) -> int:
    began = time.monotonic()
    total = Report()
    for report in check_seeds(seeds, jobs=jobs, generator=generator):
        total.add(report)
        for seed, violations in report.failures.items():
            _say(
                f"seed {seed}: {violations[0]}" + (f" and {len(violations) - 1} more" * (len(violations) > 1))
            )
    wall_s = time.monotonic() - began
    _say(table(total.reach))
    _say(
        f"never met: {', '.join(f'{kind} while {phase}' for kind, phase in unreached(total.reach)) or 'none'}"
    )
    _say(
        f"commit {_commit()}: {total.runs} seeds, {total.virtual_s / 3600:.1f} virtual hours, "
        f"{wall_s:.0f} s, {total.runs / wall_s:.0f} seeds/s, {len(total.failures)} with violations"
    )
    return 1 if total.failures else 0


def _replay(scenario: Scenario, grep: str) -> int:
    violations = check(scenario).failures.get(scenario.seed, [])
    if violations:
        kind = violations[0].kind
        scenario = shrink(scenario, lambda s: kind in {v.kind for v in check(s).failures.get(s.seed, ())})
    _say(_describe(scenario))
    result = run(scenario)
    for event in result.history.events:
        line = _line(event)
        if grep in line:
            _say(line)
    for violation in judge(scenario, result.history):
        _say(str(violation))
    return 1 if violations else 0


def _describe(scenario: Scenario) -> str:
    lines = [f"commit {_commit()}, seed {scenario.seed}, shrunk to:"]
    lines += [f"  {_plan(plan)}" for plan in scenario.mappings]
    lines += [f"  {fault}" for fault in scenario.faults]
    lines += [f"  {life}" for life in scenario.lives]
    lines += [f"  {place}" for place in scenario.fleet]
    return "\n".join(lines)


def _plan(plan: MappingPlan) -> str:
    return f"{replace(plan, writes=())}; {len(plan.writes)} writes"


def _line(event: Event) -> str:
    fields = ", ".join(f"{name}={value!r}" for name, value in event._asdict().items() if name != "at")
    return f"{event.at:9.3f} {type(event).__name__}({fields})"


def _commit() -> str:
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or "unknown"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
