"""What follows from an outcome on a stream (semantics 3.6 to 3.8)."""

import pytest

from poller.core.batching import Batch, Trigger
from poller.core.discards import Condition, ResponseContext
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.core.retrying import Now, StreamRetry
from tests.core.records import numbers, record

NOW = Now(monotonic=0.0, wall=1000.0)
FAILED = FunctionError(error_type="ValueError")


def _batch(*ids: int, arrived_at: float = 1000.0) -> Batch:
    records = tuple(record(n, arrived_at=arrived_at) for n in ids)
    return Batch(records=records, trigger=Trigger.SIZE, id="b")


def _reports(*ids: str) -> Succeeded:
    entries = ",".join(f'{{"itemIdentifier":"{i}"}}' for i in ids)
    return Succeeded(payload=f'{{"batchItemFailures":[{entries}]}}'.encode())


def test_a_failing_batch_is_tried_again_unchanged_and_without_end() -> None:
    """Same records, same id, growing waits, as long as nobody sets a limit."""
    policy = StreamRetry()
    batch = _batch(1, 2)
    delays = []
    for _ in range(9):
        verdict = policy.judge(batch, FAILED, NOW)
        (batch,) = verdict.retry
        delays.append(verdict.delay_s)

    assert (numbers(batch.records), batch.id, batch.tries) == ([1, 2], "b", 9)
    assert delays == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("outcome", [Throttled(), Unreachable(reason="503")], ids=repr)
def test_a_refusal_uses_no_attempt_and_never_bisects(outcome: Outcome) -> None:
    """Pre-invoke errors are tried again until age or retention ends it."""
    policy = StreamRetry(maximum_retry_attempts=0, bisect=True)
    batch = _batch(1, 2)
    for _ in range(5):
        (batch,) = policy.judge(batch, outcome, NOW).retry

    assert (numbers(batch.records), batch.tries, batch.invoke_count) == ([1, 2], 0, 0)


@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_n_retries_are_n_plus_one_deliveries(attempts: int) -> None:
    """After the last of them the batch is discarded with AWS's word and count."""
    policy = StreamRetry(maximum_retry_attempts=attempts)
    batch = _batch(1, 2)
    deliveries = 0
    while True:
        deliveries += 1
        verdict = policy.judge(batch, FAILED, NOW)
        if verdict.discard:
            break
        (batch,) = verdict.retry

    assert deliveries == attempts + 1
    assert verdict.discard.condition is Condition.RETRY_ATTEMPTS_EXHAUSTED
    assert verdict.discard.invoke_count == attempts + 1
    assert verdict.discard.response == ResponseContext(
        status_code=200, executed_version="$LATEST", function_error="Unhandled"
    )
    assert numbers(verdict.discard.records) == [1, 2]


@pytest.mark.parametrize("outcome", [LostReply(reason="reset"), TooLarge(size=1)], ids=repr)
def test_an_unknown_outcome_and_an_oversized_event_count_as_attempts(outcome: Outcome) -> None:
    """Neither may be retried for ever where a limit is set; there is no response to show."""
    verdict = StreamRetry(maximum_retry_attempts=0).judge(_batch(1), outcome, NOW)

    assert verdict.discard is not None
    assert verdict.discard.response is None


def test_a_partial_failure_keeps_everything_before_the_lowest_reported_record() -> None:
    """Records after it are tried again too, also those that were not listed."""
    policy = StreamRetry(report_batch_item_failures=True, maximum_retry_attempts=3)
    tried = policy.judge(_batch(1, 2, 3, 4), FAILED, NOW).retry[0]

    verdict = policy.judge(tried, _reports("4", "2"), NOW)

    (rest,) = verdict.retry
    assert numbers(verdict.done) == [1]
    assert numbers(rest.records) == [2, 3, 4]
    assert (rest.tries, rest.invoke_count, rest.trigger) == (0, 0, Trigger.RETRY)
    assert rest.id != "b"


