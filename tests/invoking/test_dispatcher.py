"""Asynchronous events: when they are run, what is kept of them, and who is told of their end."""

from dataclasses import replace

import anyio
import pytest

from mappings.functions import Function, UrlFunction
from poller.core.async_events import Condition, QueuedEvent
from poller.core.outcomes import LostReply, Outcome, Succeeded, Throttled, Unreachable
from poller.errors import DestinationGone, DestinationUnavailable, StateUnavailable
from poller.interfaces import Invocation
from tests.invoking.stage import AUDIT, BAD, DEAD, FAILED, GOOD, Events, Functions, KeptEventQueue
from tests.loop.stage import eventually, in_virtual_time

BURIED = {"audit": replace(AUDIT, dead_letter=DEAD)}


def test_an_event_is_run_at_once_and_told_of() -> None:
    """Under the id it was accepted with, at the version that its qualifier means."""

    async def scenario() -> None:
        events = Events()
        await events.configure("live", on_success=GOOD, on_failure=BAD)
        async with events.dispatching():
            await events.accept(7, qualifier="live")
            await eventually(lambda: GOOD in events.destinations.records, within_s=2)
        ((_, invocation),) = events.functions.seen
        assert (invocation.request_id, invocation.payload) == ("id-7", b'{"number":7}')
        assert invocation.version == "3"
        assert invocation.function_arn.endswith(":function:audit:live")
        (record,) = events.destinations.records[GOOD]
        assert record.condition is Condition.SUCCESS
        assert await events.empty()

    in_virtual_time(scenario)


def test_an_event_that_fails_is_run_three_times_and_then_buried_and_told_of() -> None:
    """At 0, 60 and 180 seconds, each time under the same id."""

    async def scenario() -> None:
        events = Events(functions=Functions(lambda _: FAILED), listed=BURIED)
        await events.configure(on_failure=BAD)
        async with events.dispatching():
            await events.accept()
            await eventually(lambda: BAD in events.destinations.records)
        assert events.functions.times == pytest.approx([0, 60, 180], abs=3)
        assert set(events.functions.request_ids) == {"id-1"}
        (letter,) = events.destinations.letters[DEAD]
        assert (letter.request_id, letter.error_code, letter.error_message) == ("id-1", 200, "no")
        (record,) = events.destinations.records[BAD]
        assert record.condition is Condition.RETRIES_EXHAUSTED
        assert await events.empty()

    in_virtual_time(scenario)


@pytest.mark.parametrize("refusal", [Throttled(reserved=True), Unreachable(reason="x", status_code=502)])
def test_refusals_are_retried_until_the_function_takes_the_event(refusal: Outcome) -> None:
    """Ever more slowly, and without using up its attempts."""

    async def scenario() -> None:
        events = Events()
        events.functions.react = lambda _: (
            refusal if len(events.functions.seen) < 12 else Succeeded(payload=b"1")
        )
        await events.configure(on_success=GOOD)
        async with events.dispatching():
            await events.accept()
            await eventually(lambda: GOOD in events.destinations.records)
        assert len(events.functions.seen) == 12
        assert events.functions.times[-1] - events.functions.times[-2] == pytest.approx(300, abs=2)

    in_virtual_time(scenario)


def test_an_event_that_is_too_old_is_told_of_and_not_run() -> None:
    """MaximumEventAgeInSeconds of its function."""

    async def scenario() -> None:
        events = Events(functions=Functions(lambda _: Throttled()))
        await events.configure(on_failure=BAD, maximum_event_age_in_seconds=60)
        async with events.dispatching():
            await events.accept()
            await eventually(lambda: BAD in events.destinations.records)
            assert anyio.current_time() == pytest.approx(60, abs=3)
        (record,) = events.destinations.records[BAD]
        assert record.condition is Condition.EVENT_AGE_EXCEEDED

    in_virtual_time(scenario)


def test_a_concurrency_of_zero_buries_at_once() -> None:
    """The function is not run."""

    async def scenario() -> None:
        events = Events(listed={"audit": replace(AUDIT, concurrency=0, dead_letter=DEAD)})
        async with events.dispatching():
            await events.accept()
            await eventually(lambda: DEAD in events.destinations.letters, within_s=2)
        assert not events.functions.seen

    in_virtual_time(scenario)


