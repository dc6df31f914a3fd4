"""A small world: workers that follow the lease protocol step by step over rows, with clocks of their own.

Every decision is the product's; the world only carries it out. A worker may be stopped, killed or robbed of
an answer between any two of its steps.
"""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from poller.core.balance import View, allot
from poller.core.holdings import Holdings
from poller.core.leasing import Lease, checkpointed, declined, released, requested, taken
from poller.core.members import Member, Sightings, beaten, buried
from poller.core.records import Position
from poller.core.tenure import Tenure, may_act
from poller.errors import LeaseLost, MembershipLost

TENURE = Tenure(lease_s=60.0)
MAPPING = "m"
AGE = 2 * TENURE.lease_s  # what is older is as old as that: no timer that matters here is longer


class Hit(Enum):
    """What befalls a worker right before a step of its own."""

    NOTHING = "nothing"
    PAUSE = "paused"
    """It stands still between two steps, for longer than a lease."""
    NAP = "paused briefly"
    KILL = "killed"
    LOST_REPLY = "its write was made, and the answer lost"
    LOST_REQUEST = "its write was not made"
    TERM = "asked to end"


FAULTS = frozenset(Hit) - {Hit.NOTHING, Hit.TERM}


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True)
class Flight:
    """An invocation under way."""

    lease: Lease
    record: int


@dataclass(slots=True)
class Worker:
    """What one worker knows."""

    name: str
    rate: float
    life: int = 0
    clock: float = 0.0
    asleep: int = 0
    """Rounds it does not run."""
    up: bool = True
    term: bool = False
    joined: bool = False
    beaten_at: float | None = None
    sightings: Sightings = field(default_factory=lambda: Sightings(TENURE))
    holdings: Holdings = field(default_factory=lambda: Holdings(TENURE))
    held: dict[str, Lease] = field(default_factory=dict)
    giving: frozenset[str] = frozenset()
    flights: dict[str, Flight] = field(default_factory=dict)
    todo: tuple[tuple[str, Lease], ...] = ()
    asked: int = 0
    """Rounds until it may ask for leases again."""
    step: int = 0

    @property
    def id(self) -> str:
        return f"{self.name}{self.life}"

    @property
    def member(self) -> Member:
        return Member(id=self.id, leaving=self.term, lease_s=TENURE.lease_s)


class World:
    """Rows, workers, and what has happened to each record."""

    def __init__(self, rates: tuple[float, ...], shards: int) -> None:
        self.members: dict[str, Member] = {}
        self.leases = {
            f"s{n}": Lease(
                mapping=MAPPING, shard=f"s{n}", incarnation="i", checkpoint=Position.trim_horizon()
            )
            for n in range(shards)
        }
        self.workers = [Worker("abc"[n], rate) for n, rate in enumerate(rates)]
        self.delivered: Counter[tuple[str, int]] = Counter()
        self.moves = 0

    def clone(self) -> "World":
        """A copy to go on from."""
        other = copy.copy(self)
        other.members = dict(self.members)
        other.leases = dict(self.leases)
        other.delivered = self.delivered.copy()
        other.workers = [_clone(worker) for worker in self.workers]
        return other

    def key(self) -> object:
        """The same for two worlds that cannot be told apart from inside."""
        ages = _Ages(self)
        return (
            tuple(ages.member(m) for _, m in sorted(self.members.items())),
            tuple(ages.lease(self.leases[s]) for s in sorted(self.leases)),
            tuple(ages.worker(worker) for worker in self.workers),
        )

    # ----- time

    def tick(self, step_s: float) -> None:
        """Time passes, for each by its own clock."""
        for worker in self.workers:
            worker.clock += step_s * worker.rate
            if worker.asleep:
                worker.asleep -= 1
                worker.up = worker.up or not worker.asleep

    # ----- one worker

    def next_step(self, worker: Worker) -> Callable[["World", Worker, Hit], None] | None:
        """What a worker does next in this round; None when its turn is over."""
        if worker.step < len(_BEFORE):
            return _BEFORE[worker.step]
        if worker.todo:
            return _do_next
        index = worker.step - len(_BEFORE)
        return _AFTER[index] if index < len(_AFTER) else None

    def advance(self, worker: Worker, hit: Hit) -> None:
        """Do the next step of a worker, as far as `hit` lets it."""
        step = self.next_step(worker)
        assert step is not None
        if hit is Hit.KILL:
            self._kill(worker)
        elif hit in (Hit.PAUSE, Hit.NAP):
            worker.asleep = 6 if hit is Hit.PAUSE else 2
        elif hit is Hit.TERM:
            worker.term = True
        else:
            if step is not _do_next:
                worker.step += 1
            step(self, worker, hit)

    def _kill(self, worker: Worker) -> None:
        fresh = Worker(worker.name, worker.rate, life=worker.life + 1, clock=worker.clock, up=False, asleep=2)
        self.workers = [fresh if other is worker else other for other in self.workers]

    def number(self, shard: str) -> int:
        """How far a shard is finished."""
        return int(self.leases[shard].checkpoint.sequence_number or 0)


