"""Events in this process, for tests and for `memory://`: they end with it."""

from collections.abc import Sequence
from contextlib import suppress

from poller.core.async_events import QueuedEvent
from poller.errors import EventLost
from poller.events.queue import QueueFull, QueueLimits, Room


class MemoryEventQueue:
    """Keeps events as long as the process lives."""

    def __init__(self, limits: QueueLimits | None = None) -> None:
        self._limits = limits or QueueLimits()
        self._events: dict[str, QueuedEvent] = {}
        self._taken: set[str] = set()
        self._bytes = 0

    async def add(self, event: QueuedEvent) -> None:
        """Accept an event."""
        size = len(event.payload)
        if len(self._events) >= self._limits.events or self._bytes + size > self._limits.payload_bytes:
            raise QueueFull
        self._events[event.request_id] = event
        self._bytes += size

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
        if event.request_id not in self._events:
            raise EventLost(f"event {event.request_id} is gone")
        self._events[event.request_id] = event

    async def put_back(self, event: QueuedEvent) -> None:
        """Write how far an event is, and let go of it."""
        with suppress(EventLost):
            await self.update(event)
        self._taken.discard(event.request_id)

    async def remove(self, event: QueuedEvent) -> None:
        """Forget an event."""
        removed = self._events.pop(event.request_id, None)
        self._taken.discard(event.request_id)
        self._bytes -= len(removed.payload) if removed else 0

    async def inherit(self) -> int:
        """Nobody else has any."""
        return 0
