"""Which batches may be in flight together: of a message group never two."""

from collections.abc import Sequence
from typing import Protocol

from poller.core.records import Record
from poller.waiting import Drain


class Gate(Protocol):
    """Passed by a lane before each delivery."""

    async def enter(self, records: Sequence[Record]) -> bool:
        """Wait until these records may be delivered; False if draining began first."""
        ...

    def leave(self, records: Sequence[Record]) -> None:
        """They have been delivered, and what came of it was settled."""
        ...


class OpenGate:
    """Lets everything pass: the source, or the lane, keeps the order."""

    async def enter(self, records: Sequence[Record]) -> bool:  # noqa: ARG002  # any
        """Pass at once."""
        return True

    def leave(self, records: Sequence[Record]) -> None:
        """Nothing is held."""


class GroupGate:
    """Lets one batch of a message group pass at a time (semantics 2.5.1).

    SQS hides a group while a message of it is in flight, but only for the visibility timeout: a function that
    takes longer would otherwise meet its own group in another poller.
    """

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._in_flight: set[str] = set()
        self._left = drain.signal()

    async def enter(self, records: Sequence[Record]) -> bool:
        """Wait until none of the groups is in flight, then take all of them at once."""
        groups = _groups(records)
        while not self._drain.requested:
            if self._in_flight.isdisjoint(groups):
                self._in_flight |= groups
                return True
            await self._left.wait()
        return False

    def leave(self, records: Sequence[Record]) -> None:
        """Let the next batch of these groups pass."""
        self._in_flight -= _groups(records)
        self._left.set()


def _groups(records: Sequence[Record]) -> set[str]:
    return {record.order_key for record in records if record.order_key is not None}
