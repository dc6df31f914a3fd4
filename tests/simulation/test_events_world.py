"""Each accepted event ends exactly once and is told of, whatever befalls workers, clocks and destinations."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.events_check import problems
from tests.simulation.events_mutants import MUTANTS

SEEDS = 40
ENOUGH_SEEDS = 200
# Seeds that find a fault; others are looked for should the worlds have changed since.
FINDERS = (0, 1, 28, 29, 31)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Nobody reads the lines of all these processes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_an_accepted_event_ends_exactly_once(first: int) -> None:
    """Told or dropped with a line; by no clock's step; and no function waits for another's destination."""
    assert {seed: found for seed in range(first, first + 10) if (found := problems(seed))} == {}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_about_events_is_found(name: str) -> None:
    """What the world does not see, it does not test."""
    with MUTANTS[name]():
        assert any(problems(seed) for seed in (*FINDERS, *range(ENOUGH_SEEDS)))
