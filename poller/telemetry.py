"""Every log event, named once, and the meter that counts and says what happens to one mapping.

The names of the metrics are in `metrics.py`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import structlog
from msgspec import Struct

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
    outcome_name,
)
from poller.core.records import Position, Record
from poller.core.retrying import Now, Verdict
from poller.counts import Counts, count_request, tally


class Operation(StrEnum):
    """What may be a problem of a shard or mapping by itself: only its own success clears it."""

    ANY = ""
    RECEIVE = "receive"
    DELETE = "delete"
    RENEW = "renew"
    RELEASE = "release"
    FUNCTION = "function"


PROBLEM_GAP_S = 30.0  # at least, between two lines of one problem that lasts


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
    READ_HALVED = "read_halved"
    """An answer was too large: fewer records are asked for."""
    CLOCK_OFF = "clock_off"
    """The clock of this machine differs from the source's, which is what records grow old by."""
    CLOCK_RIGHT = "clock_right"
    RECORDS_RELEASED = "records_released"
    RECEIPTS_EXPIRED = "receipts_expired"
    MESSAGES_LAPSED = "messages_lapsed"
    """They waited until others could have them, and were not run here."""
    ATTRIBUTES_MISSING = "attributes_missing"
    """The queue sends messages without their system attributes."""
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
    FUNCTION_TREES_LIMITED = "function_trees_limited"
    """On this system what a handler starts may outlive it."""
    INVOCATION_FAILED = "invocation_failed"
    TIMEOUT_UNKNOWN = "timeout_unknown"
    """Lambda did not tell how long a function may run."""
    API_LISTENING = "api_listening"
    EVENT_SUCCEEDED = "event_succeeded"
    EVENT_POSTPONED = "event_postponed"
    EVENT_GIVEN_UP = "event_given_up"
    EVENT_UNDELIVERED = "event_undelivered"
    EVENT_CRASHED = "event_crashed"
    EVENT_LOST = "event_lost"
    EVENT_NOT_KEPT = "event_not_kept"
    """The process ended before it, and its store keeps nothing."""
    EVENT_NOT_RUNNABLE = "event_not_runnable"
    """No mapping file lists its function, or the version it asks for."""
    EVENT_RECORD_DROPPED = "event_record_dropped"
    """Its end reaches a destination in no form."""
    EVENT_REFUSED = "event_refused"
    """The queue is full."""
    EVENTS_INHERITED = "events_inherited"
    FILES_TAKEN_UP = "files_taken_up"
    FILES_REFUSED = "files_refused"
    STARTING_POSITION_CHANGED = "starting_position_changed"
    """In a file, of a mapping that exists; says whether it is obeyed."""
    STATE_UNAVAILABLE = "state_unavailable"
    OPS_LISTENING = "ops_listening"
    STATE_OPENED = "state_opened"
    DRAINING = "draining"
    DRAINED = "drained"
    DRAIN_CUT_SHORT = "drain_cut_short"


OK = "OK"


class Delivered(Struct, frozen=True, kw_only=True):
    """One delivery that is over."""

    outcome: Outcome
    duration_s: float


