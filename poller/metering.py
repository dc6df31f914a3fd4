"""Counts and times what is asked of an event source, whichever source it is."""

from collections.abc import Coroutine, Sequence
from typing import TypeVar

from poller.core.records import Page, Position, Record, Shard, Topology
from poller.core.visibility import Visibility
from poller.errors import (
    IteratorExpired,
    PositionExpired,
    PositionUnknown,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceTooLarge,
    SourceUnauthenticated,
    SourceUnavailable,
    SourceUnsuitable,
)
from poller.interfaces import Clock, QueueReader, QueueSource, Reader, Source, Unsettled
from poller.telemetry import Meter

Answer = TypeVar("Answer")

OUTCOMES: dict[type[SourceError], str] = {
    SourceUnavailable: "unavailable",
    SourceThrottled: "throttled",
    SourceGone: "gone",
    SourceDenied: "denied",
    SourceUnauthenticated: "denied",
    SourceUnsuitable: "unsuitable",
    SourceTooLarge: "too_large",
    IteratorExpired: "iterator_expired",
    PositionExpired: "position_expired",
    PositionUnknown: "position_unknown",
}


class MeteredSource:
    """A source whose requests are counted."""

    def __init__(self, source: Source, meter: Meter, clock: Clock) -> None:
        self._source = source
        self._meter = meter
        self._clock = clock

    async def discover(self) -> Topology:
        """List the shards."""
        return await self.counted("discover", self._source.discover())

    async def open(self, shard: Shard, after: Position) -> "MeteredReader":
        """Open a shard; also what is asked of its reader is counted."""
        self._meter.asking(self._clock.monotonic())
        reader = await self.counted("open", self._source.open(shard, after))
        return MeteredReader(reader, self)

    def asking(self) -> None:
        """Records are asked for."""
        self._meter.asking(self._clock.monotonic())

    async def counted(self, operation: str, request: Coroutine[object, object, Answer]) -> Answer:
        """Await a request and count how it ended; one that was cut off by us is not counted."""
        begun = self._clock.monotonic()
        try:
            answer = await request
        except SourceError as error:
            outcome = OUTCOMES.get(type(error), "unavailable")
            self._meter.asked(operation, outcome, self._clock.monotonic() - begun)
            raise
        self._meter.asked(operation, "ok", self._clock.monotonic() - begun)
        return answer


class MeteredQueueSource(MeteredSource):
    """A queue whose requests are counted."""

    def __init__(self, source: QueueSource, meter: Meter, clock: Clock) -> None:
        super().__init__(source, meter, clock)
        self._queue = source

    @property
    def visibility(self) -> Visibility:
        """How long its messages stay hidden."""
        return self._queue.visibility

    async def open(self, shard: Shard, after: Position) -> "MeteredQueueReader":
        """Open the queue."""
        self.asking()
        return MeteredQueueReader(await self.counted("open", self._queue.open(shard, after)), self)


class MeteredReader:
    """A reader whose requests are counted."""

    def __init__(self, reader: Reader, source: MeteredSource) -> None:
        self._reader = reader
        self._source = source

    async def receive(self, limit: int, wait_s: float) -> Page:
        """Read records."""
        self._source.asking()
        return await self._source.counted("receive", self._reader.receive(limit, wait_s))


class MeteredQueueReader(MeteredReader):
    """A queue's reader whose requests are counted."""

    def __init__(self, reader: QueueReader, source: MeteredSource) -> None:
        super().__init__(reader, source)
        self._queue = reader

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        """Delete messages."""
        return await self._source.counted("delete", self._queue.delete(records))

    async def hide(self, records: Sequence[Record], seconds: float) -> Unsettled:
        """Renew or release messages."""
        request = self._queue.hide(records, seconds)
        return await self._source.counted("renew" if seconds else "release", request)
