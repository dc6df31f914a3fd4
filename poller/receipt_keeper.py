"""Keeps the receipts of one mapping: takes them in, renews what waits, and sees each message to its end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import anyio

from poller.core.batching import Batch
from poller.core.queue_flow import REQUEST_MESSAGES
from poller.core.receipts import Check, Receipts
from poller.core.records import Page, Record, total_size
from poller.core.retrying import reduced
from poller.core.visibility import LATE_S
from poller.deleter import Deleter
from poller.errors import SourceDenied, SourceError
from poller.interfaces import NotStarted, QueueReader
from poller.surroundings import Surroundings
from poller.telemetry import Meter, Operation

LOOKS = 8  # at what waits, in the time for which a receive hides a message beyond its batching window
SHORTEST_LOOK_S = 0.25
LONGEST_LOOK_S = 5.0
TICK_S = 2.0  # between two looks whether time has jumped; a jump of less is in the margin of each run


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperParts:
    """What a keeper works with."""

    shard: str
    reader: QueueReader
    receipts: Receipts
    deleter: Deleter
    surroundings: Surroundings
    meter: Meter


class ReceiptKeeper:
    """The only way in and out for a message: each is taken in once and leaves once."""

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts
        self._receipts = parts.receipts
        self._held_bytes = 0

    # ----- in

    def take_in(self, page: Page) -> Sequence[Record]:
        """Take in what a receive brought; returns what is to be delivered."""
        if not page.records:
            return ()
        assert page.hidden is not None
        since, until = page.hidden
        parts = self._parts
        parts.meter.polled(parts.shard, page.records)
        doubtful = self._now() - since > LATE_S  # it was read later than any answer comes
        intake = self._receipts.received(page.records, since=since, until=until, doubtful=doubtful)
        parts.meter.left(intake.repeated)
        if not page.records[0].receives:
            parts.meter.attributes_missing(parts.shard)
        if intake.settled:
            parts.deleter.add(intake.settled, handled=False)
        self._hold(total_size(intake.held))
        return intake.held

    # ----- to the function

    async def ready(self, batch: Batch) -> Batch | None:
        """What of a batch may start now; None for nothing. Renews what waited too long, which takes time."""
        while True:
            check = self._receipts.check(batch.records, self._now())
            if len(check.start) == len(batch.records):
                return batch
            await self._sort_out(check)
            kept = {record.item_identifier for record in (*check.start, *check.renew)}
            if not kept:
                return None
            batch = reduced(batch, [r for r in batch.records if r.item_identifier in kept])
            if check.renew:
                await self._renew(check.renew, self._receipts.visibility.renewed_s)

    async def _sort_out(self, check: Check) -> None:
        if check.lapsed:
            self._parts.meter.lapsed(self._parts.shard, len(check.lapsed))
            self._leave(check.lapsed)
        if check.behind:
            hidden_s = self._receipts.behind_s(check.behind, self._now())
            reason = "behind a failed message of their group"
            await self.give_back(check.behind, reason=reason, hidden_s=hidden_s)

    def start(self, batch: Batch) -> None:
        """The function has a slot for the batch. Raises NotStarted where it must not run as it is."""
        check = self._receipts.check(batch.records, self._now())
        if len(check.start) < len(batch.records):
            raise NotStarted
        self._receipts.started(batch.records)

    def current(self, batch: Batch) -> Sequence[Record]:
        """The records of a batch with the handles that count."""
        return self._receipts.current(batch.records)

    def refused(self, batch: Batch) -> None:
        """The function did not take the batch."""
        self._receipts.refused(batch.records)

    # ----- out

    def resolve(self, done: Sequence[Record], left: Sequence[Record]) -> None:
        """Apply what was decided of a batch that ran: delete what is done, leave the rest to the queue."""
        if left:
            self._parts.meter.left(len(left))
            self._hold(-total_size(left))
            self._receipts.failed(left)
        self._finish(done, handled=True)

    def pass_over(self, records: Sequence[Record]) -> None:
        """No filter wants these: they are finished, and no function has handled them."""
        self._finish(records, handled=False)

    def _finish(self, records: Sequence[Record], *, handled: bool) -> None:
        if not records:
            return
        self._hold(-total_size(records))
        self._receipts.finished(records, self._now())
        wall = self._parts.surroundings.clock.wall()
        self._parts.meter.handled(records, wall=wall, by_function=handled)
        self._parts.deleter.add(records, handled=handled)

    async def give_back(self, records: Sequence[Record], *, reason: str, hidden_s: float = 0.0) -> None:
        """Show messages that were not started to others, at once or in so many seconds."""
        visible_at = self._now() + hidden_s
        for chunk in _chunks(records):
            current = self._receipts.current(chunk)
            self._leave(chunk, visible_at=visible_at)
            try:
                unsettled = await self._parts.reader.hide(current, hidden_s)
            except SourceError as error:
                self._problem(f"PROBLEM: {error}", Operation.RELEASE)
            else:
                self._parts.meter.working(shard=self._parts.shard, operation=Operation.RELEASE)
                released = len(chunk) - len(unsettled.again) - len(unsettled.lost)
                self._parts.meter.released(self._parts.shard, released, reason=reason)

    def _leave(self, records: Sequence[Record], *, visible_at: float | None = None) -> None:
        self._parts.meter.left(len(records))
        self._hold(-total_size(records))
        self._receipts.failed(records, visible_at=visible_at)

    def close(self) -> None:
        """Give back the bytes of what was cut off unresolved."""
        self._hold(-self._held_bytes)

    # ----- renewals

    async def run(self) -> None:
        """Renew what waits, until cancelled."""
        while True:
            look_s = self._look_s
            await anyio.sleep(look_s)
            due = self._receipts.due(self._now(), ahead_s=2 * look_s)
            if due:
                async with anyio.create_task_group() as group:
                    for chunk in _chunks(due):
                        group.start_soon(self._renew, chunk, self._receipts.visibility.waiting_s)

    async def watch(self) -> None:
        """Notice when this process was suspended, until cancelled."""
        while True:
            begun = self._now()
            await anyio.sleep(TICK_S)
            now = self._now()
            if now - begun > 2 * TICK_S:
                self._receipts.stood_still(begun, now)

    @property
    def _look_s(self) -> float:
        """Seconds between looks: several in what a batching window leaves of a message's time."""
        visibility = self._receipts.visibility
        left_s = max(visibility.effective_s - visibility.window_s, 0.0)
        return min(max(left_s / LOOKS, SHORTEST_LOOK_S), LONGEST_LOOK_S)

    async def _renew(self, records: Sequence[Record], seconds: float) -> None:
        for chunk in _chunks(records):
            self._receipts.renewing(chunk, under_way=True)
            try:
                await self._renew_once(self._receipts.current(chunk), seconds)
            finally:
                self._receipts.renewing(chunk, under_way=False)

    async def _renew_once(self, records: Sequence[Record], seconds: float) -> None:
        asked_at = self._now()
        try:
            unsettled = await self._parts.reader.hide(records, seconds)
        except SourceDenied as error:
            self._receipts.denied(self._now())
            self._problem(f"PROBLEM: {error} (sqs:ChangeMessageVisibility)", Operation.RENEW)
            return
        except SourceError as error:
            self._problem(f"PROBLEM: {error}", Operation.RENEW)
            await anyio.sleep(SHORTEST_LOOK_S)
            return
        kept = {id(record) for record in (*unsettled.again, *unsettled.lost)}
        renewed = [record for record in records if id(record) not in kept]
        self._receipts.renewed(renewed, since=asked_at, until=asked_at + seconds)
        self._receipts.ended(unsettled.lost)
        if unsettled.again:
            self._problem(f"PROBLEM: ChangeMessageVisibilityBatch: {unsettled.reason}", Operation.RENEW)
            await anyio.sleep(SHORTEST_LOOK_S)
        else:
            self._parts.meter.working(shard=self._parts.shard, operation=Operation.RENEW)

    # ----- helpers

    def _problem(self, text: str, operation: Operation) -> None:
        self._parts.meter.problem(text, shard=self._parts.shard, operation=operation)

    def _hold(self, size_bytes: int) -> None:
        self._held_bytes += size_bytes
        self._parts.surroundings.budget.take(size_bytes)
        self._parts.meter.held(size_bytes)

    def _now(self) -> float:
        return self._parts.surroundings.clock.monotonic()


def _chunks(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    return (records[first : first + REQUEST_MESSAGES] for first in range(0, len(records), REQUEST_MESSAGES))
