"""Seeded worlds that are about receipts: no receive is wasted, nothing runs twice, no delete is in a way."""

import pytest

from tests.simulation.check import Report, check_seeds
from tests.simulation.queue_worlds import generate_queues

SEEDS = 300


@pytest.mark.timeout(600)
def test_queues_break_no_invariant() -> None:
    """Redrive, few slots, long throttles, suspends, denied renewals, hanging and refused deletes included."""
    total = Report()
    for report in check_seeds(range(SEEDS), jobs=2, generator=generate_queues):
        total.add(report)

    failures = {seed: str(violations[0]) for seed, violations in sorted(total.failures.items())}
    assert failures == {}, "replay one with: python -m tests.simulation --queues --seed N"
