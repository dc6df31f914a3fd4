"""An SQS queue, standard or FIFO: visibility, receipts of one receive, group locks, redrive, long polls."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from poller.core.records import Page, Position, Record, Shard, Topology
from poller.core.visibility import Visibility, hidden_since
from poller.errors import SourceDenied, SourceUnavailable
from poller.interfaces import Clock, Unsettled
from tests.fakes.events import sqs_event
from tests.fakes.faults import FaultKind
from tests.fakes.history import DeadLettered, Deleted, History, Produced, Received, Renewed, Shown
from tests.fakes.wire import Wire

BATCH = 10  # entries of one request
LONGEST_S = 43_200.0  # from the receive on, renewals included
HANGS_S = 10.0  # until a caller gives up
ANSWER_MARGIN_S = 10.0  # beyond a long poll, until a caller gives up


@dataclass(slots=True, kw_only=True, eq=False)
class _Message:
    id: str
    record: str
    group: str | None
    number: int
    sent_at: float
    hidden_until: float = 0.0
    received_at: float = 0.0
    receives: int = 0

    @property
    def receipt(self) -> str:
        return f"{self.id}#{self.receives}"


@dataclass(slots=True, kw_only=True, eq=False)
class _Poll:
    """A long poll that waits."""

    until: float
    limit: int
    hide_s: float
    process: str
    suspended: bool = False
    """Its process stands still, or stood: it reads the answer when it goes on."""
    answer: list[Record] = field(default_factory=list)


class FakeQueue:
    """A queue. Producers call `send`; readers come through a source."""

    def __init__(
        self,
        wire: Wire,
        *,
        clock: Clock,
        history: History,
        visibility_timeout_s: float = 30.0,
        max_receive_count: int | None = None,
        fifo: bool = False,
        message_bytes: int = 0,
    ) -> None:
        """Make a queue.

        Args:
            wire: The way to it.
            clock: The queue's own clock.
            history: Where to write what happens.
            visibility_timeout_s: How long a received message is hidden.
            max_receive_count: Receives after which a message is moved to the dead-letter queue.
            fifo: Whether messages have groups, and a group in flight is locked.
            message_bytes: What each message is filled up with.
        """
        self.wire = wire
        self.clock = clock
        self.history = history
        self.visibility_timeout_s = visibility_timeout_s
        self.messages: dict[str, _Message] = {}
        self.dead_letters: list[str] = []
        self._max_receive_count = max_receive_count
        self._fifo = fifo
        self.message_bytes = message_bytes
        self._number = 0
        self._arrival = anyio.Event()
        self._orphans: list[tuple[float, int, float]] = []
        """Long polls whose process is gone: until when each waits, for how many messages, hidden how long."""
        self._polls: list[_Poll] = []
        """Long polls that wait."""

    @property
    def place(self) -> str:
        return self.wire.place

    def send(self, record: str, group: str | None = None) -> None:
        """Put a message in."""
        self._number += 1
        now = self.clock.monotonic()
        message = _Message(
            id=f"{self.place}-{self._number}",
            record=record,
            group=group if self._fifo else None,
            number=self._number if self._fifo else 0,
            sent_at=self.clock.wall(),
        )
        self.messages[message.id] = message
        self.history.add(
            Produced(now, self.place, record, message.group, "queue", message.number, message.sent_at)
        )
        self._serve_suspended(now)
        self._serve_orphans(now)
        self._wake()

    def take(self, limit: int, *, process: str, hide_s: float, told: bool = True) -> list[_Message]:
        """Hand out visible messages and hide them."""
        now = self.clock.monotonic()
        taken: list[_Message] = []
        for message in self._visible(now):
            if len(taken) == limit:
                break
            if self._max_receive_count is not None and message.receives >= self._max_receive_count:
                self._redrive(message, now)
                continue
            self._hand_out(message, now + hide_s, process=process, told=told)
            taken.append(message)
        return taken

    def told(self, messages: Sequence[_Message]) -> list[Record]:
        """What a reader is told of messages that were handed out."""
        return [_record(message, self.message_bytes) for message in messages]

    def again(self, *, process: str, hide_s: float) -> list[_Message]:
        """Hand out one hidden message once more, as a standard queue may."""
        now = self.clock.monotonic()
        hidden = [message for message in self.messages.values() if message.hidden_until > now]
        if not hidden or self._fifo:
            return []
        message = hidden[self.wire.chance.randrange(len(hidden))]
        self._hand_out(message, now + hide_s, process=process, told=True)
        return [message]

    async def wait(self, until: float) -> None:
        """Wait until a message may be visible, at most until `until`."""
        now = self.clock.monotonic()
        hidden = [m.hidden_until for m in self.messages.values() if m.hidden_until > now]
        with anyio.move_on_after(min([until, *hidden]) - now):
            await self._arrival.wait()

    def delete(self, record: Record, *, process: str) -> None:
        """Delete a message by the receipt of a receive; an outdated receipt deletes nothing."""
        message = self.messages.get(record.item_identifier)
        if message is None or message.receipt != record.receipt:
            return
        if self._fifo and message.hidden_until <= self.clock.monotonic():
            return  # a FIFO queue refuses a receipt whose visibility timeout has lapsed
        del self.messages[message.id]
        self.history.add(Deleted(self.clock.monotonic(), self.place, process, message.record))
        self._wake()

    def hide(self, record: Record, seconds: float, *, process: str) -> bool:
        """Set a message's visibility timeout; False where its receipt is no longer good for that."""
        now = self.clock.monotonic()
        message = self.messages.get(record.item_identifier)
        if message is None or message.receipt != record.receipt or message.hidden_until <= now:
            return False
        if now + seconds > message.received_at + LONGEST_S:
            return False
        message.hidden_until = now + seconds
        if seconds:
            self.history.add(Renewed(now, self.place, process, message.record, message.hidden_until))
        else:
            self.history.add(Shown(now, self.place, process, message.record))
        self._wake()
        return True

    def orphan(self, until: float, limit: int, hide_s: float) -> None:
        """A long poll was cut at the reader's end; the queue does not know, and answers it all the same."""
        self._orphans.append((until, limit, hide_s))

    @contextmanager
    def polling(self, until: float, limit: int, hide_s: float, process: str) -> Iterator["_Poll"]:
        """A long poll waits inside."""
        poll = _Poll(until=until, limit=limit, hide_s=hide_s, process=process)
        self._polls.append(poll)
        try:
            yield poll
        finally:
            self._polls.remove(poll)

    def suspend(self, process: str) -> None:
        """A process stands still; its long polls are answered all the same, and it reads that later."""
        for poll in self._polls:
            poll.suspended |= poll.process == process

    def _visible(self, now: float) -> list[_Message]:
        visible = [message for message in self.messages.values() if message.hidden_until <= now]
        if not self._fifo:
            self.wire.chance.shuffle(visible)
            return visible
        locked = {message.group for message in self.messages.values() if message.hidden_until > now}
        return [message for message in visible if message.group not in locked]

    def _hand_out(self, message: _Message, until: float, *, process: str, told: bool) -> None:
        now = self.clock.monotonic()
        message.hidden_until = until
        message.received_at = now
        message.receives += 1
        self.history.add(
            Received(now, self.place, process, message.record, message.receives, message.hidden_until, told)
        )

    def _redrive(self, message: _Message, now: float) -> None:
        del self.messages[message.id]
        self.dead_letters.append(message.record)
        self.history.add(DeadLettered(now, self.place, message.record, message.receives))

    def _serve_suspended(self, now: float) -> None:
        for poll in self._polls:
            if poll.suspended and not poll.answer and poll.until > now:
                poll.answer = self.told(self.take(poll.limit, process=poll.process, hide_s=poll.hide_s))

    def _serve_orphans(self, now: float) -> None:
        waiting = [orphan for orphan in self._orphans if orphan[0] > now]
        if waiting:
            _, limit, hide_s = waiting.pop()
            self.take(limit, process="", hide_s=hide_s, told=False)
        self._orphans = waiting

    def _wake(self) -> None:
        self._arrival.set()
        self._arrival = anyio.Event()


