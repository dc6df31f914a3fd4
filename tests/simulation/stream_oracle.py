"""The invariants of one stream mapping, checked event by event against what the stream truly held."""

from collections.abc import Iterator
from itertools import pairwise

from poller.core.records import Position, PositionKind
from tests.fakes.clocks import EPOCH
from tests.fakes.history import (
    Answered,
    Checkpointed,
    Discarded,
    Event,
    Invoked,
    LeaseForgotten,
    LeaseTaken,
    Restarted,
    Told,
)
from tests.simulation.hands import Hands
from tests.simulation.judging import Lives, Violation
from tests.simulation.scenario import MappingPlan
from tests.simulation.stream_truth import Lane, Record, Scope, Shard, StreamTruth


class StreamOracle:
    """Judges one stream and the mapping that reads it."""

    def __init__(self, plan: MappingPlan, lives: Lives, *, wall_is_right: bool, in_fleet: bool) -> None:
        self._hands = Hands(in_fleet=in_fleet)
        self._mapping = plan.mapping
        self._lives = lives
        self._wall_is_right = wall_is_right
        self._truth = StreamTruth(plan, lives)
        self._in_flight: dict[int, Invoked] = {}
        self._forgotten: set[int] = set()
        self._orphaned: set[tuple[str, ...]] = set()
        """Batches whose last failure was counted for a shard that had been begun anew meanwhile."""
        self._failures: dict[tuple[str, ...], int] = {}
        self._told: set[str] = set()
        """Records that an on-failure destination has a document of."""
        self._restarted: dict[str, float] = {}
        self._reached: dict[tuple[str, str], int] = {}
        """The last checkpoint of a process in a shard."""

    def see(self, event: Event) -> Iterator[Violation]:
        """Take an event in."""
        self._truth.see(event)
        yield from self._hands.see(event, self._shard_of)
        match event:
            case LeaseForgotten():
                self._forget_shard(event.shard)
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
            case Told():
                self._told.update(event.records)
            case Restarted():
                self._restarts(event)

    def end(self) -> Iterator[Violation]:
        """The run is over: every record in scope is terminal, or its loss was reported (I1)."""
        for record in self._truth.records.values():
            if record.terminal_at is not None or self._truth.scope(record) is not Scope.MUST:
                continue
            shard = record.shard
            if self._truth.shards.get(shard.id) is not shard:
                continue  # it went with its stream
            if not record.trimmed:
                passed = self._truth.is_passed(record)
                yield Violation("lost" if passed else "unfinished", 0.0, self._name(record))
            elif record.detectable and not self._is_reported(record):
                yield Violation("dropped without a report", 0.0, self._name(record))

    # ----- leases

    def _taken(self, event: LeaseTaken) -> Iterator[Violation]:
        lease = self._truth.leases[event.shard]
        if event.epoch <= lease.epoch:
            yield Violation("stale write accepted", event.at, f"epoch {event.epoch} of {event.shard}")
        lease.epoch = event.epoch
        self._reached[event.process, event.shard] = _number(lease.position)

    def _checkpointed(self, event: Checkpointed) -> Iterator[Violation]:
        """A checkpoint is fenced, never moves back, and passes only what is terminal (I2, I5, I12)."""
        lease = self._truth.leases.get(event.shard)
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
        if lease.incarnation != self._truth.incarnation:
            return
        shard = self._truth.shards[event.shard]
        upto = len(shard.line.records)
        if position.kind is PositionKind.AFTER_SEQUENCE_NUMBER:
            record = shard.numbers.get(int(position.sequence_number or 0))
            if record is None:
                yield Violation("wrong incarnation", event.at, f"{position} is not of {event.shard}")
                return
            upto = record.index + 1
        elif position.ended and shard.closed_at is None:
            yield Violation("early-acked", event.at, f"{event.shard} is open and was ended")
        blocking = self._truth.first_blocking(shard.line, upto)
        if blocking is not None:
            yield Violation("early-acked", event.at, f"{position} passes {self._name(blocking)}")

    # ----- deliveries

    def _invoked(self, event: Invoked) -> Iterator[Violation]:
        records = [self._truth.records[name] for name in event.records if name in self._truth.records]
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

    def _in_order(self, event: Invoked, records: list[Record]) -> Iterator[Violation]:
        """Nothing is dispatched while a record before it, in its lane, is not terminal (I3)."""
        if any(record.shard is not records[0].shard for record in records):
            yield Violation("reordered", event.at, f"{event.records} mix shards")
        before: set[Record] = set()
        for record in records:
            lane, index = self._truth.lane(record)
            blocking = self._truth.first_blocking(lane, index)
            while blocking is not None and blocking in before:
                following = self._next_blocking(lane, blocking, index)
                blocking = following
            if blocking is not None:
                text = f"{self._name(record)} before {self._name(blocking)}"
                yield Violation("reordered", event.at, text)
                return
            before.add(record)
        for first, second in pairwise(records):
            if self._truth.lane(first)[0] is self._truth.lane(second)[0] and first.number >= second.number:
                yield Violation("reordered", event.at, f"{event.records} are out of order")

    def _next_blocking(self, lane: Lane, blocking: Record, upto: int) -> Record | None:
        begin = lane.records.index(blocking) + 1
        return next((r for r in lane.records[begin:upto] if self._truth.blocks(r)), None)

    def _after_parents(self, event: Invoked, shard: Shard) -> Iterator[Violation]:
        """A child is dispatched only when all its ancestors are finished (I11)."""
        for parent in shard.parents:
            if not self._truth.is_finished(parent):
                yield Violation("child before parent", event.at, f"{shard.id} before {parent.id}")

    def _one_in_flight(self, event: Invoked, records: list[Record]) -> Iterator[Violation]:
        """At most one invocation per lane and process (I4)."""
        lanes = {id(self._truth.lane(record)[0]) for record in records}
        for number, other in self._in_flight.items():
            if other.process != event.process or number in self._forgotten:
                continue
            busy = {id(self._truth.lane(self._truth.records[name])[0]) for name in other.records}
            if lanes & busy:
                yield Violation("two in flight", event.at, f"{event.records} beside {other.records}")

    def _wanted(self, event: Invoked, record: Record) -> Iterator[Violation]:
        """A delivery is in scope, not too old, and not a duplicate that nothing explains (I6)."""
        if self._truth.scope(record) is Scope.NOT:
            yield Violation("unexpected", event.at, f"{self._name(record)} lies before the start")
        age = EPOCH + event.at - record.arrived_at
        limit = self._mapping.maximum_record_age_in_seconds
        if self._wall_is_right and 0 <= limit < age - 2.0:
            yield Violation("too old", event.at, f"{self._name(record)} is {age:.0f} s old")
        if self._truth.is_passed(record):
            yield Violation("duplicated", event.at, f"{self._name(record)} lies behind its checkpoint")
        elif record.terminal_at is not None and not self._is_explained(event, record):
            yield Violation("duplicated", event.at, f"{self._name(record)} was finished already")

    def _is_explained(self, event: Invoked, record: Record) -> bool:
        """Whether a finished record may come again: its process fell, or could not checkpoint past it."""
        by = record.terminal_by
        shard = record.shard.id
        if self._hands.explain(shard, by, event.process, record.terminal_at or 0.0):
            return True
        again_at = max(self._restarted.get(shard, -1.0), self._truth.begun_at.get(shard, -1.0))
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
            and self._truth.scope(earlier) is not Scope.NOT
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
            record = self._truth.records[name]
            begun_at = self._truth.begun_at.get(record.shard.id, event.at)
            # What ran while its shard was begun anew belongs to the time before.
            self._finish(record, event.at if invoked.at >= begun_at else begun_at, event.process)
        if event.number in self._forgotten:
            self._orphaned.add((event.process, *names))
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
        records = [self._truth.records[name] for name in event.records]
        if event.condition == "RecordAgeExceeded":
            youngest = EPOCH + event.at - max(record.arrived_at for record in records)
            if self._wall_is_right and youngest < self._mapping.maximum_record_age_in_seconds:
                yield Violation("discarded early", event.at, f"{event.records}: {youngest:.0f} s old")
        else:
            key = (event.process, *event.records)
            failed = self._failures.get(key, 0)
            if key not in self._orphaned and failed < self._mapping.maximum_retry_attempts + 1:
                yield Violation("discarded early", event.at, f"{event.records} failed {failed} times")
        untold = [name for name in event.records if name not in self._told]
        if self._mapping.on_failure_destination and untold:
            yield Violation("given up untold", event.at, f"no destination has {untold}")
        for record in records:
            self._finish(record, event.at, event.process)

    def _finish(self, record: Record, at: float, process: str) -> None:
        record.terminal_at = at
        record.terminal_by = process
        record.finished_by.add(process)

    def _restarts(self, event: Restarted) -> None:
        """A part of the process begins again: what it was doing is forgotten."""
        for name in [event.shard] if event.shard else list(self._truth.shards):
            self._restarted[name] = event.at
        self._forget_invocations(event.shard)
        self._forget_failures(event.shard)

    def _forget_shard(self, shard: str) -> None:
        """The stream was recreated: what was counted for the shard's name counts no more."""
        self._forget_invocations(shard)
        self._forget_failures(shard)

    def _forget_failures(self, shard: str) -> None:
        self._failures = {
            key: count
            for key, count in self._failures.items()
            if shard not in ("", self._truth.records[key[1]].shard.id)
        }

    def _forget_invocations(self, shard: str) -> None:
        """What ran for a shard, or for any, may run on, and nobody waits for it any more."""
        for number, invoked in self._in_flight.items():
            if shard in ("", self._truth.records[invoked.records[0]].shard.id):
                self._forgotten.add(number)

    # ----- words

    def _shard_of(self, record: str) -> str:
        return self._truth.records[record].shard.id

    def _is_reported(self, record: Record) -> bool:
        return any(_number(Position.parse(gap.after)) < record.number for gap in record.shard.gaps)

    def _name(self, record: Record) -> str:
        return f"{record.name} ({record.shard.id} {record.number})"


def _number(position: Position) -> int:
    return int(position.sequence_number) if position.sequence_number else 0


def _before(position: Position, stored: Position) -> bool:
    if stored.ended:
        return not position.ended
    return not position.ended and _number(position) < _number(stored)
