"""Which shards this worker reads, alone or among others that share its state."""

from collections.abc import Collection, Sequence
from typing import Protocol

from poller.core.balance import Allotment, Key, View, allot
from poller.core.holdings import Holdings
from poller.core.leasing import Lease
from poller.core.members import heirs
from poller.core.sharing import NOTHING, WHOLE, Portion, Share, share_of
from poller.interfaces import Clock
from poller.membership import Membership
from poller.waiting import Signal


class Fleet(Protocol):
    """The workers that share one state, as one of them sees them."""

    @property
    def me(self) -> str:
        """The name under which this worker takes leases now."""
        ...

    @property
    def look_s(self) -> float | None:
        """Between looks at the leases; None where nobody else changes them."""
        ...

    def may_act(self, owner: str) -> bool:
        """Whether this worker may act on what it took under a name."""
        ...

    def is_free(self, lease: Lease) -> bool:
        """Whether a lease that this worker does not read may be taken."""
        ...

    def allot(self, mapping: str, leases: Sequence[Lease], reading: Collection[str]) -> Allotment:
        """What to do about the leases of a mapping that can be read now.

        Args:
            mapping: UUID of the mapping.
            leases: What can be read now, of all workers.
            reading: Shards this worker reads, or has not finished with.
        """
        ...

    def forget(self, mapping: str) -> None:
        """The mapping is not run here any more."""
        ...

    def succession(self, owner: str) -> int | None:
        """This worker's place, from 0, among those that take over an owner's events; None while it lives.

        The first can take it over at once; the others see to what the first has not taken.
        """
        ...

    def part(self, *, capped: bool) -> Share:
        """This worker's part of a queue's concurrency, which the user limited or not."""
        ...

    def wake(self, signal: Signal) -> None:
        """Set a signal whenever something changes; for as long as somebody holds it."""
        ...

    @property
    def revision(self) -> int:
        """Of the mappings: grows whenever a worker changes one."""
        ...

    def applied(self, revision: int) -> None:
        """Nothing runs here any more that is of an earlier revision."""
        ...

    @property
    def in_step(self) -> bool:
        """Whether that is true of all workers, and of the latest revision."""
        ...


class Alone:
    """The only worker: everything is its own, and nothing needs to be renewed."""

    look_s = None
    revision = 0
    in_step = True

    def __init__(self, me: str) -> None:
        self.me = me
        self._before: dict[Key, str | None] = {}
        """Who had a lease when it was first seen: that is no more, for the state has one user at a time."""

    def may_act(self, owner: str) -> bool:
        """Always."""
        return owner == self.me

    def is_free(self, lease: Lease) -> bool:
        """Free, its own, or of a process that came before."""
        before = self._before.setdefault((lease.mapping, lease.shard), lease.owner)
        return lease.owner in (None, self.me, before)

    def allot(self, mapping: str, leases: Sequence[Lease], reading: Collection[str]) -> Allotment:  # noqa: ARG002  # any
        """Take whatever is not read yet."""
        return Allotment(
            take=[lease for lease in leases if self.is_free(lease) and lease.shard not in reading]
        )

    def forget(self, mapping: str) -> None:
        """It may be begun again later."""
        self._before = {key: owner for key, owner in self._before.items() if key[0] != mapping}

    def succession(self, owner: str) -> int | None:  # noqa: ARG002  # any
        """Nobody leaves anything to it."""
        return None

    def part(self, *, capped: bool) -> Share:  # noqa: ARG002  # either
        """The whole."""
        return WHOLE

    def wake(self, signal: Signal) -> None:
        """Nothing changes."""

    def applied(self, revision: int) -> None:
        """Nobody has to be told."""


class SharedFleet:
    """One of several workers: takes its share, and gives up what others lack."""

    def __init__(self, membership: Membership, clock: Clock) -> None:
        self._membership = membership
        self._clock = clock
        self._tenure = membership.tenure
        self._holdings = Holdings(self._tenure)
        self._leases: dict[str, Sequence[Lease]] = {}
        self._reading: dict[str, frozenset[Key]] = {}
        self._asked_at = float("-inf")
        self._portion = Portion(self._tenure)

    @property
    def me(self) -> str:
        """The name of this worker."""
        return self._membership.me

    @property
    def look_s(self) -> float:
        """Short while anything is about to change hands."""
        sightings = self._membership.sightings
        moving = any(
            lease.owner is None or lease.claimant is not None or self._is_gone(lease)
            for leases in self._leases.values()
            for lease in leases
        )
        calm = sightings.living == sightings.staying and not moving
        return self._tenure.beat_s if calm else self._tenure.watch_s

    def may_act(self, owner: str) -> bool:
        """Only while the others believe that it lives."""
        return self._membership.may_act(owner)

    def is_free(self, lease: Lease) -> bool:
        """Free, or of an owner that is no more, or its own."""
        return lease.owner in (None, self.me) or self._is_gone(lease)

    def allot(self, mapping: str, leases: Sequence[Lease], reading: Collection[str]) -> Allotment:
        """Its share of what all mappings have to be read."""
        now = self._clock.monotonic()
        self._leases[mapping] = leases
        self._reading[mapping] = frozenset((mapping, shard) for shard in reading)
        everything = [lease for each in self._leases.values() for lease in each]
        gone = {lease.owner for lease in everything if lease.owner is not None and self._is_gone(lease)}
        self._holdings.see(mapping, leases, gone, now)
        view = View(
            me=self.me,
            staying=self._membership.sightings.staying,
            gone=gone,
            reading=frozenset().union(*self._reading.values()),
            stale=self._holdings.stale(now),
            settling=self._holdings.settling(now),
        )
        decided = allot(everything, view, may_request=now - self._asked_at >= self._tenure.beat_s)
        heard = self.may_act(self.me)  # who is not could do nothing with what it takes
        mine = Allotment(
            take=[each for each in decided.take if heard and each.mapping == mapping],
            request=[each for each in decided.request if heard and each.mapping == mapping],
            give=[each for each in decided.give if each.mapping == mapping],
            decline=[each for each in decided.decline if each.mapping == mapping],
        )
        if mine.request:
            self._asked_at = now
        return mine

    def forget(self, mapping: str) -> None:
        """Its leases are not counted any more."""
        self._leases.pop(mapping, None)
        self._reading.pop(mapping, None)
        self._holdings.forget(mapping)

    def succession(self, owner: str) -> int | None:
        """None while this worker may be taken for dead itself."""
        sightings = self._membership.sightings
        order = heirs(owner, sightings.staying)
        gone = sightings.gone(owner, self._clock.monotonic())
        return order.index(self.me) if gone and self.may_act(self.me) and self.me in order else None

    def part(self, *, capped: bool) -> Share:
        """Nothing of what is limited while the others may count without this worker."""
        staying = self._membership.sightings.staying
        if not capped:
            return share_of(self.me, staying)
        part = self._portion.follow(self.me, staying, self._clock.monotonic())
        return part if self.may_act(self.me) else NOTHING

    def wake(self, signal: Signal) -> None:
        """Set a signal when members come or go, and when this worker may act again."""
        self._membership.changes.add(signal)

    @property
    def revision(self) -> int:
        """As last seen."""
        return self._membership.revision

    def applied(self, revision: int) -> None:
        """Told with the next heartbeat."""
        self._membership.applied(revision)

    @property
    def in_step(self) -> bool:
        """As the members say."""
        return self._membership.sightings.in_step(self.revision)

    def _is_gone(self, lease: Lease) -> bool:
        if lease.owner is None:
            return False
        return self._membership.sightings.gone(lease.owner, self._clock.monotonic())
