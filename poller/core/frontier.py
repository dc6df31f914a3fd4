"""The only code that may advance a checkpoint: the contiguous prefix of finished records of a shard."""

from collections import deque
from collections.abc import Iterable

from poller.core.records import Record


class Frontier:
    """Keeps the records of a shard that were read and are not finished, in the order of the shard.

    The checkpoint is the last record before the first unfinished one, never the furthest finished one.
    """

    def __init__(self) -> None:
        self._order: deque[Record] = deque()
        self._open: set[Record] = set()
        self._passed: str | None = None
        self._advanced_to: str | None = None

    def admit(self, records: Iterable[Record]) -> None:
        """Records were read. Records without a position belong to a queue and are not kept."""
        kept = [record for record in records if record.position is not None]
        self._order.extend(kept)
        self._open.update(kept)

    def resolve(self, records: Iterable[Record]) -> None:
        """Records are finished: handled, filtered out or discarded."""
        self._open.difference_update(records)

    @property
    def movable(self) -> bool:
        """Whether finished records are to be passed over."""
        return bool(self._order) and self._order[0] not in self._open

    def advance(self) -> str | None:
        """Pass over finished records; the sequence number reached, or None if it has not moved."""
        reached: str | None = None
        order, unfinished = self._order, self._open
        while order and order[0] not in unfinished:
            reached = order.popleft().position
        if reached is not None:
            self._passed = reached
        # Records that share a sequence number (de-aggregated ones) are passed only together.
        if self._order and self._order[0].position == reached:
            reached = self._advanced_to
        if reached is None or reached == self._advanced_to:
            return None
        self._advanced_to = reached
        return reached

    @property
    def halted(self) -> bool:
        """Whether a finished record lies behind the checkpoint, for one that shares its sequence number."""
        return self._passed != self._advanced_to

    @property
    def settled(self) -> bool:
        """Whether every record that was read is finished."""
        return not self._open
