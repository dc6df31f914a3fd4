"""The shards of one stream: discovers them, reads each once its parents are finished."""

from collections.abc import Callable, Sequence
from functools import partial

import anyio

from poller.core.lineage import plan
from poller.core.records import Position, Shard, Topology
from poller.errors import LeaseLost, SourceError, StateUnavailable
from poller.leaseholder import HeldLease, Leaseholder
from poller.poller import Poller, PollerParts
from poller.pool import Supervise
from poller.telemetry import Log
from poller.waiting import Signal


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
        self._reading: set[str] = set()
        self._unopened: set[str] = set()
        self._starts: dict[str, Position] = {}
        self._ended: Signal = parts.surroundings.drain.signal()

    async def run(self, topology: Topology) -> None:
        """Read until draining begins; look for shards at each shard's end and now and then."""
        drain = self._parts.surroundings.drain
        async with anyio.create_task_group() as pollers:
            listed: Topology | None = topology
            while not drain.requested:
                readable = await self._follow(listed) if listed is not None else None
                if readable is not None:
                    for shard in readable:
                        pollers.start_soon(self._supervise, shard.id, partial(self._read, shard))
                    self._tell_when_all_open()
                await self._ended.wait(self._discovery_s)
                listed = None if drain.requested else await self._discover()

    async def _discover(self) -> Topology | None:
        try:
            topology = await self._parts.source.discover()
        except SourceError as error:
            self._parts.meter.problem(f"PROBLEM: {error}")
            return None
        self._parts.meter.working()
        return topology

    async def _follow(self, topology: Topology) -> Sequence[Shard] | None:
        """Make what is found durable; the shards to start now, or None if nothing could be written."""
        try:
            found = plan(topology, await self._leases.known(), self._starting)
            if found.forget:
                self._parts.meter.say(Log.STREAM_RECREATED, shards=len(found.forget))
                await self._leases.forget(found.forget)
            await self._leases.add(found.create, incarnation=topology.incarnation)
        except StateUnavailable as error:
            self._parts.meter.checkpoint_failed("", error)
            return None
        self._starts.update({shard.id: start for shard, start in found.create})
        listed = {shard.id: shard for shard in topology.shards}
        fresh = [shard_id for shard_id in found.readable if shard_id not in self._reading]
        self._reading.update(fresh)
        self._unopened.update(fresh)
        return [listed.get(shard_id, Shard(id=shard_id)) for shard_id in fresh]

    async def _read(self, shard: Shard) -> None:
        try:
            lease = await self._leases.take(shard.id)
            ended = await self._poll(shard, lease)
        except* LeaseLost:
            self._parts.meter.say(Log.LEASE_LOST, shard=shard.id)
            ended = False
        if ended:
            self._parts.meter.say(Log.SHARD_ENDED, shard=shard.id)
            self._ended.set()

    async def _poll(self, shard: Shard, lease: HeldLease) -> bool:
        # LATEST is asked of the source only once, when the shard was first seen; the lease holds its pin.
        start = self._starts.pop(shard.id, lease.checkpoint)
        self._parts.meter.say(Log.SHARD_STARTED, shard=shard.id, start=str(start))
        poller = Poller(
            self._parts,
            shard=shard,
            start=start,
            save=lease.save,
            on_open=lambda: self._opened(shard.id),
        )
        ended = await poller.run()
        await lease.release()
        return ended

    def _opened(self, shard: str) -> None:
        self._unopened.discard(shard)
        self._tell_when_all_open()

    def _tell_when_all_open(self) -> None:
        if not self._unopened:
            self._on_open()
