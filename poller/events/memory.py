"""Events in this process, for tests and for `memory://` with the profile `test`: they end with it."""

from collections.abc import Sequence

from poller.core.async_events import QueuedEvent
from poller.errors import EventLost
from poller.events.queue import QueueLimits, Room, Serves
from poller.events.stored_form import kept_bytes
from poller.events.use import Listed, QueueUse


class MemoryEventQueue:
    """Keeps events as long as the process lives."""

    durable = False

    def __init__(self, limits: QueueLimits | None = None, listed: Listed = tuple) -> None:
        """Make an empty queue; `listed` says which functions have a part of its limits."""
        self._use = QueueUse(limits or QueueLimits(), listed)
        self._events: dict[str, QueuedEvent] = {}
        self._taken: set[str] = set()

    @property
    def held(self) -> int:
        """All there are."""
        return len(self._events)

    async def time(self) -> float | None:
        """It has no clock."""
        return None

    async def add(self, event: QueuedEvent) -> None:
        """Accept an event."""
        self._use.require(event.function, len(event.payload))
        self._events[event.request_id] = event
        self._use.add(event.function, events=1, kept_bytes=kept_bytes(event))

    async def take(self, room: Room, *, now: float) -> Sequence[QueuedEvent]:
        """Take events that are due."""
        left: dict[str, int] = {}
        taken: list[QueuedEvent] = []
        for event in sorted(self._events.values(), key=lambda event: event.due_at):
            free = left.setdefault(event.line, room(event.line))
            if event.due_at <= now and event.request_id not in self._taken and free > 0:
                left[event.line] = free - 1
                taken.append(event)
        self._taken.update(event.request_id for event in taken)
        return taken

    async def update(self, event: QueuedEvent) -> None:
        """Write how far an event is."""
        before = self._events.get(event.request_id)
        if before is None:
            raise EventLost(f"event {event.request_id} is gone")
        self._use.add(event.function, kept_bytes=kept_bytes(event) - kept_bytes(before))
        self._events[event.request_id] = event

    async def put_back(self, event: QueuedEvent) -> bool:
        """Write how far an event is, and let go of it."""
        try:
            await self.update(event)
        except EventLost:
            return False
        finally:
            self._taken.discard(event.request_id)
        return True

    async def pass_on(self, event: QueuedEvent) -> bool:
        """There is nobody else."""
        return await self.put_back(event)

    async def remove(self, event: QueuedEvent) -> bool:
        """Forget an event."""
        removed = self._events.pop(event.request_id, None)
        self._taken.discard(event.request_id)
        if removed is not None:
            self._use.add(removed.function, events=-1, kept_bytes=-kept_bytes(removed))
        return removed is not None

    def left(self) -> Sequence[QueuedEvent]:
        """All there are."""
        return list(self._events.values())

    async def tidy(self) -> None:
        """Memory is given back at once."""

    async def inherit(self, serves: Serves, *, now: float, by_store: bool) -> int:  # noqa: ARG002  # any
        """Nobody else has any."""
        return 0
