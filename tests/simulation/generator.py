"""Draws a scenario from a seed."""

import random
from collections.abc import Sequence
from dataclasses import replace

from mappings.arns import EventSource, SourceKind
from mappings.model import EventSourceMapping, StartingPosition
from poller.core.backoff import Backoff
from poller.core.pacing import Pace
from poller.core.recovery import Patience
from poller.rules import Tempo
from tests.fakes.clocks import EPOCH
from tests.fakes.faults import HAPPENINGS, Fault, FaultKind
from tests.simulation.scenario import End, Life, MappingPlan, Place, Scenario, Write, filter_for

_ANY_SOURCE = (
    FaultKind.SOURCE_UNAVAILABLE,
    FaultKind.SOURCE_THROTTLED,
    FaultKind.SOURCE_DENIED,
    FaultKind.SOURCE_GONE,
    FaultKind.SOURCE_SLOW,
    FaultKind.SOURCE_BUG,
    FaultKind.LIST_FAILS,
)
_ANY_FUNCTION = (
    FaultKind.FUNCTION_NOT_READY,
    FaultKind.FUNCTION_THROTTLED,
    FaultKind.FUNCTION_UNREACHABLE,
    FaultKind.FUNCTION_ERROR,
    FaultKind.FUNCTION_PARTIAL,
    FaultKind.FUNCTION_INVALID,
    FaultKind.FUNCTION_LOST_REPLY,
    FaultKind.FUNCTION_HANGS,
    FaultKind.FUNCTION_SLOW,
    FaultKind.FUNCTION_BUG,
)
_ANY_STREAM = (
    FaultKind.LIST_STALE_PARENT,
    FaultKind.LIST_LACKS_SHARD,
    FaultKind.OPEN_FAILS,
    FaultKind.ITERATOR_EXPIRED,
    FaultKind.EMPTY_PAGE,
    FaultKind.SHORT_PAGE,
    FaultKind.TRIM,
)
FAULTS = {
    SourceKind.SQS: (
        *_ANY_SOURCE,
        *_ANY_FUNCTION,
        FaultKind.RECEIVE_LOST,
        FaultKind.RECEIVE_DUPLICATE,
        FaultKind.DELETE_FAILED,
        FaultKind.DELETE_LOST,
        FaultKind.SETTLE_UNAVAILABLE,
    ),
    # Reshardings are what streams are about: they are drawn more often.
    SourceKind.KINESIS: (
        *_ANY_SOURCE,
        *_ANY_FUNCTION,
        *_ANY_STREAM,
        *(FaultKind.SPLIT, FaultKind.MERGE) * 4,
        FaultKind.RECREATE,
    ),
    SourceKind.DYNAMODB: (*_ANY_SOURCE, *_ANY_FUNCTION, *_ANY_STREAM, *(FaultKind.ROTATE,) * 5),
}
_STREAMS = (SourceKind.KINESIS, SourceKind.KINESIS, SourceKind.DYNAMODB)
DESTINATION_FAULTS = (
    FaultKind.DESTINATION_UNAVAILABLE,
    FaultKind.DESTINATION_DENIED,
    FaultKind.DESTINATION_LOST_REPLY,
)
STATE_FAULTS = (FaultKind.STATE_UNAVAILABLE, FaultKind.STATE_LOST_REPLY, FaultKind.STATE_SLOW)
# Drawn on every call, these would let nothing happen at all.
_RARE = {
    FaultKind.SOURCE_BUG,
    FaultKind.FUNCTION_BUG,
    FaultKind.SOURCE_SLOW,
    FaultKind.FUNCTION_HANGS,
    FaultKind.RECEIVE_DUPLICATE,
}
_ARNS = {
    SourceKind.SQS: "arn:aws:sqs:eu-west-1:123456789012:{}",
    SourceKind.KINESIS: "arn:aws:kinesis:eu-west-1:123456789012:stream/{}",
    SourceKind.DYNAMODB: "arn:aws:dynamodb:eu-west-1:123456789012:table/{}/stream/2024-01-01T00:00:00.000",
}


