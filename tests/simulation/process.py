"""One life of a poller: the real supervisor, runners, pollers and lanes over fake seams."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import anyio

from mappings.arns import FunctionName
from mappings.functions import Function, LambdaFunction
from mappings.model import EventSourceMapping
from mappings.states import State
from mappings.store import MappingStore, StoredMapping
from mappings.stores.memory import MemoryMappingStore
from poller.core.tenure import Tenure
from poller.core.visibility import long_poll_s
from poller.fleet import Alone, Fleet, SharedFleet
from poller.interfaces import (
    Clock,
    Destination,
    Invocation,
    LeaseStore,
    MemberStore,
    QueueSource,
    Source,
    Target,
)
from poller.membership import Membership, MembershipParts
from poller.rules import Tempo
from poller.runner import Runner, RunnerParts
from poller.supervisor import Supervisor, SupervisorParts
from poller.surroundings import Surroundings
from poller.telemetry import Operation
from poller.waiting import Drain
from tests.fakes.events import read_event
from tests.fakes.history import Died, DrainBegun, Ended, History, Ready, Restarted, Sent, Served, Started
from tests.simulation.loop import WORKS_FOR
from tests.simulation.seams import (
    Gate,
    GatedDestination,
    GatedLeases,
    GatedMembers,
    GatedQueue,
    GatedSource,
    GatedTarget,
    HistoryMeter,
    WatchedBudget,
    _describe,
)

# Their problems last until they succeed, which needs a message to delete, to renew or to give back.
_SELDOM = (Operation.DELETE, Operation.RENEW, Operation.RELEASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessParts:
    """What a process is given."""

    name: str
    seed: object
    mappings: Sequence[EventSourceMapping]
    sources: Mapping[str, Source]
    targets: Mapping[str, Target]
    destinations: Mapping[str, Destination]
    """By mapping, for those that have one."""
    concurrency: Mapping[str, int]
    """By mapping, for those whose function runs a known number of invocations at once."""
    leases: LeaseStore
    members: MemberStore | None
    """Of the fleet it belongs to; None where it works alone."""
    lease_s: float
    clock: Clock
    """Of its host."""
    world_clock: Clock
    """Of the history."""
    history: History
    tempo: Tempo
    byte_budget: int
    drain_timeout_s: float


class Process:
    """Runs until it is drained, or killed between two awaits."""

    def __init__(self, parts: ProcessParts) -> None:
        self.name = parts.name
        self.ended = anyio.Event()
        self._parts = parts
        self._gate = Gate()
        self._drain = Drain(lambda: parts.clock.monotonic() + parts.drain_timeout_s)
        self._supervisor: Supervisor | None = None
        self._everything = anyio.CancelScope()
        self._budget = WatchedBudget(parts.byte_budget, self._drain)
        self._fleet: Fleet = Alone(parts.name)
        self._names = 0
        poll_s = long_poll_s(parts.tempo.long_poll_s, grace_s=parts.drain_timeout_s)
        self._tempo = replace(parts.tempo, long_poll_s=poll_s)

    async def run(self) -> None:
        """Live."""
        parts = self._parts
        if self._gate.dead:
            self.ended.set()
            return
        WORKS_FOR.set(self.name)
        parts.history.add(Started(self._now(), self.name))
        surroundings = Surroundings(
            clock=parts.clock,
            chance=random.Random(f"{parts.seed}/{self.name}").random,
            drain=self._drain,
            budget=self._budget,
        )
        supervisor = self._supervisor = Supervisor(
            SupervisorParts(
                mappings=await _store(parts.mappings),
                leases=GatedLeases(parts.leases, self._gate),
                fleet=self._fleet,
                workshop=_Workshop(self._runner, surroundings),
                surroundings=surroundings,
                on_ready=self._tell_ready,
                look_s=10.0,
                refresh_s=3600.0,
                settle_patience_s=60.0,
            )
        )
        try:
            with self._everything:
                async with self._joined(surroundings):
                    in_time = await supervisor.run()
                self._tell_ended(in_time=in_time)
        except Exception as error:  # noqa: BLE001  # a process that falls is a finding, not the end of the run
            if not self._gate.dead:
                parts.history.add(Restarted(self._now(), "", self.name, "", _describe(error)))
        finally:
            self.ended.set()

    @asynccontextmanager
    async def _joined(self, surroundings: Surroundings) -> AsyncIterator[None]:
        parts = self._parts
        if parts.members is None:
            yield
            return
        membership = Membership(
            MembershipParts(
                store=GatedMembers(parts.members, self._gate),
                tenure=Tenure(lease_s=parts.lease_s),
                surroundings=surroundings,
                new_id=self._new_id,
            )
        )
        self._fleet = SharedFleet(membership, parts.clock)
        async with membership.joined():
            yield

    def _new_id(self) -> str:
        self._names += 1
        return f"{self.name}.{self._names}"

    def kill(self) -> None:
        """End it here: no seam answers it any more, and its memory is lost."""
        if not self._gate.dead and not self.ended.is_set():
            self._gate.dead = True
            self._parts.history.add(Died(self._now(), self.name))
            self._everything.cancel()

    def drain(self) -> None:
        """Ask it to end, as SIGTERM does."""
        self._parts.history.add(DrainBegun(self._now(), self.name))
        self._drain.request()

    def problems(self) -> tuple[str, ...]:
        """What its mappings still report of shards that cannot be read."""
        runners = () if self._supervisor is None else self._supervisor.runners
        return tuple(
            f"{runner.mapping.uuid}: {operation} {problem.text}"
            for runner in runners
            for (_, operation), problem in runner.meter._problems.items()
            if operation not in _SELDOM
        )

    def _runner(
        self, mapping: EventSourceMapping, surroundings: Surroundings, on_polling: Callable[[], None]
    ) -> Runner:
        parts = self._parts
        destination = parts.destinations.get(mapping.uuid)
        runner_parts = RunnerParts(
            source=self._gated(mapping.uuid, parts.sources[mapping.uuid]),
            target=GatedTarget(
                parts.targets[mapping.uuid], self._gate, partial(self._tell_sent, mapping.uuid)
            ),
            destination=None if destination is None else GatedDestination(destination, self._gate),
            leases=GatedLeases(parts.leases, self._gate),
            fleet=self._fleet,
            tempo=self._tempo,
            surroundings=surroundings,
            concurrency=parts.concurrency.get(mapping.uuid),
        )
        runner = Runner(mapping, runner_parts, on_polling=on_polling)
        runner.meter = HistoryMeter(
            mapping.uuid,
            mapping.event_source.kind.value,
            process=self.name,
            gate=self._gate,
            clock=parts.world_clock,
            history=parts.history,
        )
        return runner

    def _gated(self, place: str, source: Source) -> Source:
        if isinstance(source, QueueSource):
            return GatedQueue(source, self._gate, partial(self._tell_served, place))
        return GatedSource(source, self._gate)

    def _tell_sent(self, place: str, invocation: Invocation) -> None:
        records = tuple(seen.record for seen in read_event(invocation.payload))
        self._parts.history.add(Sent(self._now(), place, self.name, records))

    def _tell_served(self, place: str, operation: Operation) -> None:
        if not self._gate.dead:
            self._parts.history.add(Served(self._now(), place, self.name, operation))

    def _tell_ready(self, _: int, __: int) -> None:
        if not self._gate.dead:
            self._parts.history.add(Ready(self._now(), self.name))

    def _tell_ended(self, *, in_time: bool) -> None:
        if not self._gate.dead:
            budget = self._budget
            self._parts.history.add(
                Ended(self._now(), self.name, in_time, budget.peak_bytes, budget.used_bytes)
            )

    def _now(self) -> float:
        return self._parts.world_clock.monotonic()


@dataclass(frozen=True, slots=True)
class _Workshop:
    """Makes runners over fake seams; every function is there."""

    make: Callable[[EventSourceMapping, Surroundings, Callable[[], None]], Runner]
    surroundings: Surroundings

    def find(self, stored: StoredMapping) -> Function | None:
        """Every function is there."""
        name = stored.mapping.function_name
        return LambdaFunction(name=name, function=FunctionName.parse(name))

    @asynccontextmanager
    async def runner(
        self, stored: StoredMapping, function: Function, on_polling: Callable[[], None]
    ) -> AsyncIterator[Runner]:
        """A runner of the process."""
        yield self.make(stored.mapping, self.surroundings, on_polling)


async def _store(mappings: Sequence[EventSourceMapping]) -> MappingStore:
    store = MemoryMappingStore()
    for mapping in mappings:
        await store.add(
            StoredMapping(mapping=mapping, state=State.ENABLED, created_at=0.0, last_modified=0.0)
        )
    return store
