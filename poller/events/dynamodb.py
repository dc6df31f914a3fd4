"""Events in a DynamoDB table that a fleet shares, each in the partition of the worker that has it.

Rules: an owner is listed once before it has an event, and closed for ever before anything is taken from it.
Whoever accepts an event looks afterwards whether its own entry is still open; whoever takes events over
writes them on that condition. So no accepted event is left where nobody looks for it, whatever clocks say.
"""

import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial

import anyio

from mappings.errors import StoreUnavailable
from mappings.stores.dynamodb_parts import Parts
from mappings.stores.dynamodb_table import (
    NEW,
    SORT,
    THERE,
    Condition,
    ConditionFailed,
    Item,
    Put,
    Table,
    Value,
)
from poller.core.async_events import QueuedEvent
from poller.events.stored_form import from_text, kept_bytes, to_text, wait_s

# Which owners have events: each one's are a partition of their own.
OWNERS = "event-owners"
# No worker: has events that their last owner could not run. Never open, never struck out.
PASSED_ON = "passed-on"
# Each write of an item is paid for by the size of all of it: what is larger than this is cheaper beside it.
INLINE_BYTES = 4 * 1024
# Below this a thread costs more than the work.
ASIDE_BYTES = 64 * 1024
# A transaction writes 100 items at most; an event is two, and one is for the owner.
MOVED_AT_ONCE = 25


def events_of(owner: str) -> str:
    """Where the events of an owner are."""
    return f"events/{owner}"


def parts_of(request_id: str) -> str:
    """Where the parts of an event are: they stay when it changes hands."""
    return f"event-parts/{request_id}"


