"""A process is killed at its first, second, ... n-th await, started again and drained: all of them."""

from dataclasses import replace

import pytest

from tests.fakes.faults import Fault, FaultKind
from tests.fakes.history import Died
from tests.simulation.oracle import judge
from tests.simulation.scenario import End, Life, MappingPlan, Scenario
from tests.simulation.stages import DYNAMODB, KINESIS, TEMPO, queue_plan, stream_plan
from tests.simulation.world import run

# Written before and while the process lives; the last ones arrive while it drains.
TIMES = (0.0, 0.0, 0.1, 0.2, 0.9, 1.0, 1.5, 3.4)


def _scenario(plan: MappingPlan, *faults: Fault) -> Scenario:
    return Scenario(
        seed=1,
        mappings=(plan,),
        faults=faults,
        lives=(Life(until=3.0, end=End.DRAIN),),
        heal_at=8.0,
        tempo=TEMPO,
    )


SCENARIOS = {
    "standard queue": _scenario(queue_plan(*TIMES)),
    "FIFO queue": _scenario(queue_plan(*TIMES, fifo=True)),
    "Kinesis, one lane, split": _scenario(
        stream_plan(KINESIS, *TIMES), Fault(kind=FaultKind.SPLIT, place="m0", start=0.8, end=0.8)
    ),
    "Kinesis, three lanes": _scenario(stream_plan(KINESIS, *TIMES, lanes=3)),
    "DynamoDB, rotation": _scenario(
        stream_plan(DYNAMODB, *TIMES), Fault(kind=FaultKind.ROTATE, place="m0", start=0.8, end=0.8)
    ),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_every_await(name: str, seed: int) -> None:
    """Whichever await is the last, nothing is lost, reordered or done early, and duplicates are explained."""
    step = 0
    killed = True
    while killed:
        step += 1
        scenario = replace(SCENARIOS[name], seed=seed, kill_at_step=step)
        history = run(scenario).history
        killed = any(isinstance(event, Died) for event in history.events)

        assert judge(scenario, history) == [], f"killed at step {step}"
    assert step > 100
