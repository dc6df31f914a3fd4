"""The way to a service and back: how long a call takes, and the failures every service shares."""

import random

import anyio
import anyio.lowlevel

from poller.errors import SourceDenied, SourceError, SourceGone, SourceThrottled, SourceUnavailable
from tests.fakes.faults import FaultKind, Faults

_ERRORS: tuple[tuple[FaultKind, type[SourceError]], ...] = (
    (FaultKind.SOURCE_UNAVAILABLE, SourceUnavailable),
    (FaultKind.SOURCE_THROTTLED, SourceThrottled),
    (FaultKind.SOURCE_DENIED, SourceDenied),
    (FaultKind.SOURCE_GONE, SourceGone),
)


class Wire:
    """Carries calls to one place. What takes time before the effect may be cut; so may what comes after."""

    def __init__(self, place: str, *, faults: Faults, chance: random.Random, latency_s: float = 0.05) -> None:
        self.place = place
        self.faults = faults
        self.chance = chance
        self._latency_s = latency_s

    async def there(self, slow: FaultKind = FaultKind.SOURCE_SLOW) -> None:
        """The request travels."""
        seconds = self.chance.random() * self._latency_s
        if self.faults.strike(self.place, slow):
            seconds += self.chance.random() * 20.0
        await anyio.sleep(seconds)

    async def back(self) -> None:
        """The answer travels."""
        await anyio.lowlevel.checkpoint()

    def source_fails(self) -> None:
        """Raise what any call to a source may raise."""
        for kind, error in _ERRORS:
            if self.faults.strike(self.place, kind):
                raise error(f"{self.place}: {kind}")
        if self.faults.strike(self.place, FaultKind.SOURCE_BUG):
            raise RuntimeError(f"{self.place}: nobody foresaw this")
