"""Who reads which shard: what one worker takes, asks for and gives up, given what it sees of the whole view.

No worker leads. Each comes to its own decision from the same rows; where two decide on the same lease, the
condition of the write lets one of them win. Work without an owner is dealt at once and without limit, and
what was dealt to somebody who does not come is taken by whoever sees it. Work with an owner moves only if
that makes the shares more even, a little at a time, and never back at once.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from poller.core.leasing import Lease

Key = tuple[str, str]
"""Mapping and shard."""
# A worker asks for one lease in an interval, or for a third of an even share where that is more: it has its
# share after three intervals, however many shards there are.
INTERVALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one worker sees."""

    me: str
    staying: Sequence[str]
    """The workers among which work is divided, in the order of their ids; one that leaves is not in it."""
    gone: Collection[str] = ()
    """Owners that are no more: their leases are free."""
    reading: Collection[Key] = ()
    """What this worker reads, or has not finished with. Any other lease that names it as its owner is free:
    it was taken and nobody heard so."""
    stale: Collection[Key] = ()
    """Free leases, and requests, that have waited for somebody for too long."""
    settling: Collection[Key] = ()
    """Leases that changed hands a moment ago: they stay where they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """What this worker does now."""

    take: Sequence[Lease] = ()
    request: Sequence[Lease] = ()
    """Owned by others that have more."""
    give: Sequence[Lease] = ()
    """Its own, which another asked for: finish what runs, checkpoint, release."""
    decline: Sequence[Lease] = ()
    """Its own, asked for by nobody that needs it any more."""


def allot(leases: Sequence[Lease], view: View, *, may_request: bool = True) -> Allotment:
    """Decide about all leases of the fleet that can be read now.

    Args:
        leases: Of all mappings; a shard that is finished, or waits for its parents, is nobody's work.
        view: What this worker sees.
        may_request: Whether it may ask for leases of others in this interval.
    """
    ordered = sorted(leases, key=_key)
    free = [lease for lease in ordered if _is_free(lease, view)]
    owned = [lease for lease in ordered if not _is_free(lease, view)]
    loads = Counter(dict.fromkeys(view.staying, 0))
    loads.update(holder for holder in (_holder(lease, view) for lease in owned) if holder in loads)
    take = _dealt(free, loads, view)
    give, decline = _answers(owned, loads, view)
    return Allotment(
        take=take,
        request=_wanted(owned, loads, view) if may_request else (),
        give=give,
        decline=decline,
    )


def _dealt(free: Sequence[Lease], loads: Counter[str], view: View) -> Sequence[Lease]:
    """Deal free leases, each to whoever has least; what is kept for a claimant that stays is its own."""
    mine: list[Lease] = []
    for lease in free:
        if lease.owner == view.me and view.me in loads:
            taker = view.me
        elif lease.owner is None and lease.claimant in loads and _key(lease) not in view.stale:
            taker = str(lease.claimant)
        elif loads:
            taker = min(loads, key=lambda worker: (loads[worker], worker))
        else:
            break
        loads[taker] += 1
        if taker == view.me or (_key(lease) in view.stale and view.me in view.staying):
            mine.append(lease)
    return mine


def _wanted(owned: Sequence[Lease], loads: Counter[str], view: View) -> Sequence[Lease]:
    """Ask those that have most, as long as that makes the shares more even."""
    if view.me not in loads:
        return ()
    even = sum(loads.values()) // len(loads)
    limit = max(-(-even // INTERVALS), 1)
    loads = loads.copy()
    wanted: list[Lease] = []
    candidates = [lease for lease in owned if _movable(lease, view)]
    while candidates and len(wanted) < limit:
        owners = {str(lease.owner) for lease in candidates}
        most = max(owners, key=lambda worker: (loads[worker], worker))
        if loads[most] - loads[view.me] < 2:  # to swap the places of two workers is no gain
            break
        # From the far end of what it has: others that join at the same time ask for other leases.
        theirs = [lease for lease in candidates if lease.owner == most]
        chosen = theirs[_spread(view.me, len(theirs))]
        candidates.remove(chosen)
        wanted.append(chosen)
        loads[most] -= 1
        loads[view.me] += 1
    return wanted


def _answers(
    owned: Sequence[Lease], loads: Counter[str], view: View
) -> tuple[Sequence[Lease], Sequence[Lease]]:
    """Whether to obey those who ask for leases of this worker.

    It gives what is above an even share: several that ask at the same time do not see each other. A claimant
    that it does not know may have joined a moment ago.
    """
    mine = [lease for lease in owned if lease.owner == view.me]
    asked = [lease for lease in mine if lease.claimant is not None]
    known = [lease for lease in asked if lease.claimant in view.staying]
    surplus = len(mine) - sum(loads.values()) // len(loads) if view.me in loads else len(mine)
    give = known[: max(surplus, 0)]
    lapsed = [lease for lease in asked if lease not in known and _key(lease) in view.stale]
    return give, [*known[len(give) :], *lapsed]


def _is_free(lease: Lease, view: View) -> bool:
    forgotten = lease.owner == view.me and _key(lease) not in view.reading
    return lease.owner is None or lease.owner in view.gone or forgotten


def _holder(lease: Lease, view: View) -> str:
    """Whom a lease counts for: one that is about to change hands counts for who gets it."""
    promised = lease.claimant in view.staying and _key(lease) not in view.stale
    return str(lease.claimant if promised else lease.owner)


def _movable(lease: Lease, view: View) -> bool:
    asked = lease.claimant in view.staying and _key(lease) not in view.stale
    return (
        lease.owner != view.me
        and lease.owner in view.staying
        and not asked
        and _key(lease) not in view.settling
    )


def _spread(worker: str, count: int) -> int:
    """A place in a list that differs from worker to worker and stays the same for each."""
    return sum(worker.encode()) % count


def _key(lease: Lease) -> Key:
    return lease.mapping, lease.shard