def generate(seed: int) -> Scenario:
    """The scenario of a seed."""
    chance = random.Random(f"scenario {seed}")
    # Drawn apart, so that a seed is the scenario it was before there were destinations.
    apart = random.Random(f"destinations {seed}")
    heal_at = chance.choice((15.0, 40.0, 40.0, 90.0))
    start_at = chance.choice((0.0, 0.0, heal_at / 4))
    mappings = tuple(
        mapping_plan(chance, f"m{number}", chance.choice(list(SourceKind)), heal_at, start_at)
        for number in range(chance.choice((1, 1, 1, 2, 3)))
    )
    return Scenario(
        seed=seed,
        mappings=tuple(_with_destination(apart, plan) for plan in mappings),
        faults=(*_faults(chance, mappings, heal_at), *_destination_faults(apart, mappings, heal_at)),
        lives=_lives(chance, heal_at),
        start_at=start_at,
        heal_at=heal_at,
        tempo=tempo(chance),
        byte_budget=chance.choice((1_500, 16 * 1024 * 1024, 64 * 1024 * 1024)),
        drain_timeout_s=chance.choice((5.0, 90.0, 90.0)),
    )


def mapping_plan(
    chance: random.Random, name: str, kind: SourceKind, heal_at: float, start_at: float
) -> MappingPlan:
    """A mapping with everything around it."""
    fifo = kind is SourceKind.SQS and chance.random() < 0.4
    keys = chance.choice((1, 3, 8))
    writes = [
        Write(chance.uniform(0, heal_at * 0.9), f"{name}-{number}", f"k{chance.randrange(keys)}")
        for number in range(chance.choice((3, 10, 25, 50)))
    ]
    timeout_s = chance.choice((6.0, 20.0))
    poison = chance.sample(writes, min(chance.choice((0, 0, 1, 2)), len(writes)))
    return MappingPlan(
        mapping=_mapping(chance, name, kind, fifo=fifo, start_at=start_at),
        shards=chance.choice((1, 1, 2, 3)),
        writes=tuple(sorted(writes)),
        poison=tuple(write.record for write in poison),
        duration_s=chance.choice((0.1, 1.0, 5.0)),
        timeout_s=timeout_s,
        visibility_timeout_s=timeout_s + chance.choice((0.0, 4.0, 40.0)),  # less is refused
        max_receive_count=chance.choice((None, None, 1, 3)),
    )


def generate_fleet(seed: int) -> Scenario:
    """The scenario of a seed with two or three workers that share the leases of one or two streams."""
    chance = random.Random(f"fleet {seed}")
    heal_at = chance.choice((40.0, 90.0, 150.0))
    workers = chance.choice((2, 3, 3))
    mappings = tuple(
        mapping_plan(chance, f"m{number}", chance.choice(_STREAMS), heal_at, 0.0)
        for number in range(chance.choice((1, 1, 2)))
    )
    mappings = tuple(replace(plan, shards=chance.choice((1, 2, 4, 6))) for plan in mappings)
    return Scenario(
        seed=seed,
        mappings=mappings,
        faults=(
            *_faults(chance, mappings, heal_at),
            *_partitions(chance, workers, heal_at),
        ),
        fleet=tuple(
            Place(
                rate=chance.choice((0.8, 0.9, 1.0, 1.1, 1.25)),
                lives=_with_pauses(chance, _lives(chance, heal_at), heal_at),
                start_at=chance.choice((0.0, 0.0, 3.0, heal_at / 3)),
            )
            for _ in range(workers)
        ),
        heal_at=heal_at,
        tempo=tempo(chance),
        drain_timeout_s=chance.choice((5.0, 90.0, 90.0)),
    )


def _partitions(chance: random.Random, workers: int, heal_at: float) -> list[Fault]:
    """Trouble on the way of single workers to the state they share."""
    return [
        _fault(chance, chance.choice(STATE_FAULTS), f"state{worker}", heal_at)
        for worker in range(workers)
        if chance.random() < 0.4
    ]


def _with_pauses(chance: random.Random, lives: tuple[Life, ...], heal_at: float) -> tuple[Life, ...]:
    return tuple(
        replace(life, pauses=((chance.uniform(0, heal_at), chance.choice((2.0, 8.0, 12.0, 30.0))),))
        if chance.random() < 0.5
        else life
        for life in lives
    )


def _with_destination(chance: random.Random, plan: MappingPlan) -> MappingPlan:
    if plan.kind is SourceKind.SQS or chance.random() < 0.5:
        return plan
    return replace(plan, mapping=replace(plan.mapping, on_failure_destination=_ARNS[SourceKind.SQS]))


def _destination_faults(
    chance: random.Random, mappings: Sequence[MappingPlan], heal_at: float
) -> list[Fault]:
    """Trouble of destinations; it strikes only where a mapping has one."""
    return [
        _fault(chance, chance.choice(DESTINATION_FAULTS), f"{plan.name}!", heal_at)
        for plan in mappings
        if chance.random() < 0.5
    ]


