"""Who belongs to a fleet: what a member's row says, and what is to be made of a heartbeat that stands still.

A heartbeat renews all leases of its worker at once. Nobody compares clocks: a worker is dead when its counter
has not moved for a lease length by the clock of whoever watches. It is declared so in its row, on condition
that the counter still stands there; from then on its heartbeats are refused, and all its leases are free.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from poller.core.tenure import LEASE_S, Tenure
from poller.errors import MembershipLost


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A worker as its fleet sees it."""

    id: str
    """Fresh for each process, and again whenever the fleet took it for dead."""
    counter: int = 0
    """Grows with each heartbeat."""
    leaving: bool = False
    """Whether it drains: it takes no shard and has no share of a queue."""
    dead: bool = False
    lease_s: float = LEASE_S
    """Its own lease length: others give it that long."""
    applied: int = 0
    """The revision of the mappings that it has taken up: nothing it runs is of an earlier one."""
    label: str = ""
    """The name of its host, for people."""


def beaten(stored: Member | None, member: Member) -> Member:
    """Show that a worker lives."""
    if stored is None or stored.dead:
        raise MembershipLost(f"worker {member.id} was taken for dead")
    return replace(stored, counter=stored.counter + 1, leaving=member.leaving, applied=member.applied)


def buried(stored: Member | None, seen: Member) -> Member | None:
    """Declare dead a member whose heartbeat stands where it was seen; None where it moved, or is gone."""
    if stored is None or stored.counter != seen.counter:
        return None
    return replace(stored, dead=True)


@dataclass(frozen=True, slots=True)
class _Sighting:
    member: Member
    since: float
    """When the answer that first showed this counter, or this death, had come."""


class Sightings:
    """What one worker has seen of the members, by its own clock."""

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure
        self._asked_at = 0.0
        self._seen: dict[str, _Sighting] = {}
        self._missing: dict[str, float] = {}

    def see(self, members: Iterable[Member], *, asked_at: float, answered_at: float) -> None:
        """Take in a listing of all members, read at some moment between two times."""
        self._asked_at = asked_at
        before, self._seen = self._seen, {}
        for member in members:
            earlier = before.get(member.id)
            same = earlier is not None and _state(earlier.member) == _state(member)
            since = earlier.since if earlier is not None and same else answered_at
            self._seen[member.id] = _Sighting(member, since)
        self._missing = {
            owner: since
            for owner, since in self._missing.items()
            if owner not in self._seen and asked_at - since < self._tenure.burial_s
        }

    @property
    def living(self) -> Sequence[str]:
        """All members that were not declared dead, in the order of their ids."""
        return sorted(id_ for id_, seen in self._seen.items() if not seen.member.dead)

    @property
    def staying(self) -> Sequence[str]:
        """Those of them that do not leave: among these, work is divided."""
        return [id_ for id_ in self.living if not self._seen[id_].member.leaving]

    def in_step(self, revision: int) -> bool:
        """Whether every member has taken up the mappings of a revision."""
        living = [seen.member for seen in self._seen.values() if not seen.member.dead]
        return all(member.applied >= revision for member in living)

    @property
    def to_bury(self) -> Sequence[Member]:
        """Members whose heartbeat has stood still for too long."""
        return [
            seen.member
            for seen in self._seen.values()
            if not seen.member.dead
            and self._asked_at - seen.since >= Tenure(lease_s=seen.member.lease_s).takeover_s
        ]

    @property
    def to_forget(self) -> Sequence[Member]:
        """Dead members that nobody will ask for any more."""
        return [
            seen.member
            for seen in self._seen.values()
            if seen.member.dead and self._asked_at - seen.since >= self._tenure.burial_s
        ]

    def gone(self, owner: str, now: float) -> bool:
        """Whether the leases of an owner are free.

        An owner without a row may have joined a moment ago, or its row was lost: it is watched as long as one
        whose heartbeat stands still.
        """
        seen = self._seen.get(owner)
        if seen is not None:
            return seen.member.dead
        since = self._missing.setdefault(owner, now)
        return self._asked_at - since >= self._tenure.takeover_s


def heirs(owner: str, staying: Iterable[str]) -> Sequence[str]:
    """In which order workers take over what an owner that is no more has left.

    The order differs from owner to owner, and is the same whoever makes it from the same members.
    """
    return sorted(staying, key=lambda member: sha256(f"{owner} {member}".encode()).digest(), reverse=True)


def _state(member: Member) -> tuple[int, bool]:
    return member.counter, member.dead
