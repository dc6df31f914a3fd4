"""A queue and a stream in this process, for tests and embedders, with the promises of the real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import anyio
import anyio.lowlevel

from poller.core.payload import encode_json
from poller.core.records import Page, Position, PositionKind, Record, Shard, Topology
from poller.core.visibility import Visibility
from poller.errors import SourceGone
from poller.interfaces import Clock, Unsettled


@dataclass(slots=True, kw_only=True)
class _Message:
    """A message of a queue; `hidden_until` is its visibility timeout running."""

    id: str
    body: str
    sent_at: float
    hidden_until: float = 0.0
    receives: int = 0


class MemoryQueue:
    """A standard queue: hides what it hands out, and hands it out again unless it is deleted in time."""

    def __init__(self, clock: Clock, *, visibility_timeout_s: float = 30.0) -> None:
        self.messages: dict[str, _Message] = {}
        self.visibility_timeout_s = visibility_timeout_s
        self._clock = clock
        self._numbers = count()

    def send(self, body: str) -> str:
        """Put a message in; its id."""
        message = _Message(id=f"message-{next(self._numbers):06}", body=body, sent_at=self._clock.wall())
        self.messages[message.id] = message
        return message.id

    @property
    def visibility(self) -> Visibility:
        """How long its messages stay hidden; the function's timeout is not known."""
        return Visibility(queue_s=self.visibility_timeout_s)

    async def discover(self) -> Topology:
        """A queue is one shard."""
        return Topology(incarnation="memory", shards=(Shard(id="queue"),))

    async def open(self, shard: Shard, after: Position) -> "MemoryQueueReader":  # noqa: ARG002  # one end only
        """Open the queue."""
        return MemoryQueueReader(self, self._clock)


class MemoryQueueReader:
    """Receives from a MemoryQueue. A receipt is good for one receive only."""

    def __init__(self, queue: MemoryQueue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock

    async def receive(self, limit: int, wait_s: float) -> Page:
        """Take visible messages; with none, wait once and look again."""
        found = self._take(limit)
        if not found:
            await anyio.sleep(wait_s)
            found = self._take(limit)
        now = self._clock.monotonic()
        return Page(records=found, hidden=(now, now + self._queue.visibility_timeout_s))

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        """Delete messages; a receipt that has ended deletes nothing."""
        await anyio.lowlevel.checkpoint()
        lost = []
        for record in records:
            if self._current(record) is not None:
                del self._queue.messages[record.item_identifier]
            elif record.item_identifier in self._queue.messages:
                lost.append(record)
        return Unsettled(lost=lost, reason="ReceiptHandleIsInvalid" if lost else "")

    async def hide(self, records: Sequence[Record], seconds: float) -> Unsettled:
        """Hide messages for so long from now on."""
        await anyio.lowlevel.checkpoint()
        lost = []
        for record in records:
            message = self._current(record)
            if message is None:
                lost.append(record)
            else:
                message.hidden_until = self._clock.monotonic() + seconds if seconds else 0.0
        return Unsettled(lost=lost, reason="ReceiptHandleIsInvalid" if lost else "")

    def _take(self, limit: int) -> list[Record]:
        now = self._clock.monotonic()
        visible = [m for m in self._queue.messages.values() if m.hidden_until <= now][:limit]
        for message in visible:
            message.hidden_until = now + self._queue.visibility_timeout_s
            message.receives += 1
        return [self._record(message) for message in visible]

    def _record(self, message: _Message) -> Record:
        event = {
            "messageId": message.id,
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": str(message.receives)},
        }
        return Record(
            item_identifier=message.id,
            event=encode_json(event),
            arrived_at=message.sent_at,
            order_key=None,
            position=None,
            receipt=f"{message.id}#{message.receives}",
            receives=message.receives,
        )

    def _current(self, record: Record) -> _Message | None:
        """The message, if this receipt is its latest and its visibility timeout runs."""
        message = self._queue.messages.get(record.item_identifier)
        if message is None or record.receipt != f"{message.id}#{message.receives}":
            return None
        return message if message.hidden_until > self._clock.monotonic() else None


@dataclass(slots=True, kw_only=True)
class _MemoryShard:
    shard: Shard
    records: list[Record] = field(default_factory=list)


class MemoryStream:
    """A stream of shards that can be split."""

    def __init__(self, clock: Clock, *, shards: int = 1, incarnation: str = "memory") -> None:
        self.incarnation = incarnation
        self._clock = clock
        self._sequence = count(1)
        self._shards: dict[str, _MemoryShard] = {}
        for number in range(shards):
            self._add(Shard(id=f"shard-{number}"))

    def put(self, shard: str, data: str, *, key: str = "") -> str:
        """Append a record; its sequence number."""
        number = str(next(self._sequence))
        event = encode_json({"sequenceNumber": number, "partitionKey": key, "data": data})
        self._shards[shard].records.append(
            Record(
                item_identifier=number,
                event=event,
                arrived_at=self._clock.wall(),
                order_key=key,
                position=number,
                receipt=number,
            )
        )
        return number

    def split(self, shard: str, *children: str) -> None:
        """Close a shard; its records from now on go to its children."""
        self._shards[shard].shard = Shard(id=shard, parents=self._shards[shard].shard.parents, closed=True)
        for child in children:
            self._add(Shard(id=child, parents=(shard,)))

    async def discover(self) -> Topology:
        """All shards."""
        await anyio.lowlevel.checkpoint()
        return Topology(
            incarnation=self.incarnation, shards=tuple(entry.shard for entry in self._shards.values())
        )

    async def open(self, shard: Shard, after: Position) -> "MemoryStreamReader":
        """Open a shard at a position."""
        await anyio.lowlevel.checkpoint()
        entry = self._shards.get(shard.id)
        if entry is None:
            raise SourceGone(f"shard {shard.id} does not exist")
        return MemoryStreamReader(entry, _index(entry.records, after), self._clock)

    def _add(self, shard: Shard) -> None:
        self._shards[shard.id] = _MemoryShard(shard=shard)


class MemoryStreamReader:
    """Reads a shard of a MemoryStream from an index on."""

    def __init__(self, entry: _MemoryShard, index: int, clock: Clock) -> None:
        self._clock = clock
        self._entry = entry
        self._index = index

    async def receive(self, limit: int, wait_s: float) -> Page:  # noqa: ARG002  # a stream answers at once
        """The next records."""
        await anyio.lowlevel.checkpoint()
        records = self._entry.records[self._index : self._index + limit]
        self._index += len(records)
        at_tip = self._index == len(self._entry.records)
        return Page(
            records=records,
            behind=not at_tip,
            end_of_shard=at_tip and self._entry.shard.closed,
            served_at=self._clock.wall(),
        )


def _index(records: Sequence[Record], after: Position) -> int:
    match after.kind:
        case PositionKind.AFTER_SEQUENCE_NUMBER:
            number = int(after.sequence_number or 0)
            return sum(1 for record in records if int(record.position or 0) <= number)
        case PositionKind.AT_TIMESTAMP:
            return sum(1 for record in records if record.arrived_at < (after.timestamp or 0.0))
        case PositionKind.LATEST:
            return len(records)
        case _:
            return 0
