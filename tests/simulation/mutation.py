"""`python -m tests.simulation.mutation`: finds for each mutant the first seed that shows it."""

import argparse
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

from tests.simulation.check import check
from tests.simulation.generator import generate, generate_fleet
from tests.simulation.judging import INVARIANTS
from tests.simulation.mutants import IN_FLEETS, IN_QUEUES, MUTANTS
from tests.simulation.queue_worlds import generate_queues
from tests.simulation.scenario import Scenario

LIMIT = 1000  # seeds
TABLE = Path(__file__).with_name("mutants.md")
_HEAD = """# Mutants

Faults planted in our own code, and how many seeds are needed to find each.
Written by `python -m tests.simulation.mutation`.

| mutant | seeds needed | violation | invariant |
|---|---|---|---|
"""


def _generator(name: str) -> Callable[[int], Scenario]:
    if name in IN_FLEETS:
        return generate_fleet
    return generate_queues if name in IN_QUEUES else generate


def caught_by(name: str, seed: int) -> str | None:
    """The first violation that a seed finds in a mutant."""
    scenario = _generator(name)(seed)
    with MUTANTS[name]():
        violations = check(scenario).failures.get(seed)
    return violations[0].kind if violations else None


def first_catch(name: str) -> tuple[str, int, str | None]:
    """Name, first seed, and what it finds."""
    for seed in range(LIMIT):
        kind = caught_by(name, seed)
        if kind is not None:
            return name, seed, kind
    return name, LIMIT, None


def read_table() -> dict[str, int]:
    """The seed recorded for each mutant."""
    rows = [line.split("|") for line in TABLE.read_text().splitlines() if line.startswith("| ")][1:]
    return {row[1].strip(): int(row[2]) - 1 for row in rows}


def main() -> int:
    """Write the table; exit code 1 if a mutant lives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        found = pool.map(first_catch, MUTANTS, chunksize=1)
    rows = [
        f"| {name} | {seed + 1} | {kind} | {INVARIANTS[kind]} |"
        for name, seed, kind in found
        if kind is not None
    ]
    TABLE.write_text(_HEAD + "\n".join(rows) + "\n")
    alive = [name for name, _, kind in found if kind is None]
    sys.stdout.write("\n".join(rows) + f"\nalive: {alive}\n")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
