"""What follows from an outcome: the retry rules of queues and of streams.

A queue keeps its own count of deliveries and gives a message to somebody else when its visibility timeout
lapses: what failed is left to it. A stream gives nothing back: what failed is tried again, in order, until it
succeeds or is discarded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from msgspec import Struct, structs

from poller.core.backoff import Backoff
from poller.core.batching import Batch, Trigger, batch_id
from poller.core.discards import Condition, Discard, ResponseContext, response_context
from poller.core.outcomes import (
    CutOff,
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.core.records import Record
from poller.core.responses import InvalidResponse, failed_items, returned_state


class Now(Struct, frozen=True, kw_only=True):
    """The two clocks: deadlines use `monotonic`, the age of a record uses `wall`.

    What destroys data never trusts the clock of this machine: `wall` is the source's own for a stream.
    """

    monotonic: float
    wall: float


class Admission(Struct, frozen=True, kw_only=True):
    """What of a batch may be delivered now."""

    deliver: Batch | None
    left: Sequence[Record] = ()
    discard: Discard | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """What is to be done about a batch that was delivered; each of its records is in exactly one part."""

    done: Sequence[Record] = ()
    left: Sequence[Record] = ()
    """Forgotten here; the queue delivers them again when their visibility timeout lapses."""
    retry: tuple[Batch, ...] = ()
    """To the front of the lane, in this order."""
    discard: Discard | None = None
    delay_s: float = 0.0
    """To wait before the first retry."""
    failed: int = 0
    """Records the function failed on."""
    problem: str | None = None
    """What LastProcessingResult says; None for success."""
    state: bytes | None = None
    """What the function returned as the state of the batch's tumbling window, where that counts."""


class RetryPolicy(Protocol):
    """The retry rules of one mapping."""

    def admit(self, batch: Batch, now: Now) -> Admission:
        """Look at a batch right before it is delivered."""
        ...

    def judge(self, batch: Batch, outcome: Outcome, now: Now) -> Verdict:
        """Decide what follows from a delivery."""
        ...


