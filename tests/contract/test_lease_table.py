"""What a lease store in a table adds to the contract of all lease stores."""

import os
import zlib
from dataclasses import replace

import anyio
import orjson
import pytest

from mappings.stores.dynamodb_table import Table, Value
from poller.core.leasing import Lease
from poller.core.records import Position
from poller.core.timewindow import TimeWindow, WindowState
from poller.interfaces import LeaseStore
from poller.leases.dynamodb import FIRST, DynamoDbLeaseStore
from poller.leases.dynamodb_items import row
from tests.contract.test_lease_stores import lease


@pytest.fixture
def store(table: Table) -> DynamoDbLeaseStore:
    """A store in it."""
    return DynamoDbLeaseStore(writes=table, scans=table)


async def test_a_write_whose_answer_was_lost_may_be_made_again(store: LeaseStore, table: Table) -> None:
    """The row tells who wrote it: the one thing KCL's renewer once got wrong."""
    await store.create([lease()])

    held = await store.take(lease(), "w1")
    assert await store.take(lease(), "w1") == held
    await store.request(held, "w2")
    await store.request(held, "w2")
    moved = await store.checkpoint(held, Position.after("5"))
    assert (await store.checkpoint(held, Position.after("5"))).checkpoint == moved.checkpoint
    await store.release(held)
    await store.release(held)

    (row,) = await store.list("m")
    assert (row.owner, row.claimant, row.epoch, row.checkpoint) == (None, "w2", 1, Position.after("5"))


async def test_a_first_listing_appears_whole(store: LeaseStore, table: Table) -> None:
    """Its maker ended half way: whoever lists next makes the rest, at the same positions."""
    leases = [lease(f"s{number}") for number in range(5)]
    await store.create(leases)
    first = await table.get("lease/m", f"{FIRST}one")
    assert first is not None
    other = DynamoDbLeaseStore(writes=table, scans=table)
    made = dict(await table.get("lease/m", "s3") or {})
    await table.put("lease/m", f"{FIRST}one", _unfinished(leases))
    for shard in ("s3", "s4"):
        await table.delete("lease/m", shard)

    listed = await other.list("m")

    assert list(listed) == leases
    again = dict(await table.get("lease/m", "s3") or {})
    assert {**again, "at": 0} == {**made, "at": 0}


def _unfinished(leases: list[Lease]) -> dict[str, Value]:
    rows = zlib.compress(orjson.dumps([row(le) for le in leases]))
    return {"rows": rows, "done": False, "incarnation": "one"}


async def test_of_two_first_listings_one_counts(store: LeaseStore, table: Table) -> None:
    """Whoever comes second finds the positions of the first; what only it saw is found again later."""
    others = [DynamoDbLeaseStore(writes=table, scans=table) for _ in range(4)]
    starts = [Position.at_timestamp(float(number)) for number in range(4)]

    async def create(number: int) -> None:
        shards = [f"s{n}" for n in range(20 + number)]
        await others[number].create([replace(lease(s), checkpoint=starts[number]) for s in shards])

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(create, number)

    found = await store.list("m")
    assert len({str(row.checkpoint) for row in found}) == 1
    assert len(found) == 20 + starts.index(found[0].checkpoint)


async def test_shards_that_are_born_later_are_added_one_by_one(store: LeaseStore, table: Table) -> None:
    """After the first listing each is a lease like any other."""
    await store.create([lease("s1")])
    await store.create([replace(lease("s2"), checkpoint=Position.trim_horizon()), lease("s1")])

    assert [row.shard for row in await store.list("m")] == ["s1", "s2"]


async def test_a_mapping_whose_leases_are_gone_is_listed_for_the_first_time_again(
    store: LeaseStore, table: Table
) -> None:
    """Nothing of it stays in the table."""
    await store.create([lease("s1"), lease("s2")])
    await store.delete(await store.list("m"))

    assert await table.query("lease/m") == []


async def test_clearing_a_mapping_finishes_what_was_cut_off(store: LeaseStore, table: Table) -> None:
    """Whoever comes after a worker that died between two deletes leaves nothing of the mapping."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    await store.checkpoint(held, Position.after("1"), window(900_000))
    await table.delete("lease/m", "s1")  # all that the worker before got done

    await store.clear("m")

    assert await table.query("lease/m") == []
    assert await table.query("window/m") == []
    assert await store.mappings() == []


async def test_a_deleted_lease_leaves_no_window(store: LeaseStore, table: Table) -> None:
    """The parts of a large state go with the lease that named them."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    await store.checkpoint(held, Position.after("1"), window(900_000))

    await store.delete(await store.list("m"))

    assert await table.query("window/m") == []


async def test_a_stale_worker_does_not_delete_the_shards_of_a_recreated_stream(
    store: LeaseStore, table: Table
) -> None:
    """Whoever still knows the earlier stream deletes the leases it saw, and no others."""
    await store.create([lease()])
    (old,) = await store.list("m")
    await store.delete([old])
    await store.create([replace(lease(), incarnation="two")])

    await store.delete([old])

    assert [row.incarnation for row in await store.list("m")] == ["two"]


def window(size: int) -> WindowState:
    """A state that does not compress."""
    return WindowState(window=TimeWindow(start=60, end=120), state=os.urandom(size // 2).hex().encode())


async def test_a_window_larger_than_an_item_is_kept(store: LeaseStore, table: Table) -> None:
    """A state may have 1 MB, an item 400 KB; what is replaced leaves nothing behind."""
    await store.create([lease()])
    held = await store.take(lease(), "w1")
    large, larger = window(900_000), window(1_000_000)

    held = await store.checkpoint(held, Position.after("1"), large)
    assert (await store.list("m"))[0].window == large
    held = await store.checkpoint(held, Position.after("2"), larger)
    assert (await store.get("m", "s1") or held).window == larger
    parts = await table.query("window/m")
    await store.checkpoint(held, Position.after("3"), None)

    assert len(parts) == 2
    assert await table.query("window/m") == []


async def test_fleets_of_one_table_do_not_see_each_other(store: LeaseStore, table: Table) -> None:
    """Each has its namespace."""
    other = Table(table._client, table.name, "other")
    await store.create([lease()])

    assert list(await DynamoDbLeaseStore(writes=other, scans=other).list("m")) == []
