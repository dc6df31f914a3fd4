"""The invariants of one queue mapping, checked event by event against what the queue truly held."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.fakes.faults import FaultKind
from tests.fakes.history import (
    Answered,
    DeadLettered,
    Deleted,
    Died,
    DrainBegun,
    Ended,
    Event,
    Invoked,
    Paused,
    Produced,
    Quiet,
    Ready,
    Received,
    Recovered,
    Refused,
    Renewed,
    Restarted,
    Served,
    Shown,
    Started,
    Struck,
    Troubled,
)
from tests.simulation.judging import Lives, Violation
from tests.simulation.scenario import MappingPlan

_SOURCE = {
    FaultKind.SOURCE_UNAVAILABLE.value,
    FaultKind.SOURCE_THROTTLED.value,
    FaultKind.SOURCE_DENIED.value,
    FaultKind.SOURCE_GONE.value,
    FaultKind.SOURCE_BUG.value,
    FaultKind.SOURCE_SLOW.value,
    FaultKind.SETTLE_UNAVAILABLE.value,
}
_DELETES = {
    FaultKind.DELETE_FAILED.value,
    FaultKind.DELETE_LOST.value,
    FaultKind.DELETE_HANGS.value,
    FaultKind.DELETE_DENIED.value,
}
# Faults after which another process may be given a handled message again.
_EXCUSES = {*_SOURCE, *_DELETES, FaultKind.RECEIVE_DUPLICATE.value}
_DENIED = {FaultKind.RENEW_DENIED.value}
_BUGS = {FaultKind.FUNCTION_BUG.value, FaultKind.SOURCE_BUG.value}

_OPERATIONS = {"receive", "delete", "renew", "release"}

LONGEST_TRY_S = 35.0  # a slow call and the longest wait before the next
LONGEST_REST_S = 35.0  # after trouble, until everything is tried again
SHORT_REST_S = 5.0  # after a process began, or was to end
MARGIN_S = 5.0  # beyond a function's timeout
FRESH_S = 1.0  # beyond the batching window: so long after a receive an invocation may start as it is
REMEMBERED_S = 60.0  # a handled message that comes back is not run for so long
DENIED_S = 30.0  # between two renewals that are denied
TOLERANCE_S = 0.1
NOTICED_S = 4.0  # a process that is suspended for less does not notice


@dataclass(slots=True, eq=False)
class _Receive:
    """One receive of a message: a lease that its process has."""

    at: float
    by: str
    since: float
    """Hidden since, by the receive or a renewal."""
    until: float
    told: bool
    """Whether the answer reached the process."""
    ran: bool = False
    superseded: bool = False
    """It came while the message was hidden, or was being run: it is not a try of its own."""
    unread: bool = False
    """Its process was suspended when it was answered, and could not know when that was."""


@dataclass(slots=True, eq=False)
class _Message:
    name: str
    group: str | None
    number: int
    kept: bool
    """Whether it passes the filter."""
    visible_at: float
    receives: dict[int, _Receive] = field(default_factory=dict)
    last: _Receive | None = None
    doubled: bool = False
    """The queue handed it out while it was hidden."""
    attempted: bool = False
    handled_at: float | None = None
    handled_by: str = ""
    handled_in_time: bool = False
    handled_until: float = 0.0
    """When the receipt it was handled under lapses."""
    given_back_by: str = ""
    """The process that gave it back at its end."""
    gone: bool = False


class QueueOracle:
    """Judges one queue and the mapping that reads it."""

    def __init__(self, plan: MappingPlan, lives: Lives, *, roomy: bool) -> None:
        """Judge nothing yet.

        Args:
            plan: The mapping.
            lives: Of the processes.
            roomy: Whether no receive has to wait for memory.
        """
        self._plan = plan
        self._roomy = roomy
        self._lives = lives
        self._messages: dict[str, _Message] = {}
        self._groups: dict[str, list[_Message]] = {}
        self._failed_at: dict[str | None, float] = {}
        """By message group."""
        self._in_flight: dict[int, Invoked] = {}
        self._forgotten: set[int] = set()
        """Invocations that were perhaps cut off when a part of the process began again."""
        self._struck: dict[str, float] = {}
        """When each kind of fault was met last."""
        self._paused_until = -1.0
        self._barely_suspended: dict[str, float] = {}
        """Until when each process was suspended last, for a time too short to notice."""
        self._restarted_at = -1.0
        self._free_at = 0.0
        """From when on nothing but deletes may keep messages from being received or run."""
        self._received_at = 0.0
        self._refused: dict[str, set[str]] = {}
        """By process: batches that were refused since its function took or answered something last."""
        self._closed_at: dict[str, float] = {}
        """By process: since when its function refuses what it refused before."""
        self._served: set[tuple[str, str]] = set()
        """Operations of processes that have succeeded since they were a problem."""

    def see(self, event: Event) -> Iterator[Violation]:  # noqa: C901  # a case for each kind of event
        """Take an event in."""
        self._note_trouble(event)
        match event:
            case Produced():
                self._produced(event)
            case Received():
                yield from self._received(event)
            case Renewed():
                self._renewed(event)
            case Invoked():
                yield from self._invoked(event)
            case Refused():
                yield from self._turned_away(event)
            case Answered():
                self._answered(event)
            case Deleted():
                yield from self._deleted(event)
            case Shown():
                yield from self._shown(event)
            case DeadLettered():
                yield from self._dead_lettered(event)
            case Served() | Troubled() | Recovered():
                yield from self._problem(event)
            case Ended(in_time=True):
                yield from self._all_released(event)
            case Quiet():
                yield from self._receiving(event.at)

    def end(self) -> Iterator[Violation]:
        """The run is over: every message is handled and deleted, or was redriven (I1)."""
        for message in self._messages.values():
            if not message.gone:
                yield Violation("unfinished", 0.0, message.name)

    # ----- trouble

    def _note_trouble(self, event: Event) -> None:
        match event:
            case Struck():
                self._struck[event.kind] = event.at
                if event.kind not in _DELETES:
                    self._hinder(event.at + LONGEST_REST_S)
                if event.kind == FaultKind.RECEIVE_LOST:
                    self._lost(event)
            case Restarted():
                self._restarted_at = event.at
                self._hinder(event.at + LONGEST_REST_S)
                self._forgotten.update(self._in_flight)
            case Paused():
                self._paused_until = event.at + event.seconds
                if event.seconds < NOTICED_S:
                    self._barely_suspended[event.process] = self._paused_until
                self._hinder(self._paused_until + LONGEST_REST_S)
            case Refused():
                self._hinder(event.at + LONGEST_REST_S)
            case Started() | Ready() | DrainBegun() | Died() | Ended():
                self._hinder(event.at + SHORT_REST_S)

    def _hinder(self, until: float) -> None:
        self._free_at = max(self._free_at, until)

    def _met(self, kinds: set[str], since: float) -> bool:
        return any(self._struck.get(kind, -1.0) >= since for kind in kinds)

    def _lost(self, event: Struck) -> None:
        for message in self._messages.values():
            if message.last is not None and message.last.at == event.at:
                message.last.told = False

    def _problem(self, event: Served | Troubled | Recovered) -> Iterator[Violation]:
        """A problem is over when what failed has succeeded, whatever else does (I8)."""
        key = (event.process, event.operation)
        match event:
            case Served():
                self._served.add(key)
            case Troubled():
                self._served.discard(key)
            case Recovered() if event.operation in _OPERATIONS and key not in self._served:
                text = f"{event.process}: {event.operation}"
                yield Violation("recovered without a success", event.at, text)

    # ----- receiving

    def _produced(self, event: Produced) -> None:
        kept = self._plan.keeps(event.record, "")
        message = _Message(event.record, event.order_key, event.number, kept, event.at)
        self._messages[event.record] = message
        self._groups.setdefault(event.order_key or "", []).append(message)

    def _received(self, event: Received) -> Iterator[Violation]:
        yield from self._receiving(event.at)
        self._received_at = event.at
        message = self._messages[event.record]
        before = message.last
        hidden = before is not None and before.until > event.at
        if before is not None and hidden:
            before.superseded = True
        yield from self._spent(message, event.at)
        yield from self._received_for(event)
        if event.process and message.given_back_by == event.process:
            text = f"{message.name} was given back and received again by {event.process}"
            yield Violation("a drain spent more than one receive", event.at, text)
        message.doubled |= hidden
        message.last = message.receives[event.receives] = _Receive(
            at=event.at,
            by=event.process,
            since=event.at,
            until=event.hidden_until,
            told=event.told,
            superseded=hidden or self._runs(message),
            unread=self._barely_suspended.get(event.process, -1.0) > event.at,
        )

    def _received_for(self, event: Received) -> Iterator[Violation]:
        """A function that takes nothing is tried with what there is; nothing more is received (I7)."""
        closed_at = self._closed_at.get(event.process)
        if closed_at is None:
            return
        if not self._holds_some(event.process, event.at) or self._paused_until >= closed_at:
            self._took(event.process)  # it cannot know
        elif event.at > closed_at + 20.0 + FRESH_S:  # no poll that was open
            text = f"{event.record}; {event.process} is refused everything since {closed_at:.3f}"
            yield Violation("received while the function takes nothing", event.at, text)

    def _holds_some(self, process: str, now: float) -> bool:
        """Whether a process has messages to try its function with."""
        held = [m.last for m in self._messages.values() if m.last is not None and m.last.by == process]
        return any(not receive.ran and receive.until > now and receive.at < now for receive in held)

    def _receiving(self, now: float) -> Iterator[Violation]:
        """Nothing but the function's own pace keeps visible messages from being received (I8)."""
        longest_s = 2 * self._held_s
        since = max(self._received_at, self._free_at)
        if now - since <= longest_s or self._plan.mapping.event_source.fifo or not self._roomy:
            return
        visible = [m for m in self._messages.values() if not m.gone and m.handled_at is None]
        seen = min((self._visible_at(message) for message in visible), default=now)
        if now - max(since, seen) > longest_s:
            yield Violation("held behind somebody else's delete", now, "visible messages are not received")

    def _visible_at(self, message: _Message) -> float:
        return message.visible_at if message.last is None else message.last.until

    def _renewed(self, event: Renewed) -> None:
        receive = self._messages[event.record].last
        assert receive is not None
        receive.since, receive.until, receive.unread = event.at, event.hidden_until, False

    def _spent(self, message: _Message, now: float) -> Iterator[Violation]:
        """A receive is not spent without a run but for a reason (I7)."""
        receive = message.last
        if receive is None or receive.ran or not message.kept or message.handled_at is not None:
            return
        if not self._is_spent_rightly(message, receive):
            text = f"{message.name}, received at {receive.at:.3f}"
            yield Violation("a receive was spent without a run", now, text)

    def _is_spent_rightly(self, message: _Message, receive: _Receive) -> bool:
        return (
            not receive.told
            or receive.superseded
            or receive.by in self._lives.draining
            or self._lives.unclean(receive.by)
            or self._met(_SOURCE | _BUGS, receive.at)
            or self._met(_DENIED, receive.at - DENIED_S - LONGEST_TRY_S)
            or (message.group is not None and self._failed_at.get(message.group, -1.0) >= receive.at)
            or self._paused_until >= receive.at
            or self._restarted_at >= receive.at
        )

    # ----- deliveries

    def _invoked(self, event: Invoked) -> Iterator[Violation]:
        unknown = [name for name in event.records if name not in self._messages]
        if unknown:
            yield Violation("unexpected", event.at, f"{unknown} were never sent")
            return
        messages = [self._messages[name] for name in event.records]
        mine = self._beside(event)
        if len(mine) >= self._most:
            yield Violation("too many in flight", event.at, f"{len(mine) + 1} invocations")
        yield from self._groups_in_order(event, messages)
        for message, number in zip(messages, event.receives, strict=True):
            receive = message.receives[number]
            yield from self._wanted(event, message, receive)
            yield from self._in_time(event, message, receive)
            yield from self._prompt(event.at, message)
            receive.ran = True
            message.attempted = True
        self._in_flight[event.number] = event
        self._took(event.process)

    def _took(self, process: str) -> None:
        """A function took something of a process, or answered it."""
        self._refused.pop(process, None)
        self._closed_at.pop(process, None)

    @property
    def _most(self) -> float:
        """Invocations that one process may have in flight."""
        plan = self._plan
        known = plan.concurrency if plan.concurrency_known else None
        limits = [limit for limit in (plan.mapping.maximum_concurrency, known) if limit is not None]
        return min(limits, default=float("inf"))

    def _turned_away(self, event: Refused) -> Iterator[Violation]:
        """A batch is refused again, and nothing was taken meanwhile: nothing more is received."""
        again = event.request_id in self._refused.setdefault(event.process, set())
        self._refused[event.process].add(event.request_id)
        if again:
            self._closed_at.setdefault(event.process, event.at)
        for name in event.records:
            yield from self._prompt(event.at, self._messages[name])
            self._messages[name].attempted = True

    def _groups_in_order(self, event: Invoked, messages: list[_Message]) -> Iterator[Violation]:
        """Within a group nothing overtakes what was not handled, and nothing runs beside (I3, I4)."""
        before: set[_Message] = set()
        for message in messages:
            if message.group is not None:
                blocking = next((m for m in self._groups[message.group] if _blocks(m, message, before)), None)
                if blocking is not None:
                    together = blocking.last is not None and blocking.last.at == _at(message)
                    kind = "group order when a receive is split" if together else "reordered"
                    yield Violation(kind, event.at, f"{message.name} before {blocking.name}")
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

    def _runs(self, message: _Message) -> bool:
        return any(message.name in invoked.records for invoked in self._in_flight.values())

    def _wanted(self, event: Invoked, message: _Message, receive: _Receive) -> Iterator[Violation]:
        """A message is delivered once per receive, not beside itself, and again only for a reason (I6)."""
        if not message.kept:
            yield Violation("unexpected", event.at, f"{message.name} is filtered out")
        for number, other in self._in_flight.items():
            if message.name in other.records and self._overlap_is_wrong(event, number, other):
                text = f"{message.name} runs in {other.process} already"
                yield Violation("two runs of one message overlap though nothing was injected", event.at, text)
        if receive.ran:
            yield Violation("duplicated", event.at, f"{message.name} ran twice after one receive")
        elif message.handled_at is not None and not self._is_explained(event, message):
            yield Violation("duplicated", event.at, f"{message.name} was handled already")

    def _overlap_is_wrong(self, event: Invoked, number: int, other: Invoked) -> bool:
        """A process never runs a message beside itself; two of them do so only for a reason."""
        if number in self._forgotten:
            return False
        if other.process == event.process:
            return True
        names = set(event.records) & set(other.records)
        plan = self._plan
        return not (
            # One that starts as it was received, late by what is allowed, may outlast so short a visibility.
            plan.visibility_timeout_s < plan.timeout_s + FRESH_S + TOLERANCE_S
            or any(self._messages[name].doubled for name in names)
            or self._lives.unclean(other.process)
            or self._paused_until >= other.at
            or self._met(_SOURCE | _DENIED, other.at - DENIED_S - LONGEST_TRY_S)
        )

    def _in_time(self, event: Invoked, message: _Message, receive: _Receive) -> Iterator[Violation]:
        """A message is run while it is ours; once it has waited, only with time enough for the run (I6)."""
        if receive.unread:
            return
        denied = self._met(_DENIED, event.at - DENIED_S - LONGEST_TRY_S)
        if event.at > receive.until:
            # Of an answer that lay unread only a renewal tells whether it is still good.
            if not (denied and self._paused_until >= receive.since):
                yield Violation("late", event.at, f"{message.name} belongs to somebody else by now")
            return
        plan = self._plan
        run_s = plan.timeout_s if plan.timeout_known else plan.visibility_timeout_s
        waited_s = event.at - receive.since - plan.mapping.maximum_batching_window_in_seconds
        enough = receive.until - event.at >= run_s + MARGIN_S - TOLERANCE_S
        if waited_s > FRESH_S + TOLERANCE_S and not enough and not denied:
            text = f"{message.name} waited {waited_s:.1f} s and has {receive.until - event.at:.1f} s left"
            yield Violation("started late", event.at, text)

    def _prompt(self, now: float, message: _Message) -> Iterator[Violation]:
        """What is held waits for its function only (I8)."""
        if message.last is None or message.last.superseded or message.attempted:
            return
        since = max(message.last.at, self._free_at)
        if now - since > self._held_s:
            text = f"{message.name} was received at {message.last.at:.3f}"
            yield Violation("held behind somebody else's delete", now, text)

    @property
    def _held_s(self) -> float:
        """How long a message may be held while nothing hinders: a window, and the runs before it."""
        plan = self._plan
        runs = 6 if plan.message_bytes or plan.mapping.batch_size > 10 else 2
        return plan.mapping.maximum_batching_window_in_seconds + runs * plan.duration_s + MARGIN_S

    def _is_explained(self, event: Invoked, message: _Message) -> bool:
        handled_at = message.handled_at or 0.0
        if event.process == message.handled_by:
            return event.at > max(handled_at + REMEMBERED_S, message.handled_until)
        # A delete that failed is tried again while the receipt is good: only late faults can defeat it.
        last_tries = message.handled_until - LONGEST_TRY_S
        return (
            message.doubled
            or not message.handled_in_time
            or self._paused_until >= handled_at
            or self._lives.unclean(message.handled_by)
            or self._met(_EXCUSES, max(handled_at, last_tries))
            or self._restarted_at >= handled_at
        )

    # ----- outcomes

    def _answered(self, event: Answered) -> None:
        self._took(event.process)
        invoked = self._in_flight.pop(event.number, None)
        if invoked is None:
            return
        reports = self._plan.mapping.report_batch_item_failures
        ok = event.answer == "ok" or (not reports and event.answer in ("partial", "invalid"))
        failed = event.failed if reports else ()
        for name, number in zip(invoked.records, invoked.receives, strict=True):
            message = self._messages[name]
            if ok or (event.answer == "partial" and name not in failed):
                receive = message.receives[number]
                message.handled_at = event.at
                message.handled_by = event.process
                message.handled_until = receive.until
                message.handled_in_time = receive.until > event.at + 1.0 and message.last is receive
            else:
                self._failed_at[message.group] = event.at
                self._hinder(event.at + LONGEST_REST_S)

    def _deleted(self, event: Deleted) -> Iterator[Violation]:
        """Only what was handled is deleted (I2)."""
        message = self._messages[event.record]
        message.gone = True
        if message.handled_at is None and message.kept:
            yield Violation("early-acked", event.at, f"{message.name} was deleted and not handled")

    def _shown(self, event: Shown) -> Iterator[Violation]:
        """What failed waits for its visibility timeout; only what was not started is given back."""
        message = self._messages[event.record]
        receive = message.last
        assert receive is not None
        receive.until = event.at
        if receive.ran:
            yield Violation("released after it ran", event.at, message.name)
        behind = self._failed_at.get(message.group, -1.0) >= receive.at
        if event.process in self._lives.draining and not behind and not self._met(_BUGS, receive.at):
            message.given_back_by = event.process

    def _all_released(self, event: Ended) -> Iterator[Violation]:
        """A drained process gives back what it did not start (I16)."""
        for message in self._messages.values():
            receive = message.last
            if receive is None or receive.by != event.process or message.gone or receive.ran:
                continue
            waits = receive.until > event.at and message.handled_at is None and message.kept
            excused = (
                not receive.told
                or receive.superseded
                or self._restarted_at >= receive.at
                or self._paused_until >= receive.at
                or self._met(_SOURCE, receive.at)
            )
            if waits and not excused:
                yield Violation("not released", event.at, message.name)

    def _dead_lettered(self, event: DeadLettered) -> Iterator[Violation]:
        """A message is not given up by its queue without having been run, but for faults (I7)."""
        message = self._messages[event.record]
        message.gone = True
        yield from self._spent(message, event.at)
        tried = any(receive.ran for receive in message.receives.values())
        if tried or not message.kept:
            return
        if not all(self._is_spent_rightly(message, receive) for receive in message.receives.values()):
            text = f"{message.name} after {event.receives} receives"
            yield Violation("dead-lettered without a started invocation", event.at, text)


def _blocks(earlier: _Message, message: _Message, before: set[_Message]) -> bool:
    """Whether an earlier message of its group has to be handled first."""
    if earlier.number >= message.number or earlier in before:
        return False
    return earlier.kept and not earlier.gone and earlier.handled_at is None


def _at(message: _Message) -> float:
    return -1.0 if message.last is None else message.last.at
