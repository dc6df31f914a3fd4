"""Each fault that is planted in our code is found: what the simulation does not see, it does not test."""

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.mutation import caught_by, first_catch, read_table

RECORDED = read_table()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    """By the recorded seed; by another within a thousand should scenarios have changed since."""
    seed = RECORDED.get(name)
    if seed is None or caught_by(name, seed) is None:
        _, seed, kind = first_catch(name)
        assert kind is not None, f"alive after {seed} seeds"
