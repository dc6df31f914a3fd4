"""How a queue is polled and settled, over in-memory seams and in virtual time."""

from collections.abc import Sequence

import anyio
import pytest

from poller.core.outcomes import FunctionError, Outcome, Succeeded, Throttled, Unreachable
from poller.core.records import Position, Record, Shard
from poller.errors import SourceUnavailable
from poller.interfaces import Invocation, Unsettled
from poller.sources.memory import MemoryQueue, MemoryQueueReader
from poller.targets.memory import MemoryTarget
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, playing, queue_mapping

FAILED = FunctionError(error_type="ValueError")


def _queue(count: int, *, visibility_timeout_s: float = 30.0) -> MemoryQueue:
    queue = MemoryQueue(CLOCK, visibility_timeout_s=visibility_timeout_s)
    for number in range(count):
        queue.send(str(number))
    return queue


def test_every_message_is_delivered_once_and_deleted() -> None:
    """By several pollers side by side."""

    async def play() -> None:
        queue = _queue(100)
        function = Function(takes_s=1.0)
        async with playing(queue_mapping(), queue, function.target):
            await eventually(lambda: not queue.messages)

        assert sorted(function.seen, key=int) == [str(n) for n in range(100)]
        assert function.most_at_once >= 5

    in_virtual_time(play)


def test_no_more_is_received_than_can_be_delivered() -> None:
    """A message waits in the queue, where others may take it, not behind a running invocation."""

    async def play() -> None:
        queue = _queue(100)
        function = Function(takes_s=10.0)
        mapping = queue_mapping(BatchSize=4, ScalingConfig={"MaximumConcurrency": 5})
        async with playing(mapping, queue, function.target):
            await anyio.sleep(5)
            hidden = [m for m in queue.messages.values() if m.hidden_until > anyio.current_time()]
            assert len(hidden) == (5 + 1) * 4  # one batch beyond what runs

    in_virtual_time(play)


def test_a_failed_batch_comes_back_after_its_visibility_timeout() -> None:
    """Not before: the poller neither releases nor retries it."""

    async def play() -> None:
        queue = _queue(1, visibility_timeout_s=120)
        outcomes: list[Outcome] = [FAILED]
        function = Function(lambda _: outcomes.pop(0) if outcomes else Succeeded(payload=b""))
        async with playing(queue_mapping(), queue, function.target):
            await eventually(lambda: len(function.seen) == 2)

        assert 120 <= function.times[1] - function.times[0] <= 145  # and up to one long poll

    in_virtual_time(play)


@pytest.mark.parametrize("refusal", [Throttled(), Unreachable(reason="404")], ids=repr)
def test_a_refused_batch_is_kept_and_renewed(refusal: Outcome) -> None:
    """Faults 9: it is the same receive all the while, long beyond its visibility timeout."""

    async def play() -> None:
        queue = _queue(1, visibility_timeout_s=100)
        function = Function(lambda _: refusal)
        async with playing(queue_mapping(), queue, function.target):
            await anyio.sleep(3600)
            assert next(iter(queue.messages.values())).receives == 1
            assert len(function.times) > 100

    in_virtual_time(play)


def test_a_window_gathers_from_several_receives() -> None:
    """Up to the window's end, then goes, however little it is."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        function = Function()
        mapping = queue_mapping(BatchSize=1000, MaximumBatchingWindowInSeconds=10)
        async with playing(mapping, queue, function.target):
            for number in range(50):
                queue.send(str(number))
                await anyio.sleep(0.1)
            await eventually(lambda: not queue.messages)

        assert sorted(function.seen, key=int) == [str(n) for n in range(50)]
        assert len(function.batches) <= 5

    in_virtual_time(play)


def test_draining_runs_what_was_gathered_where_the_grace_allows_it() -> None:
    """Faults 10: given back, each message would have spent a receive for nothing."""

    async def play() -> None:
        queue = _queue(5)
        function = Function(takes_s=7.0)
        mapping = queue_mapping(BatchSize=100, MaximumBatchingWindowInSeconds=300)
        async with playing(mapping, queue, function.target):
            await anyio.sleep(2)  # gathered, not delivered
        assert len(function.seen) == 5
        assert queue.messages == {}
        assert anyio.current_time() < 60

    in_virtual_time(play)


def test_draining_gives_back_what_the_grace_is_too_short_for() -> None:
    """Faults 10: once no receive is open that would take it again, and one receive was spent."""

    async def play() -> None:
        queue = _queue(5)
        function = Function()
        mapping = queue_mapping(BatchSize=100, MaximumBatchingWindowInSeconds=300)
        async with playing(mapping, queue, function.target, grace_s=30.0):
            await anyio.sleep(2)
        assert function.seen == []
        assert [(m.hidden_until, m.receives) for m in queue.messages.values()] == [(0.0, 1)] * 5

    in_virtual_time(play)


class _FlakyReader(MemoryQueueReader):
    """Deletes nothing the first times."""

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        queue = self._queue
        assert isinstance(queue, _FlakyQueue)
        if queue.refusals:
            answer = queue.refusals.pop(0)
            if answer is None:
                raise SourceUnavailable("connection reset")
            await super().delete([r for r in records if r.item_identifier not in answer])
            return Unsettled(again=[r for r in records if r.item_identifier in answer])
        return await super().delete(records)


class _FlakyQueue(MemoryQueue):
    """Each entry of `refusals` is a delete that fails: for these ids, or (None) as a whole."""

    refusals: list[set[str] | None]

    async def open(self, shard: Shard, after: Position) -> MemoryQueueReader:
        return _FlakyReader(self, CLOCK)


def test_a_delete_that_failed_in_part_is_repeated_for_that_part() -> None:
    """A 200 with `Failed` entries is not taken for success, nor is a lost reply."""

    async def play() -> None:
        queue = _FlakyQueue(CLOCK)
        queue.refusals = [{"message-000001"}, None]
        for number in range(3):
            queue.send(str(number))
        function = Function()
        async with playing(queue_mapping(), queue, function.target):
            await eventually(lambda: not queue.messages)
            await anyio.sleep(300)

        assert sorted(function.seen) == ["0", "1", "2"]

    in_virtual_time(play)


def test_nothing_is_received_before_the_function_is_ready() -> None:
    """It would cost receives for nothing."""

    class Late(MemoryTarget):
        async def ready(self) -> bool:
            return anyio.current_time() > 100

    async def play() -> None:
        queue = _queue(1)
        function = Function()
        target = Late(function._run)
        async with playing(queue_mapping(), queue, target):
            await anyio.sleep(99)
            assert next(iter(queue.messages.values())).receives == 0
            await eventually(lambda: not queue.messages)

        assert function.times[0] >= 100

    in_virtual_time(play)


def test_a_poller_that_dies_of_a_bug_is_started_again() -> None:
    """The others go on, and the message comes back by its visibility timeout."""

    async def play() -> None:
        queue = _queue(3, visibility_timeout_s=30)
        calls: list[Invocation] = []

        async def buggy(invocation: Invocation) -> Outcome:
            calls.append(invocation)
            if len(calls) == 1:
                raise RuntimeError("a bug of ours")
            return Succeeded(payload=b"")

        async with playing(queue_mapping(BatchSize=1), queue, MemoryTarget(buggy)):
            await eventually(lambda: not queue.messages)

        assert len(calls) == 4

    in_virtual_time(play)
