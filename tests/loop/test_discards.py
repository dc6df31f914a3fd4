"""How a stream gives records up: told to the destination first, and the checkpoint behind it."""

from typing import Any

import anyio
import orjson

from mappings.model import EventSourceMapping
from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.destinations.memory import MemoryDestination
from poller.errors import DestinationDenied, DestinationUnavailable
from poller.leases.memory import MemoryLeaseStore
from poller.sources.memory import MemoryStream
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, playing, stream_mapping

QUEUE = "arn:aws:sqs:us-east-1:000000000000:failures"


def _mapping(**fields: Any) -> EventSourceMapping:
    return stream_mapping(DestinationConfig={"OnFailure": {"Destination": QUEUE}}, **fields)


def _poison(*data: str) -> Function:
    """Fails on these."""

    def react(records: list[dict[str, Any]]) -> Outcome:
        failing = any(r["data"] in data for r in records)
        return FunctionError(error_type="ValueError") if failing else Succeeded(payload=b"")

    return Function(react)


def _stream(count: int) -> MemoryStream:
    stream = MemoryStream(CLOCK)
    for number in range(count):
        stream.put("shard-0", str(number))
    return stream


def test_a_batch_whose_attempts_are_used_up_is_told_and_the_lane_goes_on() -> None:
    """One document, with the range, the condition and the count."""

    async def play() -> None:
        destination = MemoryDestination()
        function = _poison("3")
        mapping = _mapping(BatchSize=2, MaximumRetryAttempts=1)
        async with playing(mapping, _stream(6), function.target, destination=destination) as stage:
            await eventually(lambda: "5" in function.seen)
            assert stage.runner.meter.counts.on_failure_delivered == 2
            assert stage.runner.meter.counts.dropped == 0

        (document,) = destination.documents
        told = orjson.loads(document.text())
        assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert told["requestContext"]["approximateInvokeCount"] == 2
        info = told["KinesisBatchInfo"]
        assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == ("3", "4", 2)

    in_virtual_time(play)


def test_records_that_are_too_old_are_told_and_the_younger_delivered() -> None:
    """A document of their own, without an answer of the function."""

    async def play() -> None:
        stream = _stream(2)
        destination = MemoryDestination()
        function = Function()
        await anyio.sleep(100)
        stream.put("shard-0", "young")
        async with playing(
            _mapping(MaximumRecordAgeInSeconds=60), stream, function.target, destination=destination
        ):
            await eventually(lambda: function.seen == ["young"])

        (document,) = destination.documents
        told = orjson.loads(document.text())
        assert told["requestContext"]["condition"] == "RecordAgeExceeded"
        assert told["KinesisBatchInfo"]["batchSize"] == 2
        assert "responseContext" not in told

    in_virtual_time(play)


def test_a_destination_that_fails_holds_the_lane_and_the_checkpoint() -> None:
    """The mapping says so; when it recovers the document arrives and the lane goes on (design 7.1)."""

    async def play() -> None:
        destination = MemoryDestination()
        destination.refusal = DestinationDenied("failures: AccessDenied")
        function = _poison("0")
        store = MemoryLeaseStore()
        mapping = _mapping(BatchSize=1, MaximumRetryAttempts=0)
        async with playing(
            mapping, _stream(2), function.target, leases=store, destination=destination
        ) as stage:
            await anyio.sleep(600)
            (lease,) = await store.list(mapping.uuid)
            assert lease.checkpoint.sequence_number is None
            assert function.seen == ["0"]
            assert "failures: AccessDenied" in stage.runner.meter.last_processing_result
            destination.refusal = None
            await eventually(lambda: function.seen == ["0", "1"])

        assert len(destination.documents) == 1

    in_virtual_time(play)


def test_a_drain_while_the_destination_fails_gives_nothing_up() -> None:
    """The batch is delivered again by the next process, and told then."""

    async def play() -> None:
        destination = MemoryDestination()
        destination.refusal = DestinationUnavailable("down")
        store = MemoryLeaseStore()
        stream = _stream(1)
        mapping = _mapping(MaximumRetryAttempts=0)
        async with playing(mapping, stream, _poison("0").target, leases=store, destination=destination):
            await anyio.sleep(30)
        (lease,) = await store.list(mapping.uuid)
        assert lease.checkpoint.sequence_number is None

        destination.refusal = None
        async with playing(mapping, stream, _poison("0").target, leases=store, destination=destination):
            await eventually(lambda: len(destination.documents) == 1)
        (lease,) = await store.list(mapping.uuid)
        assert lease.checkpoint.sequence_number == "1"

    in_virtual_time(play)


def test_bisect_tells_of_the_poison_record_alone() -> None:
    """Everything beside it is handled."""

    async def play() -> None:
        destination = MemoryDestination()
        function = _poison("5")
        mapping = _mapping(BatchSize=8, MaximumRetryAttempts=0, BisectBatchOnFunctionError=True)
        async with playing(mapping, _stream(8), function.target, destination=destination) as stage:
            await eventually(lambda: stage.runner.meter.counts.done == 8)

        (document,) = destination.documents
        info = orjson.loads(document.text())["KinesisBatchInfo"]
        assert (info["startSequenceNumber"], info["batchSize"]) == ("6", 1)
        assert info["approximateArrivalOfFirstRecord"].startswith("2027")

    in_virtual_time(play)
