"""What Kinesis and DynamoDB streams share: shards, lineage, sequence numbers, trim, iterators, throttles."""

import zlib
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from poller.core.records import Page, Position, PositionKind, Record
from poller.errors import (
    IteratorExpired,
    PositionExpired,
    PositionUnknown,
    SourceGone,
    SourceThrottled,
    SourceTooLarge,
)
from poller.interfaces import Clock, Unsettled
from tests.fakes.faults import FaultKind
from tests.fakes.history import History, Opened, Produced, Read, Recreated, ShardBorn, ShardClosed, Trimmed
from tests.fakes.wire import Wire

HASH_SPACE = 1 << 16  # of partition keys; the real one has 128 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What a service allows."""

    page_records: int
    page_bytes: int
    iterator_life_s: float
    reads_per_s: int
    bytes_per_s: int
    answer_records: int | None = None
    """Most records of an answer that is small enough to be taken in; None where every answer is."""
    whole_seconds: bool = False
    """Arrival times are whole seconds, and there is no AT_TIMESTAMP (DynamoDB)."""


class Stored(NamedTuple):
    """A record in a shard."""

    record: str
    key: str
    number: int
    arrived_at: float
    event: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class FakeShard:
    """A shard: an append-only list whose front is trimmed away."""

    id: str
    parents: tuple[str, ...]
    first_hash: int
    last_hash: int
    stored: list[Stored] = field(default_factory=list)
    trimmed: int = 0
    closed: bool = False
    reads: deque[tuple[float, int]] = field(default_factory=deque)
    """When it was read within the last second, and how many bytes."""

    @property
    def expired(self) -> bool:
        """Whether it is no longer listed: closed, and all it held has left the stream."""
        return self.closed and self.trimmed == len(self.stored) and self.trimmed > 0

    def index_after(self, number: int) -> int:
        """The index of the first record behind a sequence number."""
        return bisect_right(self.stored, number, key=lambda stored: stored.number)

    def index_at(self, timestamp: float) -> int:
        """The index of the first record that is not older."""
        return bisect_left(self.stored, timestamp, key=lambda stored: stored.arrived_at)


class FakeStream:
    """A stream. Writers and reshardings call it directly; readers come through a source."""

    def __init__(
        self,
        wire: Wire,
        *,
        clock: Clock,
        history: History,
        limits: StreamLimits,
        encode: Callable[..., bytes],
        shards: int = 1,
        first_number: int = 95,
    ) -> None:
        """Make a stream.

        Args:
            wire: The way to it.
            clock: The source's own clock.
            history: Where to write what happens.
            limits: Of the service.
            encode: Makes the event of a record of its name, `key` and `number`.
            shards: How many it has at first.
            first_number: Sequence numbers soon gain a digit, so that comparing them as texts is found out.
        """
        self.wire = wire
        self.clock = clock
        self.history = history
        self.limits = limits
        self.incarnation = ""
        self.shards: dict[str, FakeShard] = {}
        self._encode = encode
        self._number = first_number
        self.lacked: dict[str, int] = {}
        """How often in a row a shard was left out of listings."""
        self._born = 0
        self._incarnations = 0
        self._begin(shards)

    @property
    def place(self) -> str:
        return self.wire.place

    @property
    def open_shards(self) -> list[FakeShard]:
        return [shard for shard in self.shards.values() if not shard.closed]

    def put(self, record: str, key: str) -> None:
        """Write a record to the shard its key belongs to."""
        point = zlib.crc32(key.encode()) % HASH_SPACE
        shard = next(s for s in self.open_shards if s.first_hash <= point <= s.last_hash)
        self._number += 1
        arrived_at = self.clock.wall()
        if self.limits.whole_seconds:
            arrived_at = float(int(arrived_at))
        event = self._encode(record, key=key, number=self._number)
        shard.stored.append(Stored(record, key, self._number, arrived_at, event))
        self.history.add(
            Produced(self.clock.monotonic(), self.place, record, key, shard.id, self._number, arrived_at)
        )

    def close(self, *shards: FakeShard) -> None:
        """No more is written to these."""
        for shard in shards:
            shard.closed = True
            self.history.add(ShardClosed(self.clock.monotonic(), self.place, shard.id))

    def add_shard(self, parents: tuple[str, ...], first_hash: int, last_hash: int) -> None:
        """A shard is born."""
        name = f"shardId-{self._born:012}"
        self._born += 1
        self.shards[name] = FakeShard(id=name, parents=parents, first_hash=first_hash, last_hash=last_hash)
        self.history.add(ShardBorn(self.clock.monotonic(), self.place, self.incarnation, name, parents))

    def trim(self, shard: FakeShard, count: int) -> None:
        """The oldest records of a shard pass out of the stream's retention."""
        upto = min(shard.trimmed + count, len(shard.stored))
        gone = tuple(stored.record for stored in shard.stored[shard.trimmed : upto])
        shard.trimmed = upto
        if gone:
            self.history.add(Trimmed(self.clock.monotonic(), self.place, shard.id, gone))

    def recreate(self, shards: int) -> None:
        """Delete the stream with all it holds, and make another of the same name; shard ids begin anew."""
        self.shards.clear()
        self._born = 0
        self._begin(shards)
        self.history.add(Recreated(self.clock.monotonic(), self.place, self.incarnation))

    def index_of(self, shard: FakeShard, position: Position) -> int:
        """Where in a shard a position lies. Raises what GetShardIterator would."""
        match position.kind:
            case PositionKind.AFTER_SEQUENCE_NUMBER:
                number = int(position.sequence_number or 0)
                index = shard.index_after(number)
                if not index or shard.stored[index - 1].number != number:
                    raise PositionUnknown(f"{number} did not come from this stream")
                if index < shard.trimmed:
                    raise PositionExpired(f"{number} was trimmed from {shard.id}")
                return index
            case PositionKind.AT_TIMESTAMP if not self.limits.whole_seconds:
                return max(shard.index_at(position.timestamp or 0.0), shard.trimmed)
            case PositionKind.LATEST:
                return len(shard.stored)
            case PositionKind.SHARD_END:
                raise ValueError("SHARD_END is no iterator type")
            case _:
                return shard.trimmed

    def _begin(self, shards: int) -> None:
        self._incarnations += 1
        self.incarnation = f"{self.place}/{self._incarnations}"
        width = HASH_SPACE // shards
        for number in range(shards):
            last = HASH_SPACE - 1 if number == shards - 1 else (number + 1) * width - 1
            self.add_shard((), number * width, last)


