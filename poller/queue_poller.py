"""Polls a queue, one place at a time: receive, filter, gather, deliver, judge."""

from contextlib import nullcontext
from dataclasses import dataclass

import anyio

from poller.core.backoff import spread
from poller.core.batching import Batch, Batcher
from poller.core.outcomes import Throttled, Unreachable
from poller.core.queue_flow import Ticket
from poller.core.receipts import groups_of
from poller.core.records import Page, Record
from poller.core.recovery import react
from poller.core.retrying import Verdict, reduced
from poller.delivering import Delivery
from poller.errors import SourceError
from poller.interfaces import NotStarted, QueueReader
from poller.queue_gate import QueueGate
from poller.receipt_keeper import ReceiptKeeper
from poller.rules import QueueRules
from poller.shared_queues import SharedQueue
from poller.surroundings import Surroundings
from poller.telemetry import Delivered, Meter, Operation
from poller.watch import MEMORY, Watch

RELEASE_LIMIT_S = 5.0
NOT_STARTED = "not started before the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePollerParts:
    """What all pollers of a queue work with."""

    shard: str
    scope: str
    """Mapping and queue, for the ids of batches."""
    reader: QueueReader
    rules: QueueRules
    gate: QueueGate
    keeper: ReceiptKeeper
    delivery: Delivery
    queue: SharedQueue
    watch: Watch
    surroundings: Surroundings
    meter: Meter


