"""What a queue mapping does when its queue is in trouble: it says so, asks again, and recovers by itself."""

import random
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from poller.core.records import Page, Position, Record, Shard, Topology
from poller.errors import (
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceUnavailable,
    SourceUnsuitable,
)
from poller.interfaces import QueueReader, Unsettled
from poller.sources.memory import MemoryQueue
from tests.fakes.faults import Fault, FaultKind, Faults
from tests.fakes.history import History
from tests.fakes.sqs import FakeQueue, FakeQueueSource
from tests.fakes.wire import Wire
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, playing, queue_mapping


class TroubledQueue(MemoryQueue):
    """A queue that raises the same error at every call while it is in trouble."""

    def __init__(self) -> None:
        super().__init__(CLOCK)
        self.trouble: SourceError | None = None
        self.calls = 0

    def check(self) -> None:
        self.calls += 1
        if self.trouble is not None:
            raise self.trouble

    async def discover(self) -> Topology:
        self.check()
        return await super().discover()

    async def open(self, shard: Shard, after: Position) -> QueueReader:  # type: ignore[override]
        return TroubledReader(self, await super().open(shard, after))


class TroubledReader:
    """Its reader."""

    def __init__(self, queue: TroubledQueue, reader: QueueReader) -> None:
        self._queue = queue
        self._reader = reader

    async def receive(self, limit: int, wait_s: float) -> Page:
        self._queue.check()
        return await self._reader.receive(limit, wait_s)

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        self._queue.check()
        return await self._reader.delete(records)

    async def hide(self, records: Sequence[Record], seconds: float) -> Unsettled:
        self._queue.check()
        return await self._reader.hide(records, seconds)


TROUBLES = [
    SourceGone("ReceiveMessage on orders: AWS.SimpleQueueService.NonExistentQueue"),
    SourceDenied("ReceiveMessage on orders: AccessDenied"),
    SourceThrottled("ReceiveMessage on orders: OverLimit"),
    SourceUnavailable("orders: EndpointConnectionError"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
def test_an_hour_of_trouble_is_said_paced_and_recovered_from(trouble: SourceError) -> None:
    """The problem is stated, calls are few, and afterwards every message is delivered without a restart."""

    async def play() -> None:
        queue = TroubledQueue()
        function = Function()
        mapping = queue_mapping(ScalingConfig={"MaximumConcurrency": 5})
        async with playing(mapping, queue, function.target) as stage:
            queue.send("before")
            await eventually(lambda: not queue.messages)
            queue.trouble = trouble
            await anyio.sleep(60)
            assert str(trouble) in stage.runner.meter.last_processing_result
            queue.calls = 0
            await anyio.sleep(3600)
            calls = queue.calls
            queue.trouble = None
            queue.send("after")
            healed = anyio.current_time()
            await eventually(lambda: "after" in function.seen)

            # Five pollers and the refresh of attributes, each at most every half minute.
            assert calls < 6 * 130
            assert anyio.current_time() - healed <= 70
            assert stage.runner.meter.last_processing_result == "OK"

    in_virtual_time(play)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
def test_a_queue_in_trouble_from_the_start_is_picked_up_when_it_is_there(trouble: SourceError) -> None:
    """Its mapping is not polling until then."""

    async def play() -> None:
        queue = TroubledQueue()
        queue.trouble = trouble
        function = Function()
        async with playing(queue_mapping(), queue, function.target) as stage:
            await anyio.sleep(600)
            assert not stage.runner.polling
            queue.trouble = None
            queue.send("x")
            await eventually(lambda: function.seen == ["x"], within_s=70)
            assert stage.runner.polling

    in_virtual_time(play)


def test_a_queue_that_does_not_suit_its_function_is_not_polled() -> None:
    """The reason is AWS's, and a queue that was mended is picked up."""

    async def play() -> None:
        queue = TroubledQueue()
        queue.trouble = SourceUnsuitable(
            "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"
        )
        queue.send("x")
        function = Function()
        async with playing(queue_mapping(), queue, function.target) as stage:
            await anyio.sleep(300)
            assert next(iter(queue.messages.values())).receives == 0
            assert "Queue visibility timeout" in stage.runner.meter.last_processing_result
            queue.trouble = None
            await eventually(lambda: function.seen == ["x"], within_s=70)

    in_virtual_time(play)


def test_messages_handled_during_an_outage_are_deleted_when_it_ends() -> None:
    """A delete is repeated while its receipt is good: no duplicate for a short outage."""

    async def play() -> None:
        queue = TroubledQueue()
        queue.send("x")
        function = Function(takes_s=5.0)
        async with playing(queue_mapping(), queue, function.target):
            await eventually(lambda: function.running)
            queue.trouble = SourceUnavailable("connection reset")
            await anyio.sleep(15)
            queue.trouble = None
            await eventually(lambda: not queue.messages)
            await anyio.sleep(120)

        assert function.seen == ["x"]

    in_virtual_time(play)


def test_a_purged_queue_troubles_nobody() -> None:
    """What was in flight is handled; its deletes find nothing."""

    async def play() -> None:
        queue = TroubledQueue()
        for number in range(20):
            queue.send(str(number))
        function = Function(takes_s=5.0)
        async with playing(queue_mapping(), queue, function.target) as stage:
            await eventually(lambda: function.running)
            queue.messages.clear()
            await anyio.sleep(60)
            queue.send("later")
            await eventually(lambda: "later" in function.seen)
            await eventually(lambda: stage.runner.meter.counts.in_flight == 0, within_s=10)

    in_virtual_time(play)


def test_thirty_messages_in_batches_of_twenty_make_two_batches() -> None:
    """BatchSize 20, window 1, MaximumConcurrency 2: each record once."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        for number in range(30):
            queue.send(str(number))
        function = Function()
        mapping = queue_mapping(
            BatchSize=20,
            MaximumBatchingWindowInSeconds=1,
            ScalingConfig={"MaximumConcurrency": 2},
        )
        async with playing(mapping, queue, function.target):
            await eventually(lambda: not queue.messages)

        assert len(function.batches) == 2
        assert sorted(function.seen, key=int) == [str(n) for n in range(30)]

    in_virtual_time(play)


def test_maximum_concurrency_is_exact() -> None:
    """With a backlog it is reached, and never passed, however long the backlog lasts."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK, visibility_timeout_s=900)
        for number in range(3000):
            queue.send(str(number))
        function = Function(takes_s=1.0)
        mapping = queue_mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 17})
        async with playing(mapping, queue, function.target):
            await eventually(lambda: not queue.messages)

        assert function.most_at_once == 17

    in_virtual_time(play)


