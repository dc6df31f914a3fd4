"""One mapping: waits for its function and its source, polls, and reports how it fares."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from mappings.model import EventSourceMapping
from poller.core.backoff import Backoff
from poller.core.discards import Discard
from poller.core.documents import Document, failure_document
from poller.core.records import Topology
from poller.core.recovery import react
from poller.core.scaling import scaling_rules
from poller.discarder import OnFailure
from poller.errors import SourceError
from poller.fleet import Fleet
from poller.interfaces import Destination, LeaseStore, QueueSource, Source, Target
from poller.leaseholder import Leaseholder
from poller.metering import MeteredQueueSource, MeteredSource
from poller.poller_parts import PollerParts
from poller.pool import QueuePool, QueuePoolParts, Work
from poller.queue_gate import NOT_READY
from poller.rules import Tempo, queue_rules_for, rules_for, starting_position
from poller.shards import ShardSet
from poller.surroundings import Surroundings
from poller.telemetry import Log, Meter, Operation
from poller.watch import Watch, WatchedTarget

# A task that dies of an error nobody foresaw is started again, later and later.
RESTART = Backoff(1.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerParts:
    """What one mapping works with."""

    source: Source
    target: Target
    destination: Destination | None = None
    """On-failure destination, where the mapping has one."""
    leases: LeaseStore
    fleet: Fleet
    """The workers that share the leases."""
    tempo: Tempo
    surroundings: Surroundings
    concurrency: int | None = None
    """Invocations the function may run at once; None for any number."""
    latest_at: float | None = None
    """What StartingPosition LATEST means, epoch seconds; None where it is the time of the first listing."""


class Runner:
    """Runs one mapping until it is stopped, or draining begins. Its troubles stay its own."""

    def __init__(
        self, mapping: EventSourceMapping, parts: RunnerParts, *, on_polling: Callable[[], None]
    ) -> None:
        self.mapping = mapping
        clock = parts.surroundings.clock
        self.meter = Meter(mapping.label, mapping.event_source.kind.value, monotonic=clock.monotonic)
        self.polling = False
        self._watch = Watch(clock, self.meter)
        self._drain = parts.surroundings.drain.part()
        self._parts = replace(parts, surroundings=replace(parts.surroundings, drain=self._drain))
        self._source = (
            MeteredQueueSource(parts.source, self.meter, clock)
            if isinstance(parts.source, QueueSource)
            else MeteredSource(parts.source, self.meter, clock)
        )
        self._on_polling = on_polling
        self._stopped = False
        self._pool: QueuePool | None = None

    async def run(self) -> None:
        """Poll until stopped, or until draining begins."""
        await self._supervise("", self._run)

    def stop(self) -> None:
        """End at a batch boundary: what runs is finished and settled, then `run` returns."""
        self._stopped = True
        if self._pool is not None:
            self._pool.retire()
            return
        self._drain.request()
        self._parts.surroundings.budget.wake()

    async def _run(self) -> None:
        if self._stopped:
            return
        await self._until_target_ready()
        topology = await self._first_listing()
        if topology is None:
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch.run, self._drain)
            await self._poll(topology)
            group.cancel_scope.cancel()

    async def _poll(self, topology: Topology) -> None:
        parts = self._parts
        target = WatchedTarget(parts.target, self._watch, self.meter.counts)
        if isinstance(self._source, MeteredQueueSource):
            self._pool = self._queue_pool(self._source, target)
            await self._pool.run(topology)
            return
        poller_parts = PollerParts(
            mapping=self.mapping.uuid,
            source=self._source,
            target=target,
            watch=self._watch,
            rules=rules_for(self.mapping, parts.tempo),
            on_failure=self._on_failure(),
            surroundings=parts.surroundings,
            meter=self.meter,
        )
        shards = ShardSet(
            poller_parts,
            leases=Leaseholder(parts.leases, mapping=self.mapping.uuid, fleet=parts.fleet),
            fleet=parts.fleet,
            starting=starting_position(self.mapping, self._now(topology)),
            on_open=self._opened,
            supervise=self._supervise,
        )
        await shards.run(topology)

    def _queue_pool(self, source: QueueSource, target: Target) -> QueuePool:
        parts, mapping = self._parts, self.mapping
        return QueuePool(
            QueuePoolParts(
                mapping=mapping.uuid,
                source=source,
                target=target,
                rules=queue_rules_for(mapping, parts.tempo),
                scaling=scaling_rules(mapping),
                concurrency=parts.concurrency,
                capped=mapping.maximum_concurrency is not None or mapping.maximum_pollers is not None,
                fleet=parts.fleet,
                queue=parts.surroundings.queues.of(mapping.event_source.arn),
                watch=self._watch,
                surroundings=parts.surroundings,
                meter=self.meter,
                sample_s=parts.tempo.load_sample_s,
                refresh_s=parts.tempo.discovery_s,
                probe_s=parts.tempo.target_probe_s,
            ),
            on_open=self._opened,
            supervise=self._supervise,
        )

    def _now(self, topology: Topology) -> float:
        """The time LATEST is pinned to: the service's own clock, so that ours may be wrong."""
        if self._parts.latest_at is not None:
            return self._parts.latest_at
        wall = self._parts.surroundings.clock.wall()
        return wall if topology.server_time is None else topology.server_time

    def _on_failure(self) -> OnFailure | None:
        destination = self._parts.destination
        if destination is None:
            return None
        return OnFailure(destination=destination, document=self._document)

    def _document(self, discard: Discard, shard: str, wall_now: float) -> Document:
        return failure_document(discard, mapping=self.mapping, shard=shard, wall_now=wall_now)

    async def _until_target_ready(self) -> None:
        """Nothing is received for a function that is not there: that would cost receives and age."""
        while not self._drain.requested and not await self._parts.target.ready():
            self.meter.problem(NOT_READY, operation=Operation.FUNCTION)
            await self._drain.sleep(self._parts.tempo.target_probe_s)
        self.meter.target_ready = True
        self.meter.working(operation=Operation.FUNCTION)

    async def _first_listing(self) -> Topology | None:
        failures = 0
        while not self._drain.requested:
            try:
                topology = await self._source.discover()
            except SourceError as error:
                failures += 1
                reaction = react(error, failures, self._parts.tempo.patience)
                self.meter.problem(reaction.problem or f"PROBLEM: {error}")
                await self._drain.sleep(reaction.delay_s)
            else:
                self.meter.working()
                return topology
        return None

    def _opened(self) -> None:
        if not self.polling:
            self.polling = True
            self.meter.say(Log.MAPPING_POLLING)
            self._on_polling()

    async def _supervise(self, shard: str, work: Work) -> None:
        """Run `work`; should it die of an error nobody foresaw, run it again later. Others go on."""
        failures = 0
        while not self._drain.requested:
            try:
                await work()
            except Exception as error:  # noqa: BLE001  # the last line of defence of one mapping
                failures += 1
                self.meter.crashed(shard, error)
                await self._drain.sleep(RESTART.delay(failures))
            else:
                return
