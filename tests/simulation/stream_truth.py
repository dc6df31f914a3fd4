"""What a stream truly held and what of it belongs to a mapping: the ground on which deliveries are judged."""

from dataclasses import dataclass, field
from enum import Enum

from mappings.model import StartingPosition
from poller.core.records import Position, PositionKind
from tests.fakes.clocks import EPOCH
from tests.fakes.history import (
    Event,
    GapReported,
    LeaseAdded,
    LeaseForgotten,
    Listed,
    Opened,
    Produced,
    ShardBorn,
    ShardClosed,
    Trimmed,
)
from tests.simulation.judging import Lives
from tests.simulation.scenario import MappingPlan


class Scope(Enum):
    """Whether a record belongs to the mapping."""

    MUST = 1
    MAY = 2
    NOT = 3


@dataclass(slots=True, eq=False)
class Record:
    name: str
    shard: "Shard"
    key: str
    number: int
    arrived_at: float
    produced_at: float
    kept: bool
    """Whether it passes the filter."""
    index: int = 0
    lane_index: int = 0
    terminal_at: float | None = None
    terminal_by: str = ""
    finished_by: set[str] = field(default_factory=set)
    """Every process that finished it."""
    trimmed: bool = False
    detectable: bool = False
    """Whether a durable position lay before it when it was trimmed."""


@dataclass(slots=True, eq=False)
class Lane:
    records: list[Record] = field(default_factory=list)
    passed: int = 0
    """Records before this index never block again."""


@dataclass(slots=True, eq=False)
class Shard:
    id: str
    parents: tuple["Shard", ...]
    born_at: float
    closed_at: float | None = None
    line: Lane = field(default_factory=Lane)
    lanes: dict[str, Lane] = field(default_factory=dict)
    numbers: dict[int, Record] = field(default_factory=dict)
    first_opened: Opened | None = None
    finished: bool = False
    gaps: list[GapReported] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Lease:
    incarnation: str
    position: Position
    epoch: int = 0


