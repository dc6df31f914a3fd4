"""One queue of one mapping: its pollers, as many as the scaler says, and what they share."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from poller.core.queue_flow import QueueFlow
from poller.core.receipts import Receipts
from poller.core.records import Position, Shard, Topology
from poller.core.recovery import react
from poller.core.retrying import Now
from poller.core.scaling import Load, QueueScaler, ScalingRules, within
from poller.core.sharing import shared
from poller.counts import Counts
from poller.deleter import Deleter, DeleterParts
from poller.delivering import Delivery
from poller.errors import SourceError
from poller.fleet import Fleet
from poller.interfaces import QueueReader, QueueSource, Target
from poller.queue_gate import GateParts, QueueGate
from poller.queue_poller import QueuePoller, QueuePollerParts
from poller.receipt_keeper import KeeperParts, ReceiptKeeper
from poller.rules import QueueRules
from poller.shared_queues import SharedQueue
from poller.surroundings import Surroundings
from poller.telemetry import Meter, Operation
from poller.watch import Watch

Work = Callable[[], Coroutine[None, None, None]]
Supervise = Callable[[str, Work], Coroutine[None, None, None]]
"""Runs a named piece of work and starts it again should it die of an unforeseen error."""

_FAILURES = ("function_error", "timeout", "lost_reply")
_REFUSALS = ("throttled", "unreachable")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePoolParts:
    """What the pollers of one queue work with."""

    mapping: str
    """UUID of the mapping."""
    source: QueueSource
    target: Target
    rules: QueueRules
    scaling: ScalingRules
    concurrency: int | None
    """Invocations the function may run at once; None for any number."""
    capped: bool
    """Whether the mapping says how much it may use, which workers of a fleet share."""
    fleet: Fleet
    queue: SharedQueue
    watch: Watch
    surroundings: Surroundings
    meter: Meter
    sample_s: float
    """Between two looks at the load."""
    refresh_s: float
    """Between two looks at the queue's attributes."""
    probe_s: float
    """Between two questions whether a function is there."""


