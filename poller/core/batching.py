"""When a batch closes and why: size, payload or window."""

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from poller.core.payload import MAX_PAYLOAD_BYTES, encoded_size, that_fit
from poller.core.records import Record, total_size
from poller.core.timewindow import TimeWindow


class Trigger(StrEnum):
    """Why a batch closed."""

    SIZE = "size"
    BYTES = "bytes"
    WINDOW = "window"
    SHARD_END = "shard_end"
    TUMBLING_WINDOW = "tumbling_window"
    """The tumbling window of its records is over."""
    BISECT = "bisect"
    """It is a half of a batch that failed."""
    RETRY = "retry"
    """It is what was left of another batch: cut at a reported failure, or at what was too old."""


class Batch(Struct, frozen=True, kw_only=True):
    """Records that are delivered together, and what became of them so far."""

    records: tuple[Record, ...]
    trigger: Trigger
    id: str
    """UUID derived from the content: the same for every try of an unchanged batch, also after a restart."""
    tries: int = 0
    """Failed deliveries that count against MaximumRetryAttempts."""
    invoke_count: int = 0
    """Times the event reached the function."""
    refusals: int = 0
    """Deliveries in a row that failed before the function could run."""
    cut_offs: int = 0
    """Deliveries in a row that were cut off before any byte of an answer."""
    window: TimeWindow | None = None
    """The tumbling window of its records. Without records it is the window's final invocation."""
    members: bytes = b""
    """What the event holds beside its records, encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What one batch may hold, and how long it may gather."""

    size: int
    window_s: float = 0.0
    payload_bytes: int = MAX_PAYLOAD_BYTES


def batch_id(scope: str, records: Sequence[Record]) -> str:
    """Name a batch by its content, in the form of a UUID.

    Args:
        scope: Mapping and shard; two mappings that read one stream must not share ids.
        records: The batch; receipts are used, so that a redelivered message makes another batch.
    """
    return content_id(f"{scope}|{records[0].receipt}|{records[-1].receipt}|{len(records)}".encode())


def content_id(content: bytes) -> str:
    """A UUID that is the same for the same content."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


class Gatherer(Protocol):
    """What a lane asks of its batcher; each method is described at `Batcher`."""

    @property
    def room(self) -> int: ...
    def add(self, records: Sequence[Record], now: float) -> None: ...
    def restart_window(self, now: float) -> None: ...
    def deadline(self) -> float | None: ...
    def take(self, now: float, *, flush: bool = False) -> Batch | None: ...
    def drop_repeated(self, records: Sequence[Record]) -> Sequence[Record]: ...
    def drop_all(self) -> Sequence[Record]: ...


class Batcher:
    """Gathers the records of one lane and cuts them into batches, in order."""

    def __init__(self, limits: BatchLimits, *, scope: str) -> None:
        self._limits = limits
        self._scope = scope
        self._pending: deque[Record] = deque()
        self._messages: set[str] = set()
        """Those of a queue among them; a record of a stream is never repeated."""
        self._bytes = 0
        self._payload_bytes = limits.payload_bytes
        self._opened_at = 0.0

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, records: Sequence[Record], now: float) -> None:
        """Take records of one source in, in order."""
        if not self._pending:
            self._opened_at = now
        self._pending.extend(records)
        self._bytes += total_size(records)
        if records and records[0].position is None:
            self._messages.update([record.item_identifier for record in records])

    def set_aside(self, size_bytes: int) -> None:
        """Keep room in each payload for what stands beside the records."""
        self._payload_bytes = self._limits.payload_bytes - size_bytes

    def restart_window(self, now: float) -> None:
        """The previous invocation has completed: the next window starts (semantics 2.1.5, 3.4.3)."""
        self._opened_at = now

    def deadline(self) -> float | None:
        """When what is gathered must go, however little it is; None with nothing gathered."""
        return self._opened_at + self._limits.window_s if self._pending else None

    @property
    def room(self) -> int:
        """How many more records the next batch can take."""
        return max(self._limits.size - len(self._pending), 0)

    def take(self, now: float, *, flush: bool = False) -> Batch | None:
        """Cut the next batch if one is due.

        Args:
            now: Monotonic seconds.
            flush: No more records will come: everything is due.
        """
        trigger = self._due(now, flush=flush)
        if trigger is None:
            return None
        size = self._limits.size
        count, size_bytes = that_fit(self._pending, limit_bytes=self._payload_bytes, limit_count=size)
        if count == size:
            trigger = Trigger.SIZE
        elif count < len(self._pending):
            trigger = Trigger.BYTES
        records = self._cut(count, size_bytes)
        return Batch(records=records, trigger=trigger, id=batch_id(self._scope, records))

    def _cut(self, count: int, size_bytes: int) -> tuple[Record, ...]:
        if count == len(self._pending):
            return tuple(self.drop_all())
        records = tuple([self._pending.popleft() for _ in range(count)])
        self._bytes -= size_bytes
        if self._messages:
            self._messages.difference_update([record.item_identifier for record in records])
        return records

    def drop_repeated(self, records: Sequence[Record]) -> Sequence[Record]:
        """Give up what was gathered of messages that were received again: only the last receipt is good."""
        if not self._messages:
            return ()
        again = self._messages.intersection([record.item_identifier for record in records])
        if not again:
            return ()
        repeated = tuple(record for record in self._pending if record.item_identifier in again)
        self._pending = deque(r for r in self._pending if r.item_identifier not in again)
        self._bytes -= total_size(repeated)
        self._messages -= again
        return repeated

    def drop_all(self) -> Sequence[Record]:
        """Give back everything that was gathered and not cut."""
        dropped = tuple(self._pending)
        self._pending.clear()
        self._messages.clear()
        self._bytes = 0
        return dropped

    def _due(self, now: float, *, flush: bool) -> Trigger | None:
        if not self._pending:
            return None
        if len(self._pending) >= self._limits.size:
            return Trigger.SIZE
        if encoded_size(len(self._pending), self._bytes) > self._payload_bytes:
            return Trigger.BYTES
        if flush:
            return Trigger.SHARD_END
        return Trigger.WINDOW if now >= self._opened_at + self._limits.window_s else None
