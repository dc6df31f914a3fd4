"""An on-failure destination that keeps what it is sent, refuses, and loses its answers."""

from typing import Protocol

from poller.core.discards import Discard
from poller.errors import SourceUnavailable
from tests.fakes.faults import FaultKind
from tests.fakes.wire import Wire


class Destination(Protocol):
    """Where discards are reported to."""

    async def send(self, discard: Discard) -> None:
        """Return once the report is safe."""
        ...


class FakeDestination:
    """Keeps discards. Sending the same one twice is allowed, and shows."""

    def __init__(self, wire: Wire) -> None:
        self.kept: list[Discard] = []
        self._wire = wire

    async def send(self, discard: Discard) -> None:
        """Keep a report."""
        await self._wire.there()
        self._wire.source_fails()
        self.kept.append(discard)
        if self._wire.faults.strike(self._wire.place, FaultKind.DELETE_LOST):
            raise SourceUnavailable(f"{self._wire.place}: the answer was lost")
        await self._wire.back()
