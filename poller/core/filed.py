"""Entries of mappings of files among the leases, and what becomes of a StartingPosition that changes."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from mappings.identities import Known
from poller.core.leasing import Lease
from poller.core.records import Position

FILED = "file"
_LEFT = "left-file"


class Start(StrEnum):
    """What becomes of another StartingPosition of a mapping that exists."""

    OBEYED = "obeyed: no record was read yet"
    STANDS = "the checkpoints stand: reading goes on from them"
    LATER = "its shards are being read: obeyed at the next start, if no record was read by then"


def entry_of(known: Known, *, page: str) -> Lease:
    """Return what is kept of a mapping of a file; `page` is where all of its source are kept."""
    return Lease(
        mapping=page,
        shard="/".join((FILED if known.standing else _LEFT, known.starting, known.function)),
        incarnation=known.uuid,
        checkpoint=Position.shard_end(),
    )


def is_entry(lease: Lease) -> bool:
    """Whether it is no lease of a shard, but an entry of a mapping of a file."""
    return lease.shard.startswith((f"{FILED}/", f"{_LEFT}/"))


def known_of_entry(entry: Lease, source: str) -> Known:
    """Read what `entry_of` made."""
    kind, starting, function = entry.shard.split("/", 2)
    return Known(
        uuid=entry.incarnation,
        source=source,
        function=function,
        starting=starting,
        standing=kind == FILED,
    )


def start_change(leases: Sequence[Lease], free: Callable[[Lease], bool]) -> Start:
    """Decide what becomes of another StartingPosition.

    Args:
        leases: Those of the mapping.
        free: Whether nobody reads a shard.
    """
    if any(lease.checkpoint.begun or lease.window is not None for lease in leases):
        return Start.STANDS
    return Start.OBEYED if all(map(free, leases)) else Start.LATER
