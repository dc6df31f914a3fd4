"""The shards of one stream: discovers them, reads those that are this worker's, parents before children."""

from collections.abc import Awaitable, Callable, Sequence

import anyio
from anyio.abc import TaskGroup

from poller.core.leasing import Lease
from poller.core.lineage import Absences, KnownShard, Plan, covers_the_stream, plan
from poller.core.records import Position, Shard, Topology
from poller.doubts import StreamDoubts
from poller.errors import LeaseLost, SourceError, SourceThrottled, StateUnavailable
from poller.fleet import Fleet
from poller.leaseholder import Leaseholder
from poller.poller_parts import PollerParts
from poller.pool import Supervise
from poller.readings import Reading, Readings
from poller.telemetry import Log
from poller.waiting import Signal


class ShardSet:
    """Reads shards of a stream, each in one poller, parents before children, whoever reads the others."""

    def __init__(
        self,
        parts: PollerParts,
        *,
        leases: Leaseholder,
        fleet: Fleet,
        starting: Position,
        on_open: Callable[[], None],
        supervise: Supervise,
    ) -> None:
        self._parts = parts
        self._leases = leases
        self._fleet = fleet
        self._starting = starting
        self._on_open = on_open
        self._supervise = supervise
        self._absences = Absences()
        self._gone: frozenset[str] = frozenset()
        self._listed: dict[str, Shard] = {}
        self._incarnation = ""
        self._begun: str | None = None
        """The incarnation whose leases were seen: if they are gone later, somebody removed them."""
        self._listed_at = 0.0
        self._list_soon = False
        self._listing_failed = False
        self._idle_due_at: float | None = None
        self._changed: Signal = parts.surroundings.drain.signal()
        self._doubts = StreamDoubts(self._changed.set)
        self._readings = Readings(
            parts, leases, self._doubts, changed=self._changed, on_all_open=self._tell_when_all_open
        )
        fleet.wake(self._changed)

    async def run(self, topology: Topology) -> None:
        """Read until draining begins; look for shards at each shard's end and now and then."""
        drain = self._parts.surroundings.drain
        try:
            async with anyio.create_task_group() as pollers:
                await self._follow(topology, pollers)
                while not drain.requested:
                    await self._wait()
                    self._readings.evict_strangers(self._fleet.me)
                    if not drain.requested:
                        await self._go_on(pollers)
        finally:
            self._fleet.forget(self._parts.mapping)

    async def _wait(self) -> None:
        look_s = self._fleet.look_s
        due_s = self._listing_due_s()
        await self._changed.wait(due_s if look_s is None else min(due_s, look_s))

    async def _go_on(self, pollers: TaskGroup) -> None:
        """List the stream where that is due; else look whether leases have changed hands."""
        if self._fleet.look_s is not None and self._listing_due_s() > 0:
            await self._look(pollers)
        elif (topology := await self._discover()) is not None:
            await self._follow(topology, pollers)

    def _listing_due_s(self) -> float:
        interval_s = self._parts.rules.listing.interval_s(
            ended=self._readings.ended,
            unsure=self._list_soon or self._absences.unsure,
            doubted=self._doubts.standing,
            failed=self._listing_failed,
        )
        return min(self._listed_at + interval_s, self._idle_listing_at()) - self._now()

    def _idle_listing_at(self) -> float:
        """While shards have nothing to read, at a moment that no other stream has."""
        idle_s = self._parts.rules.listing.idle_s
        if idle_s is None or not self._doubts.idle:
            return float("inf")
        if self._idle_due_at is None:
            spacing = self._parts.surroundings.idle_listings
            self._idle_due_at = spacing.reserve(self._listed_at + idle_s)
        return self._idle_due_at

    async def _discover(self) -> Topology | None:
        self._readings.ended = self._list_soon = False
        self._idle_due_at = None
        self._listed_at = self._now()
        self._doubts.listing()
        self._listing_failed = True
        try:
            topology = await self._parts.source.discover()
        except SourceThrottled as error:
            # Reading goes on with what is known; only where that is in doubt it is in the way of something.
            if self._doubts.standing:
                self._parts.meter.problem(f"PROBLEM: {error}")
            return None
        except SourceError as error:
            self._parts.meter.problem(f"PROBLEM: {error}")
            return None
        self._listing_failed = False
        if covers_the_stream(topology):
            self._parts.meter.working()
        else:
            self._parts.meter.problem("PROBLEM: the shards that are listed do not cover the stream")
        return topology

    # ----- what is listed

    async def _follow(self, topology: Topology, pollers: TaskGroup) -> None:
        """Make what is found durable, then read what is this worker's."""
        self._listed_at = self._now()
        try:
            leases = await self._leases.list()
            known = [_known(lease) for lease in leases]
            gone = self._absences.note(topology, known)
            found = plan(topology, known, self._start(known), gone)
            if found.forget and not await self._is_later(topology):
                return
            leases = await self._write(found, leases, topology)
        except StateUnavailable as error:
            self._parts.meter.checkpoint_failed("", error)
            return
        self._gone = gone
        self._begun = topology.incarnation
        self._incarnation = topology.incarnation
        self._listed = {shard.id: shard for shard in topology.shards}
        self._parts.meter.listed(waiting=found.waiting, ended=found.ended)
        self._readings.notice(found.vanished, [shard.id for shard in topology.shards if shard.closed])
        self._doubts.listed()
        starts = {shard.id: start for shard, start in found.create}
        await self._share(leases, found.readable, pollers, starts)

    def _start(self, known: Sequence[KnownShard]) -> Position:
        """Where shards of a first listing start; never at LATEST twice: what came meanwhile would be lost."""
        again = self._begun is not None and not known
        return Position.trim_horizon() if again else self._starting

    async def _is_later(self, topology: Topology) -> bool:
        """Whether the leases of another stream are of an earlier one.

        They are, if the stream is still the one that was listed before the leases were read. Alone, nobody
        else can have seen a later one.
        """
        if self._fleet.look_s is None:
            return True
        again = await self._discover()
        self._list_soon = again is None or again.incarnation != topology.incarnation
        return not self._list_soon

    async def _write(self, found: Plan, leases: Sequence[Lease], topology: Topology) -> Sequence[Lease]:
        """The leases there are then."""
        by_shard = {lease.shard: lease for lease in leases}
        self._readings.evict_others(topology.incarnation)
        if found.forget:
            self._parts.meter.say(Log.STREAM_RECREATED, shards=len(found.forget))
            await self._leases.mark_recreated(topology.incarnation)
            await self._leases.forget([by_shard[shard] for shard in found.forget])
        removed = self._readings.without_lease(by_shard)
        if removed and self._fleet.look_s is not None:
            await self._leases.restore(removed)
        added = await self._leases.add(found.create, incarnation=topology.incarnation)
        await self._leases.forget([by_shard[shard] for shard in found.settled])
        kept = [lease for lease in leases if lease.incarnation == topology.incarnation]
        return [*kept, *added]

    # ----- who reads it

    async def _look(self, pollers: TaskGroup) -> None:
        """See what others did: parents they finished, leases they gave up or ask for."""
        try:
            leases = await self._leases.list()
        except StateUnavailable as error:
            self._parts.meter.checkpoint_failed("", error)
            return
        by_shard = {lease.shard: lease for lease in leases}
        strange = any(lease.incarnation != self._incarnation for lease in leases)
        if strange or self._readings.without_lease(by_shard):
            self._list_soon = True
            return
        known = [_known(lease) for lease in leases]
        nothing_new = Topology(incarnation=self._incarnation, shards=())
        readable = plan(nothing_new, known, self._starting, self._gone).readable
        await self._share(leases, readable, pollers, {})

    async def _share(
        self,
        leases: Sequence[Lease],
        readable: Sequence[str],
        pollers: TaskGroup,
        starts: dict[str, Position],
    ) -> None:
        self._readings.evict_taken({lease.shard: lease for lease in leases})
        wanted = set(readable)
        allotment = self._fleet.allot(
            self._parts.mapping,
            [lease for lease in leases if lease.shard in wanted],
            self._readings.shards,
        )
        for lease in allotment.take:
            self._begin(lease, pollers, starts.get(lease.shard))
        self._readings.hand_over([lease.shard for lease in allotment.give])
        self._tell_when_all_open()
        for lease in allotment.request:
            self._parts.meter.say(Log.LEASE_REQUESTED, shard=lease.shard, owner=lease.owner)
            await self._say(self._leases.request, lease)
        for lease in allotment.decline:
            await self._say(self._leases.decline, lease)

    def _begin(self, lease: Lease, pollers: TaskGroup, start: Position | None) -> None:
        shard = self._listed.get(lease.shard, Shard(id=lease.shard))
        reading = self._readings.begin(shard, incarnation=self._incarnation, start=start)
        if reading is not None:
            pollers.start_soon(self._read, reading)

    async def _read(self, reading: Reading) -> None:
        try:
            await self._supervise(reading.shard.id, reading.run)
        finally:
            self._readings.end(reading)

    async def _say(self, write: Callable[[Lease], Awaitable[None]], lease: Lease) -> None:
        """Ask for a lease, or decline; who is too late sees so at the next look."""
        try:
            await write(lease)
        except LeaseLost:
            return
        except StateUnavailable as error:
            self._parts.meter.checkpoint_failed(lease.shard, error)

    def _tell_when_all_open(self) -> None:
        if self._readings.all_open and not self._absences.unsure:
            self._on_open()

    def _now(self) -> float:
        return self._parts.surroundings.clock.monotonic()


def _known(lease: Lease) -> KnownShard:
    return KnownShard(
        id=lease.shard,
        parents=lease.parents,
        checkpoint=lease.checkpoint,
        incarnation=lease.incarnation,
    )