class FakeStreamReader:
    """An iterator of one shard, as one process holds it."""

    def __init__(self, stream: FakeStream, shard: FakeShard, after: Position, *, process: str) -> None:
        self._stream = stream
        self._shard = shard
        self._incarnation = stream.incarnation
        self._process = process
        self._index = stream.index_of(shard, after)
        self._began = after.kind is PositionKind.AFTER_SEQUENCE_NUMBER
        self._issued_at = stream.clock.monotonic()
        timestamp = after.timestamp if after.kind is PositionKind.AT_TIMESTAMP else None
        self._not_before = timestamp if stream.limits.whole_seconds else None
        stream.history.add(Opened(self._issued_at, stream.place, process, shard.id, str(after)))

    async def receive(self, limit: int, wait_s: float) -> Page:
        """Read the next page."""
        wire = self._stream.wire
        await wire.there()
        wire.source_fails()
        page = self._read(limit)
        await wire.back()
        return page

    async def settle(self, done: object, release: object) -> Unsettled:
        """A stream is told nothing."""
        return Unsettled()

    def _read(self, limit: int) -> Page:
        stream = self._stream
        shard = self._shard
        now = stream.clock.monotonic()
        self._check(now)
        left = len(shard.stored) - self._index
        if left and self._strike(FaultKind.EMPTY_PAGE):
            self._issued_at = now
            return Page(behind=True)
        limit = 1 if self._strike(FaultKind.SHORT_PAGE) else min(limit, stream.limits.page_records)
        found = self._slice(limit)
        if len(found) > (stream.limits.answer_records or len(found)):
            raise SourceTooLarge(f"{len(found)} records of {shard.id}")
        self._throttle(now, sum(len(stored.event) for stored in found))
        self._index += len(found)
        self._issued_at = now
        self._began = True
        left = len(shard.stored) - self._index
        wanted = [stored for stored in found if self._wanted(stored)]
        if wanted:
            names = tuple(stored.record for stored in wanted)
            stream.history.add(Read(now, stream.place, self._process, shard.id, names))
        return Page(
            records=[_record(stored) for stored in wanted],
            behind=bool(left) or (bool(found) and not wanted),
            end_of_shard=shard.closed and not left,
            served_at=float(int(stream.clock.wall())),
        )

    def _check(self, now: float) -> None:
        """Whether the iterator can be used."""
        stream = self._stream
        if self._incarnation != stream.incarnation:
            raise PositionUnknown(f"the iterator did not come from this stream {stream.place}")
        if self._shard.expired:
            raise SourceGone(f"{self._shard.id} does not exist")
        if now - self._issued_at > stream.limits.iterator_life_s or self._strike(FaultKind.ITERATOR_EXPIRED):
            raise IteratorExpired(f"iterator of {self._shard.id}")
        if self._index < self._shard.trimmed:
            if self._began:
                raise PositionExpired(f"{self._shard.id} was trimmed")
            self._index = self._shard.trimmed

    def _throttle(self, now: float, size_bytes: int) -> None:
        limits = self._stream.limits
        reads = self._shard.reads
        while reads and reads[0][0] <= now - 1.0:
            reads.popleft()
        if len(reads) >= limits.reads_per_s or sum(size for _, size in reads) >= limits.bytes_per_s:
            raise SourceThrottled(f"{self._shard.id} is read too often")
        reads.append((now, size_bytes))

    def _slice(self, limit: int) -> list[Stored]:
        found: list[Stored] = []
        size_bytes = 0
        for stored in self._shard.stored[self._index : self._index + limit]:
            size_bytes += len(stored.event)
            if found and size_bytes > self._stream.limits.page_bytes:
                break
            found.append(stored)
        return found

    def _wanted(self, stored: Stored) -> bool:
        """Without AT_TIMESTAMP, older records are passed over; one in the same second may be newer."""
        return self._not_before is None or stored.arrived_at >= int(self._not_before)

    def _strike(self, kind: FaultKind) -> bool:
        return self._stream.wire.faults.strike(self._stream.place, kind)


def _record(stored: Stored) -> Record:
    number = str(stored.number)
    return Record(
        item_identifier=number,
        event=stored.event,
        arrived_at=stored.arrived_at,
        order_key=stored.key,
        position=number,
        receipt=number,
    )
