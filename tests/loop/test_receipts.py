"""A receipt is a lease: no message is dead-lettered unrun, run twice, or run out of order for our sake.

Each test is a fault that was seen, with its figure at 0 (faults 5 to 10 and 16, semantics 2.3.3 and 2.10.3).
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import orjson
import pytest
from structlog.testing import capture_logs

from poller.core.outcomes import FunctionError, Outcome, Succeeded, Throttled, Unreachable
from poller.core.records import Record
from poller.interfaces import Invocation, Unsettled
from poller.targets.memory import MemoryTarget
from poller.telemetry import Log
from tests.fakes.faults import Fault, FaultKind, Faults
from tests.fakes.history import History, Received, Renewed, Shown
from tests.fakes.sqs import FakeQueue, FakeQueueReader, FakeQueueSource
from tests.fakes.wire import Wire
from tests.loop.stage import CLOCK, eventually, in_virtual_time, playing, queue_mapping

FIFO = "arn:aws:sqs:us-east-1:000000000000:orders.fifo"
OK = Succeeded(payload=b"null")
MATCHING: dict[str, Any] = {"FilterCriteria": {"Filters": [{"Pattern": '{"body":[{"prefix":"yes"}]}'}]}}


def _queue(*faults: Fault, **options: Any) -> FakeQueue:
    history = History()
    struck = Faults(faults, seed=0, clock=CLOCK, history=history)
    wire = Wire("queue", faults=struck, chance=random.Random(0))
    return FakeQueue(wire, clock=CLOCK, history=history, **options)


def _fault(kind: FaultKind, *, until: float = float("inf"), start: float = 0.0) -> Fault:
    return Fault(kind=kind, place="queue", start=start, end=until)


def _fill(queue: FakeQueue, count: int, *, group: str | None = None, prefix: str = "") -> None:
    for number in range(count):
        queue.send(f"{prefix}{number:03}", group)


def _receives(queue: FakeQueue) -> Counter[str]:
    """How often each message was handed out."""
    return Counter(event.record for event in queue.history.events if isinstance(event, Received))


class Run:
    """A function that keeps when each message ran, and how many invocations ran at once."""

    def __init__(
        self, react: Callable[[Sequence[str]], Outcome] | None = None, *, takes_s: float = 0.0
    ) -> None:
        self.ran: list[str] = []
        self.running: set[str] = set()
        self.beside: list[str] = []
        """Messages that were begun while they ran."""
        self.target = MemoryTarget(self._run)
        self._react = react or (lambda _: OK)
        self._takes_s = takes_s

    async def _run(self, invocation: Invocation) -> Outcome:
        names = [str(record["body"]) for record in orjson.loads(invocation.payload)["Records"]]
        outcome = self._react(names)
        if isinstance(outcome, Throttled | Unreachable):
            return outcome
        self.beside += [name for name in names if name in self.running]
        self.ran += names
        self.running.update(names)
        await anyio.sleep(self._takes_s)
        self.running.difference_update(names)
        return outcome

    @property
    def twice(self) -> list[str]:
        """What ran more than once."""
        return [name for name, times in Counter(self.ran).items() if times > 1]


class Line(MemoryTarget):
    """A function with so many slots: who finds none waits in line, as in the function host."""

    def __init__(self, run: Run, slots: int, *, patience_s: float = 10.0) -> None:
        super().__init__(run._run)
        self._slots = anyio.Semaphore(slots)
        self._patience_s = patience_s

    async def invoke(self, invocation: Invocation) -> Outcome:
        with anyio.move_on_after(self._patience_s) as waiting:
            await self._slots.acquire()
        if waiting.cancelled_caught:
            return Throttled(reserved=True)
        try:
            return await super().invoke(invocation)
        finally:
            self._slots.release()


def _refuses_until(seconds: float, refusal: Outcome) -> Callable[[Sequence[str]], Outcome]:
    return lambda _: refusal if anyio.current_time() < seconds else OK


# ----- shutdown


def test_what_arrives_in_open_polls_after_sigterm_runs() -> None:
    """Faults 10: five idle polls, three messages a second later, maxReceiveCount 3: none is dead-lettered."""

    async def play() -> None:
        queue = _queue(max_receive_count=3)
        run = Run()
        async with playing(queue_mapping(BatchSize=1), FakeQueueSource(queue), run.target) as stage:
            await anyio.sleep(1)
            stage.drain.request()
            await anyio.sleep(1)
            _fill(queue, 3)
            await anyio.sleep(30)

        assert sorted(run.ran) == ["000", "001", "002"]
        assert (queue.dead_letters, queue.messages) == ([], {})

    in_virtual_time(play)


@pytest.mark.parametrize("fifo", [False, True])
def test_what_the_grace_is_too_short_for_is_given_back_once(*, fifo: bool) -> None:
    """Faults 10: no open poll of the process takes it again, so that each message loses one receive."""

    async def play() -> None:
        queue = _queue(max_receive_count=3, fifo=fifo)
        run = Run()
        mapping = queue_mapping(BatchSize=1, EventSourceArn=FIFO) if fifo else queue_mapping(BatchSize=1)
        source = FakeQueueSource(queue, timeout_s=30)
        async with playing(mapping, source, run.target, grace_s=25) as stage:
            await anyio.sleep(1)
            stage.drain.request()
            await anyio.sleep(1)
            for number in range(3):
                queue.send(f"{number}", f"g{number}")
            await anyio.sleep(30)
            assert set(_receives(queue).values()) == {1}

        assert run.ran == []
        assert queue.dead_letters == []
        assert all(message.hidden_until <= anyio.current_time() for message in queue.messages.values())

    in_virtual_time(play)


def test_a_drain_whose_deletes_unblock_a_fifo_group_spends_one_receive_at_most() -> None:
    """I16: 30 messages of one group, maxReceiveCount 1: what ran is deleted, nothing else is dead."""

    async def play() -> None:
        queue = _queue(max_receive_count=2, fifo=True)
        _fill(queue, 30, group="g")
        run = Run(takes_s=2.0)
        mapping = queue_mapping(BatchSize=1, EventSourceArn=FIFO)
        async with playing(mapping, FakeQueueSource(queue, timeout_s=3), run.target, grace_s=15) as stage:
            await eventually(lambda: len(run.ran) >= 3)
            stage.drain.request()

        assert run.ran == sorted(set(run.ran))
        assert queue.dead_letters == []
        assert set(_receives(queue).values()) == {1}

    in_virtual_time(play)


@pytest.mark.parametrize("grace_s", [900.0, 40.0])
def test_what_a_window_gathered_is_run_or_given_back_once(grace_s: float) -> None:
    """I16: 37 messages of a window of 60 s, none of which is received again by the process that drains."""

    async def play() -> None:
        queue = _queue(max_receive_count=2, visibility_timeout_s=120)
        run = Run()
        mapping = queue_mapping(BatchSize=100, MaximumBatchingWindowInSeconds=60)
        source = FakeQueueSource(queue, window_s=60, timeout_s=30)
        async with playing(mapping, source, run.target, grace_s=grace_s) as stage:
            _fill(queue, 37)
            await anyio.sleep(20)
            stage.drain.request()

        assert len(run.ran) in (0, 37)
        assert queue.dead_letters == []
        assert set(_receives(queue).values()) == {1}

    in_virtual_time(play)


# ----- late starts


@pytest.mark.parametrize("visibility_s", [30, 60])
def test_a_throttle_never_lets_a_message_run_twice(visibility_s: int) -> None:
    """Faults 6: visibility 30, timeout 10, 429 for 22 s, 50 messages."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=visibility_s)
        _fill(queue, 50)
        run = Run(_refuses_until(22, Throttled()), takes_s=9.5)
        async with playing(queue_mapping(), FakeQueueSource(queue, timeout_s=10), run.target):
            await eventually(lambda: not queue.messages)

        assert (run.twice, run.beside) == ([], [])
        assert set(_receives(queue).values()) == {1}

    in_virtual_time(play)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("visibility_s", [12, 30, 60])