class FakeQueueSource:
    """The queue as one process reaches it."""

    def __init__(
        self,
        queue: FakeQueue,
        *,
        process: str = "",
        window_s: float = 0.0,
        timeout_s: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Reach a queue.

        Args:
            queue: The queue.
            process: Who reaches it.
            window_s: The mapping's batching window.
            timeout_s: The function's timeout; None where it is not known.
            clock: Of the process; the queue's own by default.
        """
        self._queue = queue
        self._process = process
        self._clock = clock or queue.clock
        self._window_s = window_s
        self._timeout_s = timeout_s

    @property
    def visibility(self) -> Visibility:
        """How long messages stay hidden."""
        return Visibility(
            queue_s=self._queue.visibility_timeout_s, window_s=self._window_s, timeout_s=self._timeout_s
        )

    async def discover(self) -> Topology:
        """Find the queue."""
        wire = self._queue.wire
        await wire.there()
        wire.source_fails()
        if wire.faults.strike(wire.place, FaultKind.LIST_FAILS):
            raise SourceUnavailable(f"{wire.place}: GetQueueAttributes")
        return Topology(incarnation=wire.place, shards=(Shard(id="queue"),))

    async def open(self, shard: Shard, after: Position) -> "FakeQueueReader":
        """Open the queue; that needs no request."""
        return FakeQueueReader(
            self._queue, process=self._process, hide_s=self.visibility.effective_s, clock=self._clock
        )


class FakeQueueReader:
    """An open queue."""

    def __init__(self, queue: FakeQueue, *, process: str, hide_s: float, clock: Clock) -> None:
        self._queue = queue
        self._process = process
        self._hide_s = hide_s
        self._clock = clock

    async def receive(self, limit: int, wait_s: float) -> Page:
        """ReceiveMessage, with a long poll."""
        queue = self._queue
        wire = queue.wire
        asked_at = self._clock.monotonic()
        await wire.there()
        wire.source_fails()
        records = await self._poll(min(limit, BATCH), wait_s)
        if records and wire.faults.strike(wire.place, FaultKind.RECEIVE_LOST):
            raise SourceUnavailable(f"{wire.place}: the answer was lost")
        since = hidden_since(
            asked_at=asked_at, answered_at=self._clock.monotonic(), longest_s=wait_s + ANSWER_MARGIN_S
        )
        return Page(records=records, hidden=(since, since + self._hide_s))

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        """DeleteMessageBatch."""
        assert len(records) <= BATCH
        wire = self._queue.wire
        await self._request()
        if wire.faults.strike(wire.place, FaultKind.DELETE_DENIED):
            raise SourceDenied(f"{wire.place}: DeleteMessageBatch")
        if wire.faults.strike(wire.place, FaultKind.DELETE_HANGS):
            await anyio.sleep(HANGS_S)
            raise SourceUnavailable(f"{wire.place}: no answer")
        failed = [record for record in records if wire.faults.strike(wire.place, FaultKind.DELETE_FAILED)]
        for record in records:
            if record not in failed:
                self._queue.delete(record, process=self._process)
        if wire.faults.strike(wire.place, FaultKind.DELETE_LOST):
            raise SourceUnavailable(f"{wire.place}: the answer was lost")
        await wire.back()
        return Unsettled(again=failed, reason="InternalError" if failed else "")

    async def hide(self, records: Sequence[Record], seconds: float) -> Unsettled:
        """ChangeMessageVisibilityBatch."""
        assert len(records) <= BATCH
        wire = self._queue.wire
        await self._request()
        if seconds and wire.faults.strike(wire.place, FaultKind.RENEW_DENIED):
            raise SourceDenied(f"{wire.place}: ChangeMessageVisibilityBatch")
        lost = [record for record in records if not self._queue.hide(record, seconds, process=self._process)]
        await wire.back()
        return Unsettled(lost=lost, reason="MessageNotInflight" if lost else "")

    async def _poll(self, limit: int, wait_s: float) -> list[Record]:
        queue = self._queue
        until = queue.clock.monotonic() + wait_s
        if queue.wire.faults.strike(queue.place, FaultKind.RECEIVE_DUPLICATE):
            again = queue.again(process=self._process, hide_s=self._hide_s)
            if again:
                return queue.told(again)
        answered = False
        with queue.polling(until, limit, self._hide_s, self._process) as poll:
            try:
                while not poll.answer:
                    poll.answer = queue.told(queue.take(limit, process=self._process, hide_s=self._hide_s))
                    if poll.answer or queue.clock.monotonic() >= until:
                        break
                    await queue.wait(until)
                answered = True
            finally:
                if not answered:
                    queue.orphan(until, limit, self._hide_s)
        return poll.answer

    async def _request(self) -> None:
        wire = self._queue.wire
        await wire.there()
        wire.source_fails()
        if wire.faults.strike(wire.place, FaultKind.SETTLE_UNAVAILABLE):
            raise SourceUnavailable(f"{wire.place}: not settled")


def _record(message: _Message, filling_bytes: int) -> Record:
    return Record(
        item_identifier=message.id,
        event=sqs_event(
            message.record,
            message_id=message.id,
            receipt=message.receipt,
            receives=message.receives,
            filling_bytes=filling_bytes,
        ),
        arrived_at=message.sent_at,
        order_key=message.group,
        position=None,
        receipt=message.receipt,
        receives=message.receives,
    )
