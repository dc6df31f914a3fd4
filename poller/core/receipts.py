"""The receipts of one mapping's messages: which it holds, until when, and what may become of them.

A receipt is a lease. It ends, and each receive is counted towards the queue's maxReceiveCount. So a message
that waits is renewed and not received again, one that may be somebody else's is not run, and one that was
handled is not run again when it comes back (faults 6, 8, 9; semantics 2.10.3).
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from enum import Enum

from msgspec import Struct, structs

from poller.core.records import Record
from poller.core.visibility import LATE_S, Visibility

REMEMBERED_S = 60.0  # at least, after a message was handled
MOST_REMEMBERED = 100_000  # messages of one queue
BEHIND_MARGIN_S = 1.0
DENIED_REST_S = 30.0  # between renewals that are not allowed


class Stage(Enum):
    """What happens to a message."""

    HELD = "held"
    """It waits: for its batch, for a slot of the function, or after a refusal."""
    RUNNING = "running"
    """The function has it."""
    SETTLING = "settling"
    """It was handled; the queue is to delete it."""


class Receipt(Struct, kw_only=True, gc=False):
    """What is known of one message. Times are monotonic seconds."""

    record: Record
    """As it was received last: its receipt handle is the one that counts."""
    received_at: float
    since: float
    """Since when it has been hidden, by its last receive or renewal."""
    until: float
    """Until when it is hidden from others."""
    stage: Stage = Stage.HELD
    behind: float | None = None
    """When the part of its message group that failed before it becomes visible."""
    renewing: bool = False
    ended: bool = False
    """The queue refused to renew it."""
    doubtful: bool = False
    """It may have been hidden for longer than is known: this process stood still when it was answered."""


class Intake(Struct, frozen=True, kw_only=True):
    """What became of the messages of one receive."""

    held: Sequence[Record] = ()
    """To be delivered."""
    settled: Sequence[Record] = ()
    """Handled before: to be deleted with the handle of this receive."""
    repeated: int = 0
    """Messages that are held or run already; the handle of this receive replaces the earlier one."""


class Check(Struct, frozen=True, kw_only=True):
    """What of a batch may be delivered now; each of its messages is in exactly one part."""

    start: Sequence[Record] = ()
    renew: Sequence[Record] = ()
    """To be renewed before they start."""
    lapsed: Sequence[Record] = ()
    """Others may have them: not to be run here."""
    behind: Sequence[Record] = ()
    """An earlier part of their group failed: to be given back."""


class Settled:
    """The messages of a queue that were handled, for as long as one may come back."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()  # whose oldest entry is found at once

    def __len__(self) -> int:
        return len(self._until)

    def add(self, message: str, *, now: float, until: float) -> None:
        """Remember a message until its receipt ends, and for a minute at least."""
        remembered = self._until
        oldest = next(iter(remembered), None)
        if oldest is not None and remembered[oldest] <= now:
            self._forget_old(now)
        shortest = now + REMEMBERED_S
        remembered[message] = max(shortest, until)
        remembered.move_to_end(message)
        if len(remembered) > MOST_REMEMBERED:
            remembered.popitem(last=False)

    def knows(self, message: str, now: float) -> bool:
        """Whether a message was handled, as far as that is remembered."""
        return bool(self._until) and self._until.get(message, now) > now

    def _forget_old(self, now: float) -> None:
        """Drop the oldest that are over; each call adds one and drops up to two, so none stay for long."""
        for _ in range(2):
            oldest = next(iter(self._until), None)
            if oldest is None or self._until[oldest] > now:
                return
            del self._until[oldest]


