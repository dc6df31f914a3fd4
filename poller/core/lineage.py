"""Which shards exist, where each starts, and which may be read now: parents before children."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poller.core.records import Position, PositionKind, Shard, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownShard:
    """What the state store says of a shard."""

    id: str
    parents: tuple[str, ...]
    checkpoint: Position
    incarnation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What follows from one listing."""

    create: Sequence[tuple[Shard, Position]] = ()
    """Shards seen for the first time and where each starts."""
    forget: Sequence[str] = ()
    """Shards of an earlier stream of the same name: their positions mean nothing in this one."""
    readable: Sequence[str] = ()
    """Shards with something left to read whose parents are all finished."""


def plan(topology: Topology, known: Sequence[KnownShard], starting: Position) -> Plan:
    """Compare a complete listing with what is known.

    Shards of the first listing start at StartingPosition. Every later one was born from a shard that was
    already being read, so it starts at TRIM_HORIZON, or records written before it was found would be lost.
    """
    current = {k.id: k for k in known if k.incarnation == topology.incarnation}
    forget = [k.id for k in known if k.incarnation != topology.incarnation]
    first_listing = not current
    create = [
        (shard, _start(shard, starting) if first_listing else Position.trim_horizon())
        for shard in topology.shards
        if shard.id not in current
    ]
    parents = {k.id: k.parents for k in current.values()} | {s.id: s.parents for s, _ in create}
    checkpoints = {k.id: k.checkpoint for k in current.values()} | {s.id: at for s, at in create}
    readable = [
        shard_id
        for shard_id, checkpoint in checkpoints.items()
        if not checkpoint.ended and _parents_finished(parents[shard_id], checkpoints)
    ]
    return Plan(create=create, forget=forget, readable=sorted(readable))


def _start(shard: Shard, starting: Position) -> Position:
    """Under LATEST only open shards matter: nothing more is written to a closed one."""
    if starting.kind is PositionKind.LATEST and shard.closed:
        return Position.shard_end()
    return starting


def _parents_finished(parents: Sequence[str], checkpoints: Mapping[str, Position]) -> bool:
    """A parent that is neither listed nor known left the stream's retention before it was seen."""
    return all(checkpoints[parent].ended for parent in parents if parent in checkpoints)
