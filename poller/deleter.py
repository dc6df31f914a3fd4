"""Deletes the messages of one mapping, apart from everything else: nothing waits for it."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from poller.core.queue_flow import REQUEST_MESSAGES
from poller.core.receipts import Receipts
from poller.core.records import Record
from poller.core.recovery import Patience, react
from poller.errors import SourceError
from poller.interfaces import QueueReader
from poller.surroundings import Surroundings
from poller.telemetry import Meter, Operation

REQUESTS = 8  # under way at once


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleterParts:
    """What a deleter works with."""

    shard: str
    reader: QueueReader
    receipts: Receipts
    patience: Patience
    surroundings: Surroundings
    meter: Meter
    group: TaskGroup
    """Runs the requests."""
    settled: Callable[[], None]
    """Called when messages are no longer in flight."""


class Deleter:
    """Tells the queue what is done, as often as it takes while the receipts are good."""

    def __init__(self, parts: DeleterParts) -> None:
        self._parts = parts
        self._waiting: deque[tuple[Record, bool]] = deque()
        self._requests = 0

    def add(self, records: Sequence[Record], *, handled: bool) -> None:
        """Delete messages soon.

        Args:
            records: Finished messages.
            handled: Whether a function has handled them in this run; otherwise no filter wanted them, or
                they were handled before.
        """
        self._waiting.extend([(record, handled) for record in records])
        if self._waiting and self._requests < REQUESTS:
            self._requests += 1
            self._parts.group.start_soon(self._work)

    async def _work(self) -> None:
        try:
            while self._waiting:
                chunk = [self._waiting.popleft() for _ in range(min(REQUEST_MESSAGES, len(self._waiting)))]
                await self._delete(chunk)
        finally:
            self._requests -= 1

    async def _delete(self, chunk: Sequence[tuple[Record, bool]]) -> None:
        handled = {record.item_identifier for record, by_function in chunk if by_function}
        left: Sequence[Record] = [record for record, _ in chunk]
        failures = 0
        try:
            while left:
                left = self._without_expired(left)
                if not left:
                    break
                delay_s, done, left = await self._try(left, failures)
                self._finish(done, handled)
                failures += 1
                if left:
                    left = self._parts.receipts.lighten(left)
                    await anyio.sleep(delay_s)
        except Exception as error:  # noqa: BLE001  # others are still to be deleted
            self._parts.meter.crashed(self._parts.shard, error)
        finally:
            self._forget(left)

    async def _try(
        self, records: Sequence[Record], failures: int
    ) -> tuple[float, Sequence[Record], Sequence[Record]]:
        """Seconds until the next try, what was deleted, and what is to be tried again."""
        parts = self._parts
        current = parts.receipts.current(records)
        try:
            unsettled = await parts.reader.delete(current)
        except SourceError as error:
            parts.meter.problem(f"PROBLEM: {error}", shard=parts.shard, operation=Operation.DELETE)
            return react(error, failures + 1, parts.patience).delay_s, (), records
        again = {record.item_identifier for record in unsettled.again}
        lost = {record.item_identifier for record in unsettled.lost}
        if again:
            text = f"PROBLEM: DeleteMessageBatch: {unsettled.reason}"
            parts.meter.problem(text, shard=parts.shard, operation=Operation.DELETE)
        else:
            parts.meter.working(shard=parts.shard, operation=Operation.DELETE)
        if lost:
            self._lose([record for record in records if record.item_identifier in lost])
        done = [r for r in records if r.item_identifier not in again and r.item_identifier not in lost]
        return (
            parts.patience.passing.delay(failures + 1),
            done,
            [record for record in records if record.item_identifier in again],
        )

    def _without_expired(self, records: Sequence[Record]) -> Sequence[Record]:
        now = self._parts.surroundings.clock.monotonic()
        expired = self._parts.receipts.expired(records, now)
        if not expired:
            return records
        self._lose(expired)
        return [record for record in records if record not in expired]

    def _lose(self, records: Sequence[Record]) -> None:
        self._parts.meter.receipts_expired(self._parts.shard, len(records))
        self._forget(records)

    def _finish(self, records: Sequence[Record], handled: set[str]) -> None:
        if records:
            deleted = [record for record in records if record.item_identifier in handled]
            self._parts.meter.deleted(len(deleted))
            self._forget(records)

    def _forget(self, records: Sequence[Record]) -> None:
        if records:
            self._parts.receipts.forget(records)
            self._parts.meter.left(len(records))
            self._parts.settled()
