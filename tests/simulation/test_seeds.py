"""Seeded faults against the whole poller: no invariant is broken."""

import pytest

from tests.simulation.check import Report, check_seeds
from tests.simulation.reach import PHASES

SEEDS = 600


@pytest.mark.timeout(600)
def test_seeds_break_no_invariant() -> None:
    """Nothing is lost, reordered, done early, stalled or duplicated without a reason."""
    total = Report()
    for report in check_seeds(range(SEEDS), jobs=2):
        total.add(report)

    failures = {seed: str(violations[0]) for seed, violations in sorted(total.failures.items())}
    assert failures == {}, "replay one with: python -m tests.simulation --seed N"
    assert total.runs == SEEDS
    assert all(any(total.reach["kill", phase] for phase in PHASES) for phase in PHASES)
