"""The invariants of one queue mapping, checked event by event against what the queue truly held."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.fakes.faults import FaultKind
from tests.fakes.history import (
    Answered,
    DeadLettered,
    Deleted,
    Ended,
    Event,
    Invoked,
    Produced,
    Received,
    Refused,
    Restarted,
    Shown,
    Struck,
)
from tests.simulation.judging import Lives, Violation
from tests.simulation.scenario import MappingPlan

# Faults after which a handled message may come again.
_EXCUSES = {
    FaultKind.DELETE_FAILED.value,
    FaultKind.DELETE_LOST.value,
    FaultKind.SETTLE_UNAVAILABLE.value,
    FaultKind.RECEIVE_DUPLICATE.value,
    FaultKind.SOURCE_UNAVAILABLE.value,
    FaultKind.SOURCE_THROTTLED.value,
    FaultKind.SOURCE_DENIED.value,
    FaultKind.SOURCE_GONE.value,
    FaultKind.SOURCE_BUG.value,
    FaultKind.SOURCE_SLOW.value,
}

LONGEST_TRY_S = 35.0  # a slow call and the longest wait before the next


@dataclass(slots=True, eq=False)
class _Message:
    name: str
    group: str | None
    number: int
    kept: bool
    """Whether it passes the filter."""
    receives: int = 0
    received_at: float = -1.0
    taken_by: str = ""
    hidden_until: dict[int, float] = field(default_factory=dict)
    """By receive."""
    doubled: bool = False
    """The queue handed it out while it was hidden."""
    untold: bool = False
    """A receive of it never reached a process, or its process fell."""
    ran: set[int] = field(default_factory=set)
    """The receives under which it was delivered."""
    attempted: bool = False
    handled_at: float | None = None
    handled_by: str = ""
    handled_in_time: bool = False
    handled_until: float = 0.0
    """When the receipt it was handled under lapses."""
    gone: bool = False


class QueueOracle:
    """Judges one queue and the mapping that reads it."""

    def __init__(self, plan: MappingPlan, lives: Lives) -> None:
        self._plan = plan
        self._lives = lives
        self._messages: dict[str, _Message] = {}
        self._groups: dict[str, list[_Message]] = {}
        self._in_flight: dict[int, Invoked] = {}
        self._forgotten: set[int] = set()
        """Invocations that were perhaps cut off when a part of the process began again."""
        self._excused_at = -1.0
        self._restarted_at = -1.0

    def see(self, event: Event) -> Iterator[Violation]:  # noqa: C901, PLR0912  # a case for each kind of event
        """Take an event in."""
        match event:
            case Produced():
                kept = self._plan.keeps(event.record, "")
                message = _Message(event.record, event.order_key, event.number, kept)
                self._messages[event.record] = message
                self._groups.setdefault(event.order_key or "", []).append(message)
            case Received():
                self._received(event)
            case Invoked():
                yield from self._invoked(event)
            case Refused():
                for name in event.records:
                    self._messages[name].attempted = True
            case Answered():
                self._answered(event)
            case Deleted():
                yield from self._deleted(event)
            case Shown():
                yield from self._shown(event)
            case DeadLettered():
                yield from self._dead_lettered(event)
            case Struck() if event.kind in _EXCUSES:
                self._excused_at = event.at
            case Struck(kind=FaultKind.RECEIVE_LOST.value):
                self._lost(event)
            case Ended(in_time=True):
                yield from self._all_released(event)
            case Restarted():
                self._restarted_at = event.at
                self._forgotten.update(self._in_flight)

    def end(self) -> Iterator[Violation]:
        """The run is over: every message is handled and deleted, or was redriven (I1)."""
        for message in self._messages.values():
            if not message.gone:
                yield Violation("unfinished", 0.0, message.name)

    def _lost(self, event: Struck) -> None:
        for message in self._messages.values():
            if message.received_at == event.at:
                message.untold = True

    def _received(self, event: Received) -> None:
        message = self._messages[event.record]
        message.doubled |= message.hidden_until.get(message.receives, 0.0) > event.at
        message.receives = event.receives
        message.received_at = event.at
        message.taken_by = event.process
        message.hidden_until[event.receives] = event.hidden_until
        message.untold = message.untold or not event.told

    # ----- deliveries

    def _invoked(self, event: Invoked) -> Iterator[Violation]:
        unknown = [name for name in event.records if name not in self._messages]
        if unknown:
            yield Violation("unexpected", event.at, f"{unknown} were never sent")
            return
        messages = [self._messages[name] for name in event.records]
        mine = self._beside(event)
        limit = self._plan.mapping.maximum_concurrency
        if limit is not None and len(mine) >= limit:
            yield Violation("too many in flight", event.at, f"{len(mine) + 1} invocations")
        yield from self._groups_in_order(event, messages)
        for message, receive in zip(messages, event.receives, strict=True):
            yield from self._wanted(event, message, receive)
            message.ran.add(receive)
            message.attempted = True
        self._in_flight[event.number] = event

    def _groups_in_order(self, event: Invoked, messages: list[_Message]) -> Iterator[Violation]:
        """Within a group nothing overtakes, and nothing runs beside (I3, I4)."""
        before: set[_Message] = set()
        for message in messages:
            if message.group is not None:
                earlier = self._groups[message.group]
                blocking = next(
                    (m for m in earlier if m.number < message.number and not m.gone and m not in before), None
                )
                if blocking is not None:
                    yield Violation("reordered", event.at, f"{message.name} before {blocking.name}")
                yield from self._group_is_free(event, message)
            before.add(message)

    def _group_is_free(self, event: Invoked, message: _Message) -> Iterator[Violation]:
        for other in self._beside(event):
            for name in other.records:
                if self._messages[name].group == message.group:
                    text = f"{message.name} beside {name} of its group"
                    yield Violation("two in flight", event.at, text)

    def _beside(self, event: Invoked) -> list[Invoked]:
        """What the same process has in flight."""
        return [
            invoked
            for number, invoked in self._in_flight.items()
            if invoked.process == event.process and number not in self._forgotten
        ]

    def _wanted(self, event: Invoked, message: _Message, receive: int) -> Iterator[Violation]:
        """A message is delivered while it is ours, once per receive, and again only for a reason (I6)."""
        if not message.kept:
            yield Violation("unexpected", event.at, f"{message.name} is filtered out")
        # The time between the last look and the start of the function is the way there.
        if event.at > message.hidden_until[receive] + 0.1:
            yield Violation("late", event.at, f"{message.name} belongs to somebody else by now")
        if receive in message.ran:
            yield Violation("duplicated", event.at, f"{message.name} ran twice after one receive")
        elif message.handled_at is not None and not self._is_explained(message):
            yield Violation("duplicated", event.at, f"{message.name} was handled already")

    def _is_explained(self, message: _Message) -> bool:
        handled_at = message.handled_at or 0.0
        # A delete that failed is tried again while the receipt is good: only late faults can defeat it.
        last_tries = message.handled_until - LONGEST_TRY_S
        return (
            message.doubled
            or not message.handled_in_time
            or self._lives.unclean(message.handled_by)
            or self._excused_at >= max(handled_at, last_tries)
            or self._restarted_at >= handled_at
        )

    # ----- outcomes

    def _answered(self, event: Answered) -> None:
        invoked = self._in_flight.pop(event.number, None)
        if invoked is None:
            return
        reports = self._plan.mapping.report_batch_item_failures
        ok = event.answer == "ok" or (not reports and event.answer in ("partial", "invalid"))
        failed = event.failed if reports else ()
        for name, receive in zip(invoked.records, invoked.receives, strict=True):
            if ok or (event.answer == "partial" and name not in failed):
                message = self._messages[name]
                message.handled_at = event.at
                message.handled_by = event.process
                message.handled_until = message.hidden_until[receive]
                in_time = message.hidden_until[receive] > event.at + 1.0
                message.handled_in_time = in_time and message.receives == receive

    def _deleted(self, event: Deleted) -> Iterator[Violation]:
        """Only what was handled is deleted (I2)."""
        message = self._messages[event.record]
        message.gone = True
        if message.handled_at is None and message.kept:
            yield Violation("early-acked", event.at, f"{message.name} was deleted and not handled")

    def _shown(self, event: Shown) -> Iterator[Violation]:
        """What failed waits for its visibility timeout; only what was not started is given back."""
        message = self._messages[event.record]
        message.hidden_until[message.receives] = event.at
        if message.receives in message.ran:
            yield Violation("released after it ran", event.at, message.name)

    def _all_released(self, event: Ended) -> Iterator[Violation]:
        """A drained process gives back what it did not start (I16)."""
        for message in self._messages.values():
            kept = (
                message.taken_by == event.process
                and not message.gone
                and not message.attempted
                and not message.untold
                and message.hidden_until.get(message.receives, 0.0) > event.at
            )
            if kept and self._excused_at < 0 and self._restarted_at < 0:
                yield Violation("not released", event.at, message.name)

    def _dead_lettered(self, event: DeadLettered) -> Iterator[Violation]:
        """A message is not given up by its queue without having been tried, but for a fault (I7)."""
        message = self._messages[event.record]
        message.gone = True
        excused = (
            message.attempted
            or message.untold
            or self._lives.killed
            or self._lives.draining
            or self._excused_at >= 0
            or self._restarted_at >= 0
        )
        if not excused:
            yield Violation("dead-lettered untried", event.at, message.name)
