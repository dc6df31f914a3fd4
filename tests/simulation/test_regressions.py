"""What the simulation once found, each as small as it can be shown."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.fakes.faults import Fault, FaultKind
from tests.simulation.check import check
from tests.simulation.generator import generate
from tests.simulation.oracle import judge
from tests.simulation.queue_worlds import generate_queues
from tests.simulation.scenario import End, Life, MappingPlan, Scenario
from tests.simulation.stages import DYNAMODB, KINESIS, TEMPO, queue_plan, stream_plan
from tests.simulation.world import run

EARLY = (0.0, 0.1, 0.2, 1.0, 2.0, 3.0)


def at(kind: FaultKind, seconds: float) -> Fault:
    """A happening."""
    return Fault(kind=kind, place="m0", start=seconds, end=seconds)


def state(kind: FaultKind, chance: float) -> Fault:
    """Trouble of the state store."""
    return Fault(kind=kind, place="state", chance=chance)


def violations(
    seed: int,
    plan: MappingPlan,
    faults: Sequence[Fault],
    *,
    lives: Sequence[Life] = (),
    start_at: float = 0.0,
) -> list[str]:
    """What is wrong with a run."""
    scenario = Scenario(
        seed=seed,
        mappings=(plan,),
        faults=tuple(faults),
        lives=tuple(lives),
        start_at=start_at,
        heal_at=20.0,
        tempo=TEMPO,
    )
    return [str(violation) for violation in judge(scenario, run(scenario).history)]


@pytest.mark.parametrize("seed", range(5))
def test_a_recreated_stream_is_read(seed: int) -> None:
    """Though its shards are named as those of the stream before, which were being read."""
    plan = stream_plan(KINESIS, *EARLY, 12.0, 13.0, lanes=2)

    assert violations(seed, plan, [at(FaultKind.RECREATE, 4.0)]) == []


@pytest.mark.parametrize("seed", range(20))
def test_an_earlier_stream_does_not_checkpoint_into_the_later_one(seed: int) -> None:
    """Epochs begin anew with each incarnation, so an epoch alone is no fence."""
    plan = stream_plan(KINESIS, *EARLY, 4.5, 5.0, 6.0, 7.0, 8.0, lanes=3)
    slow = Fault(kind=FaultKind.FUNCTION_SLOW, place="m0")

    assert violations(seed, plan, [at(FaultKind.RECREATE, 4.0), slow]) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_parent_that_left_the_stream_unread_is_reported_and_passed(seed: int) -> None:
    """It was known, and is neither listed nor readable any more: its children must not wait for ever."""
    plan = stream_plan(KINESIS, *EARLY)
    faults = [at(FaultKind.SPLIT, 3.5), *(at(FaultKind.TRIM, 4.0 + n / 10) for n in range(8))]
    lives = [Life(until=0.5, end=End.KILL, downtime=8.0)]

    assert violations(seed, plan, faults, lives=lives) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_child_waits_for_a_parent_that_a_listing_lacks(seed: int) -> None:
    """One listing without the parent does not say that the parent is gone."""
    plan = stream_plan(DYNAMODB, *EARLY)
    lacking = Fault(kind=FaultKind.LIST_LACKS_SHARD, place="m0")

    assert violations(seed, plan, [at(FaultKind.ROTATE, 1.5), lacking], start_at=5.0) == []


@pytest.mark.parametrize("seed", range(10))
def test_an_ended_shard_is_not_opened_again(seed: int) -> None:
    """Not when its end was written and its lease could not be given up."""
    plan = stream_plan(KINESIS, *EARLY)
    faults = [at(FaultKind.SPLIT, 1.5), state(FaultKind.STATE_LOST_REPLY, 0.4)]

    assert violations(seed, plan, faults) == []


@pytest.mark.parametrize("seed", range(10))
def test_records_that_grow_too_old_while_others_are_discarded_are_discarded_too(seed: int) -> None:
    """To report and checkpoint what is too old takes time, in which more becomes so."""
    plan = stream_plan(KINESIS, 0.0, 4.0, 4.1, maximum_age_s=6)
    slow = Fault(kind=FaultKind.STATE_SLOW, place="state", start=6.2)

    assert violations(seed, plan, [slow], start_at=6.0) == []


@pytest.mark.parametrize("seed", [8, 18, 23, 39])
def test_a_poller_that_falls_while_it_releases_holds_no_bytes(seed: int) -> None:
    """Whatever goes wrong, what it held is given back to the budget."""
    plan = queue_plan(*(number * 0.05 for number in range(60)))
    bugs = Fault(kind=FaultKind.SOURCE_BUG, place="m0", chance=0.3)

    assert violations(seed, plan, [bugs]) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_process_that_is_suspended_beyond_the_end_of_its_drain_ends(seed: int) -> None:
    """Its deadline has passed when it goes on; that is late, and no error."""
    plan = queue_plan(*EARLY)
    lives = [Life(until=3.0, end=End.DRAIN, pauses=((3.01, 120.0),))]

    assert violations(seed, plan, [], lives=lives) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_window_as_long_as_the_visibility_timeout_loses_no_receive(seed: int) -> None:
    """Nobody knows the function's timeout: the queue's visibility stands for it, beside the window."""
    plan = queue_plan(*EARLY, 4.0)
    mapping = replace(plan.mapping, maximum_batching_window_in_seconds=10, batch_size=100)
    plan = replace(plan, mapping=mapping, timeout_known=False, max_receive_count=1, poison=())

    assert violations(seed, plan, []) == []


@pytest.mark.parametrize("seed", [3283, 3540, 4788, 7166, 11318, 11386, 11626, 12683, 12756, 12991])
def test_what_lay_unread_while_a_process_was_suspended_is_not_run_beside_others(seed: int) -> None:
    """Nor is the handle of an earlier receive taken for the later one; the queue is asked first."""
    assert check(generate_queues(seed)).failures == {}


@pytest.mark.parametrize("seed", [9534, 9694, 10813])
def test_a_drain_gives_the_rest_of_a_group_back_with_its_first_messages(seed: int) -> None:
    """A receive made several events; the first was refused while the process drained."""
    assert check(generate_queues(seed)).failures == {}


@pytest.mark.parametrize("seed", [1031, 1102, 4714, 7516, 9586, 10433, 15968, 17847])
def test_seeds_that_once_broke_an_invariant_break_none(seed: int) -> None:
    """A stale iterator over trimmed records; streams recreated while a batch runs or memory is waited for."""
    assert check(generate(seed)).failures == {}
