"""Counts asynchronous events and says what becomes of them: each end once, what repeats itself seldom."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from poller.core.async_events import Condition, Notice, QueuedEvent, Role
from poller.counts import Histogram, tally
from poller.events.queue import QueueFull
from poller.telemetry import Log

# Lines about one function, for one reason, in between are counted and said with the next.
QUIET_S = 30.0
# Seconds until an event is run: from at once to the six hours that it may live.
AGE_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10_800.0, 21_600.0)
DROPPED = {
    Condition.RETRIES_EXHAUSTED: "retries_exhausted",
    Condition.EVENT_AGE_EXCEEDED: "event_age_exceeded",
    Condition.ZERO_RESERVED_CONCURRENCY: "zero_reserved_concurrency",
}
NOT_KEPT = "not_kept"
"""The process ended, and its store keeps nothing."""


def _none_dropped() -> dict[str, int]:
    return dict.fromkeys((*DROPPED.values(), NOT_KEPT), 0)


@dataclass(slots=True)
class EventCounts:
    """Totals of one function since the process started."""

    received: int = 0
    dropped: dict[str, int] = field(default_factory=_none_dropped)
    """Events that did not succeed, by reason."""
    age_s: Histogram = field(default_factory=lambda: Histogram(AGE_S))
    dead_letter_errors: int = 0
    delivery_failures: int = 0


@dataclass(slots=True)
class _Repeated:
    """A line that was said, and those since then that were not."""

    said_at: float
    more: int = 0
    fields: Mapping[str, object] = field(default_factory=dict)


class EventMeter:
    """The counts of one process, by function, and its lines."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.counts: dict[str, EventCounts] = {}
        self._monotonic = monotonic
        self._repeated: dict[tuple[Log, str, str], _Repeated] = {}
        self._log = structlog.get_logger()

    def received(self, function: str) -> None:
        """An event was accepted."""
        self._of(function).received += 1

    def refused(self, function: str, full: QueueFull) -> None:
        """An event was not accepted: the queue is full."""
        self._often(
            Log.EVENT_REFUSED,
            function,
            full.filled_by,
            filled_by=full.filled_by,
            queued_events=full.events,
            kept_bytes=full.kept_bytes,
        )

    def begun(self, event: QueuedEvent) -> None:
        """An event is about to be run."""
        self._of(event.function).age_s.observe(event.age.certain_s + event.age.doubted_s)

    def postponed(self, event: QueuedEvent, outcome: str, *, delay_s: float) -> None:
        """An event is tried again later."""
        self._often(
            Log.EVENT_POSTPONED,
            event.function,
            outcome,
            request_id=event.request_id,
            invoke_count=event.delivered,
            outcome=outcome,
            delay_s=round(delay_s, 3),
        )

    def unlisted(self, event: QueuedEvent) -> None:
        """No mapping file here lists the function of an event, or the version it asks for."""
        self._often(Log.EVENT_NOT_RUNNABLE, event.function, "", request_id=event.request_id)

    def ended(self, event: QueuedEvent, outcome: str) -> None:
        """An event has come to its end; said once."""
        ending = event.ending
        assert ending is not None
        fields = {
            "function": event.function,
            "request_id": event.request_id,
            "invoke_count": event.delivered,
            "outcome": outcome,
        }
        if ending.condition is Condition.SUCCESS:
            self._log.debug(Log.EVENT_SUCCEEDED, **fields)
            return
        tally(self._of(event.function).dropped, DROPPED[ending.condition])
        self._log.error(
            Log.EVENT_GIVEN_UP,
            condition=ending.condition,
            age_s=round(ending.age_s, 3),
            told=[notice.role for notice in ending.pending],
            **fields,
        )

    def undelivered(self, event: QueuedEvent, notice: Notice, problem: str) -> None:
        """A destination did not take the end of an event; it is sent again."""
        self._count_failure(event.function, notice)
        self._often(
            Log.EVENT_UNDELIVERED,
            event.function,
            f"{notice.arn} {problem}",
            request_id=event.request_id,
            role=notice.role,
            destination=notice.arn,
            problem=problem,
        )

    def record_dropped(self, event: QueuedEvent, notice: Notice, problem: str) -> None:
        """The end of an event reaches its destination in no form; said once."""
        self._count_failure(event.function, notice)
        self._log.error(
            Log.EVENT_RECORD_DROPPED,
            function=event.function,
            request_id=event.request_id,
            role=notice.role,
            destination=notice.arn,
            problem=problem,
        )

    def crashed(self, event: QueuedEvent | None, error: BaseException) -> None:
        """An error of ours that nobody foresaw; the stage is repeated. None where it was before any event."""
        function = "" if event is None else event.function
        named = {} if event is None else {"request_id": event.request_id}
        self._often(Log.EVENT_CRASHED, function, type(error).__name__, exc_info=error, **named)

    def lost(self, event: QueuedEvent) -> None:
        """Another worker has the event."""
        self._often(Log.EVENT_LOST, event.function, "", request_id=event.request_id)

    def not_kept(self, event: QueuedEvent) -> None:
        """The process ends before the event has, and nothing keeps it."""
        tally(self._of(event.function).dropped, NOT_KEPT)
        self._log.error(Log.EVENT_NOT_KEPT, function=event.function, request_id=event.request_id)

    def state_unavailable(self, problem: str) -> None:
        """The store did not answer, or refused."""
        self._often(Log.STATE_UNAVAILABLE, "", problem, reason=problem)

    def flush(self, *, everything: bool = False) -> None:
        """Say what was kept back for long enough."""
        now = self._monotonic()
        for key, line in list(self._repeated.items()):
            if everything or now - line.said_at >= QUIET_S:
                event, function, _ = key
                del self._repeated[key]
                if line.more:
                    self._say(event, function, {**line.fields, "events": line.more})
                    self._repeated[key] = _Repeated(now)

    def _often(self, event: Log, function: str, why: str, /, **fields: object) -> None:
        key = (event, function, why)
        line = self._repeated.get(key)
        if line is None:
            self._repeated[key] = _Repeated(self._monotonic())
            self._say(event, function, fields)
        else:
            line.more += 1
            line.fields = fields

    def _say(self, event: Log, function: str, fields: Mapping[str, object]) -> None:
        named = {"function": function} if function else {}
        say = self._log.error if event is Log.EVENT_CRASHED else self._log.warning
        say(event, **named, **fields)

    def _count_failure(self, function: str, notice: Notice) -> None:
        counts = self._of(function)
        if notice.role is Role.DEAD_LETTER:
            counts.dead_letter_errors += 1
        else:
            counts.delivery_failures += 1

    def _of(self, function: str) -> EventCounts:
        return self.counts.setdefault(function, EventCounts())
