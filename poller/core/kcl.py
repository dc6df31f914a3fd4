"""What the lease table of a KCL application says, as leases of a mapping.

Pure: the rows were read by somebody else. Names and sentinels are those of KCL 1 to 3.
"""

from collections.abc import Mapping, Sequence
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
    mine = [row for row in rows if row.stream in (None, stream)]
    if not mine:
        raise KclUnusable(f"no lease is of stream {stream}")
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
    return sorted(leases, key=lambda lease: lease.shard), [*_notes(mine)]


def has_moved(before: Sequence[KclRow], after: Sequence[KclRow]) -> bool:
    """Whether the application still renews its leases: it runs, and would read the same records."""
    counters = {row.key: row.counter for row in before}
    return any(row.key in counters and row.counter != counters[row.key] for row in after)


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
        parents=tuple(sorted(map(str, parents))) if isinstance(parents, list | tuple | set) else (),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
