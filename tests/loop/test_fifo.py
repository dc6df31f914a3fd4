"""FIFO queues: groups in parallel, one batch in flight per group, in order."""

import random
from collections import defaultdict
from typing import Any

import anyio
import orjson
import pytest

from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.interfaces import Invocation
from poller.targets.memory import MemoryTarget
from tests.fakes.faults import Faults
from tests.fakes.history import History
from tests.fakes.sqs import FakeQueue, FakeQueueSource
from tests.fakes.wire import Wire
from tests.loop.stage import CLOCK, eventually, in_virtual_time, playing, queue_mapping

ARN = "arn:aws:sqs:us-east-1:000000000000:orders.fifo"
FAILED = FunctionError(error_type="ValueError")


def _queue(*, visibility_timeout_s: float = 30.0) -> FakeQueue:
    history = History()
    faults = Faults([], seed=0, clock=CLOCK, history=history)
    wire = Wire("queue", faults=faults, chance=random.Random(0))
    return FakeQueue(wire, clock=CLOCK, history=history, visibility_timeout_s=visibility_timeout_s, fifo=True)


class Groups:
    """A function that watches which groups it is given at the same time, and in which order."""

    def __init__(self, queue: FakeQueue, *, takes_s: float = 0.5, failing: str = "") -> None:
        self.seen: dict[str, list[str]] = defaultdict(list)
        self.running: list[set[str]] = []
        self.overlaps: list[set[str]] = []
        self.most_at_once = 0
        self.target = MemoryTarget(self._run)
        self._queue = queue
        self._takes_s = takes_s
        self._failing = failing

    async def _run(self, invocation: Invocation) -> Outcome:
        records: list[dict[str, Any]] = orjson.loads(invocation.payload)["Records"]
        names = [self._name(record) for record in records]
        groups = {name.split("/")[0] for name in names}
        self.overlaps += [groups & other for other in self.running if groups & other]
        self.running.append(groups)
        self.most_at_once = max(self.most_at_once, len(self.running))
        for name in names:
            self.seen[name.split("/")[0]].append(name)
        await anyio.sleep(self._takes_s)
        self.running.remove(groups)
        failing = bool(self._failing) and self._failing in groups
        return FAILED if failing else Succeeded(payload=b"")

    @staticmethod
    def _name(record: dict[str, Any]) -> str:
        return str(record["body"])


def _send(queue: FakeQueue, group: str, count: int) -> None:
    for number in range(count):
        queue.send(f"{group}/{number:03}", group)


def test_groups_run_side_by_side_and_each_in_order() -> None:
    """Twenty groups are not handled one after the other, and none is in two batches at once."""

    async def play() -> None:
        queue = _queue()
        for group in range(20):
            _send(queue, f"g{group}", 30)
        function = Groups(queue)
        async with playing(queue_mapping(EventSourceArn=ARN), FakeQueueSource(queue), function.target):
            await eventually(lambda: not queue.messages)

        assert function.overlaps == []
        assert function.most_at_once > 5
        assert all(names == sorted(set(names)) for names in function.seen.values())

    in_virtual_time(play)


@pytest.mark.parametrize("seed", range(5))
def test_a_function_that_outlasts_the_visibility_timeout_never_meets_its_own_group(seed: int) -> None:
    """SQS hands the group out again; the pool keeps it apart."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=5)
        for group in range(3):
            _send(queue, f"g{group}", 4)
        function = Groups(queue, takes_s=12.0)
        async with playing(queue_mapping(EventSourceArn=ARN), FakeQueueSource(queue), function.target):
            await anyio.sleep(300)

        assert function.overlaps == []

    in_virtual_time(play, seed=seed)


def test_a_later_message_of_a_group_waits_for_the_one_that_outlasts_its_visibility() -> None:
    """I3: SQS hands both out by then; the earlier one is not run again, and the later one not beside it."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=5)
        _send(queue, "g", 1)
        function = Groups(queue, takes_s=12.0)
        async with playing(queue_mapping(EventSourceArn=ARN), FakeQueueSource(queue), function.target):
            await eventually(lambda: function.running)
            queue.send("g/001", "g")
            await eventually(lambda: not queue.messages)

        assert function.overlaps == []
        assert function.seen["g"] == ["g/000", "g/001"]

    in_virtual_time(play)


def test_one_failing_group_leaves_the_others_at_full_speed() -> None:
    """It blocks itself only: its later messages wait, the others do not."""

    async def play(failing: str) -> float:
        queue = _queue()
        for group in range(10):
            _send(queue, f"g{group}", 10)
        function = Groups(queue, failing=failing)
        mapping = queue_mapping(EventSourceArn=ARN, BatchSize=1)
        async with playing(mapping, FakeQueueSource(queue), function.target):
            begun = anyio.current_time()
            await eventually(lambda: all(failing and m.group == failing for m in queue.messages.values()))
            took = anyio.current_time() - begun
        if failing:
            assert set(function.seen[failing]) == {f"{failing}/000"}
            assert len(queue.messages) == 10
        return took

    times: dict[str, float] = {}

    async def both() -> None:
        for failing in ("", "g3"):
            times[failing] = await play(failing)

    in_virtual_time(both)
    assert times["g3"] <= times[""] * 1.2 + 1.0


def test_fifo_retries_a_failed_group_from_its_failed_message() -> None:
    """Nothing behind it is delivered before it succeeds."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=10)
        _send(queue, "g", 5)
        outcomes: list[Outcome] = [FAILED, FAILED]
        delivered: list[list[str]] = []

        async def function(invocation: Invocation) -> Outcome:
            delivered.append([r["body"] for r in orjson.loads(invocation.payload)["Records"]])
            return outcomes.pop(0) if outcomes else Succeeded(payload=b"")

        mapping = queue_mapping(EventSourceArn=ARN, BatchSize=2)
        async with playing(mapping, FakeQueueSource(queue), MemoryTarget(function)):
            await eventually(lambda: not queue.messages)

        assert delivered[:3] == [["g/000", "g/001"]] * 3
        assert [name for batch in delivered[2:] for name in batch] == [f"g/{n:03}" for n in range(5)]

    in_virtual_time(play)
