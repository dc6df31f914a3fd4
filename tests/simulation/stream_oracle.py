"""The invariants of one stream mapping, checked event by event against what the stream truly held."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from mappings.model import StartingPosition
from poller.core.records import Position, PositionKind
from tests.fakes.clocks import EPOCH
from tests.fakes.history import (
    Answered,
    Checkpointed,
    Discarded,
    Event,
    GapReported,
    Invoked,
    LeaseAdded,
    LeaseForgotten,
    LeaseTaken,
    Listed,
    Opened,
    Produced,
    Restarted,
    ShardBorn,
    ShardClosed,
    Trimmed,
)
from tests.simulation.judging import Lives, Violation
from tests.simulation.scenario import MappingPlan


class Scope(Enum):
    """Whether a record belongs to the mapping."""

    MUST = 1
    MAY = 2
    NOT = 3


@dataclass(slots=True, eq=False)
class _Record:
    name: str
    shard: "_Shard"
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
class _Lane:
    records: list[_Record] = field(default_factory=list)
    passed: int = 0
    """Records before this index never block again."""


@dataclass(slots=True, eq=False)
class _Shard:
    id: str
    parents: tuple["_Shard", ...]
    born_at: float
    closed_at: float | None = None
    line: _Lane = field(default_factory=_Lane)
    lanes: dict[str, _Lane] = field(default_factory=dict)
    numbers: dict[int, _Record] = field(default_factory=dict)
    first_opened: Opened | None = None
    finished: bool = False
    gaps: list[GapReported] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Lease:
    incarnation: str
    position: Position
    epoch: int = 0


class StreamOracle:
    """Judges one stream and the mapping that reads it."""

    def __init__(self, plan: MappingPlan, lives: Lives, *, wall_is_right: bool) -> None:
        self._plan = plan
        self._mapping = plan.mapping
        self._lives = lives
        self._wall_is_right = wall_is_right
        self._incarnation = ""
        self._shards: dict[str, _Shard] = {}
        self._all_shards: list[_Shard] = []
        self._records: dict[str, _Record] = {}
        self._leases: dict[str, _Lease] = {}
        self._listed: tuple[str, ...] = ()
        self._baseline: tuple[float, frozenset[str]] | None = None
        self._in_flight: dict[int, Invoked] = {}
        self._failures: dict[tuple[str, ...], int] = {}
        self._restarted: dict[str, float] = {}
        self._reached: dict[tuple[str, str], int] = {}
        """The last checkpoint of a process in a shard."""
        self._begun_at: dict[str, float] = {}
        """When the lease of a shard was added; a recreated stream is begun anew."""

    def see(self, event: Event) -> Iterator[Violation]:
        """Take an event in."""
        match event:
            case ShardBorn():
                self._born(event)
            case ShardClosed():
                self._shards[event.shard].closed_at = event.at
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
                self._leases.pop(event.shard, None)
            case LeaseTaken():
                yield from self._taken(event)
            case Checkpointed():
                yield from self._checkpointed(event)
            case Invoked():
                yield from self._invoked(event)
            case Answered():
                self._answered(event)
            case Discarded():
                yield from self._discarded(event)
            case GapReported():
                self._shards[event.shard].gaps.append(event)
            case Restarted():
                self._restarts(event)

    def end(self) -> Iterator[Violation]:
        """The run is over: every record in scope is terminal, or its loss was reported (I1)."""
        for record in self._records.values():
            if record.terminal_at is not None or self._scope(record) is not Scope.MUST:
                continue
            shard = record.shard
            if self._shards.get(shard.id) is not shard:
                continue  # it went with its stream
            if not record.trimmed:
                passed = self._is_passed(record)
                yield Violation("lost" if passed else "unfinished", 0.0, self._name(record))
            elif record.detectable and not self._is_reported(record):
                yield Violation("dropped without a report", 0.0, self._name(record))

    # ----- the truth

    def _born(self, event: ShardBorn) -> None:
        if event.incarnation != self._incarnation:
            self._incarnation = event.incarnation
            self._shards = {}
            self._baseline = None
        parents = tuple(self._shards[parent] for parent in event.parents)
        self._shards[event.shard] = _Shard(event.shard, parents, event.at)

    def _produced(self, event: Produced) -> None:
        shard = self._shards[event.shard]
        key = event.order_key or ""
        lane = shard.lanes.setdefault(key, _Lane())
        record = _Record(
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
        self._records[event.record] = record

    def _trimmed(self, event: Trimmed) -> None:
        lease = self._leases.get(event.shard)
        known = (
            lease is not None
            and lease.incarnation == self._incarnation
            and lease.position.kind is PositionKind.AFTER_SEQUENCE_NUMBER
        )
        for name in event.records:
            self._records[name].trimmed = True
            self._records[name].detectable = known

    def _opened(self, event: Opened) -> None:
        """Only who knows the stream for what it is counts: a recreated one is begun anew."""
        lease = self._leases.get(event.shard)
        shard = self._shards[event.shard]
        if lease is not None and lease.incarnation == self._incarnation:
            shard.first_opened = shard.first_opened or event

    # ----- scope

    def _lease_added(self, event: LeaseAdded) -> None:
        if self._baseline is None and event.incarnation == self._incarnation:
            self._baseline = (event.at, frozenset(self._listed))
        self._begun_at[event.shard] = event.at
        self._leases[event.shard] = _Lease(event.incarnation, Position.parse(event.position))

    def _scope(self, record: _Record) -> Scope:
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

    def _blocks(self, record: _Record) -> bool:
        """Whether nothing behind a record may be dispatched or checkpointed."""
        return (
            record.terminal_at is None and not record.trimmed and self._scope(record) is Scope.MUST
        )

    def _first_blocking(self, lane: _Lane, upto: int) -> _Record | None:
        while lane.passed < upto and not self._blocks(lane.records[lane.passed]):
            lane.passed += 1
        return lane.records[lane.passed] if lane.passed < upto else None

    # ----- leases

    def _taken(self, event: LeaseTaken) -> Iterator[Violation]:
        lease = self._leases[event.shard]
        if event.epoch <= lease.epoch:
            yield Violation("stale write accepted", event.at, f"epoch {event.epoch} of {event.shard}")
        lease.epoch = event.epoch
        self._reached[event.process, event.shard] = _number(lease.position)

    def _checkpointed(self, event: Checkpointed) -> Iterator[Violation]:
        """A checkpoint is fenced, never moves back, and passes only what is terminal (I2, I5, I12)."""
        lease = self._leases.get(event.shard)
        if lease is None:
            yield Violation("stale write accepted", event.at, f"{event.shard} has no lease")
            return
        position = Position.parse(event.position)
        if event.epoch != lease.epoch:
            yield Violation("stale write accepted", event.at, f"epoch {event.epoch} of {event.shard}")
        if _before(position, lease.position):
            yield Violation("checkpoint moved back", event.at, f"{position} after {lease.position}")
        lease.position = position
        self._reached[event.process, event.shard] = _number(position)
        if lease.incarnation != self._incarnation:
            return
        shard = self._shards[event.shard]
        upto = len(shard.line.records)
        if position.kind is PositionKind.AFTER_SEQUENCE_NUMBER:
            record = shard.numbers.get(int(position.sequence_number or 0))
            if record is None:
                yield Violation("wrong incarnation", event.at, f"{position} is not of {event.shard}")
                return
            upto = record.index + 1
        elif position.ended and shard.closed_at is None:
            yield Violation("early-acked", event.at, f"{event.shard} is open and was ended")
        blocking = self._first_blocking(shard.line, upto)
        if blocking is not None:
            yield Violation("early-acked", event.at, f"{position} passes {self._name(blocking)}")

    # ----- deliveries

    def _invoked(self, event: Invoked) -> Iterator[Violation]:
        records = [self._records[name] for name in event.records if name in self._records]
        if len(records) != len(event.records):
            yield Violation("unexpected", event.at, f"{event.records} were never written")
            return
        yield from self._in_order(event, records)
        yield from self._after_parents(event, records[0].shard)
        yield from self._one_in_flight(event, records)
        for record in records:
            yield from self._wanted(event, record)
        limit = self._tries(event.records)
        if limit is not None and self._failures.get((event.process, *event.records), 0) >= limit:
            yield Violation("attempts exceeded", event.at, f"{event.records} failed {limit} times")
        self._in_flight[event.number] = event

    def _in_order(self, event: Invoked, records: list[_Record]) -> Iterator[Violation]:
        """Nothing is dispatched while a record before it, in its lane, is not terminal (I3)."""
        if any(record.shard is not records[0].shard for record in records):
            yield Violation("reordered", event.at, f"{event.records} mix shards")
        before: set[_Record] = set()
        for record in records:
            lane, index = self._lane(record)
            blocking = self._first_blocking(lane, index)
            while blocking is not None and blocking in before:
                following = self._next_blocking(lane, blocking, index)
                blocking = following
            if blocking is not None:
                text = f"{self._name(record)} before {self._name(blocking)}"
                yield Violation("reordered", event.at, text)
                return
            before.add(record)
        for first, second in zip(records, records[1:], strict=False):
            if self._lane(first)[0] is self._lane(second)[0] and first.number >= second.number:
                yield Violation("reordered", event.at, f"{event.records} are out of order")

    def _next_blocking(self, lane: _Lane, blocking: _Record, upto: int) -> _Record | None:
        begin = lane.records.index(blocking) + 1
        return next((r for r in lane.records[begin:upto] if self._blocks(r)), None)

    def _lane(self, record: _Record) -> tuple[_Lane, int]:
        """The order that binds a record: its shard's, or its key's where a shard is read in parallel."""
        if self._mapping.parallelization_factor == 1:
            return record.shard.line, record.index
        return record.shard.lanes[record.key], record.lane_index

    def _after_parents(self, event: Invoked, shard: _Shard) -> Iterator[Violation]:
        """A child is dispatched only when all its ancestors are finished (I11)."""
        for parent in shard.parents:
            if not self._is_finished(parent):
                yield Violation("child before parent", event.at, f"{shard.id} before {parent.id}")

    def _is_finished(self, shard: _Shard) -> bool:
        if not shard.finished:
            shard.finished = (
                shard.closed_at is not None
                and self._first_blocking(shard.line, len(shard.line.records)) is None
                and all(self._is_finished(parent) for parent in shard.parents)
            )
        return shard.finished

    def _one_in_flight(self, event: Invoked, records: list[_Record]) -> Iterator[Violation]:
        """At most one invocation per lane and process (I4)."""
        lanes = {id(self._lane(record)[0]) for record in records}
        for other in self._in_flight.values():
            if other.process != event.process:
                continue
            busy = {id(self._lane(self._records[name])[0]) for name in other.records}
            if lanes & busy:
                yield Violation("two in flight", event.at, f"{event.records} beside {other.records}")

    def _wanted(self, event: Invoked, record: _Record) -> Iterator[Violation]:
        """A delivery is in scope, not too old, and not a duplicate that nothing explains (I6)."""
        if self._scope(record) is Scope.NOT:
            yield Violation("unexpected", event.at, f"{self._name(record)} lies before the start")
        age = EPOCH + event.at - record.arrived_at
        limit = self._mapping.maximum_record_age_in_seconds
        if self._wall_is_right and 0 <= limit < age - 2.0:
            yield Violation("too old", event.at, f"{self._name(record)} is {age:.0f} s old")
        if self._is_passed(record):
            yield Violation("duplicated", event.at, f"{self._name(record)} lies behind its checkpoint")
        elif record.terminal_at is not None and not self._is_explained(event, record):
            yield Violation("duplicated", event.at, f"{self._name(record)} was finished already")

    def _is_explained(self, event: Invoked, record: _Record) -> bool:
        """Whether a finished record may come again: its process fell, or could not checkpoint past it."""
        by = record.terminal_by
        shard = record.shard.id
        again_at = max(self._restarted.get(shard, -1.0), self._begun_at.get(shard, -1.0))
        if again_at >= (record.terminal_at or 0.0):
            return True
        if by == event.process:
            return False
        if self._lives.unclean(by):
            return True
        reached = self._reached.get((by, shard), 0)
        return any(
            by not in earlier.finished_by
            and earlier.number > reached
            and self._scope(earlier) is not Scope.NOT
            for earlier in record.shard.line.records[: record.index]
        )

    # ----- outcomes

    def _answered(self, event: Answered) -> None:
        """The process knows: what succeeded is terminal, what failed counts."""
        invoked = self._in_flight.pop(event.number)
        names = invoked.records
        answer = event.answer
        if not self._mapping.report_batch_item_failures and answer in ("partial", "invalid"):
            answer = "ok"
        done = 0
        if answer == "ok":
            done = len(names)
        elif answer == "partial":
            done = min(names.index(name) for name in event.failed)
        for name in names[:done]:
            self._finish(self._records[name], event.at, event.process)
        if not done:
            key = (event.process, *names)
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._halves(names) and answer != "lost":
                self._failures[key] = 1_000_000  # a batch that is split is not delivered again

    def _halves(self, names: tuple[str, ...]) -> bool:
        return self._mapping.bisect_batch_on_function_error and len(names) > 1

    def _tries(self, names: tuple[str, ...]) -> int | None:
        """How many failed deliveries of a batch are allowed; None for any number (I7)."""
        if self._mapping.maximum_retry_attempts >= 0:
            return self._mapping.maximum_retry_attempts + 1
        return 1_000_000 if self._halves(names) else None

    def _discarded(self, event: Discarded) -> Iterator[Violation]:
        records = [self._records[name] for name in event.records]
        if event.condition == "RecordAgeExceeded":
            youngest = EPOCH + event.at - max(record.arrived_at for record in records)
            if self._wall_is_right and youngest < self._mapping.maximum_record_age_in_seconds:
                yield Violation("discarded early", event.at, f"{event.records}: {youngest:.0f} s old")
        else:
            failed = self._failures.get((event.process, *event.records), 0)
            if failed < self._mapping.maximum_retry_attempts + 1:
                yield Violation("discarded early", event.at, f"{event.records} failed {failed} times")
        for record in records:
            self._finish(record, event.at, event.process)

    def _finish(self, record: _Record, at: float, process: str) -> None:
        record.terminal_at = at
        record.terminal_by = process
        record.finished_by.add(process)

    def _restarts(self, event: Restarted) -> None:
        """A part of the process begins again: what it was doing is forgotten."""
        for name in [event.shard] if event.shard else list(self._shards):
            self._restarted[name] = event.at
        for number, invoked in list(self._in_flight.items()):
            if event.shard in ("", self._records[invoked.records[0]].shard.id):
                del self._in_flight[number]
        self._failures = {
            key: count
            for key, count in self._failures.items()
            if event.shard not in ("", self._records[key[1]].shard.id)
        }

    # ----- words

    def _is_passed(self, record: _Record) -> bool:
        """Whether the durable checkpoint says that a record is finished."""
        lease = self._leases.get(record.shard.id)
        if (
            lease is None
            or lease.incarnation != self._incarnation
            or self._shards.get(record.shard.id) is not record.shard
        ):
            return False
        position = lease.position
        return position.ended or (
            position.kind is PositionKind.AFTER_SEQUENCE_NUMBER
            and int(position.sequence_number or 0) >= record.number
        )

    def _is_reported(self, record: _Record) -> bool:
        return any(
            _number(Position.parse(gap.after)) < record.number for gap in record.shard.gaps
        )

    def _name(self, record: _Record) -> str:
        return f"{record.name} ({record.shard.id} {record.number})"


def _number(position: Position) -> int:
    return int(position.sequence_number) if position.sequence_number else 0


def _before(position: Position, stored: Position) -> bool:
    if stored.ended:
        return not position.ended
    return not position.ended and _number(position) < _number(stored)
