"""What a queue of events in a table adds to the contract of all event queues."""

import os
from collections.abc import Sequence
from dataclasses import replace

import anyio.lowlevel
import pytest

from mappings.errors import StoreUnavailable
from mappings.stores.dynamodb_table import Condition, Item, Put, Table
from poller.core.async_events import Condition as End
from poller.core.async_events import Ending, QueuedEvent, Response
from poller.errors import EventLost, StateUnavailable
from poller.events.dynamodb import OWNERS, DynamoDbEvents, events_of, parts_of
from poller.events.queue import QueueFull, QueueLimits
from poller.events.shared import SharedEventQueue
from poller.fleet import Alone
from tests.contract.test_event_queues import NOW, any_number, event, inherit, taken

LARGE = 1024 * 1024
"""The quota of an event."""
LARGEST = 6 * 1024 * 1024
"""The quota of a response."""


class Troubled(Table):
    """A table that loses answers, or refuses, when it is told to; and counts."""

    unheard: set[str]
    """Calls that are carried out and not answered, each once."""
    refused: set[str]
    """Calls that are not carried out."""
    calls: int

    @classmethod
    def of(cls, table: Table) -> "Troubled":
        """Another view of a table."""
        made = cls(table._client, table.name, table.namespace)
        made.unheard, made.refused, made.calls = set(), set(), 0
        return made

    async def get(self, partition: str, sort: str) -> Item | None:
        self._begin("get")
        return await super().get(partition, sort)

    async def query(self, partition: str) -> Sequence[Item]:
        self._begin("query")
        return await super().query(partition)

    async def put(self, partition: str, sort: str, item: Item, *, when: Condition | None = None) -> None:
        self._begin("put")
        await super().put(partition, sort, item, when=when)
        self._end("put")

    async def update(
        self,
        partition: str,
        sort: str,
        *,
        when: Condition,
        change: object,
        add: object = None,
    ) -> Item:
        self._begin("update")
        found = await super().update(partition, sort, when=when, change=change, add=add)  # type: ignore[arg-type]
        self._end("update")
        return found

    async def delete(self, partition: str, sort: str, *, when: Condition | None = None) -> None:
        self._begin("delete")
        await super().delete(partition, sort, when=when)
        self._end("delete")

    async def transact(self, puts: Sequence[Put]) -> None:
        self._begin("transact")
        await super().transact(puts)
        self._end("transact")

    def _begin(self, call: str) -> None:
        self.calls += 1
        if call in self.refused:
            raise StoreUnavailable(f"{call}: throttled")

    def _end(self, call: str) -> None:
        if call in self.unheard:
            self.unheard.discard(call)
            raise StoreUnavailable(f"{call}: no answer")


class Peer(Alone):
    """A worker of a fleet, as the test has it judge."""

    def __init__(self, me: str) -> None:
        super().__init__(me)
        self.gone: set[str] = set()
        self.heard = True

    def may_act(self, owner: str) -> bool:
        return self.heard and super().may_act(owner)

    def succession(self, owner: str) -> int | None:
        return 0 if owner in self.gone else None


class Colleague:
    """One worker with its queue."""

    def __init__(self, table: Table, name: str, limits: QueueLimits | None = None) -> None:
        self.table = Troubled.of(table)
        self.fleet = Peer(name)
        self.queue = SharedEventQueue(DynamoDbEvents(self.table), self.fleet, limits)

    async def inherit(self, *owners: str) -> int:
        """Take over what these have left, however often it takes."""
        self.fleet.gone = set(owners)
        while True:
            try:
                return await inherit(self.queue)
            except StateUnavailable:
                await anyio.lowlevel.checkpoint()


@pytest.fixture
def one(table: Table) -> Colleague:
    """A worker."""
    return Colleague(table, "w1")


@pytest.fixture
def two(table: Table) -> Colleague:
    """Another."""
    return Colleague(table, "w2")


