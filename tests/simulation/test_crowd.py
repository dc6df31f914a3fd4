"""One queue, thousands of messages, and every kind of trouble at once."""

from tests.fakes.history import Died, Struck
from tests.simulation.crowd import crowd
from tests.simulation.oracle import judge
from tests.simulation.world import run


def test_a_crowd_of_messages_is_handled_through_throttles_duplicates_and_crashes() -> None:
    """Each is handled, and what is repeated is explained; `crowd 100000` is the long form."""
    scenario = crowd(4000, seed=1)

    result = run(scenario)

    assert [str(violation) for violation in judge(scenario, result.history)] == []
    assert sum(isinstance(event, Struck) for event in result.history.events) > 100
    assert sum(isinstance(event, Died) for event in result.history.events) >= 2
