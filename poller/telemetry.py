"""Every log event and every count, named once; bound to the mapping and shard they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import structlog

from mappings.store import NO_RECORDS_PROCESSED
from poller.core.batching import Batch
from poller.core.discards import Discard
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.core.records import Position, Record


class Log(StrEnum):
    """Names of log events."""

    MAPPING_POLLING = "mapping_polling"
    MAPPING_PROBLEM = "mapping_problem"
    MAPPING_RECOVERED = "mapping_recovered"
    MAPPING_RESTARTED = "mapping_restarted"
    BATCH_SUCCEEDED = "batch_succeeded"
    BATCH_FAILED = "batch_failed"
    BATCH_REFUSED = "batch_refused"
    BATCH_DISCARDED = "batch_discarded"
    RECORDS_TRIMMED = "records_trimmed"
    TRIM_BOUNDED = "trim_bounded"
    RECORDS_RELEASED = "records_released"
    RECEIPTS_EXPIRED = "receipts_expired"
    CHECKPOINT_FAILED = "checkpoint_failed"
    SHARD_STARTED = "shard_started"
    SHARD_ENDED = "shard_ended"
    STREAM_RECREATED = "stream_recreated"
    LEASE_LOST = "lease_lost"
    LEASE_REQUESTED = "lease_requested"
    LEASE_DECLINED = "lease_declined"
    SHARD_HANDED_OVER = "shard_handed_over"
    WORKER_JOINED = "worker_joined"
    WORKER_FENCED = "worker_fenced"
    """Nobody has heard of it for too long: it begins nothing until it is heard again."""
    WORKER_REPLACED = "worker_replaced"
    """The fleet took it for dead; it goes on under another name."""
    WORKER_BURIED = "worker_buried"
    FUNCTION_LOG = "function_log"
    FUNCTION_PROCESS_EXITED = "function_process_exited"
    FUNCTION_PROCESS_STUCK = "function_process_stuck"
    FUNCTION_START_FAILED = "function_start_failed"
    API_LISTENING = "api_listening"
    FILES_TAKEN_UP = "files_taken_up"
    FILES_REFUSED = "files_refused"
    STATE_UNAVAILABLE = "state_unavailable"
    DRAINING = "draining"
    DRAINED = "drained"
    DRAIN_CUT_SHORT = "drain_cut_short"


OK = "OK"


@dataclass(slots=True, kw_only=True)
class Counts:
    """Totals of one mapping since the process started; the first group mirrors AWS's EventCount metrics."""

    reads: int = 0
    asked: int = 0
    polled: int = 0
    filtered_out: int = 0
    invoked: int = 0
    failed: int = 0
    dropped: int = 0
    on_failure_delivered: int = 0
    done: int = 0
    batches: int = 0
    batch_records: int = 0
    in_flight: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def average_batch(self) -> float:
        """Records per invocation."""
        return self.batch_records / self.batches if self.batches else 0.0


