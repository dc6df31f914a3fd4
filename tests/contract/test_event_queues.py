"""What every queue of asynchronous events promises."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from poller.aws import Aws
from poller.core.async_events import Condition, Ending, Notice, QueuedEvent, Response, Role
from poller.core.event_time import Age, Moment
from poller.errors import EventLost
from poller.events.dynamodb import DynamoDbEvents
from poller.events.memory import MemoryEventQueue
from poller.events.queue import EventQueue, QueueFull, QueueLimits, Serves
from poller.events.shared import SharedEventQueue
from poller.events.sqlite import SqliteEventQueue
from poller.events.use import Listed
from poller.fleet import Alone
from poller.state import open_file
from tests.contract.stores import fleet_table

Opening = Callable[..., AbstractAsyncContextManager[EventQueue]]
NOW = 1_800_000_000.0


def event(
    number: int = 1, *, function: str = "audit", due_at: float = NOW, payload: bytes = b"{}"
) -> QueuedEvent:
    """An accepted event."""
    return QueuedEvent(
        request_id=f"id-{number}",
        function=function,
        qualifier="live",
        function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{function}:live",
        payload=payload,
        accepted_at=NOW,
        due_at=due_at,
        age=Age(until=Moment(at=NOW, clock="wall/1")),
    )


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """How a queue of each kind is opened."""

    @asynccontextmanager
    async def memory(limits: QueueLimits | None = None, listed: Listed = tuple) -> AsyncIterator[EventQueue]:
        yield MemoryEventQueue(limits, listed)

    @asynccontextmanager
    async def sqlite(limits: QueueLimits | None = None, listed: Listed = tuple) -> AsyncIterator[EventQueue]:
        file = await open_file(tmp_path / "state.db")
        yield SqliteEventQueue(file, limits, listed)
        await file.close()

    @asynccontextmanager
    async def dynamodb(
        limits: QueueLimits | None = None, listed: Listed = tuple
    ) -> AsyncIterator[EventQueue]:
        request.getfixturevalue("dynamodb")
        async with Aws() as aws:
            yield SharedEventQueue(DynamoDbEvents(await fleet_table(aws)), Alone("w1"), limits, listed)

    return {"memory": memory, "sqlite": sqlite, "dynamodb": dynamodb}[request.param]


def any_number(_: str) -> int:
    """Room for all."""
    return 1000


def everything(_: str) -> bool:
    """A worker that lists every function."""
    return True


async def inherit(queue: EventQueue, serves: Serves = everything, *, now: float = NOW) -> int:
    """Have a queue take over what it may."""
    return await queue.inherit(serves, now=now, by_store=True)


async def taken(queue: EventQueue, now: float = NOW) -> list[str]:
    """What is due, by request id."""
    return [each.request_id for each in await queue.take(any_number, now=now)]


async def test_an_event_is_taken_as_it_was_accepted(opening: Opening) -> None:
    """Payload, names and times."""
    async with opening() as queue:
        await queue.add(event(payload='{"text":"é\\u0000"}'.encode()))

        assert list(await queue.take(any_number, now=NOW)) == [event(payload='{"text":"é\\u0000"}'.encode())]


async def test_an_event_is_taken_once(opening: Opening) -> None:
    """It is its taker's until it is put back."""
    async with opening() as queue:
        await queue.add(event())
        assert await taken(queue) == ["id-1"]
        assert await taken(queue) == []

        await queue.put_back(event())
        assert await taken(queue) == ["id-1"]


async def test_an_update_leaves_an_event_with_its_taker(opening: Opening) -> None:
    """What is written of a running invocation gives it to nobody else."""
    async with opening() as queue:
        await queue.add(event())
        await taken(queue)
        await queue.update(replace(event(), running=True))

        assert await taken(queue) == []


async def test_an_event_waits_until_it_is_due(opening: Opening) -> None:
    """And the one that has been due for longest comes first."""
    async with opening() as queue:
        await queue.add(event(1, due_at=NOW + 60))
        await queue.add(event(2, due_at=NOW + 30))

        assert await taken(queue, NOW + 29) == []
        assert await taken(queue, NOW + 60) == ["id-2", "id-1"]