class StreamTruth:
    """The shards, records and leases of one mapping, as they came to be."""

    def __init__(self, plan: MappingPlan, lives: Lives) -> None:
        self.incarnation = ""
        self.shards: dict[str, Shard] = {}
        """Of the stream as it is now; a recreated one begins anew."""
        self.records: dict[str, Record] = {}
        self.leases: dict[str, Lease] = {}
        self.begun_at: dict[str, float] = {}
        """When the lease of a shard was added."""
        self._plan = plan
        self._mapping = plan.mapping
        self._lives = lives
        self._listed: tuple[str, ...] = ()
        self._baseline: tuple[float, frozenset[str]] | None = None

    def see(self, event: Event) -> None:  # a case for each kind of event
        """Take an event in."""
        match event:
            case ShardBorn():
                self._born(event)
            case ShardClosed():
                self.shards[event.shard].closed_at = event.at
            case Produced():
                self._produced(event)
            case Trimmed():
                self._trimmed(event)
            case Listed():
                self._listed = event.shards
            case Opened():
                self._opened(event)
            case LeaseAdded():
                self._lease_added(event)
            case LeaseForgotten():
                self.leases.pop(event.shard, None)
            case GapReported():
                self.shards[event.shard].gaps.append(event)

    # ----- what belongs to the mapping

    def scope(self, record: Record) -> Scope:
        """What the filter and StartingPosition say of a record (semantics 3.1.3, 3.1.4, 3.2)."""
        if not record.kept:
            return Scope.NOT
        starting = self._mapping.starting_position
        if starting is StartingPosition.TRIM_HORIZON:
            return Scope.MUST
        if self._baseline is None:
            return Scope.MAY
        begun_at, listed = self._baseline
        shard = record.shard
        if shard.born_at > begun_at:
            return Scope.MUST
        if starting is StartingPosition.AT_TIMESTAMP:
            if record.arrived_at >= (self._mapping.starting_position_timestamp or 0.0):
                return Scope.MUST
        else:
            opened = shard.first_opened
            latest = opened is not None and opened.position.startswith("LATEST")
            if record.produced_at > (opened.at if opened is not None and latest else begun_at):
                return Scope.MUST
            # Arrival times may be whole seconds.
            if record.arrived_at >= EPOCH + self._lives.first_start - 1.0:
                return Scope.MAY
        return Scope.NOT if shard.id in listed else Scope.MAY

    def blocks(self, record: Record) -> bool:
        """Whether nothing behind a record may be dispatched or checkpointed."""
        return record.terminal_at is None and not record.trimmed and self.scope(record) is Scope.MUST

    def first_blocking(self, lane: Lane, upto: int) -> Record | None:
        while lane.passed < upto and not self.blocks(lane.records[lane.passed]):
            lane.passed += 1
        return lane.records[lane.passed] if lane.passed < upto else None

    def lane(self, record: Record) -> tuple[Lane, int]:
        """The order that binds a record: its shard's, or its key's where a shard is read in parallel."""
        if self._mapping.parallelization_factor == 1:
            return record.shard.line, record.index
        return record.shard.lanes[record.key], record.lane_index

    def is_finished(self, shard: Shard) -> bool:
        if not shard.finished:
            shard.finished = (
                shard.closed_at is not None
                and self.first_blocking(shard.line, len(shard.line.records)) is None
                and all(self.is_finished(parent) for parent in shard.parents)
            )
        return shard.finished

    def is_passed(self, record: Record) -> bool:
        """Whether the durable checkpoint says that a record is finished."""
        lease = self.leases.get(record.shard.id)
        if (
            lease is None
            or lease.incarnation != self.incarnation
            or self.shards.get(record.shard.id) is not record.shard
        ):
            return False
        position = lease.position
        return position.ended or (
            position.kind is PositionKind.AFTER_SEQUENCE_NUMBER
            and int(position.sequence_number or 0) >= record.number
        )

    # ----- what happened

    def _born(self, event: ShardBorn) -> None:
        if event.incarnation != self.incarnation:
            self.incarnation = event.incarnation
            self.shards = {}
            self._baseline = None
        parents = tuple(self.shards[parent] for parent in event.parents)
        self.shards[event.shard] = Shard(event.shard, parents, event.at)

    def _produced(self, event: Produced) -> None:
        shard = self.shards[event.shard]
        key = event.order_key or ""
        lane = shard.lanes.setdefault(key, Lane())
        record = Record(
            event.record,
            shard,
            key,
            event.number,
            event.arrived_at,
            event.at,
            self._plan.keeps(event.record, key),
            index=len(shard.line.records),
            lane_index=len(lane.records),
        )
        shard.line.records.append(record)
        shard.numbers[event.number] = record
        lane.records.append(record)
        self.records[event.record] = record

    def _trimmed(self, event: Trimmed) -> None:
        lease = self.leases.get(event.shard)
        known = (
            lease is not None
            and lease.incarnation == self.incarnation
            and lease.position.kind is PositionKind.AFTER_SEQUENCE_NUMBER
        )
        for name in event.records:
            self.records[name].trimmed = True
            self.records[name].detectable = known

    def _opened(self, event: Opened) -> None:
        """Only who knows the stream for what it is counts: a recreated one is begun anew."""
        lease = self.leases.get(event.shard)
        shard = self.shards[event.shard]
        if lease is not None and lease.incarnation == self.incarnation:
            shard.first_opened = shard.first_opened or event

    def _lease_added(self, event: LeaseAdded) -> None:
        if self._baseline is None and event.incarnation == self.incarnation:
            self._baseline = (event.at, frozenset(self._listed))
        self.begun_at[event.shard] = event.at
        self.leases[event.shard] = Lease(event.incarnation, Position.parse(event.position))
