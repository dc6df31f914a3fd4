"""Leases in a DynamoDB table that a fleet shares."""

import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import anyio
import orjson

from mappings.errors import StoreError
from mappings.stores.dynamodb_table import NEW, SORT, Condition, ConditionFailed, Item, Table, Value
from poller.core.leasing import Lease, order
from poller.core.records import Position
from poller.core.timewindow import WindowState
from poller.errors import LeaseLost
from poller.leases.dynamodb_items import (
    fence,
    is_held,
    is_taken,
    now,
    partition,
    row,
    text,
    unchanged,
)
from poller.leases.dynamodb_windows import WindowParts
from poller.leases.dynamodb_windows import partition as windows_of
from poller.state_errors import state_errors

# Beside shard ids, which begin with letters: what is still to be made of a mapping's first listing.
FIRST = "!first/"
# Which mappings have leases: each mapping's are a partition of their own.
MAPPED = "leased"
WRITES_AT_ONCE = 16


class DynamoDbLeaseStore:
    """A lease store over tables with settings of their own: checkpoints do not wait behind listings."""

    def __init__(self, *, writes: Table, scans: Table) -> None:
        self._writes = writes
        self._scans = scans
        self._windows = WindowParts(writes)
        self._limit = anyio.Semaphore(WRITES_AT_ONCE)

    async def mappings(self) -> Sequence[str]:
        """UUIDs of all mappings that have leases."""
        with state_errors():
            return [str(item[SORT]) for item in await self._scans.query(MAPPED)]

    async def list(self, mapping: str) -> Sequence[Lease]:
        """All leases of a mapping, in the order of their shard ids."""
        with state_errors():
            items = await self._scans.query(partition(mapping))
            unmade = [item for item in items if str(item[SORT]).startswith(FIRST) and not item["done"]]
            for item in unmade:  # whoever began to add them may have ended meanwhile
                await self._make(mapping, item)
            if unmade:
                items = await self._scans.query(partition(mapping))
            return [
                await self._lease(mapping, item) for item in items if not str(item[SORT]).startswith(FIRST)
            ]

    async def get(self, mapping: str, shard: str) -> Lease | None:
        """The lease of one shard."""
        with state_errors():
            item = await self._writes.get(partition(mapping), shard)
            return None if item is None else await self._lease(mapping, item)

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add leases; one that exists is left as it is.

        Those of a first listing appear together: a part of them would make the rest look like shards that
        were born later.
        """
        with state_errors():
            for mapping in sorted({lease.mapping for lease in leases}):
                mine = [lease for lease in leases if lease.mapping == mapping]
                for lease in mine:
                    if lease.window is not None:  # it was read before, and its row lost or moved here
                        await self._add_with_window(lease)
                await self._create(mapping, mine)

    async def take(self, lease: Lease, owner: str) -> Lease:
        """Become the owner of a lease seen at this epoch and counter."""
        with state_errors():
            try:
                item = await self._update(
                    lease,
                    unchanged(lease),
                    {"owner": owner, "claimant": None},
                    add={"epoch": 1, "counter": 1},
                )
            except ConditionFailed as failed:
                # The answer to the same write may have been lost: nobody else writes this name.
                if failed.item is None or not is_taken(failed.item, lease, owner):
                    raise LeaseLost(f"shard {lease.shard} has changed hands") from failed
                item = failed.item
            return await self._lease(lease.mapping, item)

    async def request(self, lease: Lease, claimant: str) -> None:
        """Ask the owner of a lease seen at this epoch and counter to give it up."""
        seen = unchanged(lease)
        condition = Condition(
            text=f"{seen.text} AND attribute_exists(#owner) AND #owner <> :me",
            values={**seen.values, "me": claimant},
        )
        await self._change(
            lease,
            condition,
            {"claimant": claimant},
            done=lambda item: item.get("claimant") == claimant and item["counter"] == lease.counter + 1,
        )

    async def decline(self, lease: Lease) -> None:
        """Keep a lease that somebody asked for."""
        await self._change(lease, fence(lease), {"claimant": None}, done=lambda _: False)

    async def checkpoint(self, lease: Lease, position: Position, window: WindowState | None = None) -> Lease:
        """Record that everything up to `position` is finished, and what window is open there."""
        reached = order(position)
        held = fence(lease)
        condition = Condition(
            text=f"{held.text} AND #reached <= :reached", values={**held.values, "reached": reached}
        )
        key = (lease.mapping, lease.shard)
        with state_errors():
            kept = await self._windows.put(key, window)
            change = {"checkpoint": str(position), "reached": reached, "at": now(), **kept}
            try:
                await self._update(lease, condition, change)
            except ConditionFailed as failed:
                await self._windows.refused(key, kept)
                if failed.item is None or not is_held(failed.item, lease):
                    raise LeaseLost(f"shard {lease.shard} belongs to another worker") from failed
                return await self._lease(lease.mapping, failed.item)  # it is further than that
            await self._windows.written(key, kept)
        return replace(lease, checkpoint=position, window=window)

    async def release(self, lease: Lease) -> None:
        """Give a lease up, for its claimant if there is one."""
        await self._change(
            lease,
            fence(lease),
            {"owner": None},
            done=lambda item: "owner" not in item and item["epoch"] == lease.epoch,
        )

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Forget leases; one of a later stream of the same name is left."""
        with state_errors():
            await self._all(partial(self._delete, lease) for lease in leases)
            for mapping in sorted({lease.mapping for lease in leases}):
                await self._end_listing(mapping)

    async def clear(self, mapping: str) -> None:
        """Forget leases, windows and the first listing of a mapping, and at last that it had any."""
        with state_errors():
            for kept in (partition(mapping), windows_of(mapping)):
                items = await self._scans.query(kept)
                await self._all(partial(self._writes.delete, kept, str(item[SORT])) for item in items)
            await self._writes.delete(MAPPED, mapping)

    async def close(self) -> None:
        """The clients belong to whoever made them."""

    # ----- first listings

    async def _create(self, mapping: str, leases: Sequence[Lease]) -> None:
        sort = FIRST + leases[0].incarnation
        rows = zlib.compress(orjson.dumps([row(lease) for lease in leases]))
        first: Item = {"rows": rows, "incarnation": leases[0].incarnation, "done": False}
        try:
            await self._writes.put(partition(mapping), sort, first, when=NEW)
        except ConditionFailed as failed:
            begun = failed.item or await self._writes.get(partition(mapping), sort)
            if begun is None or begun["done"]:
                await self._all(partial(self._add, mapping, row(lease)) for lease in leases)
                return
            first = begun  # another worker lists the same stream for the first time: what it found counts
        await self._writes.put(MAPPED, mapping, {})
        await self._make(mapping, {SORT: sort, **first})

    async def _make(self, mapping: str, first: Item) -> None:
        """Add the leases of a first listing that are not there yet."""
        assert isinstance(first["rows"], bytes)
        rows: list[dict[str, Value]] = orjson.loads(zlib.decompress(first["rows"]))
        await self._all(partial(self._add, mapping, row) for row in rows)
        done = {**first, "rows": zlib.compress(b"[]"), "done": True}
        await self._writes.put(partition(mapping), str(done.pop(SORT)), done)

    async def _end_listing(self, mapping: str) -> None:
        """Without a lease left, whatever is listed next is listed for the first time."""
        items = await self._scans.query(partition(mapping))
        if all(str(item[SORT]).startswith(FIRST) for item in items):
            for item in items:
                await self._writes.delete(partition(mapping), str(item[SORT]))
            await self._writes.delete(MAPPED, mapping)

    # ----- items

    async def _add(self, mapping: str, row: dict[str, Value]) -> None:
        item = dict(row)
        with suppress(ConditionFailed):
            await self._writes.put(partition(mapping), str(item.pop(SORT)), item, when=NEW)

    async def _add_with_window(self, lease: Lease) -> None:
        kept = await self._windows.put((lease.mapping, lease.shard), lease.window)
        attributes = {name: value for name, value in kept.items() if value is not None}
        await self._add(lease.mapping, row(lease) | attributes)

    async def _delete(self, lease: Lease) -> None:
        same = Condition(text="#incarnation = :incarnation", values={"incarnation": lease.incarnation})
        with suppress(ConditionFailed):
            await self._writes.delete(partition(lease.mapping), lease.shard, when=same)
            await self._windows.ended((lease.mapping, lease.shard))

    async def _update(
        self,
        lease: Lease,
        when: Condition,
        change: Mapping[str, Value | None],
        add: Mapping[str, int] | None = None,
    ) -> Item:
        return await self._writes.update(
            partition(lease.mapping), lease.shard, when=when, change=change, add=add
        )

    async def _change(
        self,
        lease: Lease,
        when: Condition,
        change: Mapping[str, Value | None],
        *,
        done: Callable[[Item], bool],
    ) -> None:
        """Change who has a lease, or wants it; `done` tells whether it was made before, unheard."""
        with state_errors():
            try:
                await self._update(lease, when, change, add={"counter": 1})
            except ConditionFailed as failed:
                item = failed.item
                if item is None or item["incarnation"] != lease.incarnation or not done(item):
                    raise LeaseLost(f"shard {lease.shard} has changed hands") from failed

    async def _lease(self, mapping: str, item: Item) -> Lease:
        shard = str(item[SORT])
        return Lease(
            mapping=mapping,
            shard=shard,
            incarnation=str(item["incarnation"]),
            checkpoint=Position.parse(str(item["checkpoint"])),
            parents=tuple(str(item.get("parents", "")).split()),
            owner=text(item.get("owner")),
            epoch=int(item["epoch"]),
            counter=int(item["counter"]),
            claimant=text(item.get("claimant")),
            window=await self._windows.get((mapping, shard), item),
            written_at=int(item["at"]) / 1000,
        )

    async def _all(self, writes: Iterable[Callable[[], Awaitable[None]]]) -> None:
        """Make several writes, a few at a time. What fails ends the others."""
        errors: list[StoreError] = []

        async def write(work: Callable[[], Awaitable[None]]) -> None:
            async with self._limit:
                try:
                    if not errors:
                        await work()
                except StoreError as error:
                    errors.append(error)

        async with anyio.create_task_group() as group:
            for work in writes:
                group.start_soon(write, work)
        if errors:
            raise errors[0]
