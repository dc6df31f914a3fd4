"""An on-failure destination that keeps what it is sent, refuses, and loses its answers."""

from poller.core.documents import Document
from poller.core.payload import encode_records
from poller.errors import DestinationDenied, DestinationUnavailable
from poller.interfaces import Clock
from tests.fakes.events import read_event
from tests.fakes.faults import FaultKind
from tests.fakes.history import History, Told
from tests.fakes.wire import Wire


class FakeDestination:
    """Keeps documents. Sending the same one twice is allowed, and shows."""

    def __init__(self, wire: Wire, *, mapping: str, clock: Clock, history: History) -> None:
        self.kept: list[Document] = []
        self._wire = wire
        self._mapping = mapping
        self._clock = clock
        self._history = history

    async def check(self) -> None:
        """It is there, or cannot be reached."""
        await self._wire.there()

    async def send(self, document: Document) -> None:
        """Keep a document."""
        await self._wire.there()
        place = self._wire.place
        if self._wire.faults.strike(place, FaultKind.DESTINATION_UNAVAILABLE):
            raise DestinationUnavailable(f"{place}: try again")
        if self._wire.faults.strike(place, FaultKind.DESTINATION_DENIED):
            raise DestinationDenied(f"{place}: AccessDenied")
        self.kept.append(document)
        names = tuple(entry.record for entry in read_event(encode_records(document.records)))
        self._history.add(Told(self._clock.monotonic(), self._mapping, names))
        if self._wire.faults.strike(place, FaultKind.DESTINATION_LOST_REPLY):
            raise DestinationUnavailable(f"{place}: the answer was lost")
        await self._wire.back()
