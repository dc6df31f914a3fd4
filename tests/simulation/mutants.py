"""Faults in our own code, each of which the simulation must find: the test of the tests."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import anyio
from msgspec import structs

import poller.core.leasing
import poller.core.lineage
import poller.core.retrying
import poller.poller
import poller.queue_poller
import poller.shards
from poller.core.batching import Batch
from poller.core.discards import Discard
from poller.core.frontier import Frontier
from poller.core.leasing import Lease
from poller.core.lineage import KnownShard, Plan, plan
from poller.core.outcomes import FunctionError, LostReply, Outcome, Succeeded, Throttled, Unreachable
from poller.core.queue_flow import QueueFlow, Ticket
from poller.core.receipts import Check, Intake, Receipt, Receipts, Settled
from poller.core.records import Page, Position, Record, Topology
from poller.core.responses import InvalidResponse, failed_items
from poller.core.retrying import Admission, Now, QueueRetry, StreamRetry, Verdict
from poller.deleter import Deleter
from poller.delivering import Delivery
from poller.discarder import Discarder, OnFailure
from poller.errors import DestinationError, PositionExpired, SourceError, StateUnavailable
from poller.fleet import SharedFleet
from poller.lane import Lane
from poller.poller import Poller
from poller.queue_poller import QueuePoller
from poller.readings import Reading
from poller.receipt_keeper import ReceiptKeeper
from poller.settler import Settler
from poller.shared_queues import SharedQueue
from poller.supervisor import Supervisor
from poller.telemetry import Delivered, Meter, Operation

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def patched(owner: Any, name: str, value: object) -> Iterator[None]:
    """Replace an attribute for a while."""
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


# ----- deliveries and what becomes of their records

_admit = Lane._admit
_invoke = Delivery.invoke
_resolve = Settler.resolve
_start = ReceiptKeeper.start
_resolve_messages = ReceiptKeeper.resolve
_try_delete = Deleter._try


async def _ack_first(self: Lane, batch: Batch) -> Batch | None:
    admitted = await _admit(self, batch)
    if admitted is not None:
        await self._parts.resolve(admitted.records, None)
    return admitted


def _delete_first(self: ReceiptKeeper, batch: Batch) -> None:
    _start(self, batch)
    self._parts.deleter.add(batch.records, handled=True)


async def _invoke_again(self: Delivery, batch: Batch, **options: Any) -> Delivered:
    delivered = await _invoke(self, batch, **options)
    return await _invoke(self, batch, **options) if isinstance(delivered.outcome, LostReply) else delivered


async def _report_last(self: Settler, done: Sequence[Record], discard: Discard | None) -> None:
    gone = () if discard is None else discard.records
    await _resolve(self, (*done, *gone), None)
    if discard is not None:
        self._parts.meter.discarded(self._parts.shard, discard, delivered=False)


async def _tell_nobody(self: Discarder, discard: Discard, on_failure: OnFailure) -> bool:
    return True


async def _tell_once(self: Discarder, discard: Discard, on_failure: OnFailure) -> bool:
    with contextlib.suppress(DestinationError):
        await on_failure.destination.send(on_failure.document(discard, self._shard, 0.0))
    return True


async def _report_never(self: Settler, done: Sequence[Record], discard: Discard | None) -> None:
    await _resolve(self, (*done, *(discard.records if discard else ())), None)


def _release_failed(self: ReceiptKeeper, done: Sequence[Record], left: Sequence[Record]) -> None:
    _resolve_messages(self, done, left)
    if left:
        self._parts.deleter._parts.group.start_soon(self._parts.reader.hide, left, 0.0)


async def _all_deleted(self: Deleter, records: Sequence[Record], failures: int) -> Any:
    delay_s, done, again = await _try_delete(self, records, failures)
    return delay_s, (*done, *again), ()


async def _save_once(self: Settler, position: Position) -> None:
    try:
        await self._parts.save(position, self._parts.windows.stored)
    except StateUnavailable:
        return


def _take_only(self: Settler | ReceiptKeeper, size_bytes: int) -> None:
    self._parts.surroundings.budget.take(max(size_bytes, 0))


def _furthest(self: Frontier) -> str | None:
    finished = [record for record in self._order if record in self._finished]
    self._order = [record for record in self._order if record not in self._finished]
    self._finished.clear()
    return finished[-1].position if finished else None


# ----- reading

_take_in = Poller._take_in
_receive = Poller._receive
_recover = Poller._recover


async def _forget_sequence(self: Poller, page: Page) -> None:
    before = self._read_to
    await _take_in(self, page)
    self._read_to = before


async def _drop_last_page(self: Poller, page: Page) -> None:
    if not page.end_of_shard:
        await _take_in(self, page)


async def _empty_is_end(self: Poller) -> tuple[Page, float]:
    page, elapsed_s = await _receive(self)
    return (page if page.records else structs.replace(page, end_of_shard=True)), elapsed_s


async def _recover_silently(self: Poller, error: SourceError, failures: int) -> None:
    if isinstance(error, PositionExpired):
        self._read_to, self._reopen = Position.trim_horizon(), True
    else:
        await _recover(self, error, failures)


def _deal_round(records: Sequence[Record], lanes: int) -> Sequence[Sequence[Record]]:
    return [records[lane::lanes] for lane in range(lanes)]


def _start_over(self: Reading, lease: Lease) -> Position:
    return Position.trim_horizon()


# ----- lineage and leases


def _start_children_as_roots(
    topology: Topology, known: Sequence[KnownShard], starting: Position, gone: Any = frozenset()
) -> Plan:
    found = plan(topology, known, starting, gone)
    return replace(found, create=[(shard, starting) for shard, _ in found.create])


def _same_incarnation(
    topology: Topology, known: Sequence[KnownShard], starting: Position, gone: Any = frozenset()
) -> Plan:
    return plan(topology, [replace(k, incarnation=topology.incarnation) for k in known], starting, gone)


def _one_parent(parents: Sequence[str], checkpoints: Mapping[str, Position], gone: object) -> bool:
    return not parents or any(p not in checkpoints or checkpoints[p].ended for p in parents)


def _as_text(position: Position, of: Position) -> bool:
    if of.ended:
        return False
    return position.ended or str(position.sequence_number) > str(of.sequence_number or "")


def _unfenced(stored: Lease | None, held: Lease) -> Lease:
    return replace(held, checkpoint=held.checkpoint if stored is None else stored.checkpoint)


# ----- retrying

_stream_failed = StreamRetry._failed
_stream_judge = StreamRetry.judge
_queue_judge = QueueRetry.judge


def _right_half_first(self: StreamRetry, *args: Any, **kwargs: Any) -> Verdict:
    verdict = _stream_failed(self, *args, **kwargs)
    return structs.replace(verdict, retry=verdict.retry[::-1])


def _left_half_only(self: StreamRetry, *args: Any, **kwargs: Any) -> Verdict:
    verdict = _stream_failed(self, *args, **kwargs)
    return structs.replace(verdict, retry=verdict.retry[:1])


def _no_bisect(self: StreamRetry, *args: Any, **kwargs: Any) -> Verdict:
    return _stream_failed(replace(self, bisect=False), *args, **kwargs)


def _refusal_counts(self: StreamRetry, batch: Batch, outcome: Outcome, now: Now) -> Verdict:
    if isinstance(outcome, Throttled | Unreachable):
        outcome = FunctionError(error_type="Refused")
    return _stream_judge(self, batch, outcome, now)


def _limit_shifted(by: int) -> Callable[..., Verdict]:
    def judge(self: StreamRetry, batch: Batch, outcome: Outcome, now: Now) -> Verdict:
        limit = self.maximum_retry_attempts
        shifted = replace(self, maximum_retry_attempts=max(limit + by, 0) if limit >= 0 else limit)
        return _stream_judge(shifted, batch, outcome, now)

    return judge


def _no_limit(self: StreamRetry, batch: Batch, outcome: Outcome, now: Now) -> Verdict:
    return _stream_judge(replace(self, maximum_retry_attempts=-1), batch, outcome, now)


def _stream_error_is_success(self: StreamRetry, batch: Batch, outcome: Outcome, now: Now) -> Verdict:
    outcome = Succeeded(payload=b"") if isinstance(outcome, FunctionError) else outcome
    return _stream_judge(self, batch, outcome, now)


def _queue_error_is_success(self: QueueRetry, batch: Batch, outcome: Outcome, now: Now) -> Verdict:
    outcome = Succeeded(payload=b"") if isinstance(outcome, FunctionError) else outcome
    return _queue_judge(self, batch, outcome, now)


def _all_done(self: object, batch: Batch, outcome: Succeeded) -> Verdict:
    return Verdict(done=batch.records)


def _only_the_failed(self: StreamRetry, batch: Batch, outcome: Succeeded) -> Verdict:
    """As a queue would: what is not named is done."""
    if not self.report_batch_item_failures:
        return Verdict(done=batch.records)
    try:
        failed = failed_items(outcome.payload, {r.item_identifier for r in batch.records})
    except InvalidResponse:
        return self._failed(batch, outcome, problem=None)
    left = tuple(r for r in batch.records if r.item_identifier in failed)
    done = tuple(r for r in batch.records if r.item_identifier not in failed)
    return Verdict(done=done, retry=(self._part(batch, left),) if left else ())


def _lenient(payload: bytes, known: Any) -> frozenset[str]:
    try:
        return failed_items(payload, known)
    except InvalidResponse:
        return frozenset()


def _admit_all(self: object, batch: Batch, now: Now) -> Admission:
    return Admission(deliver=batch)


_stream_admit = StreamRetry.admit


def _whole_batch_too_old(self: StreamRetry, batch: Batch, now: Now) -> Admission:
    admission = _stream_admit(self, batch, now)
    if admission.discard is None:
        return admission
    return Admission(deliver=None, discard=replace(admission.discard, records=batch.records))


# ----- waiting


def _check_nothing(self: Receipts, records: Sequence[Record], now: float) -> Check:
    return Check(start=records)


async def _keep_leftovers(self: QueuePoller, patience_s: float) -> None:
    self._leftovers.clear()


# ----- receipts


async def _never_quiet(self: SharedQueue, longest_s: float) -> None:
    return


def _never_late(self: Receipts, receipt: Receipt, now: float) -> bool:
    return False


def _renew_nothing(self: Receipts, now: float, *, ahead_s: float) -> Sequence[Record]:
    return ()


def _never_closed(self: QueueFlow, ticket: Ticket, *, gone: bool) -> None:
    return


async def _until_deleted(poller: QueuePoller) -> None:
    while poller._parts.keeper._parts.deleter._requests:  # noqa: ASYNC110  # nothing tells when they are done
        await anyio.sleep(0.1)


_send = QueuePoller._send


async def _send_after_deletes(self: QueuePoller, batch: Batch) -> Delivered | None:
    await _until_deleted(self)
    return await _send(self, batch)


_round = QueuePoller._round


async def _poll_after_deletes(self: QueuePoller) -> None:
    await _round(self)
    await _until_deleted(self)


def _leave_behind(self: Receipts, records: Sequence[Record]) -> None:
    self.forget(records)


_received = Receipts.received


def _received_as_new(self: Receipts, records: Sequence[Record], *, since: float, until: float) -> Intake:
    intake = _received(self, records, since=since, until=until)
    return structs.replace(intake, held=[record for record in records if record not in intake.settled])


def _remember_nothing(self: Settled, message: str, now: float) -> bool:
    return False


_working = Meter.working


def _all_is_well(self: Meter, *, shard: str = "", operation: Operation = Operation.ANY) -> None:
    for shard_in_trouble, operation_in_trouble in tuple(self._problems):
        _working(self, shard=shard_in_trouble, operation=operation_in_trouble)


async def _cut_at_once(self: Supervisor, work: Any) -> None:
    await self._parts.surroundings.drain.wait()
    work.cancel()


def _pinned_never(self: Position) -> Position:
    return self


def _held_by_another(self: SharedFleet, lease: Lease) -> bool:
    return lease.owner not in (None, self.me)


def _mutant(owner: Any, name: str, value: object) -> Mutant:
    return lambda: patched(owner, name, value)


_LINEAGE = poller.core.lineage
# What only shows where many receipts are in trouble.
IN_QUEUES = frozenset(
    {
        "what was not started is shown while polls are open",
        "late starts are not renewed",
        "what waits is not renewed",
        "messages are received while all is refused",
        "a batch waits for deletes",
        "a poll waits for deletes",
        "what is held behind a failure runs",
        "a message that comes again is new",
        "handled messages are forgotten",
        "any success clears all problems",
    }
)
# What only shows where several workers share the leases.
IN_FLEETS = frozenset({"no fence", "everybody is taken for dead"})
MUTANTS: dict[str, Mutant] = {
    "ack before invoke": _mutant(Lane, "_admit", _ack_first),
    "messages are deleted before they run": _mutant(ReceiptKeeper, "start", _delete_first),
    "the SDK repeats an invoke": _mutant(Delivery, "invoke", _invoke_again),
    "maximum instead of prefix": _mutant(Frontier, "advance", _furthest),
    "checkpoint before the discard is reported": _mutant(Settler, "resolve", _report_last),
    "a discard is not reported": _mutant(Settler, "resolve", _report_never),
    "a destination is not told": _mutant(Discarder, "_deliver", _tell_nobody),
    "a destination is told once": _mutant(Discarder, "_deliver", _tell_once),
    "what failed is released": _mutant(ReceiptKeeper, "resolve", _release_failed),
    "Failed[] is ignored": _mutant(Deleter, "_try", _all_deleted),
    "a checkpoint is tried once": _mutant(Settler, "_checkpoint", _save_once),
    "bytes are never given back": _mutant(Settler, "_hold", _take_only),
    "bytes of messages are never given back": _mutant(ReceiptKeeper, "_hold", _take_only),
    "iterator kept instead of sequence": _mutant(Poller, "_take_in", _forget_sequence),
    "the last page of a shard is dropped": _mutant(Poller, "_take_in", _drop_last_page),
    "an empty page ends the shard": _mutant(Poller, "_receive", _empty_is_end),
    "lanes are dealt round": _mutant(poller.poller, "split", _deal_round),
    "a restart begins at the horizon": _mutant(Reading, "_where", _start_over),
    "StartingPosition for a child": _mutant(poller.shards, "plan", _start_children_as_roots),
    "incarnation is ignored": _mutant(poller.shards, "plan", _same_incarnation),
    "children before parents": _mutant(_LINEAGE, "_parents_finished", lambda *_: True),
    "one parent of a merge is enough": _mutant(_LINEAGE, "_parents_finished", _one_parent),
    "one listing is believed": _mutant(_LINEAGE, "LISTINGS_TO_BELIEVE", 1),
    "LATEST is looked up again": _mutant(Position, "pinned", _pinned_never),
    "sequence numbers compared as text": _mutant(poller.core.leasing, "ahead", _as_text),
    "no fence": _mutant(poller.core.leasing, "_fenced", _unfenced),
    "everybody is taken for dead": _mutant(SharedFleet, "_is_gone", _held_by_another),
    "right half first": _mutant(StreamRetry, "_failed", _right_half_first),
    "left half only": _mutant(StreamRetry, "_failed", _left_half_only),
    "no bisect": _mutant(StreamRetry, "_failed", _no_bisect),
    "a throttle counts as an attempt": _mutant(StreamRetry, "judge", _refusal_counts),
    "one retry too many": _mutant(StreamRetry, "judge", _limit_shifted(1)),
    "one retry too few": _mutant(StreamRetry, "judge", _limit_shifted(-1)),
    "retries without limit": _mutant(StreamRetry, "judge", _no_limit),
    "a stream's function error is success": _mutant(StreamRetry, "judge", _stream_error_is_success),
    "a queue's function error is success": _mutant(QueueRetry, "judge", _queue_error_is_success),
    "a stream's partial response is ignored": _mutant(StreamRetry, "_read", _all_done),
    "a queue's partial response is ignored": _mutant(QueueRetry, "_read", _all_done),
    "a stream retries only what is named": _mutant(StreamRetry, "_read", _only_the_failed),
    "an invalid response is success": _mutant(poller.core.retrying, "failed_items", _lenient),
    "record age is ignored": _mutant(StreamRetry, "admit", _admit_all),
    "one old record discards its batch": _mutant(StreamRetry, "admit", _whole_batch_too_old),
    "messages are delivered late": _mutant(Receipts, "check", _check_nothing),
    "a drain keeps what it did not start": _mutant(QueuePoller, "_give_back", _keep_leftovers),
    "a drain does not wait": _mutant(Supervisor, "_limit_drain", _cut_at_once),
    "what was not started is shown while polls are open": _mutant(SharedQueue, "until_quiet", _never_quiet),
    "late starts are not renewed": _mutant(Receipts, "_late", _never_late),
    "what waits is not renewed": _mutant(Receipts, "due", _renew_nothing),
    "messages are received while all is refused": _mutant(QueueFlow, "refused", _never_closed),
    "a batch waits for deletes": _mutant(QueuePoller, "_send", _send_after_deletes),
    "a poll waits for deletes": _mutant(QueuePoller, "_round", _poll_after_deletes),
    "what is held behind a failure runs": _mutant(Receipts, "failed", _leave_behind),
    "a message that comes again is new": _mutant(Receipts, "received", _received_as_new),
    "handled messages are forgotten": _mutant(Settled, "knows", _remember_nothing),
    "any success clears all problems": _mutant(Meter, "working", _all_is_well),
    "a gap is not reported": _mutant(Poller, "_recover", _recover_silently),
}