# ----- steps: (world, worker, what befalls the write)


def _join(world: World, worker: Worker, hit: Hit) -> None:
    if worker.joined or worker.term:
        return
    if hit is not Hit.LOST_REQUEST:
        world.members.setdefault(worker.id, worker.member)
    worker.joined = hit is Hit.NOTHING


def _beat(world: World, worker: Worker, hit: Hit) -> None:
    if not worker.joined or hit is Hit.LOST_REQUEST:
        return
    try:
        world.members[worker.id] = beaten(world.members.get(worker.id), worker.member)
    except MembershipLost:
        if hit is Hit.NOTHING:
            worker.held, worker.giving, worker.todo = {}, frozenset(), ()
            worker.life += 1
            worker.joined, worker.beaten_at = False, None
        return
    if hit is Hit.NOTHING:
        worker.beaten_at = worker.clock


def _look(world: World, worker: Worker, hit: Hit) -> None:
    if hit is Hit.NOTHING:
        worker.sightings.see(world.members.values(), asked_at=worker.clock, answered_at=worker.clock)


def _bury(world: World, worker: Worker, hit: Hit) -> None:
    for seen in worker.sightings.to_bury if hit is not Hit.LOST_REQUEST else ():
        dead = buried(world.members.get(seen.id), seen)
        if dead is not None:
            world.members[seen.id] = dead


def _list(world: World, worker: Worker, hit: Hit) -> None:
    """Look at all leases and decide."""
    if not worker.joined or hit is not Hit.NOTHING:
        return
    leases = tuple(world.leases.values())
    for lease in leases:
        held = worker.held.get(lease.shard)
        if held is not None and (lease.owner, lease.epoch) != (held.owner, held.epoch):
            del worker.held[lease.shard]
    now = worker.clock
    gone = {lease.owner for lease in leases if lease.owner and worker.sightings.gone(lease.owner, now)}
    worker.holdings.see(MAPPING, leases, gone, now)
    fleet = View(
        me=worker.id,
        staying=worker.sightings.staying,
        gone=gone,
        reading={(MAPPING, shard) for shard in (*worker.held, *worker.flights)},
        stale=worker.holdings.stale(now),
        settling=worker.holdings.settling(now),
    )
    decided = allot(leases, fleet, may_request=not worker.asked)
    worker.asked = 1 if decided.request else max(worker.asked - 1, 0)
    worker.giving |= {lease.shard for lease in decided.give}
    if worker.term:
        worker.giving = frozenset(worker.held)
    takes = (
        []
        if worker.term
        else [("take", lease) for lease in decided.take if lease.shard not in worker.flights]
    )
    worker.todo = (
        *takes,
        *(("request", lease) for lease in decided.request),
        *(("decline", lease) for lease in decided.decline if lease.shard not in worker.giving),
    )


def _do_next(world: World, worker: Worker, hit: Hit) -> None:
    """Carry out the first of what was decided."""
    (what, seen), worker.todo = worker.todo[0], worker.todo[1:]
    stored = world.leases[seen.shard]
    try:
        match what:
            case "take":
                after = taken(stored, seen, worker.id)
            case "request":
                after = requested(stored, seen, worker.id)
            case _:
                after = declined(stored, worker.held.get(seen.shard, seen))
    except LeaseLost:
        return
    if hit is Hit.LOST_REQUEST:
        return
    world.leases[seen.shard] = after
    if what == "take":
        world.moves += 1
        if hit is Hit.NOTHING:
            worker.held[seen.shard] = after
            worker.giving -= {seen.shard}


def _finish(world: World, worker: Worker, hit: Hit) -> None:
    """Invocations end; what they finished is checkpointed."""
    for shard, flight in list(worker.flights.items()):
        if hit is Hit.LOST_REQUEST:
            continue  # the lane tries again
        before = world.number(shard)
        try:
            after = checkpointed(world.leases[shard], flight.lease, Position.after(str(flight.record)))
        except LeaseLost:
            worker.held.pop(shard, None)
            worker.giving -= {shard}
            del worker.flights[shard]
            continue
        world.leases[shard] = after
        if world.number(shard) not in (before, before + 1):
            raise Broken(f"the checkpoint of {shard} went from {before} to {world.number(shard)}")
        if hit is Hit.NOTHING:
            del worker.flights[shard]
            if shard in worker.held:
                worker.held[shard] = after


def _release(world: World, worker: Worker, hit: Hit) -> None:
    for shard in sorted(worker.giving):
        if shard in worker.flights:
            continue
        held = worker.held.pop(shard, None)
        worker.giving -= {shard}
        if held is None or hit is Hit.LOST_REQUEST:
            continue
        try:
            world.leases[shard] = released(world.leases[shard], held)
        except LeaseLost:
            continue


