"""The shards of one stream: discovers them, reads each once its parents are finished."""

from collections.abc import Callable, Sequence
from functools import partial

import anyio
from anyio.abc import TaskGroup

from poller.core.lineage import Absences, covers_the_stream, plan
from poller.core.records import Position, Shard, Topology
from poller.errors import LeaseLost, SourceError, StateUnavailable
from poller.leaseholder import HeldLease, Leaseholder
from poller.poller import Poller, PollerParts
from poller.pool import Supervise
from poller.telemetry import Log
from poller.waiting import Signal

CONFIRM_S = 1.0  # between listings while one has to be confirmed


class ShardSet:
    """Reads all shards of a stream, each in one poller, parents before children."""

    def __init__(
        self,
        parts: PollerParts,
        *,
        leases: Leaseholder,
        starting: Position,
        discovery_s: float,
        on_open: Callable[[], None],
        supervise: Supervise,
    ) -> None:
        self._parts = parts
        self._leases = leases
        self._starting = starting
        self._discovery_s = discovery_s
        self._on_open = on_open
        self._supervise = supervise
        self._absences = Absences()
        self._reading: set[str] = set()
        self._pollers: dict[str, Poller] = {}
        self._vanished: Sequence[str] = ()
        self._unopened: set[str] = set()
        self._starts: dict[str, Position] = {}
        self._ended: Signal = parts.surroundings.drain.signal()

    async def run(self, topology: Topology) -> None:
        """Read until draining begins; look for shards at each shard's end and now and then."""
        drain = self._parts.surroundings.drain
        async with anyio.create_task_group() as pollers:
            listed: Topology | None = topology
            while not drain.requested:
                if listed is not None:
                    await self._start_readable(listed, pollers)
                await self._ended.wait(CONFIRM_S if self._absences.unsure else self._discovery_s)
                listed = None if drain.requested else await self._discover()

    async def _start_readable(self, listed: Topology, pollers: TaskGroup) -> None:
        readable = await self._follow(listed)
        if readable is None:
            return
        for shard in readable:
            read = partial(self._read, shard, incarnation=listed.incarnation)
            pollers.start_soon(self._supervise, shard.id, read)
        self._tell_when_all_open()

    async def _discover(self) -> Topology | None:
        try:
            topology = await self._parts.source.discover()
        except SourceError as error:
            self._parts.meter.problem(f"PROBLEM: {error}")
            return None
        if covers_the_stream(topology):
            self._parts.meter.working()
        else:
            self._parts.meter.problem("PROBLEM: the shards that are listed do not cover the stream")
        return topology

    async def _follow(self, topology: Topology) -> Sequence[Shard] | None:
        """Make what is found durable; the shards to start now, or None if nothing could be written."""
        try:
            known = await self._leases.known()
            found = plan(topology, known, self._starting, self._absences.note(topology, known))
            if found.forget:
                self._parts.meter.say(Log.STREAM_RECREATED, shards=len(found.forget))
                self._evict(found.forget)
                await self._leases.forget(found.forget)
            await self._leases.add(found.create, incarnation=topology.incarnation)
            await self._leases.forget(found.settled)
        except StateUnavailable as error:
            self._parts.meter.checkpoint_failed("", error)
            return None
        self._starts.update({shard.id: start for shard, start in found.create})
        self._parts.meter.listed(waiting=found.waiting, ended=found.ended)
        self._vanished = found.vanished
        for shard_id in found.vanished:
            if shard_id in self._pollers:
                self._pollers[shard_id].vanish()
        listed = {shard.id: shard for shard in topology.shards}
        for shard_id, poller in self._pollers.items():
            if shard_id in listed and listed[shard_id].closed:
                poller.close()
        fresh = [shard_id for shard_id in found.readable if shard_id not in self._reading]
        self._reading.update(fresh)
        self._unopened.update(fresh)
        return [listed.get(shard_id, Shard(id=shard_id)) for shard_id in fresh]

    def _evict(self, shards: Sequence[str]) -> None:
        """Stop reading a stream that is no more; shards of the new one may have the same names."""
        self._reading.difference_update(shards)
        for shard_id in shards:
            if shard_id in self._pollers:
                self._pollers.pop(shard_id).evict()

    async def _read(self, shard: Shard, *, incarnation: str) -> None:
        try:
            lease = await self._leases.take(shard.id, incarnation=incarnation)
            ended = await self._poll(shard, lease)
        except* LeaseLost:
            self._parts.meter.shard_lost(shard.id)
            ended = False
        if ended:
            self._parts.meter.shard_ended(shard.id)
            self._ended.set()

    async def _poll(self, shard: Shard, lease: HeldLease) -> bool:
        # LATEST is asked of the source only once, when the shard was first seen; the lease holds its pin.
        start = self._starts.pop(shard.id, lease.checkpoint)
        self._parts.meter.shard_taken(shard.id, start)
        if lease.checkpoint.ended:
            return True  # it was written, and nobody heard so
        poller = Poller(
            self._parts,
            shard=shard,
            start=start,
            save=lease.save,
            window=lease.window,
            on_open=lambda: self._opened(shard.id),
        )
        if shard.id in self._vanished:
            poller.vanish()
        self._pollers[shard.id] = poller
        try:
            ended = await poller.run()
        finally:
            if self._pollers.get(shard.id) is poller:
                del self._pollers[shard.id]
        await self._release(shard, lease)
        return ended

    async def _release(self, shard: Shard, lease: HeldLease) -> None:
        """Give the lease up. What was finished is checkpointed: to fail here costs the next owner a wait."""
        try:
            await lease.release()
        except StateUnavailable as error:
            self._parts.meter.checkpoint_failed(shard.id, error)
        else:
            self._parts.meter.shard_released(shard.id)

    def _opened(self, shard: str) -> None:
        self._unopened.discard(shard)
        self._tell_when_all_open()

    def _tell_when_all_open(self) -> None:
        if not self._unopened and not self._absences.unsure:
            self._on_open()
