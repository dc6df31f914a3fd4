"""Gives records up for good: recorded, and told to the on-failure destination first."""

from collections.abc import Callable
from dataclasses import dataclass

from poller.core.discards import Discard
from poller.core.documents import Document
from poller.core.recovery import Patience, delivery_delay_s
from poller.errors import DestinationError
from poller.interfaces import Destination
from poller.surroundings import Surroundings
from poller.telemetry import Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class OnFailure:
    """The on-failure destination of a mapping."""

    destination: Destination
    document: Callable[[Discard, str, float], Document]
    """Makes the document of a discard, for a shard, at a wall time."""


class Discarder:
    """Gives up the records of one shard.

    AWS drops a batch whose document cannot be delivered. Here it holds its lane until the destination has
    acknowledged it: nothing is lost because something else is out of order.
    """

    def __init__(
        self,
        on_failure: OnFailure | None,
        *,
        shard: str,
        surroundings: Surroundings,
        meter: Meter,
        patience: Patience,
    ) -> None:
        self._on_failure = on_failure
        self._shard = shard
        self._surroundings = surroundings
        self._meter = meter
        self._patience = patience

    async def give_up(self, discard: Discard) -> bool:
        """Record a discard; False if draining began before its destination took it."""
        delivered = self._on_failure is not None
        if self._on_failure is not None and not await self._deliver(discard, self._on_failure):
            return False
        self._meter.discarded(self._shard, discard, delivered=delivered)
        return True

    async def _deliver(self, discard: Discard, on_failure: OnFailure) -> bool:
        # Made once: each try sends the same document under the same name.
        document = on_failure.document(discard, self._shard, self._surroundings.clock.wall())
        failures = 0
        while True:
            try:
                await on_failure.destination.send(document)
            except DestinationError as error:
                failures += 1
                self._meter.problem(f"PROBLEM: on-failure destination: {error}", shard=self._shard)
                if self._surroundings.drain.requested:
                    return False
                await self._surroundings.drain.sleep(delivery_delay_s(error, failures, self._patience))
            else:
                self._meter.working(shard=self._shard)
                return True
