"""What follows from an outcome on a queue (semantics 2.3, 2.4)."""

import pytest

from poller.core.batching import Batch, Trigger
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.core.retrying import Now, QueueRetry
from tests.core.records import numbers, record

NOW = Now(monotonic=100.0, wall=1000.0)


def _batch(*ids: int) -> Batch:
    records = tuple(record(n) for n in ids)
    return Batch(records=records, trigger=Trigger.SIZE, id="b")


def test_success_is_deleted_whatever_the_function_returns() -> None:
    """Without ReportBatchItemFailures the return value is ignored."""
    answer = Succeeded(payload=b'{"batchItemFailures":[{"itemIdentifier":"1"}]}')

    verdict = QueueRetry().judge(_batch(1, 2), answer, NOW)

    assert numbers(verdict.done) == [1, 2]
    assert not verdict.left


@pytest.mark.parametrize(
    "outcome",
    [FunctionError(error_type="ValueError"), LostReply(reason="reset"), TooLarge(size=7_000_000)],
    ids=lambda outcome: type(outcome).__name__,
)
def test_a_failure_leaves_every_message_to_its_visibility_timeout(outcome: Outcome) -> None:
    """Nothing is deleted, nothing is released early, nothing is tried again from here."""
    verdict = QueueRetry(report_batch_item_failures=True).judge(_batch(1, 2), outcome, NOW)

    assert numbers(verdict.left) == [1, 2]
    assert not verdict.done
    assert not verdict.retry
    assert verdict.failed == 2


@pytest.mark.parametrize("outcome", [Throttled(), Unreachable(reason="404")], ids=repr)
def test_a_refusal_keeps_the_batch_and_tries_it_again(outcome: Outcome) -> None:
    """A throttle is no failure: the same batch, later, and later still."""
    policy = QueueRetry()

    first = policy.judge(_batch(1), outcome, NOW)
    second = policy.judge(first.retry[0], outcome, NOW)

    assert (first.failed, numbers(first.retry[0].records)) == (0, [1])
    assert second.retry[0].id == "b"
    assert (first.delay_s, second.delay_s) == (0.5, 1.0)


def test_a_throttle_that_says_how_long_is_heeded() -> None:
    """Retry-After is waited for in full."""
    verdict = QueueRetry().judge(_batch(1), Throttled(retry_after_s=9.0), NOW)

    assert verdict.delay_s == 9.0


def test_reported_items_are_left_and_the_others_deleted() -> None:
    """Also behind a failed one: the queue's ESM does not keep order for the function."""
    policy = QueueRetry(report_batch_item_failures=True)

    verdict = policy.judge(
        _batch(1, 2, 3), Succeeded(payload=b'{"batchItemFailures":[{"itemIdentifier":"2"}]}'), NOW
    )

    assert (numbers(verdict.done), numbers(verdict.left), verdict.failed) == ([1, 3], [2], 1)


def test_an_invalid_report_leaves_everything() -> None:
    """A response that cannot be read deletes nothing."""
    policy = QueueRetry(report_batch_item_failures=True)

    verdict = policy.judge(_batch(1, 2), Succeeded(payload=b'{"batchItemFailures":[{"id":"1"}]}'), NOW)

    assert numbers(verdict.left) == [1, 2]
    assert not verdict.done