async def test_each_line_has_its_own_room(opening: Opening) -> None:
    """A function with many events in work does not keep others from theirs."""
    async with opening() as queue:
        for number in range(6):
            await queue.add(event(number, function="audit" if number < 4 else "resize", due_at=NOW + number))
        room = {"audit": 2, "resize": 1}
        found = await queue.take(room.__getitem__, now=NOW + 10)

        assert sorted(each.request_id for each in found) == ["id-0", "id-1", "id-4"]


async def test_an_event_that_has_ended_waits_in_another_line(opening: Opening) -> None:
    """One for each of its destinations: none that is out of order keeps functions from being run."""
    good = Notice(role=Role.ON_SUCCESS, arn="arn:aws:sqs:eu-west-1:123456789012:good")
    ended = replace(event(), ending=Ending(condition=Condition.SUCCESS, at=NOW, pending=(good,)))
    async with opening() as queue:
        await queue.add(event())
        await taken(queue)
        await queue.put_back(ended)

        assert not await queue.take({"audit": 9, ended.line: 0}.__getitem__, now=NOW)
        assert await queue.take({"audit": 0, ended.line: 9}.__getitem__, now=NOW)


async def test_how_far_an_event_is_comes_back_whole(opening: Opening) -> None:
    """Counts, the last response and who is still to be told."""
    far = replace(
        event(),
        due_at=NOW + 5,
        running=True,
        delivered=4,
        failed=3,
        refused=2,
        interrupted=1,
        age=Age(certain_s=1.25, doubted_s=3.5, until=Moment(at=NOW + 1, clock="store/2")),
        lives_s=60.0,
        dead_letter="arn:aws:sqs:eu-west-1:123456789012:dead",
        response=Response(
            status_code=200, executed_version="3", function_error="Unhandled", payload=b"\xff{}"
        ),
        ending=Ending(
            condition=Condition.RETRIES_EXHAUSTED,
            at=NOW + 5,
            pending=(
                Notice(role=Role.DEAD_LETTER, arn="arn:aws:sqs:eu-west-1:123456789012:dead"),
                Notice(role=Role.ON_FAILURE, arn="arn:aws:sns:eu-west-1:123456789012:bad"),
            ),
            failures=2,
            age_s=5.5,
        ),
    )
    async with opening() as queue:
        await queue.add(event())
        await taken(queue)
        await queue.put_back(far)

        assert list(await queue.take(any_number, now=NOW + 5)) == [far]


async def test_an_update_of_an_event_that_is_gone_is_refused(opening: Opening) -> None:
    """So that nothing is begun that nobody would hear of."""
    async with opening() as queue:
        await queue.add(event())
        await taken(queue)
        await queue.remove(event())

        with pytest.raises(EventLost):
            await queue.update(replace(event(), running=True))


async def test_a_queue_inherits_nothing_where_nobody_has_left(opening: Opening) -> None:
    """What it has it may take, and keeps."""
    async with opening() as queue:
        await queue.add(event())

        assert await inherit(queue) == 0
        assert await taken(queue) == ["id-1"]
        assert await inherit(queue) == 0
        assert await taken(queue) == []


async def test_an_event_that_was_removed_is_gone(opening: Opening) -> None:
    """Nobody takes it again; writing of it changes nothing."""
    async with opening() as queue:
        await queue.add(event())
        await taken(queue)
        assert await queue.remove(event())
        assert not await queue.put_back(event())
        assert not await queue.remove(event())

        assert await taken(queue) == []


async def test_a_full_queue_refuses_one_event_more(opening: Opening) -> None:
    """And takes another when one is gone."""
    async with opening(QueueLimits(events=2)) as queue:
        await queue.add(event(1))
        await queue.add(event(2))
        with pytest.raises(QueueFull):
            await queue.add(event(3))

        await queue.remove(event(1))
        await queue.add(event(3))
        assert sorted(await taken(queue)) == ["id-2", "id-3"]


async def test_a_queue_holds_so_many_bytes(opening: Opening) -> None:
    """Of payloads, however few events."""
    async with opening(QueueLimits(kept_bytes=10)) as queue:
        await queue.add(event(1, payload=b"123456"))
        with pytest.raises(QueueFull):
            await queue.add(event(2, payload=b"12345"))

        await queue.add(event(3, payload=b"1234"))