# So many in a row count as one failed delivery: an application that dies of a batch must not get it for ever.
CUT_OFFS = 3
FUNCTION_CALL_FAILED = "PROBLEM: Function call failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRetry:
    """SQS: semantics 2.3 and 2.4."""

    report_batch_item_failures: bool = False
    refusal_backoff: Backoff = Backoff(0.5, 30.0)

    def admit(self, batch: Batch, now: Now) -> Admission:
        """A message that somebody else may hold by now is not delivered late (semantics 2.10.3)."""
        held = tuple([r for r in batch.records if r.held_until is None or r.held_until > now.monotonic])
        if len(held) == len(batch.records):
            return Admission(deliver=batch)
        left = tuple(r for r in batch.records if r not in held)
        return Admission(deliver=_reduced(batch, held) if held else None, left=left)

    def judge(self, batch: Batch, outcome: Outcome, now: Now) -> Verdict:  # noqa: ARG002  # a queue has no age rule
        """Success is deleted, failure is left, a refusal is kept and tried again in place."""
        match outcome:
            case Succeeded():
                return self._read(batch, outcome)
            case CutOff() if batch.cut_offs + 1 < CUT_OFFS:
                return _cut_off(batch, outcome)
            case FunctionError() | LostReply() | CutOff() | TooLarge():
                return Verdict(left=batch.records, failed=len(batch.records), problem=describe(outcome))
            case Throttled() | Unreachable():
                return _refused(batch, outcome, self.refusal_backoff)

    def _read(self, batch: Batch, outcome: Succeeded) -> Verdict:
        if not self.report_batch_item_failures:
            return Verdict(done=batch.records)
        try:
            failed = _reported(batch, outcome)
        except InvalidResponse as error:
            return Verdict(left=batch.records, failed=len(batch.records), problem=f"PROBLEM: {error}")
        done = tuple(r for r in batch.records if r.item_identifier not in failed)
        left = tuple(r for r in batch.records if r.item_identifier in failed)
        return Verdict(done=done, left=left, failed=len(left))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRetry:
    """Kinesis and DynamoDB Streams: semantics 3.6 to 3.8 and the algorithm of 3.14."""

    report_batch_item_failures: bool = False
    bisect: bool = False
    maximum_retry_attempts: int = -1
    """-1: no limit."""
    maximum_record_age_s: float = -1
    """-1: no limit."""
    scope: str = ""
    """Mapping and shard, for the ids of batches cut from others."""
    failure_backoff: Backoff = Backoff(0.5, 60.0)
    refusal_backoff: Backoff = Backoff(0.5, 30.0)

    def admit(self, batch: Batch, now: Now) -> Admission:
        """Cut off the leading records that are too old (semantics 3.6.4)."""
        if self.maximum_record_age_s < 0:
            return Admission(deliver=batch)
        oldest_wanted = now.wall - self.maximum_record_age_s
        expired = _leading(batch.records, older_than=oldest_wanted)
        if not expired and not _outlived(batch, older_than=oldest_wanted):
            return Admission(deliver=batch)
        discard = _discard(
            batch,
            batch.records[:expired],
            condition=Condition.RECORD_AGE_EXCEEDED,
            invoke_count=batch.invoke_count + 1,
        )
        rest = batch.records[expired:]
        return Admission(deliver=self._part(batch, rest) if rest else None, discard=discard)

    def judge(self, batch: Batch, outcome: Outcome, now: Now) -> Verdict:  # noqa: ARG002  # age is looked at before a delivery
        """Success moves on; a failure blocks the lane until it is resolved; a refusal uses no attempt."""
        match outcome:
            case Throttled() | Unreachable():
                return _refused(batch, outcome, self.refusal_backoff)
            case Succeeded():
                return self._read(batch, outcome)
            case CutOff() if batch.cut_offs + 1 < CUT_OFFS:
                return _cut_off(batch, outcome)
            case FunctionError() | LostReply() | CutOff() | TooLarge():
                return self._failed(batch, outcome, problem=describe(outcome))

    def _read(self, batch: Batch, outcome: Succeeded) -> Verdict:
        try:
            state = None if batch.window is None else returned_state(_payload(outcome))
            failed = self._reported(batch, outcome)
        except InvalidResponse as error:
            return self._failed(batch, outcome, problem=f"PROBLEM: {error}")
        if not failed:
            return Verdict(done=batch.records, state=state)
        # The lowest sequence number, which is the first in the order of the shard, is the checkpoint (3.8.1).
        cut = next(i for i, r in enumerate(batch.records) if r.item_identifier in failed)
        if cut == 0:
            return self._failed(batch, outcome, problem=None, failed=len(failed))
        rest = self._part(batch, batch.records[cut:])
        return Verdict(
            done=batch.records[:cut],
            retry=(rest,),
            delay_s=self.failure_backoff.delay(1),
            failed=len(failed),
            state=state,
        )

    def _reported(self, batch: Batch, outcome: Succeeded) -> frozenset[str]:
        if not self.report_batch_item_failures:
            return frozenset()
        return _reported(batch, outcome)

    def _failed(
        self, batch: Batch, outcome: Outcome, *, problem: str | None, failed: int | None = None
    ) -> Verdict:
        failed = len(batch.records) if failed is None else failed
        if len(batch.records) > 1 and self._splits(batch, outcome):
            middle = _middle(batch.records) if isinstance(outcome, TooLarge) else len(batch.records) // 2
            halves = tuple(
                self._part(batch, records, Trigger.BISECT)
                for records in (batch.records[:middle], batch.records[middle:])
            )
            return Verdict(
                retry=halves, delay_s=self.failure_backoff.delay(1), failed=failed, problem=problem
            )
        tried = structs.replace(
            batch, tries=batch.tries + 1, invoke_count=batch.invoke_count + 1, refusals=0, cut_offs=0
        )
        # One record that is too large stays so, however often it is sent (faults 68).
        hopeless = isinstance(outcome, TooLarge) and len(batch.records) == 1
        if hopeless or 0 <= self.maximum_retry_attempts < tried.tries:
            discard = _discard(
                batch,
                batch.records,
                condition=Condition.RETRY_ATTEMPTS_EXHAUSTED,
                invoke_count=tried.invoke_count,
                response=response_context(outcome),
            )
            return Verdict(discard=discard, failed=failed, problem=problem)
        delay_s = self.failure_backoff.delay(tried.tries)
        return Verdict(retry=(tried,), delay_s=delay_s, failed=failed, problem=problem)

    def _splits(self, batch: Batch, outcome: Outcome) -> bool:
        match outcome:
            case LostReply() | CutOff():
                return False
            case TooLarge():
                # The function takes less than Lambda does, or an earlier part made the window's state grow.
                return True
            case _:
                return self.bisect

    def _part(self, batch: Batch, records: tuple[Record, ...], trigger: Trigger = Trigger.RETRY) -> Batch:
        """A batch cut from another starts with fresh budgets (semantics 3.7.2, 3.8.5)."""
        return Batch(
            records=records,
            trigger=trigger,
            id=batch_id(self.scope, records),
            window=batch.window,
            members=batch.members,
        )


