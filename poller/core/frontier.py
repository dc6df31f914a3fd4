"""The only code that may advance a checkpoint: the contiguous prefix of finished records of a shard."""

from collections.abc import Iterable, Sequence
from itertools import takewhile

from poller.core.records import Record


class Frontier:
    """Keeps the records of a shard that were read and are not finished, in the order of the shard.

    The checkpoint is the last record before the first unfinished one, never the furthest finished one.
    """

    def __init__(self) -> None:
        self._order: list[Record] = []
        self._finished: set[Record] = set()
        """Those of them that are finished, and that the checkpoint could not pass yet."""
        self._passed: str | None = None
        self._advanced_to: str | None = None

    def admit(self, records: Sequence[Record]) -> None:
        """Records of one source were read. Those without a position belong to a queue and are not kept."""
        if records and records[0].position is not None:
            self._order.extend(records)

    def resolve(self, records: Iterable[Record]) -> None:
        """Records are finished: handled, filtered out or discarded."""
        if self._order:
            self._finished.update(records)

    @property
    def movable(self) -> bool:
        """Whether finished records are to be passed over."""
        return bool(self._order) and self._order[0] in self._finished

    def advance(self) -> str | None:
        """Pass over finished records; the sequence number reached, or None if it has not moved."""
        passed = list(takewhile(self._finished.__contains__, self._order))
        del self._order[: len(passed)]
        self._finished.difference_update(passed)
        reached = passed[-1].position if passed else None
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
        return len(self._finished) == len(self._order)