@pytest.mark.parametrize("refusal", [DestinationUnavailable("busy"), DestinationGone("gone")])
def test_a_destination_out_of_order_holds_the_event(refusal: Exception) -> None:
    """It is told as soon as it can be, once, and the function is not run again for it."""

    async def scenario() -> None:
        events = Events(functions=Functions(lambda _: FAILED), listed=BURIED)
        await events.configure(on_failure=BAD, maximum_retry_attempts=0)
        events.destinations.refusals[BAD] = refusal  # type: ignore[assignment]
        async with events.dispatching():
            await events.accept()
            await eventually(lambda: DEAD in events.destinations.letters)
            await anyio.sleep(3600)
            assert not await events.empty()
            del events.destinations.refusals[BAD]
            await anyio.sleep(100)
        assert len(events.functions.seen) == 1
        assert len(events.destinations.letters[DEAD]) == 1

    in_virtual_time(scenario)


def test_an_end_that_was_decided_goes_where_it_was_decided() -> None:
    """Though its settings are deleted, and its function leaves the files with its dead-letter queue."""

    async def scenario() -> None:
        events = Events(functions=Functions(lambda _: FAILED), listed=BURIED)
        await events.configure(on_failure=BAD, maximum_retry_attempts=0)
        events.destinations.refusals |= {BAD: DestinationGone("gone"), DEAD: DestinationGone("gone")}
        async with events.dispatching():
            await events.accept()
            await anyio.sleep(10)
            await events.configs.remove("audit", "$LATEST")
            events.directory.listed = {}
            events.destinations.refusals.clear()
            await anyio.sleep(100)
        assert [letter.request_id for letter in events.destinations.letters[DEAD]] == ["id-1"]
        assert [record.request_id for record in events.destinations.records[BAD]] == ["id-1"]
        assert await events.empty()

    in_virtual_time(scenario)


def test_a_function_that_left_its_file_is_waited_for() -> None:
    """It may come back; its events are a matter of their age."""

    async def scenario() -> None:
        events = Events()
        events.directory.listed = {}
        async with events.dispatching():
            await events.accept()
            await anyio.sleep(60)
            events.directory.listed = {"audit": AUDIT}
            await eventually(lambda: events.functions.seen, within_s=100)
        assert await events.empty()

    in_virtual_time(scenario)


def test_no_more_events_run_at_once_than_the_function_may() -> None:
    """The rest stays in the queue, and another function is not kept from its own."""

    async def scenario() -> None:
        functions = Functions(takes_s=5)
        listed: dict[str, Function] = {
            "audit": AUDIT,
            "resize": UrlFunction(name="resize", url="http://127.0.0.1:1/"),
        }
        events = Events(functions=functions, listed=listed)
        async with events.dispatching():
            for number in range(6):
                await events.accept(number)
            await anyio.sleep(1)
            assert functions.running == 2
            await events.accept(6, function="resize")
            await anyio.sleep(1.5)
            assert functions.running == 3
            await eventually(lambda: len(functions.seen) == 7 and not functions.running)
        assert await events.empty()

    in_virtual_time(scenario)


def test_a_drain_finishes_what_runs_and_begins_nothing() -> None:
    """What waits stays in the queue."""

    async def scenario() -> None:
        events = Events(functions=Functions(takes_s=20))
        async with events.dispatching():
            for number in range(4):
                await events.accept(number)
            await anyio.sleep(1)
        assert len(events.functions.seen) == 2
        assert len(await events.queue.take(lambda _: 9, now=float("inf"))) == 2

    in_virtual_time(scenario)


def test_a_poller_that_dies_leaves_every_event_to_the_next() -> None:
    """Counts and ids go on; what was cut off is run again and is no failure."""

    async def scenario() -> None:
        queue = KeptEventQueue()
        functions = Functions(lambda _: LostReply(reason="never seen"), takes_s=1000)
        events = Events(functions=functions, queue=queue)
        async with anyio.create_task_group() as group, events.dispatching():
            await events.accept()
            await anyio.sleep(1)
            group.cancel_scope.cancel()
            await anyio.sleep(1)
        queue._taken.clear()  # as a new process finds it

        after = Events(functions=Functions(lambda _: FAILED), queue=queue)
        await after.configure(on_failure=BAD, maximum_retry_attempts=1)
        async with after.dispatching():
            await eventually(lambda: BAD in after.destinations.records)
        (record,) = after.destinations.records[BAD]
        assert after.functions.request_ids == ["id-1", "id-1"]
        assert record.members["requestContext"]["approximateInvokeCount"] == 3  # type: ignore[index]

    in_virtual_time(scenario)