def test_a_wait_in_line_never_lets_a_message_run_twice(visibility_s: int, *, known: bool) -> None:
    """Faults 6: one slot, runs as long as the timeout, 100 messages; the check stands at the start."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=visibility_s, max_receive_count=2)
        _fill(queue, 100)
        run = Run(takes_s=9.5)
        source = FakeQueueSource(queue, timeout_s=10)
        concurrency = 1 if known else None
        async with playing(queue_mapping(), source, Line(run, 1), concurrency=concurrency):
            await eventually(lambda: not queue.messages)

        assert (run.twice, run.beside, queue.dead_letters) == ([], [], [])
        assert set(_receives(queue).values()) == {1}

    in_virtual_time(play)


def test_a_message_that_may_be_somebody_elses_is_not_run() -> None:
    """Faults 6: while the process was suspended its receipts ended; the clock went on."""

    class Suspended:
        ahead_s = 0.0

        def monotonic(self) -> float:
            return anyio.current_time() + self.ahead_s

        def wall(self) -> float:
            return CLOCK.wall()

    async def play() -> None:
        queue = _queue(visibility_timeout_s=30)
        clock = Suspended()
        run = Run(_refuses_until(5, Throttled()))
        source = FakeQueueSource(queue, timeout_s=10, clock=clock)
        _fill(queue, 1)
        async with playing(queue_mapping(), source, run.target, clock=clock) as stage:
            await anyio.sleep(3)
            clock.ahead_s = 3600.0
            await eventually(lambda: stage.runner.meter.counts.lapsed == 1)
            assert run.ran == []
            await eventually(lambda: not queue.messages)

        assert run.ran == ["000"]

    in_virtual_time(play)


def test_a_window_alone_renews_nothing() -> None:
    """Faults 6: a receive hides its messages for the window and the run."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=30)
        _fill(queue, 7)
        run = Run()
        mapping = queue_mapping(BatchSize=100, MaximumBatchingWindowInSeconds=25)
        async with playing(mapping, FakeQueueSource(queue, window_s=25, timeout_s=None), run.target):
            await eventually(lambda: not queue.messages)

        assert len(run.ran) == 7
        assert not [event for event in queue.history.events if isinstance(event, Renewed)]

    in_virtual_time(play)