def _mapping(
    chance: random.Random, name: str, kind: SourceKind, *, fifo: bool, start_at: float
) -> EventSourceMapping:
    is_queue = kind is SourceKind.SQS
    window = 0 if fifo else chance.choice((0, 0, 0, 1, 5, 20))
    sizes = (1, 2, 3, 10) if is_queue and not window else (1, 2, 3, 10, 100)
    starting = None if is_queue else _starting(chance, kind)
    at_timestamp = starting is StartingPosition.AT_TIMESTAMP
    return EventSourceMapping(
        uuid=name,
        event_source=EventSource.parse(_ARNS[kind].format(f"{name}.fifo" if fifo else name)),
        function_name=name,
        function_arn=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        batch_size=chance.choice(sizes),
        maximum_batching_window_in_seconds=window,
        filter_patterns=chance.choice(((), (), (), (filter_for(kind, name),))),
        function_response_types=chance.choice(((), ("ReportBatchItemFailures",))),
        starting_position=starting,
        starting_position_timestamp=EPOCH + chance.uniform(0, start_at) if at_timestamp else None,
        parallelization_factor=1 if is_queue else chance.choice((1, 1, 2, 3, 10)),
        maximum_retry_attempts=-1 if is_queue else chance.choice((-1, -1, 0, 1, 3)),
        maximum_record_age_in_seconds=-1 if is_queue else chance.choice((-1, -1, -1, 15, 60)),
        bisect_batch_on_function_error=not is_queue and chance.random() < 0.4,
        maximum_concurrency=chance.choice((None, None, 2, 4)) if is_queue else None,
    )


def _starting(chance: random.Random, kind: SourceKind) -> StartingPosition:
    positions = [StartingPosition.TRIM_HORIZON] * 4 + [StartingPosition.LATEST]
    if kind is SourceKind.KINESIS:
        positions.append(StartingPosition.AT_TIMESTAMP)
    return chance.choice(positions)


def _faults(chance: random.Random, mappings: Sequence[MappingPlan], heal_at: float) -> tuple[Fault, ...]:
    if chance.random() < 0.1:
        return ()
    faults: list[Fault] = []
    for plan in mappings:
        kinds = FAULTS[plan.kind]
        faults += [
            _fault(chance, chance.choice(kinds), plan.name, heal_at) for _ in range(chance.randint(0, 6))
        ]
    for _ in range(chance.choice((0, 0, 1, 2))):
        faults.append(_fault(chance, chance.choice(STATE_FAULTS), "state", heal_at))
    # LATEST is pinned to the poller's own wall clock, which must then be right.
    latest = any(p.mapping.starting_position is StartingPosition.LATEST for p in mappings)
    if chance.random() < 0.1 and not latest:
        faults.append(_fault(chance, FaultKind.WALL_JUMP, "clock", heal_at))
    return tuple(faults)


def _fault(chance: random.Random, kind: FaultKind, place: str, heal_at: float) -> Fault:
    start = chance.uniform(0, heal_at * 0.95)
    if kind in HAPPENINGS:
        return Fault(kind=kind, place=place, start=start, end=start)
    start = chance.choice((0.0, start))
    return Fault(
        kind=kind,
        place=place,
        start=start,
        end=start + chance.choice((2.0, 10.0, heal_at)),
        chance=0.1 if kind in _RARE else chance.choice((0.1, 0.3, 1.0)),
        most=chance.choice((1, 3, 1_000_000)),
    )


def _lives(chance: random.Random, heal_at: float) -> tuple[Life, ...]:
    count = chance.choice((0, 1, 1, 2, 4))
    return tuple(
        Life(
            until=chance.uniform(0, heal_at / count),
            end=chance.choice((End.KILL, End.KILL, End.DRAIN, End.DRAIN_KILL)),
            kill_after=chance.uniform(0, 3),
            downtime=chance.choice((0.0, 0.0, 1.0, 10.0)),
        )
        for _ in range(count)
    )


def tempo(chance: random.Random) -> Tempo:
    """How fast everything goes."""
    return Tempo(
        long_poll_s=chance.choice((3.0, 20.0, 20.0)),
        kinesis=Pace(busy_s=0.2, idle_s=chance.choice((1.0, 4.0))),
        dynamodb=Pace(busy_s=0.0, idle_s=chance.choice((0.5, 4.0))),
        load_sample_s=chance.choice((1.0, 5.0)),
        discovery_s=chance.choice((5.0, 20.0, 40.0)),
        failure_backoff=Backoff(0.5, chance.choice((2.0, 20.0))),
        refusal_backoff=Backoff(0.5, 10.0),
        patience=Patience(passing=Backoff(0.2, 10.0), lasting=Backoff(2.0, 20.0)),
    )
