"""What every lease store promises; each implementation passes the same tests."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from poller.core.leasing import Lease
from poller.core.records import Position
from poller.core.timewindow import TimeWindow, WindowState
from poller.errors import LeaseLost
from poller.interfaces import LeaseStore
from tests.contract.stores import state_of


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LeaseStore]:
    """An empty store of each kind."""
    async with state_of(request, tmp_path) as state:
        yield state.leases


def lease(shard: str = "s1", mapping: str = "m") -> Lease:
    """A lease nobody holds."""
    return Lease(
        mapping=mapping,
        shard=shard,
        incarnation="one",
        checkpoint=Position.at_timestamp(12.25),
        parents=("p1", "p2"),
    )


async def test_a_created_lease_is_listed_whole(store: LeaseStore) -> None:
    """Every field comes back, in the order of shard ids, for its mapping alone."""
    await store.create([lease("s2"), lease("s1"), lease("s1", mapping="other")])

    assert list(await store.list("m")) == [lease("s1"), lease("s2")]


async def test_one_lease_is_found_by_its_mapping_and_shard(store: LeaseStore) -> None:
    """As it is now; None where there is none."""
    await store.create([lease("s1"), lease("s2"), lease("s1", mapping="other")])
    held = await store.take(lease("s2"), "w1")

    assert await store.get("m", "s1") == lease("s1")
    assert await store.get("m", "s2") == held
    assert await store.get("m", "s3") is None


async def test_mappings_that_have_leases_are_known(store: LeaseStore) -> None:
    """For whoever looks at the whole, or takes it elsewhere."""
    await store.create([lease("s1"), lease("s1", mapping="other")])
    assert list(await store.mappings()) == ["m", "other"]

    await store.delete(await store.list("m"))
    assert list(await store.mappings()) == ["other"]


async def test_a_checkpoint_says_when_it_was_written(store: LeaseStore) -> None:
    """For people; nothing depends on it."""
    await store.create([lease()])
    before = time.time()
    await store.checkpoint(await store.take(lease(), "w1"), Position.after("1"))

    written_at = (await store.list("m"))[0].written_at
    assert written_at is None or before - 0.01 <= written_at <= time.time()


async def test_creating_again_changes_nothing(store: LeaseStore) -> None:
    """A lease that exists keeps its checkpoint."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    await store.checkpoint(held, Position.after("7"))

    await store.create([lease()])

    assert (await store.list("m"))[0].checkpoint == Position.after("7")


async def test_a_checkpoint_is_kept_and_never_goes_back(store: LeaseStore) -> None:
    """A later one moves it, an earlier one does not."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")

    held = await store.checkpoint(held, Position.after("10"))
    held = await store.checkpoint(held, Position.after("9"))

    assert held.checkpoint == Position.after("10")
    assert (await store.list("m"))[0].checkpoint == Position.after("10")


WINDOW = WindowState(window=TimeWindow(start=60, end=120), state=b'{"n":1.0,"a:b":"\\u00e9"}')


async def test_a_window_is_kept_with_the_checkpoint_it_was_written_with(store: LeaseStore) -> None:
    """To the byte; whoever takes the lease next goes on with it."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")

    held = await store.checkpoint(held, Position.after("10"), WINDOW)
    await store.request(held, "w3")
    await store.release(held)

    (free,) = await store.list("m")
    assert free.window == WINDOW
    assert (await store.take(free, "w2")).window == WINDOW


async def test_a_window_is_closed_where_the_checkpoint_stands(store: LeaseStore) -> None:
    """Its final invocation finishes no record."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    held = await store.checkpoint(held, Position.after("10"), WINDOW)
    closed = WindowState(window=TimeWindow(start=120, end=180), state=None)

    held = await store.checkpoint(held, Position.after("10"), closed)

    (row,) = await store.list("m")
    assert (row.checkpoint, row.window) == (Position.after("10"), closed)


async def test_a_lease_is_created_as_it_is(store: LeaseStore) -> None:
    """Owner, epoch and window too: it was removed from the store, or comes from another one."""
    await store.create([lease("s2")])
    held = replace(lease(), owner="w1", epoch=4, counter=9, claimant="w2", window=WINDOW)

    await store.create([held])

    assert await store.get("m", "s1") == held
    assert (await store.checkpoint(held, Position.after("10"), WINDOW)).window == WINDOW


async def test_an_earlier_checkpoint_does_not_bring_its_window_back(store: LeaseStore) -> None:
    """What it counted would be counted twice."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    held = await store.checkpoint(held, Position.after("10"), WINDOW)

    await store.checkpoint(held, Position.after("9"))

    assert (await store.list("m"))[0].window == WINDOW


async def test_of_two_takers_one_wins(store: LeaseStore) -> None:
    """The other is told."""
    await store.create([lease()])
    won = await store.take(lease(), "w1")

    with pytest.raises(LeaseLost):
        await store.take(lease(), "w2")
    assert won.owner == "w1"


