"""One ordered way through a shard: batch, invoke, judge, apply."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from poller.core.backoff import spread
from poller.core.batching import Batch, Gatherer
from poller.core.discards import Discard
from poller.core.records import Record
from poller.core.retrying import Now, StreamRetry, Verdict
from poller.core.windows import Windows
from poller.delivering import Delivery
from poller.surroundings import Surroundings
from poller.telemetry import Meter
from poller.waiting import Signal

LOOK_S = 0.2  # between looks whether a worker that was not heard of may go on

Resolve = Callable[[Sequence[Record], Discard | None], Awaitable[None]]
"""Called with records done, and what was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneParts:
    """What a lane works with; all lanes of a shard share them."""

    delivery: Delivery
    policy: StreamRetry
    windows: Windows
    surroundings: Surroundings
    meter: Meter
    resolve: Resolve
    changed: Signal
    """Set when the lane may have become hungry."""
    may_act: Callable[[], bool]
    """Whether this worker may act for the shard now. Asked right before each delivery."""


class Lane:
    """Delivers its records in order, one batch at a time."""

    def __init__(self, batcher: Gatherer, parts: LaneParts) -> None:
        self._batcher = batcher
        self._parts = parts
        self._offered = parts.surroundings.drain.signal()
        self._closing = False
        self._halted = False
        self._interrupted: list[Record] = []

    @property
    def room(self) -> int:
        """How many more records it wants now."""
        return self._batcher.room

    @property
    def window_left_s(self) -> float | None:
        """Seconds until what was gathered must go; None with nothing gathered."""
        deadline = self._batcher.deadline()
        return None if deadline is None else max(deadline - self._monotonic(), 0.0)

    def offer(self, records: Sequence[Record]) -> None:
        """Hand records over, in order."""
        if records:
            self._batcher.add(records, self._monotonic())
            self._offered.set()

    def wake(self) -> None:
        """Something may be due that nothing was handed over for."""
        self._offered.set()

    def halt(self) -> None:
        """Begin no delivery any more; what is there is left over."""
        self._halted = True
        self._offered.set()

    @property
    def _stopping(self) -> bool:
        return self._halted or self._parts.surroundings.drain.requested

    def close(self) -> None:
        """No more records will come: deliver what is there and end."""
        self._closing = True
        self._offered.set()

    def leftovers(self) -> Sequence[Record]:
        """Records that were taken in and never resolved, once `run` has ended."""
        return (*self._interrupted, *self._batcher.drop_all())

    async def run(self) -> None:
        """Deliver until closed and empty, or until draining begins."""
        while not self._stopping:
            batch = self._batcher.take(self._monotonic(), flush=self._closing)
            if batch is not None:
                await self._deliver_to_the_end(batch)
            elif self._closing:
                return
            else:
                await self._offered.wait(self.window_left_s)

    async def _deliver_to_the_end(self, batch: Batch) -> None:
        work = deque((batch,))
        while work and not self._stopping:
            delay_s = await self._deliver(work)
            if work:
                await self._rest(delay_s)
        self._interrupted += [record for part in work for record in part.records]
        self._batcher.restart_window(self._monotonic())
        self._parts.changed.set()

    async def _rest(self, seconds: float) -> None:
        """Wait, unless the lane is to stop."""
        until = self._monotonic() + seconds
        while not self._stopping and (left_s := until - self._monotonic()) > 0:
            await self._offered.wait(left_s)

    async def _deliver(self, work: deque[Batch]) -> float:
        """Deliver the first batch of `work` once, and put what is to be retried in front of the rest."""
        parts = self._parts
        batch = await self._admit(parts.windows.next(work))
        if batch is None or not await self._may_act(batch):
            return 0.0
        attempt = batch.tries + batch.refusals + 1
        delivered = await parts.delivery.invoke(batch, records=batch.records, attempt=attempt)
        verdict = parts.policy.judge(batch, delivered.outcome, self._now())
        parts.meter.judged(parts.delivery.shard, batch, delivered, verdict)
        parts.windows.judged(batch, verdict.state)
        await self._apply(verdict)
        work.extendleft(reversed(verdict.retry))
        return spread(verdict.delay_s, parts.surroundings.chance())

    async def _admit(self, batch: Batch) -> Batch | None:
        """What of a batch may be delivered now; to give up the rest takes time, so it is looked at again."""
        parts = self._parts
        admission = parts.policy.admit(batch, self._now())
        while admission.discard:
            await parts.resolve((), admission.discard)
            if admission.deliver is None:
                return None
            if self._stopping:
                self._interrupted += admission.deliver.records
                return None
            admission = parts.policy.admit(admission.deliver, self._now())
        return admission.deliver

    async def _may_act(self, batch: Batch) -> bool:
        """Wait while this worker is not heard of: by then another may have taken the shard."""
        while not self._stopping and not self._parts.may_act():
            await self._offered.wait(LOOK_S)
        if self._stopping:
            self._interrupted += batch.records
        return not self._stopping

    async def _apply(self, verdict: Verdict) -> None:
        if verdict.done or verdict.discard or verdict.state is not None:
            await self._parts.resolve(verdict.done, verdict.discard)

    def _monotonic(self) -> float:
        return self._parts.surroundings.clock.monotonic()

    def _now(self) -> Now:
        return self._parts.delivery.now()