def _dispatch(world: World, worker: Worker, hit: Hit) -> None:
    """Begin the next record of each shard that is held, if this worker may act."""
    for shard, held in sorted(worker.held.items()):
        if shard in worker.giving or shard in worker.flights or worker.term:
            continue
        if not may_act(now=worker.clock, beaten_at=worker.beaten_at, tenure=TENURE):
            continue
        row = world.leases[shard]
        if (row.owner, row.epoch) != (held.owner, held.epoch):
            raise Broken(f"{worker.id} begins a record of {shard}, which {row.owner} holds")
        record = int(held.checkpoint.sequence_number or 0) + 1
        if world.number(shard) >= record:
            raise Broken(f"{worker.id} begins record {record} of {shard}, which is finished")
        world.delivered[shard, record] += 1
        worker.flights[shard] = Flight(held, record)


def _leave(world: World, worker: Worker, hit: Hit) -> None:
    if not worker.term or worker.held or worker.flights or hit is Hit.LOST_REQUEST:
        return
    if worker.id in world.members:
        world.members[worker.id] = replace(world.members[worker.id], dead=True)
    world._kill(worker)


_Step = Callable[[World, Worker, Hit], None]
# To begin a record comes right after the heartbeat: nothing but the fence stands between a pause and it.
_BEFORE: tuple[_Step, ...] = (_finish, _release, _join, _beat, _dispatch, _look, _bury, _list)
_AFTER: tuple[_Step, ...] = (_leave,)
WRITES: frozenset[_Step] = frozenset({_join, _beat, _bury, _do_next, _finish, _release, _leave})


def _clone(worker: Worker) -> Worker:
    other = copy.copy(worker)
    other.sightings = copy.copy(worker.sightings)
    other.sightings._seen = dict(worker.sightings._seen)
    other.sightings._missing = dict(worker.sightings._missing)
    other.holdings = copy.copy(worker.holdings)
    other.holdings._seen = dict(worker.holdings._seen)
    other.held = dict(worker.held)
    other.flights = dict(worker.flights)
    return other


class _Ages:
    """Names and numbers as they look from inside: only differences count."""

    def __init__(self, world: World) -> None:
        self._world = world

    def member(self, member: Member) -> object:
        return member.id, member.leaving, member.dead

    def lease(self, lease: Lease) -> object:
        row = self._world.leases[lease.shard]
        return (
            lease.shard,
            lease.owner,
            lease.claimant,
            lease.epoch - row.epoch,
            lease.counter - row.counter,
            int(lease.checkpoint.sequence_number or 0) - self._world.number(lease.shard),
        )

    def worker(self, worker: Worker) -> object:
        now = worker.clock
        return (
            worker.id,
            worker.asleep,
            worker.up,
            worker.term,
            worker.joined,
            None if worker.beaten_at is None else min(now - worker.beaten_at, AGE),
            self._sightings(worker, now),
            self._holdings(worker, now),
            tuple(self.lease(held) for _, held in sorted(worker.held.items())),
            worker.giving,
            tuple(
                (f.record - self._world.number(s), self.lease(f.lease))
                for s, f in sorted(worker.flights.items())
            ),
            tuple((what, self.lease(lease)) for what, lease in worker.todo),
            worker.asked,
            worker.step,
        )

    def _sightings(self, worker: Worker, now: float) -> object:
        seen = worker.sightings
        return (
            min(now - seen._asked_at, AGE),
            tuple(sorted(self._sighting(id_, s, now) for id_, s in seen._seen.items())),
            tuple(sorted((id_, min(now - since, AGE)) for id_, since in seen._missing.items())),
        )

    def _sighting(self, id_: str, sighting: object, now: float) -> tuple[str, int, bool, bool, float]:
        member: Member = sighting.member  # type: ignore[attr-defined]
        row = self._world.members.get(id_)
        behind = row.counter - member.counter if row is not None else -1
        age = min(now - sighting.since, AGE)  # type: ignore[attr-defined]
        return id_, min(behind, 1), member.dead, member.leaving, age

    def _holdings(self, worker: Worker, now: float) -> object:
        return tuple(
            sorted(
                (
                    shard,
                    str(h.hands[0]),
                    h.hands[1] - self._world.leases[shard].epoch,
                    str(h.claimant),
                    None if h.moved_at is None else min(now - h.moved_at, AGE),
                    min(now - h.since, AGE),
                )
                for shard, h in worker.holdings._seen.get(MAPPING, {}).items()
            )
        )


def turn(world: World, index: int) -> None:
    """One whole turn of a worker."""
    worker = world.workers[index]
    while worker.up and not worker.asleep and world.next_step(worker) is not None:
        world.advance(worker, Hit.NOTHING)
        if world.workers[index] is not worker:
            return
    if world.next_step(worker) is None:
        worker.step = 0
