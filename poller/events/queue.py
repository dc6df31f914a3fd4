"""The seam behind which accepted events are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from poller.core.async_events import QueuedEvent

Room = Callable[[str], int]
"""How many events of a line may be taken."""


class QueueFull(Exception):
    """No more events are accepted now: the queue holds as many, or as many bytes, as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """What a queue may hold."""

    events: int = 100_000
    payload_bytes: int = 1024 * 1024 * 1024


class EventQueue(Protocol):
    """Events, durable: what a write has returned survives the end of the process.

    An event is with one taker at a time: with whoever took it, until it is put back or removed or its taker
    has died. Every method may raise StateUnavailable; what was not answered may have been written.
    """

    async def add(self, event: QueuedEvent) -> None:
        """Accept an event. Raises QueueFull."""
        ...

    async def take(self, room: Room, *, now: float) -> Sequence[QueuedEvent]:
        """Take events that are due: of each line up to its room, the longest due first."""
        ...

    async def update(self, event: QueuedEvent) -> None:
        """Write how far an event is; it stays with its taker. Raises EventLost where it is that no more."""
        ...

    async def put_back(self, event: QueuedEvent) -> None:
        """Write how far an event is, and leave it to whoever takes it when it is due.

        One that another worker has now is left to that, and so it is by `remove`.
        """
        ...

    async def remove(self, event: QueuedEvent) -> None:
        """Forget an event."""
        ...

    async def inherit(self) -> int:
        """Take over the events of workers that are no more; how many. A queue of one process has none."""
        ...