class Unwritable(KeptEventQueue):
    """A queue whose disk is full while it is told so."""

    full = False

    async def update(self, event: QueuedEvent) -> None:
        """Write, if that is possible."""
        if self.full:
            raise StateUnavailable("disk full")
        await super().update(event)

    async def remove(self, event: QueuedEvent) -> bool:
        """Remove, if that is possible."""
        if self.full:
            raise StateUnavailable("disk full")
        return await super().remove(event)


def test_while_the_state_cannot_be_written_nothing_is_run_twice() -> None:
    """What came of an invocation is written as soon as it can be."""

    async def scenario() -> None:
        queue = Unwritable()
        events = Events(queue=queue)

        def react(_: Invocation) -> Outcome:
            queue.full = True
            return Succeeded(payload=b"1")

        events.functions.react = react
        async with events.dispatching():
            await events.accept()
            await anyio.sleep(600)
            queue.full = False
            await anyio.sleep(5)
        assert len(events.functions.seen) == 1
        assert await events.empty()

    in_virtual_time(scenario)


def test_while_the_state_cannot_be_written_nothing_is_begun() -> None:
    """An attempt that nobody could count is none."""

    async def scenario() -> None:
        queue = Unwritable()
        events = Events(queue=queue)
        queue.full = True
        async with events.dispatching():
            await events.accept()
            await anyio.sleep(600)
            assert not events.functions.seen
            queue.full = False
            await eventually(lambda: events.functions.seen, within_s=5)
        assert await events.empty()

    in_virtual_time(scenario)


class TakenOver(KeptEventQueue):
    """A queue whose events another worker has, once so many writes were made."""

    def __init__(self, updates: int) -> None:
        super().__init__()
        self.updates = updates

    async def update(self, event: QueuedEvent) -> None:
        """Write, while it is this worker's."""
        self.updates -= 1
        if self.updates < 0:
            await self.remove(event)
        await super().update(event)


def test_an_event_that_another_worker_has_is_not_begun() -> None:
    """Nor told of, nor written again."""

    async def scenario() -> None:
        events = Events(queue=TakenOver(0))
        await events.configure(on_success=GOOD)
        async with events.dispatching():
            await events.accept()
            await anyio.sleep(600)
        assert events.functions.seen == []
        assert events.destinations.records == {}
        assert await events.empty()

    in_virtual_time(scenario)


def test_an_event_that_is_lost_while_it_is_told_of_is_told_to_nobody_more() -> None:
    """Whoever has it now tells the rest."""

    async def scenario() -> None:
        events = Events(functions=Functions(lambda _: FAILED), listed=BURIED, queue=TakenOver(2))
        await events.configure(on_failure=BAD, maximum_retry_attempts=0)
        async with events.dispatching():
            await events.accept()
            await anyio.sleep(600)
        assert len(events.destinations.letters[DEAD]) == 1
        assert BAD not in events.destinations.records

    in_virtual_time(scenario)


class OddOnce(KeptEventQueue):
    """A queue whose first removal raises what nobody foresaw."""

    raised = False

    async def remove(self, event: QueuedEvent) -> bool:
        """Remove, but not the first time."""
        if not self.raised:
            self.raised = True
            raise ZeroDivisionError
        return await super().remove(event)


def test_an_unforeseen_error_of_a_write_repeats_the_write_alone() -> None:
    """The function is not run again, and the end is counted once (I1)."""

    async def scenario() -> None:
        events = Events(functions=Functions(lambda _: FAILED), queue=OddOnce())
        await events.configure(maximum_retry_attempts=0)
        async with events.dispatching():
            await events.accept()
            await anyio.sleep(600)
        assert len(events.functions.seen) == 1
        assert events.meter.counts["audit"].dropped["retries_exhausted"] == 1
        assert await events.empty()

    in_virtual_time(scenario)
