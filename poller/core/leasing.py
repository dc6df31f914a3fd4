"""The lease protocol: what each write requires of the row it meets, and what it leaves there.

Every store applies these transitions atomically; that they raise means that the row stays as it is.
"""

from dataclasses import dataclass, replace

from poller.core.records import Position, PositionKind
from poller.core.timewindow import WindowState
from poller.errors import LeaseLost


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A shard of a mapping, who reads it, and how far it was read."""

    mapping: str
    """UUID of the mapping."""
    shard: str
    incarnation: str
    """Which stream of this name the checkpoint belongs to."""
    checkpoint: Position
    parents: tuple[str, ...] = ()
    owner: str | None = None
    epoch: int = 0
    """Grows with each change of owner; fences the writes of earlier owners."""
    counter: int = 0
    """Grows with each renewal."""
    window: WindowState | None = None
    """The tumbling window that is open at the checkpoint; the two are only ever written together."""


def taken(stored: Lease | None, seen: Lease, owner: str) -> Lease:
    """Become the owner, provided that nothing has happened to the lease since it was seen."""
    if stored is None or _version(stored) != _version(seen):
        raise LeaseLost(f"shard {seen.shard} was taken by another worker")
    return replace(stored, owner=owner, epoch=stored.epoch + 1, counter=stored.counter + 1)


def renewed(stored: Lease | None, held: Lease) -> Lease:
    """Show that the owner lives."""
    current = _fenced(stored, held)
    return replace(current, counter=current.counter + 1)


def checkpointed(
    stored: Lease | None, held: Lease, position: Position, window: WindowState | None = None
) -> Lease:
    """Move the checkpoint forward; a position behind the stored one changes nothing.

    At the same position the window may still change: its final invocation finishes no record.
    """
    current = _fenced(stored, held)
    if position == current.checkpoint or ahead(position, current.checkpoint):
        return replace(current, checkpoint=position, window=window)
    return current


def released(stored: Lease | None, held: Lease) -> Lease:
    """Give the lease up; the epoch stays, so that late writes of this owner are still fenced."""
    return replace(_fenced(stored, held), owner=None)


def ahead(position: Position, of: Position) -> bool:
    """Whether a position lies further on in the shard. Sequence numbers are numbers, not texts."""
    if of.kind is PositionKind.SHARD_END:
        return False
    if position.sequence_number is None or of.sequence_number is None:
        return True
    return int(position.sequence_number) > int(of.sequence_number)


def _fenced(stored: Lease | None, held: Lease) -> Lease:
    if stored is None or _ownership(stored) != _ownership(held):
        raise LeaseLost(f"shard {held.shard} belongs to another worker")
    return stored


# Epochs begin anew with each incarnation of a stream, and its shards may have the names of the earlier ones.
def _ownership(lease: Lease) -> tuple[str, str | None, int]:
    return lease.incarnation, lease.owner, lease.epoch


def _version(lease: Lease) -> tuple[str, int, int]:
    return lease.incarnation, lease.epoch, lease.counter