async def kept(table: Table) -> list[str]:
    """All that stands in the table, but for the list of owners."""
    keys = [
        f"{item['pk']['S'].removeprefix(table.namespace + '/')} {item['sk']['S']}"
        async for page in table._client.get_paginator("scan").paginate(
            TableName=table.name,
            ConsistentRead=True,
            ProjectionExpression="pk, sk",
            FilterExpression="begins_with(pk, :mine)",
            ExpressionAttributeValues={":mine": {"S": f"{table.namespace}/"}},
        )
        for item in page["Items"]
    ]
    return sorted(key for key in keys if not key.startswith(OWNERS))


def answered(queued: QueuedEvent, size: int) -> QueuedEvent:
    """An event whose function answered so much that does not compress."""
    return replace(queued, response=Response(status_code=200, payload=os.urandom(size)))


async def one_of(queue: SharedEventQueue, now: float = NOW) -> QueuedEvent:
    """The only event that is due."""
    (found,) = await queue.take(any_number, now=now)
    return found


# ----- payloads


async def test_payloads_larger_than_an_item_are_kept_and_leave_nothing(one: Colleague, table: Table) -> None:
    """An event may have 1 MiB and a response 6 MB, an item 400 KB; what is replaced goes at once."""
    large = event(payload=os.urandom(LARGE))
    await one.queue.add(large)
    assert await one_of(one.queue) == large

    first, last = answered(large, LARGEST), answered(large, LARGE)
    await one.queue.put_back(first)
    assert await one_of(one.queue) == first
    await one.queue.update(last)
    await one.queue.put_back(last)
    assert await one_of(one.queue) == last
    assert len(await kept(table)) == 1 + 3 + 3

    await one.queue.remove(last)
    assert await kept(table) == []


async def test_a_small_event_is_one_item_and_leaves_nothing(one: Colleague, table: Table) -> None:
    """Its payload and response are in it."""
    await one.queue.add(event())
    found = await one_of(one.queue)
    assert await kept(table) == [f"{events_of('w1')} id-1"]

    await one.queue.update(replace(found, response=Response(status_code=200, payload=b"{}")))
    await one.queue.remove(found)
    assert await kept(table) == []


async def test_an_event_that_was_never_taken_is_removed_whole(one: Colleague, table: Table) -> None:
    """With what is beside it."""
    await one.queue.add(event(payload=os.urandom(LARGE)))
    await one.queue.remove(event())

    assert await kept(table) == []


async def test_a_response_that_stays_is_not_written_again(one: Colleague, table: Table) -> None:
    """Six megabytes for each destination that is told would be much."""
    await one.queue.add(event())
    far = answered(await one_of(one.queue), LARGEST)
    await one.queue.update(far)
    before = await kept(table)
    one.table.calls = 0
    await one.queue.put_back(replace(far, due_at=NOW + 1))

    assert one.table.calls == 1
    assert await kept(table) == before


async def test_an_idle_look_asks_the_table_nothing(one: Colleague) -> None:
    """Nothing is due, or no line has room."""
    await one.queue.add(event(1, due_at=NOW + 60))
    await one.queue.add(event(2))
    one.table.calls = 0

    assert not await one.queue.take(lambda _: 0, now=NOW)
    assert await one.queue.take(any_number, now=NOW - 1) == []
    assert one.table.calls == 0


# ----- lost answers and outages


async def test_an_event_is_accepted_although_the_answer_was_lost(one: Colleague) -> None:
    """It is there: that is read."""
    await one.queue.add(event(1))
    one.table.unheard = {"put"}
    await one.queue.add(event(2))

    assert sorted(await taken(one.queue)) == ["id-1", "id-2"]


async def test_a_lost_answer_to_the_first_write_of_all_does_no_harm(one: Colleague) -> None:
    """The client is told that it was not accepted, and may try again."""
    one.table.unheard = {"put"}
    with pytest.raises(StateUnavailable):
        await one.queue.add(event(1))
    await one.queue.add(event(2))

    assert await taken(one.queue) == ["id-2"]


