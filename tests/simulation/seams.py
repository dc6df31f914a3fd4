"""The seams of one process: nothing passes them once it is dead, whatever its `finally` blocks still try."""

from collections.abc import Callable, Sequence

from poller.budget import ByteBudget
from poller.core.discards import Discard
from poller.core.documents import Document
from poller.core.leasing import Lease
from poller.core.members import Member
from poller.core.outcomes import Outcome
from poller.core.records import Page, Position, Record, Shard, Topology
from poller.core.timewindow import WindowState
from poller.core.visibility import Visibility
from poller.interfaces import (
    Clock,
    Destination,
    Invocation,
    LeaseStore,
    MemberStore,
    QueueReader,
    QueueSource,
    Reader,
    Source,
    Target,
    Unsettled,
)
from poller.telemetry import Meter, Operation
from poller.waiting import Drain
from tests.fakes.events import read_event
from tests.fakes.history import Discarded, GapReported, History, Recovered, Restarted, Troubled


class ProcessDied(Exception):
    """Raised into what a killed process still tries to do."""


class Gate:
    """Whether a process lives."""

    def __init__(self) -> None:
        self.dead = False

    def check(self) -> None:
        """Raise for a dead process."""
        if self.dead:
            raise ProcessDied


class GatedSource:
    """A source that a dead process cannot reach."""

    def __init__(self, inner: Source, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    async def discover(self) -> Topology:
        self._gate.check()
        return await self._inner.discover()

    async def open(self, shard: Shard, after: Position) -> "GatedReader":
        self._gate.check()
        return GatedReader(await self._inner.open(shard, after), self._gate)


class GatedReader:
    """A reader that a dead process cannot use."""

    def __init__(self, inner: Reader, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    async def receive(self, limit: int, wait_s: float) -> Page:
        self._gate.check()
        return await self._inner.receive(limit, wait_s)


class GatedQueue(GatedSource):
    """A queue that a dead process cannot reach."""

    def __init__(self, inner: QueueSource, gate: Gate, on_served: Callable[[Operation], None]) -> None:
        super().__init__(inner, gate)
        self._queue = inner
        self._on_served = on_served

    @property
    def visibility(self) -> Visibility:
        return self._queue.visibility

    async def open(self, shard: Shard, after: Position) -> "GatedQueueReader":
        self._gate.check()
        return GatedQueueReader(await self._queue.open(shard, after), self._gate, self._on_served)


class GatedQueueReader(GatedReader):
    """An open queue that a dead process cannot use."""

    def __init__(self, inner: QueueReader, gate: Gate, on_served: Callable[[Operation], None]) -> None:
        super().__init__(inner, gate)
        self._queue = inner
        self._on_served = on_served

    async def receive(self, limit: int, wait_s: float) -> Page:
        page = await super().receive(limit, wait_s)
        self._on_served(Operation.RECEIVE)
        return page

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        self._gate.check()
        return self._told(await self._queue.delete(records), Operation.DELETE)

    async def hide(self, records: Sequence[Record], seconds: float) -> Unsettled:
        self._gate.check()
        unsettled = await self._queue.hide(records, seconds)
        return self._told(unsettled, Operation.RENEW if seconds else Operation.RELEASE)

    def _told(self, unsettled: Unsettled, operation: Operation) -> Unsettled:
        if not unsettled.again:
            self._on_served(operation)
        return unsettled


class GatedTarget:
    """A target that a dead process cannot invoke."""

    def __init__(self, inner: Target, gate: Gate, on_sent: Callable[[Invocation], None]) -> None:
        self._inner = inner
        self._gate = gate
        self._on_sent = on_sent

    async def ready(self) -> bool:
        self._gate.check()
        return await self._inner.ready()

    async def invoke(self, invocation: Invocation) -> Outcome:
        self._gate.check()
        self._on_sent(invocation)
        return await self._inner.invoke(invocation)

    async def close(self) -> None:
        await self._inner.close()


class GatedDestination:
    """A destination that a dead process cannot reach."""

    def __init__(self, inner: Destination, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    async def check(self) -> None:
        self._gate.check()
        await self._inner.check()

    async def send(self, document: Document) -> None:
        self._gate.check()
        await self._inner.send(document)


class GatedLeases:
    """A lease store that a dead process cannot reach."""

    def __init__(self, inner: LeaseStore, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    async def mappings(self) -> Sequence[str]:
        self._gate.check()
        return await self._inner.mappings()

    async def list(self, mapping: str) -> Sequence[Lease]:
        self._gate.check()
        return await self._inner.list(mapping)

    async def get(self, mapping: str, shard: str) -> Lease | None:
        self._gate.check()
        return await self._inner.get(mapping, shard)

    async def create(self, leases: Sequence[Lease]) -> None:
        self._gate.check()
        await self._inner.create(leases)

    async def take(self, lease: Lease, owner: str) -> Lease:
        self._gate.check()
        return await self._inner.take(lease, owner)

    async def request(self, lease: Lease, claimant: str) -> None:
        self._gate.check()
        await self._inner.request(lease, claimant)

    async def decline(self, lease: Lease) -> None:
        self._gate.check()
        await self._inner.decline(lease)

    async def checkpoint(self, lease: Lease, position: Position, window: WindowState | None = None) -> Lease:
        self._gate.check()
        return await self._inner.checkpoint(lease, position, window)

    async def release(self, lease: Lease) -> None:
        self._gate.check()
        await self._inner.release(lease)

    async def delete(self, leases: Sequence[Lease]) -> None:
        self._gate.check()
        await self._inner.delete(leases)

    async def clear(self, mapping: str) -> None:
        self._gate.check()
        await self._inner.clear(mapping)

    async def close(self) -> None:
        await self._inner.close()


class GatedMembers:
    """A member store that a dead process cannot reach."""

    def __init__(self, inner: MemberStore, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    @property
    def revision(self) -> int:
        return self._inner.revision

    async def members(self) -> Sequence[Member]:
        self._gate.check()
        return await self._inner.members()

    async def join(self, member: Member) -> None:
        self._gate.check()
        await self._inner.join(member)

    async def beat(self, member: Member) -> None:
        self._gate.check()
        await self._inner.beat(member)

    async def bury(self, member: Member) -> None:
        self._gate.check()
        await self._inner.bury(member)

    async def leave(self, member: Member) -> None:
        self._gate.check()
        await self._inner.leave(member)

    async def forget(self, member: Member) -> None:
        self._gate.check()
        await self._inner.forget(member)


class WatchedBudget(ByteBudget):
    """A byte budget that remembers the most it held."""

    def __init__(self, limit_bytes: int, drain: Drain) -> None:
        super().__init__(limit_bytes, drain)
        self.peak_bytes = 0

    def take(self, size_bytes: int) -> None:
        super().take(size_bytes)
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)


class HistoryMeter(Meter):
    """A meter whose reports are part of the history: a discard or a gap counts only once it is reported."""

    def __init__(
        self, mapping: str, source: str, *, process: str, gate: Gate, clock: Clock, history: History
    ) -> None:
        super().__init__(mapping, source, monotonic=clock.monotonic)
        self._place = mapping
        self._process = process
        self._gate = gate
        self._clock = clock
        self._history = history

    def discarded(self, shard: str, discard: Discard, *, delivered: bool) -> None:
        super().discarded(shard, discard, delivered=delivered)
        names = tuple(
            read_event(b'{"Records":[' + record.event + b"]}")[0].record for record in discard.records
        )
        now = self._clock.monotonic()
        if not self._gate.dead:
            condition = discard.condition.value
            self._history.add(Discarded(now, self._place, self._process, shard, names, condition))

    def problem(self, text: str, *, shard: str = "", operation: Operation = Operation.ANY) -> None:
        super().problem(text, shard=shard, operation=operation)
        now = self._clock.monotonic()
        if not self._gate.dead:
            self._history.add(Troubled(now, self._place, self._process, operation))

    def working(self, *, shard: str = "", operation: Operation = Operation.ANY) -> None:
        if not self._problems:
            return
        before = tuple(self._problems)
        super().working(shard=shard, operation=operation)
        now = self._clock.monotonic()
        for problem in before:
            if problem not in self._problems and not self._gate.dead:
                self._history.add(Recovered(now, self._place, self._process, problem[1]))

    def trimmed(self, shard: str, after: Position) -> None:
        super().trimmed(shard, after)
        if not self._gate.dead:
            now = self._clock.monotonic()
            self._history.add(GapReported(now, self._place, self._process, shard, str(after)))

    def crashed(self, shard: str, error: Exception) -> None:
        if not self._gate.dead:
            now = self._clock.monotonic()
            text = _describe(error)
            self._history.add(Restarted(now, self._place, self._process, shard, text))


def _describe(error: BaseException) -> str:
    """The innermost error of nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
