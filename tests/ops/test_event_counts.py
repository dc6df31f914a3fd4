"""The counters that mirror AWS's EventCount metrics (semantics 7.3)."""

import orjson
import pytest

from poller.core.outcomes import FunctionError, Outcome, Succeeded, Throttled, Unreachable
from poller.destinations.memory import MemoryDestination
from poller.rules import Tempo
from poller.sources.memory import MemoryQueue, MemoryStream
from tests.loop.stage import (
    CLOCK,
    Function,
    eventually,
    in_virtual_time,
    playing,
    queue_mapping,
    stream_mapping,
)
from tests.ops.reading import Samples, value
from tests.ops.showing import scrape

FAILED = FunctionError(error_type="ValueError")
ODD = {"FilterCriteria": {"Filters": [{"Pattern": '{"body": {"odd": [true]}}'}]}}


def _queue(*bodies: str) -> MemoryQueue:
    queue = MemoryQueue(CLOCK)
    for body in bodies:
        queue.send(body)
    return queue


def _stream(count: int) -> MemoryStream:
    stream = MemoryStream(CLOCK)
    for number in range(count):
        stream.put("shard-0", str(number))
    return stream


def _counted(found: Samples) -> dict[str, float]:
    words = ("polled", "filtered_out", "invoked", "failed_invoke", "deleted")
    return {word: value(found, f"esm_{word}_events_total") for word in words}


def test_five_good_messages_are_polled_invoked_and_deleted() -> None:
    """As in the capture of semantics 7.5."""

    async def play() -> None:
        queue = _queue(*"abcde")
        async with playing(queue_mapping(), queue, Function().target) as stage:
            await eventually(lambda: not queue.messages)
            found = scrape(stage.runner)
        assert _counted(found) == {
            "polled": 5, "filtered_out": 0, "invoked": 5, "failed_invoke": 0, "deleted": 5,
        }  # fmt: skip

    in_virtual_time(play)


def test_what_no_filter_wants_is_deleted_and_not_counted_as_deleted() -> None:
    """DeletedEventCount is of messages that were processed (semantics 7.6)."""

    async def play() -> None:
        queue = _queue(*['{"odd": true}', '{"odd": false}', '{"odd": false}'])
        async with playing(queue_mapping(**ODD), queue, Function().target) as stage:
            await eventually(lambda: not queue.messages)
            found = scrape(stage.runner)
        assert _counted(found) == {
            "polled": 3, "filtered_out": 2, "invoked": 1, "failed_invoke": 0, "deleted": 1,
        }  # fmt: skip
        assert value(found, "esm_event_delay_seconds_count") == 1

    in_virtual_time(play)


def test_a_partial_response_fails_what_it_lists() -> None:
    """And deletes the rest."""

    def react(records: list[dict[str, object]]) -> Outcome:
        failures = [{"itemIdentifier": r["messageId"]} for r in records if r["body"] == "bad"]
        return Succeeded(payload=orjson.dumps({"batchItemFailures": failures}))

    async def play() -> None:
        queue = _queue("good", "bad", "good")
        mapping = queue_mapping(FunctionResponseTypes=["ReportBatchItemFailures"])
        async with playing(mapping, queue, Function(react).target) as stage:
            await eventually(lambda: len(queue.messages) == 1)
            found = scrape(stage.runner)
        assert (_counted(found)["failed_invoke"], _counted(found)["deleted"]) == (1, 2)
        assert value(found, "esm_invocations_total", outcome="partial") == 1

    in_virtual_time(play)


@pytest.mark.parametrize(
    ("refusal", "outcome", "ready"),
    [(Throttled(), "throttled", 1), (Unreachable(reason="404"), "unreachable", 0)],
)
def test_a_refused_attempt_invoked_nothing(refusal: Outcome, outcome: str, ready: int) -> None:
    """It did not reach the function (semantics 7.7), which an unreachable one says."""

    async def play() -> None:
        queue = _queue("a")
        async with playing(queue_mapping(), queue, Function(lambda _: refusal).target) as stage:
            await eventually(lambda: stage.runner.meter.counts.outcomes.get(outcome) == 3)
            found = scrape(stage.runner)
        assert (_counted(found)["invoked"], _counted(found)["failed_invoke"]) == (0, 0)
        assert value(found, "esm_invocation_duration_seconds_count") == 0
        assert value(found, "esm_batches_total", reason="window") == 1
        assert value(found, "esm_target_ready") == ready

    in_virtual_time(play)


def test_a_retried_event_is_invoked_and_failed_again() -> None:
    """Once for each try; at the end it is dropped, for there is no destination."""

    async def play() -> None:
        mapping = stream_mapping(MaximumRetryAttempts=2)
        async with playing(mapping, _stream(4), Function(lambda _: FAILED).target) as stage:
            await eventually(lambda: stage.runner.meter.counts.done == 4)
            found = scrape(stage.runner)
        assert value(found, "esm_invoked_events_total") == 12
        assert value(found, "esm_failed_invoke_events_total") == 12
        assert value(found, "esm_dropped_events_total") == 4
        assert value(found, "esm_on_failure_delivered_events_total") == 0
        assert value(found, "esm_batch_events_count") == 1  # one batch, tried three times

    in_virtual_time(play)


def test_what_a_destination_took_is_not_dropped() -> None:
    """Delivered and dropped exclude each other."""

    async def play() -> None:
        destination = MemoryDestination()
        mapping = stream_mapping(
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:failed"}},
        )
        function = Function(lambda _: FAILED)
        async with playing(mapping, _stream(3), function.target, destination=destination) as stage:
            await eventually(lambda: stage.runner.meter.counts.done == 3)
            found = scrape(stage.runner)
        assert value(found, "esm_dropped_events_total") == 0
        assert value(found, "esm_on_failure_delivered_events_total") == 3

    in_virtual_time(play)


def test_a_message_whose_receipt_expired_is_handled_and_not_deleted() -> None:
    """It comes again, which nobody would know of otherwise."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK, visibility_timeout_s=30)
        queue.send("slow")
        function = Function(takes_s=31.0)
        slow = Tempo(long_poll_s=40.0)  # so that it is not received again
        async with playing(queue_mapping(), queue, function.target, tempo=slow) as stage:
            await eventually(lambda: function.running)
            stage.drain.request()
            await eventually(lambda: stage.runner.meter.counts.receipts_expired)
            found = scrape(stage.runner)
        assert value(found, "esm_receipts_expired_total") == 1
        assert value(found, "esm_deleted_events_total") == 0

    in_virtual_time(play)


def test_halves_of_a_batch_are_batches_of_their_own() -> None:
    """And say that they were bisected."""

    def react(records: list[dict[str, object]]) -> Outcome:
        return FAILED if len(records) > 1 else Succeeded(payload=b"")

    async def play() -> None:
        mapping = stream_mapping(BisectBatchOnFunctionError=True)
        async with playing(mapping, _stream(2), Function(react).target) as stage:
            await eventually(lambda: stage.runner.meter.counts.done == 2)
            found = scrape(stage.runner)
        assert value(found, "esm_batches_total", reason="bisect") == 2

    in_virtual_time(play)
