"""What the lease table of a KCL application says, as leases of a mapping.

Pure: the rows were read by somebody else. Names and sentinels are those of KCL 1 to 3.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from poller.core.leasing import Lease
from poller.core.records import Position, Topology

_SENTINELS = {
    "TRIM_HORIZON": Position.trim_horizon(),
    "SHARD_END": Position.shard_end(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KclRow:
    """One lease of a KCL application."""

    key: str
    checkpoint: str
    sub_sequence_number: int = 0
    counter: int = 0
    owner: str | None = None
    """The worker that holds it, or held it last: a worker that ends leaves its name."""
    parents: tuple[str, ...] = ()

    @property
    def shard(self) -> str:
        """Applications that read several streams put account, stream and creation time in front."""
        return self.key.rpartition(":")[2]

    @property
    def stream(self) -> str | None:
        """The stream, where the key names it."""
        parts = self.key.split(":")
        return parts[1] if len(parts) == 4 else None

    @property
    def created(self) -> int | None:
        """When that stream was made, whole epoch seconds, where the key says so."""
        parts = self.key.split(":")
        return int(parts[2]) if len(parts) == 4 and parts[2].isdecimal() else None


class KclUnusable(ValueError):
    """A row says nothing that positions could be made of."""


def leases_from_kcl(
    rows: Sequence[KclRow], topology: Topology, *, mapping: str, stream: str, now: float
) -> tuple[Sequence[Lease], Sequence[str]]:
    """The leases, and what their user should know.

    Args:
        rows: All rows that are leases.
        topology: The stream as it is listed now.
        mapping: UUID of the mapping that goes on.
        stream: Name of the stream.
        now: The service's time, epoch seconds; LATEST means this.

    Raises:
        KclUnusable: No row is of this stream, or one has a checkpoint without a place.
    """
    mine = [row for row in rows if row.stream in (None, stream) and _is_of(row, topology)]
    if not mine:
        raise KclUnusable(f"no lease is of stream {stream} as it is now")
    listed = {shard.id: shard.parents for shard in topology.shards}
    if not listed.keys() & {row.shard for row in mine}:
        raise KclUnusable(f"none of its {len(mine)} leases is of a shard that stream {stream} has")
    leases = [
        Lease(
            mapping=mapping,
            shard=row.shard,
            incarnation=topology.incarnation,
            checkpoint=_position(row, now),
            parents=row.parents or listed.get(row.shard, ()),
        )
        for row in mine
    ]
    leases += [
        Lease(
            mapping=mapping,
            shard=shard,
            incarnation=topology.incarnation,
            checkpoint=Position.shard_end(),
            parents=listed[shard],
        )
        for shard in _finished(leases, listed)
    ]
    return sorted(leases, key=lambda lease: lease.shard), [*_notes(mine)]


def _is_of(row: KclRow, topology: Topology) -> bool:
    """Whether a row is of the stream as it is now, as far as its key says when that was made."""
    incarnation = topology.incarnation
    return row.created is None or not incarnation.isdecimal() or int(incarnation) // 1000 == row.created


def _finished(leases: Sequence[Lease], listed: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Listed ancestors of shards that have a lease, without one themselves.

    KCL reads a child only when its parents are finished, and then removes their leases; a stream lists such a
    parent for as long as it retains its records.
    """
    seen = {lease.shard for lease in leases}
    ancestors = [parent for lease in leases for parent in lease.parents]
    while ancestors:
        shard = ancestors.pop()
        if shard not in seen:
            seen.add(shard)
            ancestors += listed.get(shard, ())
            if shard in listed:
                yield shard


def has_moved(before: Sequence[KclRow], after: Sequence[KclRow]) -> bool:
    """Whether the application still works on its leases: it runs, and would read the same records."""
    return {row.key: row for row in before} != {row.key: row for row in after}


def owners(rows: Sequence[KclRow]) -> Sequence[str]:
    """The workers that hold leases, or held them when they ended."""
    return sorted({row.owner for row in rows if row.owner})


def _position(row: KclRow, now: float) -> Position:
    if row.checkpoint in _SENTINELS:
        return _SENTINELS[row.checkpoint]
    if row.checkpoint == "LATEST":
        return Position.at_timestamp(now)
    if row.checkpoint.isascii() and row.checkpoint.isdigit():
        return Position.after(row.checkpoint)
    raise KclUnusable(
        f"shard {row.shard} has the checkpoint {row.checkpoint!r}, which names no place: let KCL read a "
        "record of it first"
    )


def _notes(rows: Sequence[KclRow]) -> Sequence[str]:
    inside = [row.shard for row in rows if row.sub_sequence_number]
    latest = [row.shard for row in rows if row.checkpoint == "LATEST"]
    notes = []
    if inside:
        notes.append(
            f"{len(inside)} shards were checkpointed inside an aggregated record, which is taken as "
            f"finished: {', '.join(inside[:5])}"
        )
    if latest:
        notes.append(f"{len(latest)} shards were at LATEST, which is taken as now: {', '.join(latest[:5])}")
    return notes


def row_of(item: Mapping[str, object]) -> KclRow | None:
    """Read an item; None where it is no lease. KCL 3 keeps more than leases in the table."""
    key, checkpoint = item.get("leaseKey"), item.get("checkpoint")
    if not isinstance(key, str) or not isinstance(checkpoint, str):
        return None
    parents = item.get("parentShardId", ())
    return KclRow(
        key=key,
        checkpoint=checkpoint,
        sub_sequence_number=_number(item.get("checkpointSubSequenceNumber")),
        counter=_number(item.get("leaseCounter")),
        owner=_text(item.get("leaseOwner")) or _text(item.get("checkpointOwner")),
        parents=tuple(sorted(map(str, parents))) if isinstance(parents, list | tuple | set) else (),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
