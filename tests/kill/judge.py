"""Judges a world: the simulation's oracle on its history, and what only real processes can break."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.kill.phases import End, Phases
from tests.kill.plan import FUNCTION_TIMEOUT_S, QUEUE, SourcePlan, WorldPlan
from tests.kill.sources import VISIBILITY_TIMEOUT_S
from tests.kill.world import Outcomes
from tests.simulation.judging import Violation
from tests.simulation.oracle import judge
from tests.simulation.scenario import MappingPlan, Scenario

# Concurrent batches of a queue at the start, and how many more there may be each second (semantics 2.6.1).
QUEUE_START = 5
QUEUE_GROWTH_PER_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of a world."""

    violations: Sequence[tuple[str, str]]
    """Kind and text of each."""
    ends: Sequence[End]
    repeated: int
    """Records delivered again after they had been handled."""
    most_repeated: int
    """Most records of one shard that one end left to be repeated."""


def judge_world(world: Outcomes) -> Judgement:
    """Judge everything."""
    phases = Phases()
    ends = list(phases.ends(world.history))
    found = [
        (violation.kind, str(violation))
        for violation in judge(_scenario(world), world.history)
        if not _is_lane_ahead(world.plan, violation)
    ]
    found += [("duplicated", f"{record} was handled twice by {process}") for process, record in phases.twice]
    found += [("wrong end", f"{life.name}: {wrong}") for life in world.lives for wrong in life.wrong]
    found += _unbounded(world.plan, ends)
    return Judgement(
        violations=found,
        ends=ends,
        repeated=phases.repeated,
        most_repeated=max((left for end in ends for left in end.unsettled.values()), default=0),
    )


def _is_lane_ahead(plan: WorldPlan, violation: Violation) -> bool:
    """Whether a duplicate is of a shard with several lanes, whose checkpoint lags behind the fastest.

    The oracle takes a record for passable once any life has finished it; a life that reads it again has not.
    What one life handles twice is still found here, and what lies behind a checkpoint by the oracle.
    """
    several = tuple(f"{source.place}-" for source in plan.sources if source.lanes > 1)
    late = violation.text.endswith("was finished already")
    return violation.kind == "duplicated" and late and violation.text.startswith(several)


def _scenario(world: Outcomes) -> Scenario:
    """The world in the terms of the simulation, whose oracle calls a mapping by its place."""
    shards = {source.place: source.shards for source in world.plan.sources}
    mappings = tuple(
        MappingPlan(
            mapping=replace(mapping, uuid=mapping.function_name),
            shards=shards[mapping.function_name],
            timeout_s=FUNCTION_TIMEOUT_S,
            visibility_timeout_s=VISIBILITY_TIMEOUT_S,
        )
        for mapping in world.mappings
    )
    # A second SIGTERM cuts a drain short, which is no lateness: the oracle expects it below its 90 s.
    return Scenario(seed=world.plan.seed, mappings=mappings, faults=world.plan.faults, drain_timeout_s=60.0)


def _unbounded(plan: WorldPlan, ends: Sequence[End]) -> Iterator[tuple[str, str]]:
    """What an end leaves to be repeated is no more than was in flight; a drain leaves nothing (I6, I16)."""
    sources = {source.place: source for source in plan.sources}
    for end in ends:
        for (place, shard), left in end.unsettled.items():
            most = _most_left(sources[place], end) if place != QUEUE or plan.deletions_told else None
            if most is not None and left > most:
                text = f"{left} records of {place} {shard}, at most {most}"
                yield "handled and not settled", f"{end.event.process}: {text}"


def _most_left(source: SourcePlan, end: End) -> int | None:
    if source.lanes > 1:
        # A checkpoint waits for the slowest lane, so what others did is repeated: nothing bounds it.
        return None
    if end.clean:
        return 0
    if source.place == QUEUE:
        return int(QUEUE_START + QUEUE_GROWTH_PER_S * end.lived_s) * source.batch_size
    return source.batch_size