async def test_what_was_written_unheard_and_unseen_is_found_later(one: Colleague) -> None:
    """Whoever sent it does not know; it is run, and counts, like any other."""
    await one.queue.add(event(1))
    one.table.unheard, one.table.refused = {"put"}, {"get"}
    with pytest.raises(StateUnavailable):
        await one.queue.add(event(2))
    one.table.refused = set()

    assert await taken(one.queue) == ["id-1"]
    await inherit(one.queue)
    assert await taken(one.queue) == ["id-2"]


async def test_progress_may_be_written_again(one: Colleague, table: Table) -> None:
    """What the write nobody heard of has left is removed."""
    await one.queue.add(event())
    far = answered(await one_of(one.queue), LARGE)
    for write in (one.queue.update, one.queue.put_back):
        far = answered(far, LARGE)
        one.table.unheard = {"update"}
        with pytest.raises(StateUnavailable):
            await write(far)
        await write(far)

    assert await one_of(one.queue) == far
    assert len(await kept(table)) == 1 + 3


@pytest.mark.parametrize("heard", [0, 1, 2])
async def test_a_removal_may_be_made_again(one: Colleague, table: Table, heard: int) -> None:
    """Wherever it was cut off."""
    await one.queue.add(event(payload=os.urandom(LARGE)))
    found = await one_of(one.queue)
    deletes = iter(range(100))

    class Cut(Troubled):
        async def delete(self, partition: str, sort: str, *, when: Condition | None = None) -> None:
            await super().delete(partition, sort, when=when)
            if next(deletes) == heard:
                raise StoreUnavailable("no answer")

    one.table.__class__ = Cut
    with pytest.raises(StateUnavailable):
        await one.queue.remove(found)
    await one.queue.remove(found)

    assert await kept(table) == []


@pytest.mark.parametrize("call", ["put", "get", "update", "delete"])
async def test_a_throttled_table_loses_nothing(one: Colleague, table: Table, call: str) -> None:
    """Each write says that it could not be made, and can be made later."""
    await one.queue.add(event())
    one.table.refused = {call}

    async def steps() -> None:
        if call == "put":
            await one.queue.add(event(2, payload=os.urandom(LARGE)))
        found = await one_of(one.queue)
        await one.queue.update(replace(found, running=True))
        await one.queue.remove(found)

    with pytest.raises(StateUnavailable):
        await steps()
    one.table.refused = set()
    for each in await one.queue.take(any_number, now=NOW) or [event()]:
        await one.queue.remove(each)
    assert await kept(table) == []


async def test_what_cannot_be_read_now_is_taken_later(one: Colleague, table: Table) -> None:
    """And does not keep the others waiting."""
    await one.queue.add(event(1, payload=os.urandom(LARGE)))
    one.table.refused = {"get"}
    with pytest.raises(StateUnavailable):
        await one.queue.take(any_number, now=NOW)
    one.table.refused = set()
    await one.queue.add(event(2))
    parts = {str(item["sk"]): item["data"] for item in await table.query(parts_of("id-1"))}
    for name in parts:
        await table.delete(parts_of("id-1"), name)

    assert await taken(one.queue) == ["id-2"]
    for name, data in parts.items():
        await table.put(parts_of("id-1"), name, {"data": data})
    assert await taken(one.queue) == ["id-1"]


# ----- taking over


