"""The lease protocol: what each write requires of the row it meets, and what it leaves there.

Every store applies these transitions atomically; that they raise means that the row stays as it is.
"""

from dataclasses import dataclass, field, replace

from poller.core.records import Position
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
    """Grows with each change of hands, or request for one: whoever saw an earlier one decides anew."""
    claimant: str | None = None
    """Who asked the owner for the shard; once that gave it up, whom it is kept for."""
    window: WindowState | None = None
    """The tumbling window that is open at the checkpoint; the two are only ever written together."""
    written_at: float | None = field(default=None, compare=False)
    """When the checkpoint was written, epoch seconds by its writer's clock; nothing depends on it."""


def taken(stored: Lease | None, seen: Lease, owner: str) -> Lease:
    """Become the owner, provided that the lease has not changed hands since it was seen.

    That the owner it was seen with is no more, whoever takes must know: see `core.members`.
    """
    current = _unchanged(stored, seen)
    return replace(current, owner=owner, epoch=current.epoch + 1, counter=current.counter + 1, claimant=None)


def requested(stored: Lease | None, seen: Lease, claimant: str) -> Lease:
    """Ask the owner for the shard: it finishes what runs, checkpoints and gives the lease up."""
    current = _unchanged(stored, seen)
    if current.owner in (None, claimant):
        raise LeaseLost(f"shard {seen.shard} has no other owner to be asked")
    return replace(current, counter=current.counter + 1, claimant=claimant)


def declined(stored: Lease | None, held: Lease) -> Lease:
    """Keep the shard: nobody that lives and needs it asks for it any more."""
    current = _fenced(stored, held)
    return replace(current, counter=current.counter + 1, claimant=None)


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
    """Give the lease up, for the claimant if there is one.

    The epoch stays, so that late writes of this owner are still fenced.
    """
    current = _fenced(stored, held)
    return replace(current, owner=None, counter=current.counter + 1)


def at_rest(lease: Lease, mapping: str) -> Lease:
    """The same place in the same shard for another mapping, which nobody reads yet."""
    return Lease(
        mapping=mapping,
        shard=lease.shard,
        incarnation=lease.incarnation,
        checkpoint=lease.checkpoint,
        parents=lease.parents,
        window=lease.window,
        written_at=lease.written_at,
    )


def ahead(position: Position, of: Position) -> bool:
    """Whether a position lies further on in the shard. Sequence numbers are numbers, not texts."""
    return order(position) > order(of)


def order(position: Position) -> str:
    """A text that sorts as positions lie in a shard: where it may start, its records, its end.

    Sequence numbers have up to 128 bits and more digits than the numbers of a store.
    """
    if position.sequence_number is not None:
        digits = position.sequence_number.lstrip("0")
        return f"1{len(digits):03}{digits}"
    return "2" if position.ended else "0"


def _unchanged(stored: Lease | None, seen: Lease) -> Lease:
    if stored is None or _version(stored) != _version(seen):
        raise LeaseLost(f"shard {seen.shard} has changed hands")
    return stored


def _fenced(stored: Lease | None, held: Lease) -> Lease:
    if stored is None or _ownership(stored) != _ownership(held):
        raise LeaseLost(f"shard {held.shard} belongs to another worker")
    return stored


# Epochs begin anew with each incarnation of a stream, and its shards may have the names of the earlier ones.
def _ownership(lease: Lease) -> tuple[str, str | None, int]:
    return lease.incarnation, lease.owner, lease.epoch


def _version(lease: Lease) -> tuple[str, int, int]:
    return lease.incarnation, lease.epoch, lease.counter