class QueuePool:
    """Polls a queue with several pollers."""

    def __init__(self, parts: QueuePoolParts, *, on_open: Callable[[], None], supervise: Supervise) -> None:
        self._parts = parts
        self._scaler = QueueScaler(self._share())
        self._flow = QueueFlow()
        visibility = parts.source.visibility
        self._receipts = Receipts(visibility, parts.queue.settled, fifo=parts.rules.fifo)
        self._gate = QueueGate(
            GateParts(
                flow=self._flow,
                receipts=self._receipts,
                target=parts.target,
                surroundings=parts.surroundings,
                meter=parts.meter,
                watch=parts.watch,
                fifo=parts.rules.fifo,
                probe_s=parts.probe_s,
            )
        )
        self._on_open = on_open
        self._supervise = supervise
        self._changed = parts.surroundings.drain.signal()
        parts.fleet.wake(self._changed)
        parts.meter.waiting = lambda: self._receipts.waiting(parts.surroundings.clock.monotonic())

    def _share(self) -> ScalingRules:
        """What of the mapping's concurrency is this worker's."""
        parts = self._parts
        share = shared(parts.scaling, parts.fleet.part(capped=parts.capped), capped=parts.capped)
        return within(share, parts.concurrency)

    def retire(self) -> None:
        """Receive no more, deliver what is there, then end.

        What was received is not given back, which would cost each message a receive, unless the function
        refuses it: whoever waits for the end would wait as long as messages stay invisible.
        """
        self._gate.retire()
        self._changed.set()
        self._parts.surroundings.budget.wake()

    async def run(self, topology: Topology) -> None:
        """Poll until retired, or until draining begins; look at the load and, now and then, at the queue."""
        (queue,) = topology.shards
        reader = await self._open(queue)
        if reader is None:
            return
        async with anyio.create_task_group() as deletes:
            keeper = self._keeper(queue, reader, deletes)
            try:
                async with anyio.create_task_group() as renewals:
                    renewals.start_soon(keeper.run)
                    renewals.start_soon(keeper.watch)
                    async with anyio.create_task_group() as pollers:
                        await self._follow(pollers, self._poller_parts(queue, reader, keeper))
                    renewals.cancel_scope.cancel()
            finally:
                keeper.close()

    async def _open(self, queue: Shard) -> QueueReader | None:
        """Open the queue, as often as it takes; None where all is to end first."""
        parts = self._parts
        failures = 0
        while not self._gate.stopping:
            try:
                return await parts.source.open(queue, Position.trim_horizon())
            except SourceError as error:
                failures += 1
                reaction = react(error, failures, parts.rules.patience)
                parts.meter.problem(f"PROBLEM: {error}", shard=queue.id, operation=Operation.RECEIVE)
                await self._gate.rest(reaction.delay_s)
        return None

    def _keeper(self, queue: Shard, reader: QueueReader, deletes: TaskGroup) -> ReceiptKeeper:
        parts = self._parts
        deleter = Deleter(
            DeleterParts(
                shard=queue.id,
                reader=reader,
                receipts=self._receipts,
                patience=parts.rules.patience,
                surroundings=parts.surroundings,
                meter=parts.meter,
                group=deletes,
                settled=self._gate.settled,
            )
        )
        return ReceiptKeeper(
            KeeperParts(
                shard=queue.id,
                reader=reader,
                receipts=self._receipts,
                deleter=deleter,
                surroundings=parts.surroundings,
                meter=parts.meter,
            )
        )

    def _poller_parts(self, queue: Shard, reader: QueueReader, keeper: ReceiptKeeper) -> QueuePollerParts:
        parts = self._parts
        return QueuePollerParts(
            shard=queue.id,
            scope=f"{parts.mapping}/{queue.id}",
            reader=reader,
            rules=parts.rules,
            gate=self._gate,
            keeper=keeper,
            delivery=Delivery(target=parts.target, meter=parts.meter, shard=queue.id, now=self._now),
            queue=parts.queue,
            watch=parts.watch,
            surroundings=parts.surroundings,
            meter=parts.meter,
        )

    async def _follow(self, pollers: TaskGroup, poller_parts: QueuePollerParts) -> None:
        """Follow the load until all is to end."""
        clock = self._parts.surroundings.clock
        before = _reading(self._parts.meter.counts)
        sampled_at = refreshed_at = clock.monotonic()
        self._resize(pollers, poller_parts)
        while not self._gate.stopping:
            await self._changed.wait(self._parts.sample_s)
            if self._gate.stopping:
                return
            now = clock.monotonic()
            reading = _reading(self._parts.meter.counts)
            self._scaler.follow(self._load(now - sampled_at, before, reading))
            before, sampled_at = reading, now
            self._resize(pollers, poller_parts)
            if now - refreshed_at >= self._parts.refresh_s:
                refreshed_at = now
                await self._refresh()

    def _load(self, elapsed_s: float, before: Mapping[str, int], now: Mapping[str, int]) -> Load:
        return Load(
            elapsed_s=elapsed_s,
            pollers=self._flow.limit,
            busy=self._flow.places - self._gate.polls,
            **{name: now[name] - before[name] for name in now},
        )

    def _resize(self, pollers: TaskGroup, poller_parts: QueuePollerParts) -> None:
        """Let as many places be taken as are wanted, with one poller more for the batch beyond them."""
        self._scaler.limit(self._share())
        wanted = self._scaler.wanted
        if wanted or self._has_no_part():
            self._on_open()
        if wanted != self._flow.limit:
            self._gate.limit(wanted)
        for _ in range(wanted + 1 - self._gate.pollers):
            self._gate.pollers += 1
            pollers.start_soon(self._supervise, poller_parts.shard, QueuePoller(poller_parts).run)

    def _has_no_part(self) -> bool:
        """Whether there is nothing to open here: others use all there is, or the function runs nothing."""
        part = self._parts.fleet.part(capped=self._parts.capped)
        return not part.nothing and self._scaler.wanted == 0

    async def _refresh(self) -> None:
        """Learn of attributes that were changed."""
        parts = self._parts
        try:
            await parts.source.discover()
        except SourceError as error:
            parts.meter.problem(f"PROBLEM: {error}")
        else:
            self._receipts.visibility = parts.source.visibility
            parts.meter.working()

    def _now(self) -> Now:
        clock = self._parts.surroundings.clock
        return Now(monotonic=clock.monotonic(), wall=clock.wall())


def _reading(counts: Counts) -> dict[str, int]:
    """The totals a load sample is the difference of."""
    return {
        "reads": counts.reads,
        "asked": counts.asked,
        "received": counts.polled,
        "invocations": counts.batches,
        "failures": sum(counts.outcomes.get(name, 0) for name in _FAILURES),
        "throttles": sum(counts.outcomes.get(name, 0) for name in _REFUSALS),
    }