def test_a_backlog_is_worked_off_by_more_and_more_pollers() -> None:
    """5 batches at first; a minute later about 300 more."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK, visibility_timeout_s=900)
        for number in range(20_000):
            queue.send(str(number))
        function = Function(takes_s=10.0)
        async with playing(queue_mapping(BatchSize=1), queue, function.target):
            await anyio.sleep(0.5)
            at_first = function.running
            await anyio.sleep(60)
            later = function.running

        assert at_first == 5
        assert 290 <= later <= 310

    in_virtual_time(play)


def test_no_batch_holds_a_message_twice_though_the_queue_hands_it_out_again() -> None:
    """A standard queue may; what was gathered of it gives way to the later receive."""

    async def play() -> None:
        history = History()
        again = Fault(kind=FaultKind.RECEIVE_DUPLICATE, place="queue", chance=0.5)
        faults = Faults([again], seed=0, clock=CLOCK, history=history)
        wire = Wire("queue", faults=faults, chance=random.Random(0))
        queue = FakeQueue(wire, clock=CLOCK, history=history, visibility_timeout_s=60)
        function = Function()
        mapping = queue_mapping(
            BatchSize=100, MaximumBatchingWindowInSeconds=5, ScalingConfig={"MaximumConcurrency": 2}
        )
        async with playing(mapping, FakeQueueSource(queue), function.target) as stage:
            for number in range(60):
                queue.send(str(number))
                await anyio.sleep(0.2)
            await eventually(lambda: not queue.messages)
            assert stage.runner.meter.counts.polled > 60

        assert {body for batch in function.batches for body in _bodies(batch)} == {str(n) for n in range(60)}
        assert all(len(set(_bodies(batch))) == len(batch) for batch in function.batches)

    in_virtual_time(play)


def _bodies(batch: list[dict[str, Any]]) -> list[str]:
    return [str(record["body"]) for record in batch]
