"""Which shards exist, where each starts, and which may be read now: parents before children."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from poller.core.records import Position, PositionKind, Shard, Topology

LISTINGS_TO_BELIEVE = 3  # in a row that lack a shard, before it is taken to have left the stream


LAST_HASH_KEY = 2**128 - 1
# Stands, finished, among the shards of a stream that was made again, so that its other shards are never taken
# for those of a first listing, whoever lists them next. It leaves as a shard does that left the stream.
RECREATED = "recreated"


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
    vanished: Sequence[str] = ()
    """Shards that left the stream before they were read to their end."""
    settled: Sequence[str] = ()
    """Finished shards that left the stream and whose children have begun: nobody will ask for them again."""
    waiting: int = 0
    """Shards whose parents are not finished."""
    ended: int = 0
    """Shards that are finished, and that somebody may yet ask for."""


class Absences:
    """Counts listings in a row that lack a shard which ought to be there.

    Listings are not consistent at once: a single one that leaves a shard out says nothing.
    """

    def __init__(self) -> None:
        self._incarnation = ""
        self._counts: dict[str, int] = {}
        self._finished: frozenset[str] = frozenset()

    def note(self, topology: Topology, known: Sequence[KnownShard]) -> frozenset[str]:
        """Take a listing in; the shards that are believed to have left the stream."""
        if topology.incarnation != self._incarnation:
            self._incarnation = topology.incarnation
            self._counts = {}
        listed = {shard.id for shard in topology.shards}
        current = [k for k in known if k.incarnation == topology.incarnation]
        finished = frozenset(k.id for k in current if k.checkpoint.ended)
        begun = {k.id for k in current if k.checkpoint.begun}
        wanted = {s.id: s.parents for s in topology.shards} | {k.id: k.parents for k in current}
        wanted |= dict.fromkeys(begun, ())  # what has begun asks for its parents no more
        expected = {
            id_ for shard, parents in wanted.items() if shard not in finished for id_ in (shard, *parents)
        }
        self._finished = finished
        self._counts = {id_: self._counts.get(id_, 0) + 1 for id_ in (expected | finished) - listed}
        return frozenset(id_ for id_, count in self._counts.items() if count >= LISTINGS_TO_BELIEVE)

    @property
    def unsure(self) -> bool:
        """Whether another listing is needed soon; to forget what is finished is never urgent."""
        return any(
            count < LISTINGS_TO_BELIEVE for id_, count in self._counts.items() if id_ not in self._finished
        )


def plan(
    topology: Topology,
    known: Sequence[KnownShard],
    starting: Position,
    gone: Collection[str] = frozenset(),
) -> Plan:
    """Compare a listing with what is known.

    Shards of the first listing start at StartingPosition. Every later one was born from a shard that was
    already being read, so it starts at TRIM_HORIZON, or records written before it was found would be lost.
    All that is in a stream that was made again was written after the mapping was made: LATEST then means its
    horizon (faults 36).
    """
    current = {k.id: k for k in known if k.incarnation == topology.incarnation}
    forget = [k.id for k in known if k.incarnation != topology.incarnation]
    first_listing = not current
    if forget and starting.kind is PositionKind.LATEST:
        starting = Position.trim_horizon()
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
        if not checkpoint.ended
        # What has begun was allowed to: its parents may be forgotten by now.
        and (checkpoint.begun or _parents_finished(parents[shard_id], checkpoints, gone))
    ]
    ended = [shard_id for shard_id, checkpoint in checkpoints.items() if checkpoint.ended]
    vanished = [k.id for k in current.values() if k.id in gone and not k.checkpoint.ended]
    awaited = {parent for id_, at in checkpoints.items() if not at.begun for parent in parents[id_]}
    # One listing that leaves a shard out must not make it new: it would be read from its beginning again.
    settled = [id_ for id_, at in checkpoints.items() if at.ended and id_ in gone and id_ not in awaited]
    return Plan(
        create=create,
        forget=forget,
        readable=sorted(readable),
        vanished=sorted(vanished),
        settled=sorted(settled),
        waiting=len(checkpoints) - len(ended) - len(readable),
        ended=len(ended) - len(settled),
    )


def covers_the_stream(topology: Topology) -> bool:
    """Whether the open shards take every hash key: a listing with a hole lacks a shard.

    True for a stream that does not deal records by hash.
    """
    ranges = sorted(s.hash_range for s in topology.shards if s.hash_range is not None and not s.closed)
    if not ranges:
        return True
    reached = -1
    for first, last in ranges:
        if first > reached + 1:
            return False
        reached = max(reached, last)
    return reached >= LAST_HASH_KEY


def _start(shard: Shard, starting: Position) -> Position:
    """Under LATEST only open shards matter: nothing more is written to a closed one."""
    if starting.kind is PositionKind.LATEST and shard.closed:
        return Position.shard_end()
    return starting


def _parents_finished(
    parents: Sequence[str], checkpoints: Mapping[str, Position], gone: Collection[str]
) -> bool:
    """A parent that was never known is finished only if it left the stream before it could be seen."""
    return all(checkpoints[parent].ended if parent in checkpoints else parent in gone for parent in parents)
