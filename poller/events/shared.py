"""The events of one worker of a fleet, and those it takes over from workers that are no more.

Rule: nothing is known by having taken it once. The fleet may have taken this worker for dead and given its
events to others; then writes of them are refused, and they are dropped here.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio

from mappings.stores.dynamodb_table import SORT, ConditionFailed, Item, Value
from poller.core.async_events import QueuedEvent
from poller.core.event_time import due_here
from poller.errors import EventLost, StateUnavailable
from poller.events.dynamodb import DynamoDbEvents, due_ms
from poller.events.heritage import Heritage, is_wanted
from poller.events.index import Entry, EventIndex
from poller.events.queue import QueueLimits, Room, Serves
from poller.events.stored_form import kept_bytes
from poller.events.use import Listed
from poller.fleet import Fleet
from poller.state_errors import state_errors

READS_AT_ONCE = 16


class SharedEventQueue:
    """A queue in a table: what it accepts is worked on here, or by whoever is left."""

    durable = True

    def __init__(
        self,
        store: DynamoDbEvents,
        fleet: Fleet,
        limits: QueueLimits | None = None,
        listed: Listed = tuple,
    ) -> None:
        """Make it.

        Args:
            store: The events of all workers.
            fleet: Says under which name this worker has events, and whose it takes over.
            limits: What this worker may hold.
            listed: Functions that have a part of the limits.
        """
        self._store = store
        self._fleet = fleet
        self._new_index = partial(EventIndex, limits or QueueLimits(), listed)
        self._me = fleet.me
        self._index = self._new_index()
        self._openings: dict[str, str] = {}
        """How this worker was listed under each of its names: once, before it had anything."""
        self._listing = anyio.Lock()
        self._unheard = False
        """Whether a write was not answered that may have given this worker an event."""
        self._strays: set[str] = set()
        """Taken under a name that is no more, and still worked on: not taken over before that ends."""
        self._reading = anyio.Semaphore(READS_AT_ONCE)
        self._heritage = Heritage(store, fleet)

    @property
    def held(self) -> int:
        """Of this worker."""
        return self._index.events

    async def time(self) -> float | None:
        """The service's clock."""
        with state_errors():
            return await self._store.time()

    async def add(self, event: QueuedEvent) -> None:
        """Accept an event."""
        self._follow_name()
        me, index, size = self._me, self._index, len(event.payload)
        index.reserve(event.function, size)
        try:
            async with self._may_get(me) as opening:
                item = await self._store.add(me, event)
                if not await self._store.is_open(me, opening):
                    await self._withdraw(me, event, item)
        finally:
            index.release(event.function, size)
        index.add(event.request_id, _entry(item))

    async def take(self, room: Room, *, now: float) -> Sequence[QueuedEvent]:
        """Take events that are due; none while the fleet may be giving them to others."""
        self._follow_name()
        me, index = self._me, self._index
        if not self._fleet.may_act(me):
            return ()
        ids = index.take(room, now * 1000)
        found: Mapping[str, QueuedEvent] = {}
        try:
            found = await self._read_all(me, index, ids)
        finally:
            for request_id in set(ids) - found.keys():
                index.let_go(request_id)
                self._strays.discard(request_id)
        return [found[request_id] for request_id in ids if request_id in found]

    async def update(self, event: QueuedEvent) -> None:
        """Write how far an event is. Raises EventLost."""
        entry = self._mine(event)
        if entry is None or not await self._write(entry, event):
            self._strays.discard(event.request_id)
            raise EventLost(f"event {event.request_id} belongs to another worker")

    async def put_back(self, event: QueuedEvent) -> bool:
        """Write how far an event is, and let go of it."""
        entry, index = self._mine(event), self._index
        written = entry is not None and await self._write(entry, event)
        if written:
            index.put_back(event.request_id, event.line, due_ms(event))
        self._strays.discard(event.request_id)
        return written

    async def remove(self, event: QueuedEvent) -> bool:
        """Forget an event."""
        entry, index = self._mine(event), self._index
        removed = False
        if entry is not None:
            removed = await self._delete(self._me, event.request_id, entry)
            index.drop(event.request_id)
        self._strays.discard(event.request_id)
        return removed

    def left(self) -> Sequence[QueuedEvent]:
        """The table keeps all."""
        return ()

    async def pass_on(self, event: QueuedEvent) -> bool:
        """Write how far an event is, and give it to no worker until one can run it."""
        entry, index = self._mine(event), self._index
        written = entry is not None and await self._write(entry, event)
        if written:
            with state_errors(), suppress(ConditionFailed):  # another has it
                await self._store.pass_on(self._me, event.request_id)
            index.drop(event.request_id)
        self._strays.discard(event.request_id)
        return written

    async def tidy(self) -> None:
        """A table has no room to give back."""

    async def inherit(self, serves: Serves, *, now: float, by_store: bool) -> int:
        """Take over what workers that are no more have left, and what others have passed on."""
        self._follow_name()
        me, index = self._me, self._index
        entry_of = partial(_entry, now_ms=now * 1000)
        moved = 0

        def wanted(item: Item) -> bool:
            return str(item[SORT]) not in self._strays and is_wanted(
                item, serves=serves, now_ms=now * 1000 if by_store else None
            )

        with state_errors():
            if self._unheard:
                await self._look_again(me, index, entry_of)
            for owner in await self._heritage.owners(me, now):
                async with self._may_get(me) as opening:
                    async for item in self._heritage.take(owner, me, opening, wanted, now):
                        index.add(str(item[SORT]), entry_of(item))
                        moved += 1
        return moved

    # ----- one event

    def _follow_name(self) -> None:
        """Under another name this worker has nothing: what it had is the fleet's."""
        if self._fleet.me != self._me:
            self._me = self._fleet.me
            self._strays |= self._index.taken
            self._index = self._new_index()
            self._unheard = False

    def _mine(self, event: QueuedEvent) -> Entry | None:
        """What its taker may write of; None where it is another's."""
        self._follow_name()
        return None if event.request_id in self._strays else self._index.get(event.request_id)

    async def _read_all(self, me: str, index: EventIndex, ids: Iterable[str]) -> Mapping[str, QueuedEvent]:
        found: dict[str, QueuedEvent] = {}
        problems: list[StateUnavailable] = []

        async def read(request_id: str) -> None:
            async with self._reading:
                try:
                    event = await self._read(me, index, request_id)
                except StateUnavailable as error:
                    problems.append(error)
                else:
                    found.update({} if event is None else {request_id: event})

        async with anyio.create_task_group() as group:
            for request_id in ids:
                group.start_soon(read, request_id)
        # What cannot be read does not keep from the others.
        if problems and not found:
            raise problems[0]
        return found

    async def _read(self, me: str, index: EventIndex, request_id: str) -> QueuedEvent | None:
        with state_errors():
            item = await self._store.get(me, request_id)
            entry = index.get(request_id)
            if item is None or entry is None:
                index.drop(request_id)
                return None
            event = await self._store.read(item)
        entry.payload_parts = str(item.get("payload_parts", ""))
        entry.response_parts = str(item.get("response_parts", ""))
        entry.response = event.response
        return event

    async def _write(self, entry: Entry, event: QueuedEvent) -> bool:
        """Write how far an event is; False where it is another's, and dropped here."""
        me, index = self._me, self._index
        kept: dict[str, Value | None] = {}
        with state_errors():
            if event.response is not None and event.response is not entry.response:
                kept = await self._store.beside(event.request_id, "response", event.response.payload or b"")
            parts = str(kept.get("response_parts") or "")
            try:
                await self._store.update(me, event, kept)
            except ConditionFailed:
                index.drop(event.request_id)
                await self._store.remove_parts(event.request_id, parts)
                return False
            except BaseException:
                # It may have been written, so that its parts are named.
                entry.spare = f"{entry.spare} {parts}"
                raise
            if kept:
                entry.spare = f"{entry.spare} {entry.response_parts}"
                entry.response, entry.response_parts = event.response, parts
            if index.get(event.request_id) is entry:
                index.resize(entry, kept_bytes(event))
            await self._store.remove_parts(event.request_id, entry.spare)
            entry.spare = ""
        return True

    async def _delete(self, me: str, request_id: str, entry: Entry) -> bool:
        """Delete an event; False where it is another's."""
        with state_errors():
            try:
                await self._store.delete(me, request_id)
            except ConditionFailed:
                # Where nothing was taken from this worker, it was deleted before, and nobody heard of it.
                if not await self._store.is_open(me, self._openings[me]):
                    return False
            parts = f"{entry.payload_parts} {entry.response_parts} {entry.spare}"
            await self._store.remove_parts(request_id, parts)
        return True

    @asynccontextmanager
    async def _may_get(self, me: str) -> AsyncIterator[str]:
        """Around writes that give events to this worker, with how it is listed.

        Those that are not heard of are looked for later.
        """
        with state_errors():
            try:
                async with self._listing:
                    if me not in self._openings:
                        self._openings[me] = await self._store.announce(me)
                yield self._openings[me]
            except ConditionFailed as failed:
                raise StateUnavailable(f"worker {me} was taken for dead") from failed
            except BaseException:
                self._unheard = self._unheard or me == self._me
                raise

    async def _withdraw(self, me: str, event: QueuedEvent, item: Item) -> None:
        """Take back an event that came too late to be found. Raises StateUnavailable: it was not accepted."""
        try:
            await self._store.delete(me, event.request_id)
        except ConditionFailed:
            pass  # it was found after all
        else:
            await self._store.remove_parts(event.request_id, str(item.get("payload_parts", "")))
        raise StateUnavailable(f"worker {me} was taken for dead")

    # ----- events of others

    async def _look_again(self, me: str, index: EventIndex, entry_of: Callable[[Item], Entry]) -> None:
        """Find what this worker was given without hearing of it."""
        self._unheard = False
        try:
            async for page in self._store.pages(me):
                for item in page:
                    index.add(str(item[SORT]), entry_of(item))
        except BaseException:
            self._unheard = True
            raise


def _entry(item: Item, now_ms: float | None = None) -> Entry:
    """Return what the index keeps; `now_ms` where another worker's clock may have written the item."""
    due = int(item["due_at"])
    if now_ms is not None:
        due = int(due_here(due, int(item.get("wait_ms", due)), now_ms))
    return Entry(
        line=str(item["line"]),
        function=str(item.get("function", item["line"])),
        due_ms=due,
        kept_bytes=int(item.get("kept_bytes", item.get("payload_bytes", 0))),
        payload_parts=str(item.get("payload_parts", "")),
        response_parts=str(item.get("response_parts", "")),
    )
