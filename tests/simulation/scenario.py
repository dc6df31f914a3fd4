"""What a run consists of: mappings, what is written to their sources, faults, and the lives of the poller."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from mappings.arns import SourceKind
from mappings.model import EventSourceMapping
from poller.core.payload import MAX_PAYLOAD_BYTES
from poller.rules import Tempo
from tests.fakes.faults import Fault


class Write(NamedTuple):
    """A record, when it is written, and its order key."""

    at: float
    record: str
    key: str


class End(StrEnum):
    """How a life of the poller ends."""

    KILL = "kill"
    DRAIN = "drain"
    DRAIN_KILL = "drain_kill"
    """Killed while it drains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One process before the last."""

    until: float
    """Seconds after its start."""
    end: End
    kill_after: float = 0.0
    """Seconds into the drain."""
    downtime: float = 0.0
    pauses: tuple[tuple[float, float], ...] = ()
    """When it stands still, in seconds after its start, and for how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a fleet, taken by one process after another."""

    rate: float
    """Of the clock of its host."""
    lives: tuple[Life, ...] = ()
    start_at: float = 0.0


def filter_for(kind: SourceKind, name: str) -> str:
    """A pattern that lets messages `name-1...`, or records of keys `k1...`, pass."""
    match kind:
        case SourceKind.SQS:
            return f'{{"body":[{{"prefix":"{name}-1"}}]}}'
        case SourceKind.KINESIS:
            return '{"partitionKey":[{"prefix":"k1"}]}'
        case SourceKind.DYNAMODB:
            return '{"dynamodb":{"Keys":{"id":{"S":[{"prefix":"k1"}]}}}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingPlan:
    """A mapping, its source and its function."""

    mapping: EventSourceMapping
    shards: int = 1
    writes: tuple[Write, ...] = ()
    poison: tuple[str, ...] = ()
    """Records the function fails on until everything is healed."""
    duration_s: float = 1.0
    timeout_s: float = 30.0
    timeout_known: bool = True
    """Whether the poller knows the function's timeout."""
    concurrency: int | None = None
    """Invocations the function runs at once; None for any number."""
    concurrency_known: bool = True
    """Whether the poller knows that number."""
    visibility_timeout_s: float = 60.0
    max_receive_count: int | None = None
    message_bytes: int = 0
    """What each message of a queue is filled up with."""

    def keeps(self, record: str, key: str) -> bool:
        """Whether a record passes the filter of `filter_for`, if the mapping has it."""
        if not self.mapping.filter_patterns:
            return True
        return record.startswith(f"{self.name}-1") if self.kind is SourceKind.SQS else key.startswith("k1")

    @property
    def name(self) -> str:
        return self.mapping.uuid

    @property
    def kind(self) -> SourceKind:
        return self.mapping.event_source.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A run, completely."""

    seed: int
    mappings: tuple[MappingPlan, ...]
    faults: tuple[Fault, ...] = ()
    lives: tuple[Life, ...] = ()
    fleet: tuple[Place, ...] = ()
    """Workers that share the leases, each with lives of its own; without, one works alone."""
    lease_s: float = 10.0
    start_at: float = 0.0
    """When the first process starts; what was written before waits for it."""
    heal_at: float = 60.0
    """When faults end and functions are cured; the last life goes on until all is finished."""
    kill_at_step: int | None = None
    """Kill the first process right before this step of the loop, counted from its start."""
    tempo: Tempo = field(default_factory=Tempo)
    payload_bytes: int = MAX_PAYLOAD_BYTES
    """Largest event of a function."""
    byte_budget: int = 64 * 1024 * 1024
    drain_timeout_s: float = 90.0
