"""Writes of events: made again until they are heard, or draining begins."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from poller.core.async_events import QueuedEvent
from poller.errors import EventLost, StateUnavailable
from poller.invoking.event_meter import EventMeter
from poller.waiting import Drain

# While the state cannot be written; nothing of an event is forgotten meanwhile.
WRITE_AGAIN_S = 1.0


@dataclass(slots=True)
class Held:
    """An event that was taken, as far as it has come."""

    event: QueuedEvent
    released: bool = False
    """Whether it was put back, passed on or removed: another task may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWrites:
    """Writes how far events are."""

    drain: Drain
    meter: EventMeter

    async def keep(self, write: Callable[[QueuedEvent], Awaitable[None]], event: QueuedEvent) -> bool:
        """Write an event that stays with its taker; False where draining began before, or it is another's."""
        while True:
            try:
                await write(event)
            except EventLost:
                self.meter.lost(event)
                return False
            except StateUnavailable as error:
                if not await self.may_go_on(error):
                    return False
            else:
                return True

    async def release(self, write: Callable[[QueuedEvent], Awaitable[bool]], held: Held) -> bool:
        """Write an event for the last time; False where it was not written, or is another's."""
        while True:
            try:
                written = await write(held.event)
            except StateUnavailable as error:
                if not await self.may_go_on(error):
                    return False
            except Exception as error:  # noqa: BLE001  # what was done must not be done again for want of a write
                self.meter.crashed(held.event, error)
                await self.drain.sleep(WRITE_AGAIN_S)
                if self.drain.requested:
                    return False
            else:
                held.released = True
                return written

    async def may_go_on(self, error: Exception) -> bool:
        """Wait a moment; whether there is time for another try."""
        self.meter.state_unavailable(str(error))
        await self.drain.sleep(WRITE_AGAIN_S)
        return not self.drain.requested