def test_where_renewals_are_denied_a_message_starts_while_it_is_hidden() -> None:
    """Semantics 2.10.3: as AWS does; one problem names the action."""

    async def play() -> None:
        queue = _queue(_fault(FaultKind.RENEW_DENIED), visibility_timeout_s=30)
        _fill(queue, 10)
        run = Run(_refuses_until(14, Throttled()))
        async with playing(queue_mapping(), FakeQueueSource(queue, timeout_s=10), run.target) as stage:
            await eventually(lambda: len(run.ran) == 10)
            assert anyio.current_time() < 30
            (problem,) = stage.runner.meter.problems
            assert "sqs:ChangeMessageVisibility" in problem

        assert run.twice == []

    in_virtual_time(play)


# ----- receives


def test_a_function_with_one_slot_costs_no_receive() -> None:
    """Faults 9: visibility 12, maxReceiveCount 2, 100 messages, runs of a second."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=12, max_receive_count=2)
        _fill(queue, 100)
        run = Run(takes_s=5.0)
        async with playing(queue_mapping(BatchSize=2), FakeQueueSource(queue, timeout_s=10), Line(run, 1)):
            await eventually(lambda: not queue.messages)

        assert len(run.ran) == 100
        assert (queue.dead_letters, run.twice) == ([], [])

    in_virtual_time(play)


@pytest.mark.parametrize("refusal", [Throttled(), Unreachable(reason="connection refused")], ids=repr)
def test_a_function_that_is_away_for_a_minute_costs_no_receive(refusal: Outcome) -> None:
    """Faults 9: visibility 10, maxReceiveCount 3, 200 messages."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=10, max_receive_count=3)
        _fill(queue, 200)
        run = Run(_refuses_until(60, refusal))
        async with playing(queue_mapping(), FakeQueueSource(queue, timeout_s=10), run.target):
            await anyio.sleep(59)
            held = len(_receives(queue))
            await eventually(lambda: not queue.messages)

        assert held <= 60  # what was received before it was known that nothing is taken
        assert (len(run.ran), queue.dead_letters) == (200, [])
        assert set(_receives(queue).values()) == {1}

    in_virtual_time(play)


