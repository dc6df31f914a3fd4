"""The clock of asynchronous events: it never steps while the process runs."""

import uuid
from collections.abc import Awaitable, Callable

from poller.core.event_time import STORE, Moment
from poller.interfaces import Clock


class EventClock:
    """Counts on from the store's clock where that can be read, else from the first look at the wall clock."""

    def __init__(self, clock: Clock, store_time: Callable[[], Awaitable[float | None]]) -> None:
        """Make it.

        Args:
            clock: Of this process.
            store_time: Reads the store's clock. May raise StateUnavailable.
        """
        self._clock = clock
        self._store_time = store_time
        self._name = ""
        self._zero = 0.0
        """Epoch seconds when the monotonic clock showed 0."""

    async def set(self) -> None:
        """Set it, once. May raise StateUnavailable."""
        if self._name:
            return
        asked_at = self._clock.monotonic()
        time = await self._store_time()
        answered_at = self._clock.monotonic()
        if self._name:
            return  # another task was faster
        if time is None:
            self._name = f"wall/{uuid.uuid4()}"
            self._zero = self._clock.wall() - self._clock.monotonic()
        else:
            self._name = f"{STORE}/{uuid.uuid4()}"
            self._zero = time - (asked_at + answered_at) / 2

    def now(self) -> Moment:
        """Read it; it was set."""
        assert self._name
        clock = self._clock
        return Moment(at=self._zero + clock.monotonic(), clock=self._name, wall=clock.wall())
