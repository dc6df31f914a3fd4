"""The event queue of a state that keeps no events: it accepts none."""

from collections.abc import Sequence

from poller.core.async_events import QueuedEvent
from poller.errors import StateUnavailable
from poller.events.queue import Room


class NoEventQueue:
    """Stands where events of a fleet would be kept: what is accepted must survive whoever accepted it."""

    async def add(self, event: QueuedEvent) -> None:  # noqa: ARG002  # none
        """Refuse it."""
        raise StateUnavailable("asynchronous events are not kept in a table: invoke without Event")

    async def take(self, room: Room, *, now: float) -> Sequence[QueuedEvent]:  # noqa: ARG002  # none
        """Nothing is ever due."""
        return ()

    async def update(self, event: QueuedEvent) -> None:
        """No event was taken."""

    async def put_back(self, event: QueuedEvent) -> None:
        """No event was taken."""

    async def remove(self, event: QueuedEvent) -> None:
        """No event was taken."""