async def test_what_a_worker_leaves_is_taken_over_whole(one: Colleague, two: Colleague, table: Table) -> None:
    """How far it was, what it runs and what waits; then nothing is left of the other."""
    large = event(1, payload=os.urandom(LARGE))
    for each in (large, event(2), event(3, due_at=NOW + 60)):
        await one.queue.add(each)
    assert len(await one.queue.take(any_number, now=NOW)) == 2
    running = answered(replace(large, running=True, delivered=1), LARGE)
    ended = replace(event(2), ending=Ending(condition=End.SUCCESS, at=NOW))
    await one.queue.update(running)
    await one.queue.put_back(ended)

    assert await two.inherit("w1") == 3

    found = {each.request_id: each for each in await two.queue.take(any_number, now=NOW + 60)}
    assert found == {"id-1": running, "id-2": ended, "id-3": event(3, due_at=NOW + 60)}
    assert [item["sk"] for item in await table.query(OWNERS)] == ["w2"]
    for each in found.values():
        await two.queue.remove(each)
    assert await kept(table) == []


async def test_of_two_one_takes_each_event_over(one: Colleague, two: Colleague, table: Table) -> None:
    """Whatever they read at the same time."""
    numbers = range(60)
    for number in numbers:
        await one.queue.add(event(number))
    heirs = [two, Colleague(table, "w3"), Colleague(table, "w4")]

    async with anyio.create_task_group() as group:
        for heir in heirs:
            group.start_soon(heir.inherit, "w1")

    found = [request_id for heir in heirs for request_id in await taken(heir.queue)]
    assert sorted(found) == sorted(f"id-{number}" for number in numbers)
    assert await table.query(events_of("w1")) == []
    for heir in heirs:
        await heir.inherit("w1")
    assert "w1" not in {item["sk"] for item in await table.query(OWNERS)}


async def test_a_lost_answer_while_taking_over_loses_nothing(one: Colleague, two: Colleague) -> None:
    """What was moved is found at the next look."""
    await one.queue.add(event(1))
    two.table.unheard = {"transact"}
    two.fleet.gone = {"w1"}
    with pytest.raises(StateUnavailable):
        await inherit(two.queue)

    assert await two.inherit("w1") == 0
    assert await taken(two.queue) == ["id-1"]


