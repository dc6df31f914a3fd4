"""The seam behind which accepted events are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from poller.core.async_events import QueuedEvent

Room = Callable[[str], int]
"""How many events of a line may be taken."""
Serves = Callable[[str], bool]
"""Whether this worker can run a function: its bare name, and a qualifier after a colon where it has one."""


class QueueFull(Exception):
    """No more events of this function are accepted now: the queue holds as much as it may."""

    def __init__(self, filled_by: str = "", events: int = 0, kept_bytes: int = 0) -> None:
        super().__init__(f"{events} events of {filled_by} take up {kept_bytes} bytes")
        self.filled_by = filled_by
        """The function that holds most of what was exceeded."""
        self.events = events
        self.kept_bytes = kept_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """What a queue may hold."""

    events: int = 100_000
    kept_bytes: int = 1024 * 1024 * 1024
    """Payloads, and answers that a destination is still to be sent."""


class EventQueue(Protocol):
    """Events, durable: what a write has returned survives the end of the process.

    An event is with one taker at a time: with whoever took it, until it is put back or removed or its taker
    has died. Every method may raise StateUnavailable; what was not answered may have been written.
    `now` is a reading of the event clock of this process.
    """

    @property
    def durable(self) -> bool:
        """Whether it keeps events beyond the end of the process."""
        ...

    @property
    def held(self) -> int:
        """How many events it holds for this worker, as far as is known."""
        ...

    async def time(self) -> float | None:
        """Epoch seconds by the store's clock; None where it has none of its own."""
        ...

    async def add(self, event: QueuedEvent) -> None:
        """Accept an event. Raises QueueFull."""
        ...

    async def take(self, room: Room, *, now: float) -> Sequence[QueuedEvent]:
        """Take events that are due: of each line up to its room, the longest due first."""
        ...

    async def update(self, event: QueuedEvent) -> None:
        """Write how far an event is; it stays with its taker. Raises EventLost where it is that no more."""
        ...

    async def put_back(self, event: QueuedEvent) -> bool:
        """Write how far an event is, and leave it to whoever takes it when it is due.

        False where another worker has it now, or it is gone: then nothing was written. The same holds for
        `pass_on` and `remove`.
        """
        ...

    async def pass_on(self, event: QueuedEvent) -> bool:
        """Write how far an event is, and leave it to a worker that can run its function.

        A queue of one process puts it back.
        """
        ...

    async def remove(self, event: QueuedEvent) -> bool:
        """Forget an event."""
        ...

    def left(self) -> Sequence[QueuedEvent]:
        """What is lost when the process ends; nothing of a queue that is durable."""
        ...

    async def tidy(self) -> None:
        """Give back room that is taken up in vain; called now and then."""
        ...

    async def inherit(self, serves: Serves, *, now: float, by_store: bool) -> int:
        """Take over events that no living worker has; how many. A queue of one process has none.

        Only those of functions that this worker can run, and those that are too old by the store's clock: to
        end, these need nobody who could run them.

        Args:
            serves: Whether this worker can run a function.
            now: By the event clock of this process.
            by_store: Whether that clock was set by the store's.
        """
        ...