def test_nothing_is_received_for_a_concurrency_of_zero() -> None:
    """A function that runs nothing gets nothing."""

    async def play() -> None:
        queue = _queue()
        _fill(queue, 10)
        async with playing(queue_mapping(), FakeQueueSource(queue), Run().target, concurrency=0) as stage:
            await anyio.sleep(600)
            assert stage.runner.polling

        assert not _receives(queue)

    in_virtual_time(play)


def test_two_mappings_of_one_slot_do_not_wait_for_each_others_polls() -> None:
    """A slot is taken when an invocation starts: an idle queue's long poll holds none."""

    async def play() -> None:
        idle, busy = _queue(), _queue()
        run = Run(takes_s=0.1)
        line = Line(run, 1)
        mapping = queue_mapping(BatchSize=1)
        async with (
            playing(mapping, FakeQueueSource(idle), line, concurrency=1),
            playing(mapping, FakeQueueSource(busy), line, concurrency=1),
        ):
            await anyio.sleep(1)
            _fill(busy, 20)
            begun = anyio.current_time()
            await eventually(lambda: not busy.messages)
            assert anyio.current_time() - begun < 5

    in_virtual_time(play)


# ----- deletes


@pytest.mark.parametrize(
    "kind", [FaultKind.SETTLE_UNAVAILABLE, FaultKind.DELETE_DENIED, FaultKind.DELETE_HANGS]
)
def test_what_matches_does_not_wait_for_the_deletes_of_what_does_not(kind: FaultKind) -> None:
    """Deletes that fail for 25 s, are denied or hang: the matching messages run at once."""

    async def play() -> None:
        queue = _queue(_fault(kind), max_receive_count=1)
        _fill(queue, 10, prefix="no-")
        _fill(queue, 10, prefix="yes-")
        run = Run()
        async with playing(queue_mapping(**MATCHING), FakeQueueSource(queue), run.target):
            await eventually(lambda: len(run.ran) == 10, within_s=5)

    in_virtual_time(play)


def test_a_delete_that_hangs_stops_nothing_else() -> None:
    """One DeleteMessageBatch of ten seconds, a backlog beside it."""

    async def play() -> None:
        queue = _queue(Fault(kind=FaultKind.DELETE_HANGS, place="queue", most=1))
        _fill(queue, 200)
        run = Run()
        async with playing(queue_mapping(), FakeQueueSource(queue), run.target):
            await eventually(lambda: len(run.ran) == 200, within_s=8)

    in_virtual_time(play)


# ----- FIFO


def test_a_group_whose_first_part_failed_is_given_back_behind_it() -> None:
    """I3: messages of 1 MiB, so that a receive makes two batches: nothing overtakes the part that failed."""

    async def play() -> None:
        queue = _queue(fifo=True, visibility_timeout_s=30)
        size = 1_000_000
        for number in range(10):
            queue.send(f"g{number:02}" + "x" * size, "g")
        for number in range(3):
            queue.send(f"h{number:02}", "h")
        failures = [FunctionError(error_type="Oops")]
        seen: list[str] = []

        async def function(invocation: Invocation) -> Outcome:
            names = [str(r["body"])[:3] for r in orjson.loads(invocation.payload)["Records"]]
            seen.extend(names)
            return failures.pop() if failures and names[0] == "g00" else OK

        mapping = queue_mapping(EventSourceArn=FIFO)
        async with playing(mapping, FakeQueueSource(queue, timeout_s=10), MemoryTarget(function)) as stage:
            await eventually(lambda: not queue.messages)
            assert stage.runner.meter.counts.released > 0

        of_group = [name for name in seen if name.startswith("g")]
        first = of_group.index("g00", 1)
        assert of_group[first:] == [f"g{n:02}" for n in range(10)]
        assert of_group[:first] == [f"g{n:02}" for n in range(first)]
        assert [name for name in seen if name.startswith("h")] == ["h00", "h01", "h02"]

    in_virtual_time(play)


# ----- received again