async def test_a_worker_whose_events_were_taken_over_writes_nothing(
    one: Colleague, two: Colleague, table: Table
) -> None:
    """It may wake up at any moment, with an event that another has run meanwhile."""
    for number in range(4):
        await one.queue.add(event(number, payload=os.urandom(LARGE // 2)))
    mine = await one.queue.take(any_number, now=NOW)
    await two.inherit("w1")
    before = await kept(table)

    with pytest.raises(EventLost):
        await one.queue.update(answered(replace(mine[0], running=True), LARGE))
    await one.queue.put_back(answered(mine[1], LARGE))
    await one.queue.remove(mine[2])

    assert await kept(table) == before
    assert sorted(await two.queue.take(any_number, now=NOW), key=lambda each: each.request_id) == mine
    assert await taken(one.queue) == []


async def test_an_event_that_is_still_written_is_not_taken_over_as_it_was(
    one: Colleague, two: Colleague, table: Table
) -> None:
    """Between reading and moving it its owner may have begun it: that would be forgotten. The others move."""
    await one.queue.add(event())
    mine = replace(await one_of(one.queue), running=True, delivered=1)
    await one.queue.add(event(2))
    await one.queue.add(event(3))

    class Late(Troubled):
        async def transact(self, puts: Sequence[Put]) -> None:
            if not (await table.get(events_of("w1"), "id-1") or {}).get("revision"):
                await one.queue.update(mine)
            await super().transact(puts)

    two.table.__class__ = Late
    assert await two.inherit("w1") == 2
    assert await taken(two.queue) == ["id-2", "id-3"]
    assert await two.inherit("w1") == 1
    assert await one_of(two.queue) == mine


async def test_a_worker_that_was_taken_for_dead_accepts_nothing(
    one: Colleague, two: Colleague, table: Table
) -> None:
    """Nobody would look for it; under its next name it accepts again, and has nothing of before."""
    await one.queue.add(event(1))
    await two.inherit("w1")
    with pytest.raises(StateUnavailable):
        await one.queue.add(event(2, payload=os.urandom(LARGE)))
    assert await kept(table) == [f"{events_of('w2')} id-1"]

    one.fleet.me = "w1 again"
    await one.queue.add(event(3))
    assert await taken(one.queue) == ["id-3"]


async def test_a_worker_that_was_taken_for_dead_takes_nothing_over(
    one: Colleague, two: Colleague, table: Table
) -> None:
    """It does not know yet; what it moved would be lost with it."""
    await one.queue.add(event(1))
    await two.queue.add(event(2))
    two.fleet.gone, three = {"w1"}, Colleague(table, "w3")
    await DynamoDbEvents(table).close("w2")
    with pytest.raises(StateUnavailable):
        await inherit(two.queue)

    assert await three.inherit("w2") == 1
    with pytest.raises(StateUnavailable):
        await inherit(two.queue)
    assert await three.inherit("w1") == 1
    assert sorted(await taken(three.queue)) == ["id-1", "id-2"]


async def test_an_owner_that_is_listed_anew_is_not_struck_out_by_who_saw_it_before(table: Table) -> None:
    """Whoever looked earlier, and found nothing left, knows nothing of what came since."""
    events = DynamoDbEvents(table)
    first = await events.announce("w1")
    assert await events.announce("w1") == first
    closed = await events.close("w1")
    assert closed == first
    await events.forget("w1", closed)
    assert await events.close("w1") is None
    second = await events.announce("w1")

    await events.forget("w1", closed)

    assert await events.is_open("w1", second)
    assert not await events.is_open("w1", first)


async def test_a_worker_under_another_name_does_not_take_over_what_it_still_works_on(one: Colleague) -> None:
    """Two of its tasks would run the same event; when the first is over, it may."""
    await one.queue.add(event(1))
    await one.queue.add(event(2))
    await one.queue.add(event(3, due_at=NOW + 60))
    first, second = await one.queue.take(any_number, now=NOW)
    one.fleet.me = "w1 again"

    assert await one.inherit("w1") == 1
    with pytest.raises(EventLost):
        await one.queue.update(first)
    await one.queue.put_back(second)
    assert await one.inherit("w1") == 2

    assert sorted(await taken(one.queue, NOW + 60)) == ["id-1", "id-2", "id-3"]


async def test_an_event_that_could_not_be_read_before_the_name_changed_may_be_taken_over(
    one: Colleague,
) -> None:
    """Nobody works on it."""
    await one.queue.add(event())

    class Late(Troubled):
        async def get(self, partition: str, sort: str) -> Item | None:
            one.fleet.me = "w1 again"
            await inherit(one.queue)
            raise StoreUnavailable("too late")

    one.table.__class__ = Late
    with pytest.raises(StateUnavailable):
        await one.queue.take(any_number, now=NOW)
    one.table.__class__ = Troubled

    assert await one.inherit("w1") == 1
    assert await taken(one.queue) == ["id-1"]


async def test_a_worker_that_is_not_heard_begins_nothing(one: Colleague) -> None:
    """The others may be about to take its events over."""
    await one.queue.add(event())
    one.fleet.heard = False
    assert await taken(one.queue) == []

    one.fleet.heard = True
    assert await taken(one.queue) == ["id-1"]


async def test_what_is_taken_over_counts_against_the_limits(one: Colleague, table: Table) -> None:
    """It was accepted, so it comes in; what is new waits."""
    await one.queue.add(event(1))
    await one.queue.add(event(2))
    small = Colleague(table, "w2", QueueLimits(events=2))
    await small.queue.add(event(3))
    await small.inherit("w1")

    with pytest.raises(QueueFull):
        await small.queue.add(event(4))
    assert sorted(await taken(small.queue)) == ["id-1", "id-2", "id-3"]


async def test_parts_are_where_the_event_is_looked_for_by_its_id(one: Colleague, table: Table) -> None:
    """They need not move when it does."""
    await one.queue.add(event(payload=os.urandom(LARGE)))

    assert len(await table.query(parts_of("id-1"))) == 3