class Meter:
    """Counts and says what happens to one mapping. No payload, receipt or key is ever logged."""

    def __init__(self, mapping: str, source: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Count from nothing.

        Args:
            mapping: Its label.
            source: Kind of its source.
            monotonic: Tells seconds.
        """
        self.mapping = mapping
        self._monotonic = monotonic
        self.counts = Counts()
        self.last_processing_result = NO_RECORDS_PROCESSED
        self.iterator_age_s: dict[str, float] = {}
        """By shard: age of the last record of the last batch when it was sent; 0 once nothing is left."""
        self.target_ready = False
        self.active_at = 0.0
        """When the source was last asked for records, or the function last answered; monotonic."""
        self.behind_s: dict[str, float] = {}
        """By shard: how far the last read lay behind the tip, as the source says it."""
        self._clock_off = False
        self.waiting: Callable[[], tuple[int, float]] = lambda: (0, 0.0)
        """Messages that wait for their function, and seconds since the first of them was received."""
        self._problems: dict[tuple[str, Operation], _Problem] = {}
        self._attributes_missing = False
        self._gaps: dict[str, Position] = {}
        self._log = structlog.get_logger().bind(mapping=mapping, source=source)

    # ----- reading

    def asking(self, now: float) -> None:
        """The source is asked for records, or to open a shard."""
        self.active_at = now

    def asked(self, operation: str, outcome: str, duration_s: float) -> None:
        """A request to the source is over."""
        count_request(self.counts, operation, outcome, duration_s)

    def read(self, asked: int) -> None:
        """A read was answered that could have returned so many records."""
        self.counts.reads += 1
        self.counts.asked += asked

    def caught_up(self, shard: str) -> None:
        """Everything there is of a shard was read, and all of it is finished."""
        if shard in self.iterator_age_s:
            self.iterator_age_s[shard] = 0.0

    def behind(self, shard: str, seconds: float) -> None:
        """A read ended so far behind the tip of its shard."""
        self.behind_s[shard] = seconds

    def clock_ahead(self, seconds: float) -> None:
        """The clock of this machine is so far ahead of the source's, or (below zero) behind it; 0.0: right.

        Said once, until it changes.
        """
        if bool(seconds) == self._clock_off:
            return
        self._clock_off = bool(seconds)
        if seconds:
            self._log.warning(Log.CLOCK_OFF, ahead_s=round(seconds, 1))
        else:
            self._log.info(Log.CLOCK_RIGHT)

    def read_halved(self, shard: str, reason: str, limit: int) -> None:
        """An answer was too large; the next read asks for so many records at most."""
        self._log.warning(Log.READ_HALVED, shard=shard, reason=reason, limit=limit)

    def polled(self, shard: str, records: Sequence[Record]) -> None:
        """Records were read."""
        self.counts.polled += len(records)
        self.counts.in_flight += len(records)
        if shard in self._gaps:
            self._bound_gap(shard, records[0])

    def filtered_out(self, count: int) -> None:
        """Records matched no filter."""
        self.counts.filtered_out += count

    def settled(self, records: Sequence[Record], *, wall: float, handled: bool) -> None:
        """Records are finished and no longer in flight: handled, given up, or wanted by no filter."""
        self.handled(records, wall=wall, by_function=handled)
        self.counts.in_flight -= len(records)

    def handled(self, records: Sequence[Record], *, wall: float, by_function: bool) -> None:
        """Records are finished, if not settled yet."""
        self.counts.done += len(records)
        if by_function and records:
            self.counts.delay_s.observe_all([max(wall - record.arrived_at, 0.0) for record in records])

    def deleted(self, count: int) -> None:
        """The queue has deleted messages that were handled."""
        self.counts.deleted += count

    def held(self, size_bytes: int) -> None:
        """Bytes of records were taken in, or (below zero) given back."""
        self.counts.buffered_bytes += size_bytes

    def left(self, count: int) -> None:
        """Records are no longer in flight."""
        self.counts.in_flight -= count

    def released(self, shard: str, count: int, *, reason: str) -> None:
        """Messages that were not started were given back, which costs each of them a receive."""
        self.counts.released += count
        self._log.info(Log.RECORDS_RELEASED, shard=shard, size=count, reason=reason)

    def receipts_expired(self, shard: str, count: int) -> None:
        """Messages were handled but not deleted in time: they will come again."""
        self.counts.receipts_expired += count
        self._log.warning(Log.RECEIPTS_EXPIRED, shard=shard, size=count)

    def lapsed(self, shard: str, count: int) -> None:
        """Messages waited until others could have them."""
        self.counts.lapsed += count
        self._log.warning(Log.MESSAGES_LAPSED, shard=shard, size=count)

    def attributes_missing(self, shard: str) -> None:
        """A message came without system attributes; said once."""
        if not self._attributes_missing:
            self._attributes_missing = True
            self._log.warning(Log.ATTRIBUTES_MISSING, shard=shard)

    # ----- invoking

    def batched(self, batch: Batch, size_bytes: int) -> None:
        """A batch is about to be delivered; it is counted once, however often it is tried."""
        if batch.tries or batch.refusals:
            return
        tally(self.counts.reasons, batch.trigger)
        self.counts.batch_events.observe(len(batch.records))
        self.counts.batch_bytes.observe(size_bytes)

    def delivered(self, shard: str, batch: Batch, outcome: Outcome, *, duration_s: float, now: Now) -> None:
        """A batch was delivered, or refused."""
        counts = self.counts
        self.active_at = now.monotonic
        self.target_ready = not isinstance(outcome, Unreachable)
        if not isinstance(outcome, Throttled | Unreachable):
            counts.batches += 1
            counts.batch_records += len(batch.records)
            if not isinstance(outcome, TooLarge):  # it was never sent
                counts.invoked += len(batch.records)
                counts.invocation_s.observe(duration_s)
        if batch.records:  # the final invocation of a tumbling window has none
            self.iterator_age_s[shard] = max(now.wall - duration_s - batch.records[-1].arrived_at, 0.0)

    def judged(self, shard: str, batch: Batch, delivered: Delivered, verdict: Verdict) -> None:
        """What a delivery means for the mapping."""
        outcome = delivered.outcome
        label = _label(outcome, verdict)
        tally(self.counts.outcomes, label)
        self.counts.failed += 0 if isinstance(outcome, Throttled | Unreachable) else verdict.failed
        self.last_processing_result = verdict.problem if verdict.problem is not None else OK
        if label != "ok" or self._log.is_enabled_for(logging.DEBUG):
            self._log_judged(shard, batch, delivered, verdict)

    def _log_judged(self, shard: str, batch: Batch, delivered: Delivered, verdict: Verdict) -> None:
        outcome, duration_s = delivered.outcome, delivered.duration_s
        name = outcome_name(outcome)
        fields: dict[str, object] = {
            "shard": shard,
            "batch_id": batch.id,
            "attempt": batch.tries + 1,
            "size": len(batch.records),
            "trigger": batch.trigger,
            "duration_ms": round(duration_s * 1000, 1),
        }
        match outcome:
            case Succeeded() if verdict.failed:
                reason = verdict.problem or "the answer reports failures"
                self._log.warning(
                    Log.BATCH_FAILED,
                    error_type="Reported",
                    reason=reason,
                    failed=verdict.failed,
                    **fields,
                    **_range(batch.records),
                )
            case Succeeded():
                self._log.debug(Log.BATCH_SUCCEEDED, **fields)
            case FunctionError():
                self._log.warning(Log.BATCH_FAILED, error_type=outcome.error_type, **fields)
            case LostReply() | Unreachable():
                self._log.warning(Log.BATCH_REFUSED, error_type=name, reason=outcome.reason, **fields)
            case Throttled() | TooLarge():
                self._log.warning(Log.BATCH_REFUSED, error_type=name, **fields)

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

    def problem(self, text: str, *, shard: str = "", operation: Operation = Operation.ANY) -> None:
        """A shard, or the whole mapping, cannot do its work; said when that begins, then rarely."""
        self.last_processing_result = text
        now = self._monotonic()
        known = self._problems.get((shard, operation))
        if known is None:
            known = self._problems[shard, operation] = _Problem(text, float("-inf"))
        elif known.text == text:
            return
        known.text = text
        if now - known.said_at >= PROBLEM_GAP_S:
            known.said_at = now
            self._log.warning(Log.MAPPING_PROBLEM, problem=text, **_subject(shard, operation))

    @property
    def problems(self) -> Sequence[str]:
        """What keeps shards, or the whole mapping, from their work now."""
        return tuple(problem.text for problem in self._problems.values())

    def working(self, *, shard: str = "", operation: Operation = Operation.ANY) -> None:
        """What was a problem of the shard, or of the mapping as a whole, is none any more."""
        if not self._problems:
            return
        problem = self._problems.pop((shard, operation), None)
        if problem is not None:
            self._log.info(Log.MAPPING_RECOVERED, problem=problem.text, **_subject(shard, operation))
            if self.last_processing_result == problem.text:
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
        tally(self.counts.checkpoints, "failed")
        self.last_processing_result = f"PROBLEM: {error}"
        self._log.warning(Log.CHECKPOINT_FAILED, shard=shard, reason=str(error))

    def checkpointed(self) -> None:
        """The state store took a checkpoint."""
        tally(self.counts.checkpoints, "ok")

    def listed(self, *, waiting: int, ended: int) -> None:
        """Shards of the last listing that wait for their parents, and that are finished."""
        self.counts.shards_waiting = waiting
        self.counts.shards_ended = ended

    def shard_taken(self, shard: str, start: Position) -> None:
        """The lease of a shard is ours: it is read from there."""
        tally(self.counts.lease_changes, "taken")
        self._log.info(Log.SHARD_STARTED, shard=shard, start=str(start))

    def shard_released(self, shard: str) -> None:
        """The lease of a shard was given up."""
        tally(self.counts.lease_changes, "released")
        self.iterator_age_s.pop(shard, None)
        self.behind_s.pop(shard, None)

    def shard_lost(self, shard: str) -> None:
        """Another worker has the shard, or it is one of a stream that is no more."""
        tally(self.counts.lease_changes, "lost")
        self.iterator_age_s.pop(shard, None)
        self.behind_s.pop(shard, None)
        self._log.info(Log.LEASE_LOST, shard=shard)
        self.working(shard=shard)  # its problems are no longer ours

    def shard_ended(self, shard: str) -> None:
        """A shard is finished; its age is of no more interest."""
        self.iterator_age_s.pop(shard, None)
        self.behind_s.pop(shard, None)
        self._gaps.pop(shard, None)
        self._log.info(Log.SHARD_ENDED, shard=shard)

    def say(self, event: Log, **fields: object) -> None:
        """Log what needs no count."""
        self._log.info(event, **fields)

    def crashed(self, shard: str, error: Exception) -> None:
        """A task died of an error nobody foresaw; it is started again."""
        self._log.error(Log.MAPPING_RESTARTED, shard=shard, exc_info=error)


def _label(outcome: Outcome, verdict: Verdict) -> str:
    """The `outcome` label of esm_invocations_total: an answer may report failures, or be none at all."""
    if not isinstance(outcome, Succeeded):
        return outcome_name(outcome)
    if verdict.problem is not None:
        return "function_error"
    return "partial" if verdict.failed else "ok"


class _Problem:
    """One that lasts."""

    __slots__ = ("said_at", "text")

    def __init__(self, text: str, said_at: float) -> None:
        self.text = text
        self.said_at = said_at


def _subject(shard: str, operation: Operation) -> dict[str, str]:
    return {"shard": shard, "operation": operation.value} if operation else {"shard": shard}


def _range(records: Sequence[Record]) -> dict[str, str | None]:
    """The positions of a batch, or the ids of its messages, which are no secret."""
    if not records:
        return {}
    first, last = records[0], records[-1]
    return {"first": first.position or first.item_identifier, "last": last.position or last.item_identifier}
