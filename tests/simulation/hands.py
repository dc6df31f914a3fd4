"""Who may act for a shard, judged from the history of its lease: one worker at most, and never afterwards."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.fakes.history import Event, LeaseForgotten, LeaseReleased, LeaseTaken, Sent
from tests.simulation.judging import Violation


class _Hand(NamedTuple):
    process: str
    epoch: int


class Hands:
    """The owners of the shards of one stream."""

    def __init__(self, *, in_fleet: bool) -> None:
        self._in_fleet = in_fleet
        self._owner: dict[str, _Hand | None] = {}
        self._robbed: dict[str, set[str]] = {}
        """Who lost a shard without having released it."""
        self._robbed_at: dict[str, float] = {}

    def see(self, event: Event, shard_of: Callable[[str], str]) -> Iterator[Violation]:
        """Take an event in."""
        match event:
            case LeaseTaken():
                before = self._owner.get(event.shard)
                if before is not None:
                    self._robbed.setdefault(event.shard, set()).add(before.process)
                    self._robbed_at[event.shard] = event.at
                self._owner[event.shard] = _Hand(event.process, event.epoch)
            case LeaseReleased():
                if self._owner.get(event.shard) == _Hand(event.process, event.epoch):
                    self._owner[event.shard] = None
            case LeaseForgotten():
                self._owner.pop(event.shard, None)
            case Sent() if self._in_fleet and event.records:
                yield from self._sent(event, shard_of(event.records[0]))

    def _sent(self, event: Sent, shard: str) -> Iterator[Violation]:
        if shard not in self._owner:
            return  # of a stream that is no more, which its reader does not know yet
        owner = self._owner[shard]
        if owner is None or owner.process != event.process:
            text = f"{event.process} delivers {event.records} of {shard}, which {owner} has"
            yield Violation("acted without the lease", event.at, text)

    def explain(self, shard: str, finished_by: str, again_by: str, finished_at: float) -> bool:
        """Whether a finished record may come again: its worker lost the shard before it could say so."""
        if finished_by == again_by:
            return self._in_fleet and self._robbed_at.get(shard, -1.0) >= finished_at
        return finished_by in self._robbed.get(shard, ())