class Receipts:
    """The messages that one mapping has received and not settled."""

    def __init__(self, visibility: Visibility, settled: Settled, *, fifo: bool = False) -> None:
        """Hold nothing yet.

        Args:
            visibility: Of the queue; replaced when its attributes change.
            settled: What this process has handled of the queue, shared by all its mappings.
            fifo: Whether messages have an order within their groups.
        """
        self.visibility = visibility
        self._settled = settled
        self._fifo = fifo
        self._receipts: dict[str, Receipt] = {}
        self._lines: dict[str, dict[str, None]] = {}
        """Of a FIFO queue: the messages of each group that are to be handled, as they came."""
        self._replaced: set[str] = set()
        """Messages whose handle is not that of the record which is being delivered."""
        self._denied_until = float("-inf")
        self._stood_until = float("-inf")

    def __len__(self) -> int:
        """How many messages are in flight."""
        return len(self._receipts)

    # ----- receiving

    def received(
        self, records: Sequence[Record], *, since: float, until: float, doubtful: bool = False
    ) -> Intake:
        """Take in the messages of one receive, in order.

        Args:
            records: As they were received.
            since: From when they are hidden.
            until: When they become visible to others.
            doubtful: Whether they may have been hidden for longer.
        """
        doubtful = doubtful or since <= self._stood_until + LATE_S  # the answer lay here unread
        held: list[Record] = []
        settled: list[Record] = []
        repeated = 0
        for record in records:
            message = record.item_identifier
            known = self._receipts.get(message)
            if known is not None:
                repeated += 1
                if record.receives and record.receives < known.record.receives:
                    continue  # it was received before the other, and read later
                known.record, known.since, known.until, known.ended = record, since, until, False
                known.doubtful = doubtful
                self._replaced.add(message)
                continue
            stage = Stage.HELD
            if self._settled.knows(message, since):
                settled.append(record)
                stage = Stage.SETTLING
            else:
                held.append(record)
                if self._fifo and record.order_key is not None:
                    self._lines.setdefault(record.order_key, {})[message] = None
            self._receipts[message] = Receipt(
                record=record, received_at=since, since=since, until=until, stage=stage, doubtful=doubtful
            )
        return Intake(held=held, settled=settled, repeated=repeated)

    def current(self, records: Sequence[Record]) -> Sequence[Record]:
        """The same messages with the handles that count."""
        if not self._replaced:
            return records
        receipts = self._receipts
        return tuple(
            receipts[record.item_identifier].record if record.item_identifier in self._replaced else record
            for record in records
        )

    # ----- starting

    def check(self, records: Sequence[Record], now: float) -> Check:
        """Decide what of a batch may start now."""
        if self._all_fresh(records, now):
            return Check(start=records)
        start: list[Record] = []
        renew: list[Record] = []
        lapsed: list[Record] = []
        behind: list[Record] = []
        for record in records:
            receipt = self._receipts[record.item_identifier]
            if receipt.behind is not None:
                behind.append(record)
            elif self._lapsed(receipt, now):
                lapsed.append(record)
            elif self._late(receipt, now):
                renew.append(record)
            else:
                start.append(record)
        return Check(start=start, renew=renew, lapsed=lapsed, behind=behind)

    def _all_fresh(self, records: Sequence[Record], now: float) -> bool:
        """Whether nothing speaks against any of them: the usual case, without a list for each part."""
        receipts = self._receipts
        fresh = now - self.visibility.window_s - LATE_S
        for record in records:
            receipt = receipts[record.item_identifier]
            if receipt.behind is not None or receipt.doubtful or receipt.ended or receipt.until <= now:
                return False
            if receipt.since < fresh and self._late(receipt, now):
                return False
        return True

    def _lapsed(self, receipt: Receipt, now: float) -> bool:
        """Whether others may have it; of a doubtful receipt only the queue knows, when it is renewed."""
        if receipt.doubtful and now >= self._denied_until:
            return receipt.ended
        return receipt.ended or receipt.until <= now

    def _late(self, receipt: Receipt, now: float) -> bool:
        if receipt.doubtful:
            return now >= self._denied_until
        if now - receipt.since <= self.visibility.window_s + LATE_S:
            return False
        return receipt.until - now < self.visibility.start_s and now >= self._denied_until

    def started(self, records: Sequence[Record]) -> None:
        """The function has them."""
        self._enter(records, Stage.RUNNING)

    def refused(self, records: Sequence[Record]) -> None:
        """The function did not take them: they wait for another try."""
        self._enter(records, Stage.HELD)

    def _enter(self, records: Sequence[Record], stage: Stage) -> None:
        for record in records:
            self._receipts[record.item_identifier].stage = stage

    # ----- the end of a message

    def finished(self, records: Sequence[Record], now: float) -> None:
        """They were handled, or no filter wants them: the queue is to delete them."""
        add = self._settled.add
        for record in records:
            receipt = self._receipts[record.item_identifier]
            receipt.stage = Stage.SETTLING
            if self._lines:
                self._leave_line(record)
            add(record.item_identifier, now=now, until=receipt.until)

    def lighten(self, records: Sequence[Record]) -> Sequence[Record]:
        """The same messages without their bodies, for as long as their deletes are tried again."""
        light: list[Record] = []
        for record in records:
            receipt = self._receipts[record.item_identifier]
            receipt.record = structs.replace(receipt.record, event=b"")
            light.append(structs.replace(record, event=b""))
        return light

    def failed(self, records: Sequence[Record], *, visible_at: float | None = None) -> None:
        """They go back to the queue, and what is held behind them in their groups does not run.

        Args:
            records: Failed, lapsed or given back.
            visible_at: When others may have them; None for the end of their receipts.
        """
        groups: dict[str | None, float] = {}
        if self._fifo:
            for record in records:
                receipt = self._receipts.get(record.item_identifier)
                if receipt is not None:
                    until = receipt.until if visible_at is None else visible_at
                    groups[record.order_key] = max(until, groups.get(record.order_key, until))
        self.forget(records)
        if not groups:
            return
        for receipt in self._receipts.values():
            if receipt.stage is Stage.HELD and receipt.record.order_key in groups:
                receipt.behind = groups[receipt.record.order_key]

    def behind_s(self, records: Sequence[Record], now: float) -> float:
        """For how long messages are to stay hidden so that none is seen before the one it is behind.

        SQS hides the whole group for as long; not every server that stands in for it does.
        """
        visible = [self._receipts[record.item_identifier].behind or now for record in records]
        left_s = max(visible) - now
        return left_s + BEHIND_MARGIN_S if left_s > 0 else 0.0

    def forget(self, records: Sequence[Record]) -> None:
        """They are deleted, given back, or left to their visibility timeout."""
        lines, replaced, pop = self._lines, self._replaced, self._receipts.pop
        for record in records:
            if lines:
                self._leave_line(record)
            pop(record.item_identifier, None)
            if replaced:
                replaced.discard(record.item_identifier)

    def _leave_line(self, record: Record) -> None:
        line = self._lines.get(record.order_key or "")
        if line is not None:
            line.pop(record.item_identifier, None)
            if not line:
                del self._lines[record.order_key or ""]

    def leads(self, records: Sequence[Record]) -> bool:
        """Whether no message of its groups that came before a batch is still to be handled.

        Another poller may hold one: of messages that came again it keeps those it had.
        """
        if not self._lines:
            return True
        mine = {record.item_identifier for record in records}
        return all(next(iter(self._lines.get(group) or mine)) in mine for group in groups_of(records))

    def expired(self, records: Sequence[Record], now: float) -> Sequence[Record]:
        """Those of them whose receipts have ended."""
        return [
            record
            for record in records
            if (receipt := self._receipts[record.item_identifier]).ended or receipt.until <= now
        ]

    # ----- renewing

    def due(self, now: float, *, ahead_s: float) -> Sequence[Record]:
        """What waits and would see half of its time go by before the next look.

        A batching window renews nothing: a receive hides its messages long enough for that.

        Args:
            now: Monotonic seconds.
            ahead_s: Until the next look.
        """
        if now < self._denied_until:
            return ()
        late = now - self.visibility.window_s - LATE_S
        return [
            receipt.record
            for receipt in self._waiting()
            if not (receipt.renewing or receipt.ended)
            and receipt.since < late
            and now + ahead_s - receipt.since >= (receipt.until - receipt.since) / 2
        ]

    def _waiting(self) -> Iterator[Receipt]:
        return (receipt for receipt in self._receipts.values() if receipt.stage is Stage.HELD)

    def renewing(self, records: Sequence[Record], *, under_way: bool) -> None:
        """A renewal of them is under way, or over."""
        for record in records:
            receipt = self._receipts.get(record.item_identifier)
            if receipt is not None:
                receipt.renewing = under_way

    def renewed(self, records: Sequence[Record], *, since: float, until: float) -> None:
        """The queue hides them anew."""
        self._denied_until = float("-inf")
        for record in records:
            receipt = self._receipts.get(record.item_identifier)
            if receipt is not None:
                receipt.since, receipt.until, receipt.doubtful = since, until, False

    def ended(self, records: Sequence[Record]) -> None:
        """The queue refused to renew them because of their receipts: others may have them."""
        for record in records:
            receipt = self._receipts.get(record.item_identifier)
            if receipt is not None and receipt.record.receipt == record.receipt:
                receipt.ended = True

    def stood_still(self, since: float, until: float) -> None:
        """This process was suspended: what it read since then had perhaps been waiting here."""
        self._stood_until = until
        for receipt in self._waiting():
            receipt.doubtful = receipt.doubtful or receipt.since > since

    def denied(self, now: float) -> None:
        """Renewals are not allowed: messages start while they are hidden, as AWS's do (semantics 2.10.3)."""
        self._denied_until = now + DENIED_REST_S

    def waiting(self, now: float) -> tuple[int, float]:
        """How many messages wait, and for how long the one that was received first has."""
        received = [receipt.received_at for receipt in self._waiting()]
        return len(received), now - min(received, default=now)


def groups_of(records: Collection[Record]) -> frozenset[str]:
    """The message groups of a batch."""
    return frozenset(record.order_key for record in records if record.order_key is not None)