async def test_an_owner_that_was_replaced_writes_nothing(store: LeaseStore) -> None:
    """Its checkpoint, renewal and release are refused; the row stays with the later owner."""
    await store.create([lease()])
    old = await store.take(lease(), "w1")
    new = await store.take(old, "w2")

    with pytest.raises(LeaseLost):
        await store.checkpoint(old, Position.after("99"))
    with pytest.raises(LeaseLost):
        await store.decline(old)
    with pytest.raises(LeaseLost):
        await store.release(old)
    assert list(await store.list("m")) == [new]


async def test_a_released_lease_may_be_taken_and_keeps_its_epoch(store: LeaseStore) -> None:
    """The next owner's epoch is higher still."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    await store.release(held)

    (free,) = await store.list("m")
    taken = await store.take(free, "w2")

    assert free.owner is None
    assert taken.epoch == held.epoch + 1


async def test_a_request_reaches_the_owner_and_survives_its_writes(store: LeaseStore) -> None:
    """What it gives up is kept for the claimant, who takes it under a new epoch."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    await store.request(held, "w2")

    held = await store.checkpoint(held, Position.after("3"))
    (asked,) = await store.list("m")
    await store.release(held)
    (free,) = await store.list("m")
    taken = await store.take(free, "w2")

    assert (asked.owner, asked.claimant, asked.checkpoint) == ("w1", "w2", Position.after("3"))
    assert (free.owner, free.claimant) == (None, "w2")
    assert (taken.owner, taken.claimant, taken.epoch) == ("w2", None, held.epoch + 1)


async def test_a_request_may_be_declined(store: LeaseStore) -> None:
    """Then another may ask; of two that saw the same row one is noted."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    await store.request(held, "w2")
    with pytest.raises(LeaseLost):
        await store.request(held, "w3")
    await store.decline(held)

    (kept,) = await store.list("m")
    await store.request(kept, "w3")

    assert kept.claimant is None
    assert (await store.list("m"))[0].claimant == "w3"


async def test_a_free_lease_is_not_asked_for(store: LeaseStore) -> None:
    """It is taken."""
    await store.create([lease()])

    with pytest.raises(LeaseLost):
        await store.request(lease(), "w2")


async def test_long_sequence_numbers_are_compared_as_numbers(store: LeaseStore) -> None:
    """Kinesis has up to 56 digits, more than the numbers of a store hold."""
    low, high = "9" * 55, "1" + "0" * 55
    await store.create([lease()])
    held = await store.take(lease(), "w1")

    held = await store.checkpoint(held, Position.after(high))
    held = await store.checkpoint(held, Position.after(low))

    assert held.checkpoint == Position.after(high)
    assert (await store.checkpoint(held, Position.shard_end())).checkpoint.ended
    assert (await store.checkpoint(held, Position.after(high))).checkpoint.ended


async def test_a_shard_of_a_recreated_stream_is_another_one(store: LeaseStore) -> None:
    """Its epochs begin anew: the owner of the earlier one writes nothing into it."""
    await store.create([lease()])
    old = await store.take(lease(), "w1")
    await store.delete([old])
    again = replace(lease(), incarnation="two")
    await store.create([again])
    await store.take(again, "w1")

    with pytest.raises(LeaseLost):
        await store.checkpoint(old, Position.after("99"))


async def test_a_deleted_lease_is_gone(store: LeaseStore) -> None:
    """Its owner notices at the next write."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    await store.delete([held])

    assert list(await store.list("m")) == []
    with pytest.raises(LeaseLost):
        await store.checkpoint(held, Position.after("1"))


async def test_a_cleared_mapping_has_no_leases(store: LeaseStore) -> None:
    """Those of other mappings stay, and clearing it again is no error."""
    await store.create([lease(), lease("s2"), replace(lease(), mapping="other")])

    await store.clear("m")
    await store.clear("m")

    assert list(await store.list("m")) == []
    assert list(await store.mappings()) == ["other"]


async def test_concurrent_checkpoints_of_many_shards_all_arrive(store: LeaseStore) -> None:
    """Writes that share a commit do not lose each other."""
    shards = [f"s{n:02}" for n in range(40)]
    await store.create([lease(shard) for shard in shards])

    async def work(shard: str) -> None:
        held = await store.take(lease(shard), "w1")
        for number in range(1, 6):
            held = await store.checkpoint(held, Position.after(str(number)))

    async with anyio.create_task_group() as group:
        for shard in shards:
            group.start_soon(work, shard)

    assert {str(row.checkpoint) for row in await store.list("m")} == {"AFTER_SEQUENCE_NUMBER:5"}


async def test_one_stale_write_does_not_spoil_the_commit_it_shares(store: LeaseStore) -> None:
    """The others of the same moment are durable."""
    await store.create([lease("s1"), lease("s2")])
    stale = await store.take(lease("s1"), "w1")
    await store.take(stale, "w2")
    held = await store.take(lease("s2"), "w1")

    async def stale_write() -> None:
        with pytest.raises(LeaseLost):
            await store.checkpoint(stale, Position.after("5"))

    async with anyio.create_task_group() as group:
        group.start_soon(stale_write)
        group.start_soon(store.checkpoint, held, Position.after("5"))

    positions = [str(row.checkpoint) for row in await store.list("m")]
    assert positions == ["AT_TIMESTAMP:12.25", "AFTER_SEQUENCE_NUMBER:5"]