def test_a_message_received_again_while_it_runs_is_not_run_beside_itself() -> None:
    """Faults 8: it is deleted with the handle of the later receive."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=5)
        _fill(queue, 5)
        run = Run(takes_s=12.0)
        async with playing(queue_mapping(BatchSize=1), FakeQueueSource(queue), run.target):
            await eventually(lambda: not queue.messages)

        assert (run.twice, run.beside) == ([], [])
        assert max(_receives(queue).values()) > 1

    in_virtual_time(play)


def test_a_message_whose_delete_is_still_tried_is_not_run_when_it_comes_back() -> None:
    """Faults 8: it is deleted with its new handle."""

    async def play() -> None:
        queue = _queue(_fault(FaultKind.SETTLE_UNAVAILABLE, until=40), visibility_timeout_s=30)
        _fill(queue, 10)
        run = Run()
        async with playing(queue_mapping(), FakeQueueSource(queue), run.target):
            await eventually(lambda: not queue.messages)

        assert run.twice == []
        assert set(_receives(queue).values()) == {2}

    in_virtual_time(play)


# ----- what is said


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"no json", "the response is not JSON"),
        (b'{"batchItemFailures":[{"itemIdentifier":"x"}]}', "names no record"),
        (b"all", "the response is not JSON"),
    ],
)
def test_a_batch_that_failed_by_its_answer_says_so(answer: bytes, reason: str) -> None:
    """I8: at a level that is shown, with the reason and the first and last message."""

    async def play() -> None:
        queue = _queue()
        _fill(queue, 3)
        run = Run(lambda _: Succeeded(payload=answer))
        mapping = queue_mapping(FunctionResponseTypes=["ReportBatchItemFailures"])
        with capture_logs() as logs:
            async with playing(mapping, FakeQueueSource(queue), run.target):
                await eventually(lambda: run.ran)
                await anyio.sleep(1)

        failed = [entry for entry in logs if entry["event"] == Log.BATCH_FAILED]
        assert failed
        assert all(entry["log_level"] == "warning" for entry in failed)
        assert all(reason in entry["reason"] and entry["first"] and entry["last"] for entry in failed)
        assert not [entry for entry in logs if entry["event"] == Log.BATCH_SUCCEEDED]

    in_virtual_time(play)


class Refusing(FakeQueueReader):
    """Refuses every delete by its entries."""

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        return Unsettled(again=records, reason="InternalError")


class RefusingSource(FakeQueueSource):
    async def open(self, shard: Any, after: Any) -> FakeQueueReader:
        return Refusing(self._queue, process="", hide_s=self.visibility.effective_s, clock=self._queue.clock)


def test_deletes_that_fail_are_one_problem_that_receives_do_not_clear() -> None:
    """It is said when it begins, and at most every 30 s."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=60)
        _fill(queue, 400)
        run = Run()
        with capture_logs() as logs:
            async with playing(queue_mapping(), RefusingSource(queue), run.target, grace_s=1) as stage:
                await anyio.sleep(30)
                assert any(
                    "DeleteMessageBatch: InternalError" in text for text in stage.runner.meter.problems
                )

        assert len([entry for entry in logs if entry["event"] == Log.MAPPING_PROBLEM]) <= 2
        assert not [entry for entry in logs if entry["event"] == Log.MAPPING_RECOVERED]

    in_virtual_time(play)


def test_what_is_given_back_is_counted_with_its_reason() -> None:
    """A receive that was spent for nothing is seen."""

    async def play() -> None:
        queue = _queue(visibility_timeout_s=60)
        run = Run(lambda _: Throttled())
        _fill(queue, 4)
        with capture_logs() as logs:
            async with playing(queue_mapping(), FakeQueueSource(queue), run.target) as stage:
                await anyio.sleep(10)
                stage.drain.request()
                await eventually(lambda: stage.runner.meter.counts.released == 4)

        assert [entry["reason"] for entry in logs if entry["event"] == Log.RECORDS_RELEASED]
        assert len([event for event in queue.history.events if isinstance(event, Shown)]) == 4

    in_virtual_time(play)


def test_messages_that_wait_are_shown_with_their_age() -> None:
    """Waiting spends no receive and hides nothing."""

    async def play() -> None:
        queue = _queue()
        _fill(queue, 4)
        run = Run(lambda _: Throttled())
        async with playing(queue_mapping(), FakeQueueSource(queue), run.target) as stage:
            await anyio.sleep(100)
            count, age_s = stage.runner.meter.waiting()

        assert count == 4
        assert 95 < age_s <= 101

    in_virtual_time(play)