class QueuePoller:
    """Receives and delivers in turn. A queue is never leased: SQS hides a message from others."""

    def __init__(self, parts: QueuePollerParts) -> None:
        self._parts = parts
        self._gate = parts.gate
        self._batcher = Batcher(parts.rules.batch_limits, scope=parts.scope)
        self._leftovers: list[Record] = []
        self._failures = 0
        self._more = False
        """Whether the last receive brought messages."""
        self._hand: Batch | None = None
        self._sent = False
        """Whether the batch in hand is the function's."""

    async def run(self) -> None:
        """Poll until the pool needs this poller no more, or all is to end."""
        try:
            while await self._gate.place():
                try:
                    await self._round()
                finally:
                    self._gate.leave()
            await self._give_back(self._parts.rules.long_poll_s + RELEASE_LIMIT_S)
        finally:
            # Cut short: what was not started must not stay hidden. Shielded, with its own limit.
            with anyio.move_on_after(RELEASE_LIMIT_S, shield=True):
                self._let_go()
                await self._give_back(0)

    async def _give_back(self, patience_s: float) -> None:
        """Show what was not started to others, once no receive of this process would take it again."""
        if not self._leftovers:
            return
        await self._parts.queue.until_quiet(patience_s)
        leftovers, self._leftovers = self._leftovers, []
        await self._parts.keeper.give_back(leftovers, reason=NOT_STARTED)
        self._gate.given_back()

    def _let_go(self) -> None:
        self._leftovers += self._batcher.drop_all()
        hand, self._hand = self._hand, None
        if hand is None:
            return
        if self._sent:
            self._parts.keeper.resolve((), hand.records)
        else:
            self._leftovers += hand.records

    # ----- receiving

    async def _round(self) -> None:
        """Receive once, and go on until what that brought has been delivered."""
        await self._poll()
        while len(self._batcher):
            batch = self._batcher.take(self._now(), flush=self._gate.stopping)
            if batch is None:
                await self._poll()
            else:
                await self._deliver(batch)
                self._batcher.restart_window(self._now())

    async def _poll(self) -> None:
        """Receive for as long as the batching window allows."""
        rules, gate = self._parts.rules, self._gate
        deadline = self._batcher.deadline()
        left_s = rules.long_poll_s if deadline is None else max(deadline - self._now(), 0.0)
        if gate.stopping:
            return
        # WaitTimeSeconds is a whole number: the last part of a window is waited for without a receive.
        # While messages keep coming it is used for receives that do not wait.
        if deadline is not None and ((left_s < 1 and not self._more) or gate.takes_nothing):
            await gate.rest(left_s)
            return
        begun = self._now()
        limit = min(max(self._batcher.room, 1), rules.page_limit)
        gate.polls += 1
        try:
            page = await self._receive(limit, left_s, gathering=deadline is not None)
        except SourceError as error:
            await self._recover(error, left_s if deadline is not None else None)
            return
        finally:
            gate.polls -= 1
        if page is None:
            return
        self._failures = 0
        self._parts.meter.working(shard=self._parts.shard, operation=Operation.RECEIVE)
        self._more = bool(page.records)
        self._take_in(page)
        pause_s = rules.pace.pause(page, self._now() - begun)
        if pause_s > 0:
            await gate.rest(pause_s)

    async def _receive(self, limit: int, left_s: float, *, gathering: bool) -> Page | None:
        """One receive; None where there was no memory for it in time."""
        parts = self._parts
        reserved = False
        with (
            anyio.move_on_after(left_s) if gathering else nullcontext(),
            parts.watch.waiting_for(MEMORY),
        ):
            reserved = await parts.surroundings.budget.reserve(0, stopping=lambda: self._gate.stopping)
        if not reserved:
            return None
        wait_s = min(float(int(left_s)), parts.rules.long_poll_s) if gathering else parts.rules.long_poll_s
        # Never cancelled: a message taken by a receive that was cut off would stay hidden (faults 10).
        with parts.queue.polling():
            page = await parts.reader.receive(limit, wait_s)
            parts.meter.read(limit)
            return page

    async def _recover(self, error: SourceError, left_s: float | None) -> None:
        self._failures += 1
        reaction = react(error, self._failures, self._parts.rules.patience)
        problem = reaction.problem or f"PROBLEM: {error}"
        self._parts.meter.problem(problem, shard=self._parts.shard, operation=Operation.RECEIVE)
        await self._gate.rest(reaction.delay_s if left_s is None else min(reaction.delay_s, left_s))

    def _take_in(self, page: Page) -> None:
        held = self._parts.keeper.take_in(page)
        passes = self._parts.rules.passes
        if passes is not None and held:
            wanted = [record for record in held if passes(record)]
            if len(wanted) < len(held):
                kept = set(map(id, wanted))
                self._parts.meter.filtered_out(len(held) - len(wanted))
                self._parts.keeper.pass_over([record for record in held if id(record) not in kept])
            held = wanted
        if held:
            self._batcher.add(held, self._now())

    # ----- delivering

    async def _deliver(self, batch: Batch) -> None:
        """Deliver a batch until the function has taken it, or nothing of it may run."""
        kept = self._behind_leftovers(batch)
        if kept is None:
            return
        batch, ticket = kept, Ticket()
        self._hand = batch
        entered = False
        try:
            while self._hand is not None:
                if not await self._gate.enter(ticket, self._hand.records, again=entered):
                    self._leftovers += self._hand.records
                    self._hand = None
                    return
                entered = True
                delivered = await self._send(self._hand)
                if delivered is not None:
                    await self._judge(ticket, self._hand, delivered)
        finally:
            self._gate.leave_groups(ticket, batch.records if entered else ())

    def _behind_leftovers(self, batch: Batch) -> Batch | None:
        """What of a batch is not behind a message of its group that is to be given back; None for nothing."""
        if not self._leftovers or not self._parts.rules.fifo:
            return batch
        groups = groups_of(self._leftovers)
        kept = [record for record in batch.records if record.order_key not in groups]
        self._leftovers += [record for record in batch.records if record.order_key in groups]
        return reduced(batch, kept) if kept else None

    async def _send(self, batch: Batch) -> Delivered | None:
        """Send what of a batch may run; None where that was nothing, or not now."""
        keeper = self._parts.keeper
        try:
            ready = self._hand = await keeper.ready(batch)
            if ready is None:
                return None
            return await self._parts.delivery.invoke(
                ready,
                records=keeper.current(ready),
                attempt=max(1, *(record.receives for record in ready.records)),
                start=self._start,
            )
        except NotStarted:
            return None
        finally:
            self._gate.stop()

    def _start(self) -> None:
        assert self._hand is not None
        self._parts.keeper.start(self._hand)
        self._sent = True

    async def _judge(self, ticket: Ticket, batch: Batch, delivered: Delivered) -> None:
        parts, outcome = self._parts, delivered.outcome
        verdict = parts.rules.retry.judge(batch, outcome, parts.delivery.now())
        parts.meter.judged(parts.shard, batch, delivered, verdict)
        if isinstance(outcome, Throttled | Unreachable):
            self._gate.refused(ticket, gone=isinstance(outcome, Unreachable))
        else:
            self._gate.accepted()
        if verdict.retry:
            await self._keep(batch, verdict)
        else:
            parts.keeper.resolve(verdict.done, verdict.left)
            self._hand, self._sent = None, False

    async def _keep(self, batch: Batch, verdict: Verdict) -> None:
        """Hold a batch that the function did not take for another try; give it back where all is to end."""
        self._parts.keeper.refused(batch)
        (self._hand,) = verdict.retry
        self._sent = False
        if not self._gate.stopping:
            await self._gate.rest(spread(verdict.delay_s, self._parts.surroundings.chance()))
        if self._gate.stopping:
            self._leftovers += self._hand.records
            self._hand = None

    def _now(self) -> float:
        return self._parts.surroundings.clock.monotonic()