def describe(outcome: Outcome) -> str | None:
    """What LastProcessingResult says of an outcome; None for success."""
    match outcome:
        case Succeeded():
            return None
        case FunctionError():
            return FUNCTION_CALL_FAILED
        case Throttled():
            return "PROBLEM: Function is throttled"
        case Unreachable():
            return f"PROBLEM: Function cannot be invoked: {outcome.reason}"
        case LostReply() | CutOff():
            return f"PROBLEM: No answer from the function: {outcome.reason}"
        case TooLarge():
            return f"PROBLEM: Event of {outcome.size} bytes exceeds the payload limit"


def _payload(outcome: Succeeded) -> bytes:
    """What the function returned; raises InvalidResponse where that did not come whole."""
    if outcome.broken:
        raise InvalidResponse(outcome.broken)
    return outcome.payload


def _reported(batch: Batch, outcome: Succeeded) -> frozenset[str]:
    return failed_items(_payload(outcome), {r.item_identifier for r in batch.records})


def _cut_off(batch: Batch, outcome: CutOff) -> Verdict:
    """Run it again at once, as the same invocation."""
    again = structs.replace(batch, cut_offs=batch.cut_offs + 1)
    return Verdict(retry=(again,), problem=describe(outcome))


def _middle(records: Sequence[Record]) -> int:
    """Where two parts are the closest in bytes; each has a record at least."""
    sizes = list(accumulate(record.size for record in records))
    return min(range(1, len(records)), key=lambda cut: abs(sizes[-1] - 2 * sizes[cut - 1]))


def _refused(batch: Batch, outcome: Throttled | Unreachable, backoff: Backoff) -> Verdict:
    again = structs.replace(batch, refusals=batch.refusals + 1)
    delay_s = backoff.delay(again.refusals)
    if isinstance(outcome, Throttled) and outcome.retry_after_s is not None:
        delay_s = max(delay_s, outcome.retry_after_s)
    return Verdict(retry=(again,), delay_s=delay_s, problem=describe(outcome))


def _reduced(batch: Batch, records: tuple[Record, ...]) -> Batch:
    scope = f"{batch.id}|reduced"
    return structs.replace(batch, records=records, id=batch_id(scope, records))


def _discard(
    batch: Batch,
    records: tuple[Record, ...],
    *,
    condition: Condition,
    invoke_count: int,
    response: ResponseContext | None = None,
) -> Discard:
    return Discard(
        records=records,
        condition=condition,
        invoke_count=invoke_count,
        request_id=batch.id,
        response=response,
        window=batch.window,
        members=batch.members,
    )


def _outlived(batch: Batch, *, older_than: float) -> bool:
    """Whether a window's final invocation was tried until its youngest record would be too old.

    Its records were in time, so it is tried at least once, however long ago its window ended.
    """
    if batch.records or batch.window is None or not (batch.tries or batch.refusals):
        return False
    return batch.window.end < older_than


def _leading(records: Sequence[Record], *, older_than: float) -> int:
    return next((i for i, r in enumerate(records) if r.arrived_at >= older_than), len(records))