@pytest.mark.parametrize("opening", ["sqlite"], indirect=True)
async def test_accepted_events_survive_the_process(opening: Opening) -> None:
    """What one process had taken, the next may take at once, and counts against the limits."""
    async with opening() as queue:
        await queue.add(event(1))
        await queue.add(event(2))
        await queue.take(any_number, now=NOW)
        await queue.update(replace(event(1), running=True, delivered=1))

    async with opening(QueueLimits(events=2)) as queue:
        with pytest.raises(QueueFull):
            await queue.add(event(3))
        found = await queue.take(any_number, now=NOW)

    assert sorted(each.request_id for each in found) == ["id-1", "id-2"]
    assert {each.request_id: each.running for each in found} == {"id-1": True, "id-2": False}


async def test_an_answer_that_is_kept_counts(opening: Opening) -> None:
    """Until its event is gone; what a new process finds counts too."""
    async with opening(QueueLimits(kept_bytes=100)) as queue:
        await queue.add(event(1))
        await taken(queue)
        answered = replace(event(1), response=Response(status_code=200, payload=b"x" * 90))
        await queue.update(answered)
        with pytest.raises(QueueFull) as full:
            await queue.add(event(2, payload=b"123456789"))
        assert (full.value.filled_by, full.value.events, full.value.kept_bytes) == ("audit", 1, 92)

        await queue.put_back(replace(answered, response=Response(status_code=200, payload=None)))
        await queue.add(event(2, payload=b"123456789"))


async def test_a_function_that_holds_much_leaves_the_others_their_part(opening: Opening) -> None:
    """Half of the limit is divided evenly; what is refused says who fills the queue."""
    async with opening(QueueLimits(events=40), lambda: ("stuck", "audit")) as queue:
        for number in range(30):
            await queue.add(event(number, function="stuck"))
        with pytest.raises(QueueFull) as full:
            await queue.add(event(30, function="stuck"))
        assert (full.value.filled_by, full.value.events) == ("stuck", 30)

        for number in range(40, 50):
            await queue.add(event(number, function="audit"))
        with pytest.raises(QueueFull):
            await queue.add(event(50, function="audit"))


async def test_an_event_that_is_passed_on_is_taken_by_a_worker_that_can_run_it(opening: Opening) -> None:
    """A queue of one process keeps it."""
    async with opening() as queue:
        await queue.add(event())
        await taken(queue)
        assert await queue.pass_on(event())
        await inherit(queue)

        assert await taken(queue) == ["id-1"]


@pytest.mark.parametrize("opening", ["sqlite"], indirect=True)
async def test_a_process_whose_clock_is_behind_waits_no_longer_for_an_event(opening: Opening) -> None:
    """A retry in a minute comes a minute after the start at the latest, whatever the clock before said."""
    ahead = NOW + 7 * 3600
    age = Age(until=Moment(at=ahead, clock="wall/1"))
    async with opening() as queue:
        await queue.add(replace(event(), due_at=ahead + 60, age=age))

    async with opening() as queue:
        assert await taken(queue) == []
        assert await taken(queue, NOW + 60) == ["id-1"]


@pytest.mark.parametrize("opening", ["sqlite"], indirect=True)
async def test_an_event_of_an_earlier_version_is_read(opening: Opening, tmp_path: Path) -> None:
    """It has no age, and its end names roles without their destinations."""
    async with opening():
        pass
    progress = {
        "request_id": "id-1",
        "function": "audit",
        "qualifier": None,
        "function_arn": event().function_arn,
        "accepted_at": NOW - 100,
        "running": False,
        "delivered": 1,
        "failed": 1,
        "refused": 0,
        "interrupted": 0,
        "response": {"status_code": 200, "executed_version": "1", "function_error": None},
        "ending": {"condition": "Success", "at": NOW, "pending": ["on_success"], "failures": 0},
    }
    with closing(sqlite3.connect(tmp_path / "state.db")) as db, db:
        row = ("id-1", "audit ended", NOW, json.dumps(progress), b"{}", b"7")
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)

    async with opening() as queue:
        (found,) = await queue.take(any_number, now=NOW)

    assert found.age == Age(until=Moment(at=NOW - 100, clock=""))
    assert found.response == Response(status_code=200, executed_version="1", payload=b"7")
    assert found.ending is not None
    assert found.ending.pending == (Notice(role=Role.ON_SUCCESS, arn=""),)
