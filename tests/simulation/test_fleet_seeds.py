"""Seeded faults against several workers that share their leases: no invariant is broken."""

import pytest

from tests.simulation.check import Report, check_seeds
from tests.simulation.generator import generate_fleet

SEEDS = 30


@pytest.mark.timeout(600)
def test_fleets_break_no_invariant() -> None:
    """Clocks that run at different rates, pauses beyond a lease, crashes, drains and partitions included."""
    total = Report()
    for report in check_seeds(range(SEEDS), jobs=2, generator=generate_fleet):
        total.add(report)

    failures = {seed: str(violations[0]) for seed, violations in sorted(total.failures.items())}
    assert failures == {}, "replay one with: python -m tests.simulation --fleet --seed N"
