"""Whether a position still lies in a shard: the oldest record there may be a later one."""

from enum import Enum

from poller.errors import PositionExpired
from poller.interfaces import Reader


class Standing(Enum):
    """What is known of a position."""

    OPEN = "open"
    """Not yet: only empty pages were read since the horizon, and they go on."""
    HOLDS = "holds"
    """The oldest record is not later."""
    EMPTY = "empty"
    """The shard holds no record."""


class Horizon:
    """Follows a shard from its horizon to the first record, or to the tip, one page at each look."""

    def __init__(self, reader: Reader, after: str, *, place: str) -> None:
        """Make it.

        Args:
            reader: Of the shard, opened at its horizon; nobody else reads with it.
            after: The sequence number in question.
            place: Names the shard, for the error.
        """
        self._reader = reader
        self._after = int(after)
        self._place = place

    async def look(self) -> Standing:
        """Read one page, which may hold one record.

        Raises:
            PositionExpired: The oldest record is later: what lay between may have been trimmed.
        """
        page = await self._reader.receive(1, 0.0)
        if not page.records:
            return Standing.OPEN if page.behind and not page.end_of_shard else Standing.EMPTY
        if int(page.records[0].receipt) > self._after:
            raise PositionExpired(
                f"{self._place}: the oldest record comes after the checkpoint; "
                "records between them may have been trimmed"
            )
        return Standing.HOLDS