class Meter:
    """Counts and says what happens to one mapping. No payload, receipt or key is ever logged."""

    def __init__(self, mapping: str, source: str) -> None:
        self.mapping = mapping
        self.counts = Counts()
        self.last_processing_result = NO_RECORDS_PROCESSED
        self.iterator_age_s: dict[str, float] = {}
        self._problems: dict[str, str] = {}
        self._gaps: dict[str, Position] = {}
        self._log = structlog.get_logger().bind(mapping=mapping, source=source)

    # ----- reading

    def read(self, asked: int) -> None:
        """A read was answered that could have returned so many records."""
        self.counts.reads += 1
        self.counts.asked += asked

    def polled(self, shard: str, records: Sequence[Record]) -> None:
        """Records were read."""
        self.counts.polled += len(records)
        self.counts.in_flight += len(records)
        if shard in self._gaps:
            self._bound_gap(shard, records[0])

    def filtered_out(self, count: int) -> None:
        """Records matched no filter."""
        self.counts.filtered_out += count

    def settled(self, done: int) -> None:
        """Records are finished."""
        self.counts.done += done
        self.counts.in_flight -= done

    def left(self, count: int) -> None:
        """Messages were left to their visibility timeout, or given back."""
        self.counts.in_flight -= count

    def released(self, shard: str, count: int) -> None:
        """Messages that were not started were given back."""
        self._log.info(Log.RECORDS_RELEASED, shard=shard, size=count)

    def receipts_expired(self, shard: str, count: int) -> None:
        """Messages were handled but not deleted in time: they will be delivered again."""
        self._log.warning(Log.RECEIPTS_EXPIRED, shard=shard, size=count)

    # ----- invoking

    def delivered(
        self, shard: str, batch: Batch, outcome: Outcome, *, duration_s: float, wall: float
    ) -> None:
        """A batch was delivered, or refused."""
        name = outcome_name(outcome)
        counts = self.counts
        counts.outcomes[name] = counts.outcomes.get(name, 0) + 1
        if not isinstance(outcome, Throttled | Unreachable):
            counts.invoked += len(batch.records)
            counts.batches += 1
            counts.batch_records += len(batch.records)
        if batch.records:  # the final invocation of a tumbling window has none
            self.iterator_age_s[shard] = max(wall - duration_s - batch.records[-1].arrived_at, 0.0)
        self._log_delivery(shard, batch, outcome, name, duration_s)

    def _log_delivery(self, shard: str, batch: Batch, outcome: Outcome, name: str, duration_s: float) -> None:
        fields = {
            "shard": shard,
            "batch_id": batch.id,
            "attempt": batch.tries + 1,
            "size": len(batch.records),
            "trigger": batch.trigger,
            "duration_ms": round(duration_s * 1000, 1),
        }
        match outcome:
            case Succeeded():
                self._log.debug(Log.BATCH_SUCCEEDED, **fields)
            case FunctionError():
                self._log.warning(Log.BATCH_FAILED, error_type=outcome.error_type, **fields)
            case LostReply() | Unreachable():
                self._log.warning(Log.BATCH_REFUSED, error_type=name, reason=outcome.reason, **fields)
            case Throttled() | TooLarge():
                self._log.warning(Log.BATCH_REFUSED, error_type=name, **fields)

    def judged(self, *, failed: int, problem: str | None, refused: bool) -> None:
        """What a delivery means for the mapping."""
        self.counts.failed += 0 if refused else failed
        self.last_processing_result = problem if problem is not None else OK

    def discarded(self, shard: str, discard: Discard, *, delivered: bool) -> None:
        """Records were given up; named by their range so that they can be read again from the stream."""
        records = discard.records
        if delivered:
            self.counts.on_failure_delivered += len(records)
        else:
            self.counts.dropped += len(records)
        self._log.error(
            Log.BATCH_DISCARDED,
            shard=shard,
            condition=discard.condition,
            size=len(records),
            first=records[0].position if records else None,
            last=records[-1].position if records else None,
            invoke_count=discard.invoke_count,
            delivered=delivered,
        )

    # ----- state

    def problem(self, text: str, *, shard: str = "") -> None:
        """A shard, or the whole mapping, cannot do its work; said once until that changes."""
        self.last_processing_result = text
        if self._problems.get(shard) != text:
            self._problems[shard] = text
            self._log.warning(Log.MAPPING_PROBLEM, problem=text, shard=shard)

    @property
    def problems(self) -> Sequence[str]:
        """What keeps shards, or the whole mapping, from their work now."""
        return tuple(self._problems.values())

    def working(self, *, shard: str = "") -> None:
        """What was a problem of the shard, or of the mapping as a whole, is none any more."""
        problem = self._problems.pop(shard, None)
        if problem is not None:
            self._log.info(Log.MAPPING_RECOVERED, problem=problem, shard=shard)
            if self.last_processing_result == problem:
                self.last_processing_result = OK if self.counts.done else NO_RECORDS_PROCESSED

    def trimmed(self, shard: str, after: Position) -> None:
        """Records may have left the stream unread; the gap begins after `after`."""
        self._gaps[shard] = after
        self._log.error(Log.RECORDS_TRIMMED, shard=shard, after=str(after))

    def _bound_gap(self, shard: str, first: Record) -> None:
        """The first record read after a gap is where it ends."""
        after = self._gaps.pop(shard)
        arrived = datetime.fromtimestamp(first.arrived_at, UTC).isoformat(timespec="milliseconds")
        self._log.error(
            Log.TRIM_BOUNDED, shard=shard, after=str(after), before=first.position, arrived=arrived
        )

    def checkpoint_failed(self, shard: str, error: Exception) -> None:
        """The state store did not take a checkpoint; the lane waits."""
        self.last_processing_result = f"PROBLEM: {error}"
        self._log.warning(Log.CHECKPOINT_FAILED, shard=shard, reason=str(error))

    def shard_ended(self, shard: str) -> None:
        """A shard is finished; its age is of no more interest."""
        self.iterator_age_s.pop(shard, None)
        self._gaps.pop(shard, None)
        self._log.info(Log.SHARD_ENDED, shard=shard)

    def say(self, event: Log, **fields: object) -> None:
        """Log what needs no count."""
        self._log.info(event, **fields)

    def crashed(self, shard: str, error: Exception) -> None:
        """A task died of an error nobody foresaw; it is started again."""
        self._log.error(Log.MAPPING_RESTARTED, shard=shard, exc_info=error)


def outcome_name(outcome: Outcome) -> str:
    """The `outcome` label of esm_invocations_total."""
    match outcome:
        case Succeeded():
            return "ok"
        case FunctionError(error_type="Sandbox.Timedout"):
            return "timeout"
        case FunctionError():
            return "function_error"
        case Throttled():
            return "throttled"
        case Unreachable():
            return "unreachable"
        case LostReply():
            return "lost_reply"
        case TooLarge():
            return "too_large"