def test_a_report_of_the_first_record_is_an_ordinary_failed_attempt() -> None:
    """Nothing shrinks, so the budget goes on running."""
    policy = StreamRetry(report_batch_item_failures=True, maximum_retry_attempts=1)

    first = policy.judge(_batch(1, 2), _reports("1"), NOW)
    second = policy.judge(first.retry[0], _reports("1"), NOW)

    assert not first.done
    assert first.retry[0].tries == 1
    assert second.discard is not None
    assert second.discard.response == ResponseContext(
        status_code=200, executed_version="$LATEST", function_error=None
    )


def test_the_recorded_run_of_six_records_comes_out() -> None:
    """Batches of 3, three retries, only 5 fails: it is delivered five times, the others once (3.8.5)."""
    policy = StreamRetry(report_batch_item_failures=True, maximum_retry_attempts=3)
    delivered: dict[int, int] = {}
    for batch in (_batch(0, 1, 2), _batch(3, 4, 5)):
        work = [batch]
        while work:
            current = work.pop(0)
            for number in numbers(current.records):
                delivered[number] = delivered.get(number, 0) + 1
            answer = _reports("5") if 5 in numbers(current.records) else Succeeded(payload=b"null")
            verdict = policy.judge(current, answer, NOW)
            work = [*verdict.retry, *work]
            if verdict.discard:
                assert (numbers(verdict.discard.records), verdict.discard.invoke_count) == ([5], 4)

    assert delivered == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 5}


def test_an_invalid_report_fails_the_whole_batch() -> None:
    """Nothing of it is trusted."""
    policy = StreamRetry(report_batch_item_failures=True)

    verdict = policy.judge(_batch(1, 2), _reports("2", "77"), NOW)

    assert not verdict.done
    assert numbers(verdict.retry[0].records) == [1, 2]


def test_bisect_halves_a_failing_batch_left_half_first() -> None:
    """Each half starts afresh; of an odd number the left half is the smaller."""
    policy = StreamRetry(bisect=True, maximum_retry_attempts=0)

    verdict = policy.judge(_batch(1, 2, 3), FAILED, NOW)

    assert [numbers(half.records) for half in verdict.retry] == [[1], [2, 3]]
    assert {half.tries for half in verdict.retry} == {0}


def test_bisect_gives_up_single_records_only() -> None:
    """With no retries at all, splitting still goes down to one record."""
    policy = StreamRetry(bisect=True, maximum_retry_attempts=0)
    poison = 3
    work = [_batch(1, 2, 3, 4)]
    done: list[int] = []
    discarded: list[int] = []
    while work:
        batch = work.pop(0)
        failing = poison in numbers(batch.records)
        verdict = policy.judge(batch, FAILED if failing else Succeeded(payload=b""), NOW)
        done += numbers(verdict.done)
        discarded += numbers(verdict.discard.records) if verdict.discard else []
        work = [*verdict.retry, *work]

    assert (done, discarded) == ([1, 2, 4], [3])


def test_too_old_records_are_cut_off_the_front() -> None:
    """Age is a matter of each record: the younger rest is delivered (semantics 3.6.4)."""
    old, young = record(1, arrived_at=900.0), record(2, arrived_at=990.0)
    batch = Batch(records=(old, young), trigger=Trigger.SIZE, id="b")

    admission = StreamRetry(maximum_record_age_s=60).admit(batch, NOW)

    assert admission.discard is not None
    assert admission.discard.condition is Condition.RECORD_AGE_EXCEEDED
    assert numbers(admission.discard.records) == [1]
    assert (admission.discard.invoke_count, admission.discard.response) == (1, None)
    assert admission.deliver is not None
    assert numbers(admission.deliver.records) == [2]


def test_a_batch_that_is_too_old_as_a_whole_is_not_delivered() -> None:
    """There may be no invocation at all."""
    admission = StreamRetry(maximum_record_age_s=60).admit(_batch(1, 2, arrived_at=0.0), NOW)

    assert admission.deliver is None
    assert admission.discard is not None


def test_a_record_of_exactly_the_maximum_age_is_delivered() -> None:
    """The limit is passed only beyond it."""
    admission = StreamRetry(maximum_record_age_s=60).admit(_batch(1, arrived_at=940.0), NOW)

    assert admission.discard is None
