"""Draws worlds that are about receipts: redrive, few slots, long throttles, suspends, trouble of deletes."""

import random
from collections.abc import Sequence
from dataclasses import replace

from mappings.arns import SourceKind
from tests.fakes.faults import Fault, FaultKind
from tests.simulation.generator import mapping_plan, tempo
from tests.simulation.scenario import End, Life, MappingPlan, Place, Scenario, Write

_DELETES = (
    FaultKind.DELETE_HANGS,
    FaultKind.DELETE_DENIED,
    FaultKind.DELETE_FAILED,
    FaultKind.DELETE_LOST,
)
_REFUSALS = (
    FaultKind.FUNCTION_THROTTLED,
    FaultKind.FUNCTION_THROTTLED,
    FaultKind.FUNCTION_UNREACHABLE,
    FaultKind.FUNCTION_NOT_READY,
)
_FAILURES = (FaultKind.FUNCTION_ERROR, FaultKind.FUNCTION_PARTIAL, FaultKind.FUNCTION_HANGS)
_RECEIVES = (FaultKind.RECEIVE_DUPLICATE, FaultKind.RECEIVE_LOST)
_REST = (
    FaultKind.SETTLE_UNAVAILABLE,
    FaultKind.SOURCE_UNAVAILABLE,
    FaultKind.SOURCE_SLOW,
    FaultKind.FUNCTION_LOST_REPLY,
    FaultKind.FUNCTION_SLOW,
    FaultKind.FUNCTION_BUG,
)
LARGE_BYTES = 1_000
PAYLOAD_BYTES = 4_500  # four large messages, so that a receive of more makes several events


def generate_queues(seed: int) -> Scenario:
    """The scenario of a seed with a queue or two; in some, two workers poll them."""
    chance = random.Random(f"queues {seed}")
    heal_at = chance.choice((40.0, 90.0, 150.0))
    names = [f"m{number}" for number in range(chance.choice((1, 1, 1, 2)))]
    mappings = tuple(_plan(chance, name, heal_at) for name in names)
    workers = chance.choice((1, 1, 1, 2))
    lives = [_lives(chance, heal_at) for _ in range(workers)]
    return Scenario(
        seed=seed,
        mappings=mappings,
        faults=tuple(fault for plan in mappings for fault in _faults(chance, plan.name, heal_at)),
        lives=lives[0] if workers == 1 else (),
        fleet=tuple(Place(rate=1.0, lives=each) for each in lives) if workers > 1 else (),
        heal_at=heal_at,
        tempo=tempo(chance),
        payload_bytes=PAYLOAD_BYTES,
        # Below 2 s polls do not wait, which is slow to simulate: few worlds have that.
        drain_timeout_s=1.0 if chance.random() < 0.03 else chance.choice((4.0, 10.0, 30.0, 90.0, 90.0)),
    )


def _plan(chance: random.Random, name: str, heal_at: float) -> MappingPlan:
    plan = mapping_plan(chance, name, SourceKind.SQS, heal_at, 0.0)
    large = plan.mapping.event_source.fifo and chance.random() < 0.5
    mapping = plan.mapping
    return replace(
        plan,
        mapping=replace(mapping, batch_size=10) if large else mapping,
        writes=_writes(chance, plan, heal_at),
        poison=plan.poison if chance.random() < 0.3 else (),
        visibility_timeout_s=plan.timeout_s + chance.choice((0.0, 4.0, 10.0, 40.0)),
        max_receive_count=chance.choice((None, 1, 2, 3)),
        concurrency=chance.choice((None, None, 1, 2)),
        concurrency_known=chance.random() < 0.7,
        timeout_known=chance.random() < 0.7,
        message_bytes=LARGE_BYTES if large else 0,
    )


def _writes(chance: random.Random, plan: MappingPlan, heal_at: float) -> tuple[Write, ...]:
    """In half of the worlds many messages come at once, so that they wait for each other."""
    if chance.random() < 0.5:
        return plan.writes
    moments = [chance.uniform(0, heal_at * 0.9) for _ in range(3)]
    return tuple(sorted(write._replace(at=chance.choice(moments)) for write in plan.writes))


def _faults(chance: random.Random, place: str, heal_at: float) -> Sequence[Fault]:
    """Few at a time: what a fault excuses is not judged."""
    faults = []
    for kinds, odds in ((_DELETES, 0.4), (_REFUSALS, 0.4), (_FAILURES, 0.3), (_RECEIVES, 0.2), (_REST, 0.15)):
        if chance.random() < odds:
            faults.append(_fault(chance, chance.choice(kinds), place, heal_at))
    if chance.random() < 0.15:
        faults.append(_fault(chance, FaultKind.RENEW_DENIED, place, heal_at))
    return faults


def _fault(chance: random.Random, kind: FaultKind, place: str, heal_at: float) -> Fault:
    start = chance.choice((0.0, chance.uniform(0, heal_at * 0.9)))
    rare = kind in (FaultKind.FUNCTION_BUG, FaultKind.RECEIVE_DUPLICATE)
    return Fault(
        kind=kind,
        place=place,
        start=start,
        end=start + chance.uniform(20.0, 60.0),
        chance=0.1 if rare else chance.choice((0.1, 0.3, 1.0)),
        most=chance.choice((1, 3, 1_000_000, 1_000_000)),
    )


def _lives(chance: random.Random, heal_at: float) -> tuple[Life, ...]:
    count = chance.choice((0, 1, 1, 2))
    return tuple(
        Life(
            until=chance.uniform(0, heal_at / count),
            end=chance.choice((End.KILL, End.DRAIN, End.DRAIN, End.DRAIN, End.DRAIN_KILL)),
            kill_after=chance.uniform(0, 3),
            downtime=chance.choice((0.0, 0.0, 1.0, 10.0)),
            pauses=_pauses(chance, heal_at / count),
        )
        for _ in range(count)
    )


def _pauses(chance: random.Random, until: float) -> tuple[tuple[float, float], ...]:
    if chance.random() < 0.7:
        return ()
    return ((chance.uniform(0, until), chance.choice((2.0, 8.0, 20.0, 40.0))),)
