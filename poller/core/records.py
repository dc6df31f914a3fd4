"""What is read from an event source: a record, the page it came in, and the place it was read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from msgspec import Struct


class Record(Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """One message or stream record, already in the shape the function sees.

    Records are compared by identity: the same message received twice is two records. They are made by the
    million: a Struct costs a tenth of a frozen dataclass, and without cycles none need be looked for.
    """

    item_identifier: str
    """What `batchItemFailures` names: messageId, or sequence number."""
    event: bytes
    """One entry of `Records` as JSON; encoded once, joined into every payload, never re-encoded."""
    arrived_at: float
    """When the source accepted it, epoch seconds."""
    order_key: str | None
    """MessageGroupId, partition key or item key; None where the source promises no order."""
    position: str | None
    """What a checkpoint stores: the sequence number; None for a queue."""
    receipt: str
    """What the source needs to settle it: receipt handle, or sequence number."""
    receives: int = 1
    """How often a queue has handed it out, this time included; 0 where it sent no system attributes."""

    @property
    def size(self) -> int:
        """Bytes it adds to the payload, exact but for the comma between two records."""
        return len(self.event)


class Page(Struct, frozen=True, kw_only=True):
    """What one read returned."""

    records: Sequence[Record] = ()
    behind: bool = False
    """More is known to be available now: an empty page is not the end of the shard."""
    end_of_shard: bool = False
    """The shard is closed and these are its last records."""
    source_bytes: int = 0
    """Size of the page as the source's throughput limit counts it; 0 where there is none."""
    behind_s: float | None = None
    """How far the end of the page lies behind the tip of the shard; None where the source does not say."""
    served_at: float | None = None
    """The source's clock when it answered, epoch seconds, never late; None where it does not say."""
    hidden: tuple[float, float] | None = None
    """Monotonic times from and until which a queue hides these messages from others; None for a stream."""


class PositionKind(StrEnum):
    """Where in a shard reading starts."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"
    AT_TIMESTAMP = "AT_TIMESTAMP"
    AFTER_SEQUENCE_NUMBER = "AFTER_SEQUENCE_NUMBER"
    SHARD_END = "SHARD_END"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a shard, durable as text.

    LATEST carries the time at which it was asked for, so that it can be found again later: it is stored as
    that timestamp and never resolved a second time.
    """

    kind: PositionKind
    sequence_number: str | None = None
    timestamp: float | None = None

    @classmethod
    def trim_horizon(cls) -> Self:
        return cls(PositionKind.TRIM_HORIZON)

    @classmethod
    def latest(cls, now: float) -> Self:
        return cls(PositionKind.LATEST, timestamp=now)

    @classmethod
    def at_timestamp(cls, timestamp: float) -> Self:
        return cls(PositionKind.AT_TIMESTAMP, timestamp=timestamp)

    @classmethod
    def after(cls, sequence_number: str) -> Self:
        return cls(PositionKind.AFTER_SEQUENCE_NUMBER, sequence_number=sequence_number)

    @classmethod
    def shard_end(cls) -> Self:
        return cls(PositionKind.SHARD_END)

    @property
    def ended(self) -> bool:
        return self.kind is PositionKind.SHARD_END

    @property
    def begun(self) -> bool:
        """Whether a record of the shard was finished, or there was none."""
        return self.kind in {PositionKind.AFTER_SEQUENCE_NUMBER, PositionKind.SHARD_END}

    def pinned(self) -> "Position":
        """The same place, as it must be found again after a restart."""
        if self.kind is PositionKind.LATEST and self.timestamp is not None:
            return Position.at_timestamp(self.timestamp)
        return self

    def __str__(self) -> str:
        detail = self.sequence_number if self.sequence_number is not None else self.timestamp
        return self.kind.value if detail is None else f"{self.kind.value}:{detail}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote. Raises ValueError on anything else."""
        name, _, detail = text.partition(":")
        kind = PositionKind(name)
        if kind is PositionKind.AFTER_SEQUENCE_NUMBER:
            return cls(kind, sequence_number=detail)
        return cls(kind, timestamp=float(detail) if detail else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard as its stream lists it; a queue is one shard without parents."""

    id: str
    parents: tuple[str, ...] = ()
    closed: bool = False
    """No more records will be written to it; what it holds may still have to be read."""
    hash_range: tuple[int, int] | None = None
    """First and last hash key it takes, where the stream deals records by hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """One complete listing of a source."""

    incarnation: str
    """Tells a source from a later one of the same name (creation time, stream label)."""
    shards: tuple[Shard, ...]
    server_time: float | None = None
    """The service's clock when it answered, epoch seconds; None where it does not say."""


def total_size(records: Sequence[Record]) -> int:
    """Bytes that records add to a payload together. Without a call for each: every step sums them."""
    return sum([len(record.event) for record in records])
