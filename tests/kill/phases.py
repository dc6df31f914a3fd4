"""What a life was doing when it ended, read from the history: how far each record had come by then."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from poller.core.records import Position
from tests.fakes.history import (
    Answered,
    Checkpointed,
    Deleted,
    Died,
    DrainBegun,
    Ended,
    Event,
    History,
    Invoked,
    Produced,
    Read,
    Ready,
    Received,
    Shown,
    Started,
)

PHASES = ("start", "idle", "receive", "invoke", "settle", "checkpoint", "drain")


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of one life."""

    event: Died | Ended
    lived_s: float
    phases: frozenset[str]
    unsettled: Mapping[tuple[str, str], int]
    """Records that this life handled and neither deleted nor checkpointed, by place and shard."""

    @property
    def clean(self) -> bool:
        return isinstance(self.event, Ended) and self.event.in_time


@dataclass(slots=True, eq=False)
class _Record:
    place: str
    shard: str
    number: int
    held: bool = False
    """Read or received by this life, and not begun."""
    handled: bool = False
    """A function has run to its end with it, in whichever life."""
    handled_now: bool = False
    """In this life."""
    settled: bool = False


class Phases:
    """Follows a history."""

    def __init__(self) -> None:
        self.repeated = 0
        """Deliveries of records that had been handled before."""
        self.twice: list[tuple[str, str]] = []
        """Records of streams that one life delivered again after it had handled them."""
        self._records: dict[str, _Record] = {}
        self._by_shard: dict[tuple[str, str], list[_Record]] = {}
        self._running: dict[tuple[str, int], Invoked] = {}
        self._began_at = 0.0
        self._ready = False
        self._draining = False

    def ends(self, history: History) -> Iterator[End]:
        """The end of each life."""
        for event in history.events:
            self._see(event)
            if isinstance(event, Died | Ended):
                yield End(
                    event=event,
                    lived_s=event.at - self._began_at,
                    phases=self._phases(),
                    unsettled=self._unsettled(),
                )

    def _see(self, event: Event) -> None:  # noqa: C901  # one line for each kind of event
        match event:
            case Started():
                self._begin(event.at)
            case Ready():
                self._ready = True
            case DrainBegun():
                self._draining = True
            case Produced():
                record = _Record(event.place, event.shard, event.number)
                self._records[event.record] = record
                self._by_shard.setdefault((event.place, event.shard), []).append(record)
            case Read():
                self._hold(*event.records)
            case Received(told=True):
                self._hold(event.record)
            case Shown():
                self._records[event.record].held = False
            case Invoked():
                self._invoked(event)
            case Answered():
                self._answered(event)
            case Deleted():
                self._records[event.record].settled = True
            case Checkpointed():
                self._checkpointed(event)

    def _begin(self, at: float) -> None:
        self._began_at = at
        self._ready = self._draining = False
        self._running.clear()
        for record in self._records.values():
            record.held = record.handled_now = False

    def _hold(self, *names: str) -> None:
        for name in names:
            self._records[name].held = True

    def _invoked(self, event: Invoked) -> None:
        self._running[event.place, event.number] = event
        for name in event.records:
            record = self._records[name]
            record.held = False
            self.repeated += record.handled
            if record.handled_now and record.shard != "queue":
                self.twice.append((event.process, name))

    def _answered(self, event: Answered) -> None:
        invoked = self._running.pop((event.place, event.number), None)
        if invoked is not None and event.answer == "ok":
            for name in invoked.records:
                self._records[name].handled = self._records[name].handled_now = True

    def _checkpointed(self, event: Checkpointed) -> None:
        position = Position.parse(event.position)
        for record in self._by_shard.get((event.mapping, event.shard), ()):
            if position.ended or record.number <= int(position.sequence_number or 0):
                record.settled = True

    def _unsettled(self) -> Counter[tuple[str, str]]:
        return Counter(
            (record.place, record.shard)
            for record in self._records.values()
            if record.handled_now and not record.settled
        )

    def _phases(self) -> frozenset[str]:
        """All phases that one of its lanes was in; several at once are the rule."""
        found = set()
        if not self._ready:
            found.add("start")
        if self._draining:
            found.add("drain")
        if self._running:
            found.add("invoke")
        if any(record.held for record in self._records.values()):
            found.add("receive")
        for _, shard in self._unsettled():
            found.add("settle" if shard == "queue" else "checkpoint")
        return frozenset(found or {"idle"})