class DynamoDbEvents:
    """The events of all workers. Never retries, and decides nothing."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._parts = Parts(table)

    async def time(self) -> float | None:
        """Epoch seconds by the service's clock."""
        await self._table.get(OWNERS, PASSED_ON)
        return self._table.time

    # ----- owners

    async def announce(self, owner: str) -> str:
        """List an owner before it has anything; its opening. Raises ConditionFailed where it was closed."""
        opening = uuid.uuid4().hex
        try:
            await self._table.put(OWNERS, owner, {"open": True, "opening": opening}, when=NEW)
        except ConditionFailed:
            item = await self._table.get(OWNERS, owner)
            if item is None or not item["open"]:
                raise
            return str(item["opening"])
        return opening

    async def is_open(self, owner: str, opening: str) -> bool:
        """Whether nobody has begun to take events from an owner since it was listed."""
        item = await self._table.get(OWNERS, owner)
        return item is not None and item["opening"] == opening and bool(item["open"])

    async def owners(self) -> Sequence[str]:
        """All that are listed."""
        return [str(item[SORT]) for item in await self._table.query(OWNERS)]

    async def close(self, owner: str) -> str | None:
        """Let an owner have no event more; its opening, or None where it is not listed any longer."""
        try:
            item = await self._table.update(OWNERS, owner, when=THERE, change={"open": False})
        except ConditionFailed:
            return None
        return str(item["opening"])

    async def forget(self, owner: str, opening: str) -> None:
        """Strike out an owner that was closed and has nothing left, unless it was listed anew meanwhile."""
        with suppress(ConditionFailed):
            same = Condition(text="#opening = :opening", values={"opening": opening})
            await self._table.delete(OWNERS, owner, when=same)

    # ----- events

    async def add(self, owner: str, event: QueuedEvent) -> Item:
        """Write an event that is new; its item."""
        kept = await self.beside(event.request_id, "payload", event.payload)
        item: Item = {
            **_progress(event),
            **{name: value for name, value in kept.items() if value is not None},
            "revision": 0,
        }
        try:
            await self._table.put(events_of(owner), event.request_id, item, when=NEW)
        except StoreUnavailable:
            # It may have been written, and only the answer lost.
            if await self._table.get(events_of(owner), event.request_id) is None:
                raise
        return item

    async def get(self, owner: str, request_id: str) -> Item | None:
        """The item of an event."""
        return await self._table.get(events_of(owner), request_id)

    def pages(self, owner: str) -> AsyncIterator[Sequence[Item]]:
        """The items of all events of an owner."""
        return self._table.pages(events_of(owner))

    async def update(self, owner: str, event: QueuedEvent, kept: dict[str, Value | None]) -> None:
        """Write how far an event is. Raises ConditionFailed where its owner has it no more."""
        await self._table.update(
            events_of(owner),
            event.request_id,
            when=THERE,
            change={**_progress(event), **kept},
            # Whoever takes it over must have seen this write.
            add={"revision": 1},
        )

    async def delete(self, owner: str, request_id: str) -> None:
        """Forget an event. Raises ConditionFailed where its owner has it no more."""
        await self._table.delete(events_of(owner), request_id, when=THERE)

    async def move(self, items: Sequence[Item], *, giver: str, taker: str, opening: str) -> None:
        """Give events to another owner, all or none. Raises ConditionFailed.

        Args:
            items: As they were read, `MOVED_AT_ONCE` at most.
            giver: Is closed.
            taker: Must be open still.
            opening: Of the taker.
        """
        listed: Item = {"open": True, "opening": opening}
        still = Condition(text="#open = :open AND #opening = :opening", values=listed)
        puts = [Put(partition=OWNERS, sort=taker, item=listed, when=still)]
        for item in items:
            request_id, moved = str(item[SORT]), {k: v for k, v in item.items() if k != SORT}
            seen = Condition(text="#revision = :revision", values={"revision": item["revision"]})
            puts += [
                Put(partition=events_of(taker), sort=request_id, item=moved, when=NEW),
                Put(partition=events_of(giver), sort=request_id, item=None, when=seen),
            ]
        await self._table.transact(puts)

    async def pass_on(self, owner: str, request_id: str) -> bool:
        """Give an event to no worker, until one takes it over that can run it; whether its owner had it."""
        item = await self.get(owner, request_id)
        if item is None:
            return False
        with suppress(ConditionFailed):
            await self._table.put(OWNERS, PASSED_ON, {"open": False, "opening": PASSED_ON}, when=NEW)
        moved = {name: value for name, value in item.items() if name != SORT}
        seen = Condition(text="#revision = :revision", values={"revision": item["revision"]})
        await self._table.transact(
            [
                Put(partition=events_of(PASSED_ON), sort=request_id, item=moved, when=NEW),
                Put(partition=events_of(owner), sort=request_id, item=None, when=seen),
            ]
        )
        return True

    # ----- payloads

    async def beside(self, request_id: str, name: str, data: bytes) -> dict[str, Value | None]:
        """Write what does not fit into the item; the attributes that belong into it."""
        packed = await _aside(len(data), partial(zlib.compress, data, 1))
        if len(packed) <= INLINE_BYTES:
            return {name: packed, f"{name}_parts": None}
        names = await self._parts.put(parts_of(request_id), f"{name}/", packed)
        return {name: None, f"{name}_parts": names}

    async def remove_parts(self, request_id: str, names: str) -> None:
        """Remove what no item names any more."""
        await self._parts.remove(parts_of(request_id), names)

    async def read(self, item: Item) -> QueuedEvent:
        """An event with its payloads. Raises StoreUnavailable where they were just replaced."""
        return from_text(
            str(item["progress"]),
            payload=await self._payload(item, "payload") or b"",
            response_payload=await self._payload(item, "response"),
            due_at=int(item["due_at"]) / 1000,
        )

    async def _payload(self, item: Item, name: str) -> bytes | None:
        request_id, parts = str(item[SORT]), str(item.get(f"{name}_parts", ""))
        packed = item.get(name)
        if parts:
            packed = await self._parts.get(parts_of(request_id), parts)
            if packed is None:
                raise StoreUnavailable(f"event {request_id} is being written")
        if not isinstance(packed, bytes):
            return None
        return await _aside(len(packed), partial(zlib.decompress, packed))


def due_ms(event: QueuedEvent) -> int:
    """When an event is due, in whole milliseconds: never later than it says."""
    return int(event.due_at * 1000)


def _progress(event: QueuedEvent) -> dict[str, Value]:
    return {
        "line": event.line,
        "function": event.function,
        "needs": event.needs,
        "due_at": due_ms(event),
        "wait_ms": int(wait_s(event) * 1000),
        "expires_at": int(event.expires_at * 1000),
        "by_store": event.age.until.by_store,
        "kept_bytes": kept_bytes(event),
        "progress": to_text(event),
    }


async def _aside(size: int, work: Callable[[], bytes]) -> bytes:
    """Do what takes long for much data beside the event loop."""
    return work() if size < ASIDE_BYTES else await anyio.to_thread.run_sync(work)
