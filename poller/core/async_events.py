"""What becomes of an asynchronous event: run, tried again later, given up; and where its end is sent.

Rule: an event is written before each invocation and after it, so what is stored is never more than one
invocation behind. An invocation that was begun and whose end was not written was cut off with its poller: it
is no failure of the function and is repeated, but not for ever, because it may be what ends the poller.
An end is decided once: its condition and destinations are kept with the event, whatever is configured later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from poller.core.backoff import Backoff, spread
from poller.core.event_time import Age, Moment
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.core.telling import REFUSED_S

DEFAULT_RETRY_ATTEMPTS = 2
DEFAULT_EVENT_AGE_S = 6 * 3600.0
# So many invocations may be cut off before each further one counts as a failure.
INTERRUPTIONS = 3
# A function that a mapping file lists belongs to no account.
NO_ACCOUNT = "000000000000"
# Stores keep when an event is due in whole milliseconds, cut off: it may be taken so much before its end.
RESOLUTION_S = 0.001
# After an error of ours.
CRASHED_AGAIN_S = 60.0


class Condition(StrEnum):
    """Why an event is finished, in the words of an invocation record."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


class Role(StrEnum):
    """What a destination is for."""

    DEAD_LETTER = "dead_letter"
    ON_FAILURE = "on_failure"
    ON_SUCCESS = "on_success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message about an end: for what, and to which destination."""

    role: Role
    arn: str
    """Empty in events that were stored without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The last answer there was."""

    status_code: int
    executed_version: str | None = None
    """None where the function did not run."""
    function_error: str | None = None
    message: str | None = None
    """The error message of an answer whose payload is not kept."""
    payload: bytes | None = field(default=b"", repr=False)
    """None where no destination could take it, so that it is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an event ended, and what has not been sent yet."""

    condition: Condition
    at: float
    """Epoch seconds."""
    pending: tuple[Notice, ...] = ()
    failures: int = 0
    """Deliveries that failed in a row."""
    age_s: float = 0.0
    """Of the event, when it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedEvent:
    """One accepted event and how far it is."""

    request_id: str
    """The same in every attempt."""
    function: str
    """Bare name."""
    qualifier: str | None
    function_arn: str
    """Qualified as asked."""
    payload: bytes = field(repr=False)
    accepted_at: float
    """Epoch seconds; to be shown."""
    due_at: float
    """By the clock of `age.until`."""
    age: Age
    lives_s: float = DEFAULT_EVENT_AGE_S
    """How old it may become, as last read."""
    dead_letter: str | None = None
    """ARN of the function's dead-letter queue or topic, as last read."""
    running: bool = False
    delivered: int = 0
    """Invocations that reached the function, or may have."""
    failed: int = 0
    refused: int = 0
    """Throttles and system errors in a row."""
    interrupted: int = 0
    response: Response | None = None
    ending: Ending | None = None

    @property
    def line(self) -> str:
        """The line in which it waits: for a run of its function, or for one destination of that."""
        if self.ending is None or not self.ending.pending:
            return self.function
        return telling_line(self.function, self.ending.pending[0].arn)

    @property
    def needs(self) -> str:
        """The function that a worker must list to bring it further; empty where any worker can.

        Its bare name, with the qualifier after a colon where one was asked for.
        """
        if self.ending is None:
            return f"{self.function}:{self.qualifier}" if self.qualifier else self.function
        parts = self.ending.pending[0].arn.split(":") if self.ending.pending else []
        return ":".join(parts[6:]) if parts[2:3] == ["lambda"] and parts[4] == NO_ACCOUNT else ""

    @property
    def expires_at(self) -> float:
        """When it ends, or what is left to send is dropped, whoever has it; by the clock of its age."""
        if self.ending is None:
            return self.age.until.at + max(self.lives_s - self.age.certain_s, 0.0)
        return self.age.until.at + max(REFUSED_S - (self.age.certain_s - self.ending.age_s), 0.0)


def telling_line(function: str, arn: str) -> str:
    """Return the line of the events of a function whose end is to be sent to a destination."""
    return f"{function} > {arn}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRules:
    """What holds for the events of one function under one qualifier."""

    maximum_retry_attempts: int = DEFAULT_RETRY_ATTEMPTS
    maximum_event_age_s: float = DEFAULT_EVENT_AGE_S
    retry_base_s: float = 60.0
    """The first retry comes after so long, each further one after so much more."""
    refusal_backoff: Backoff = Backoff(1.0, 300.0)
    throttled: bool = False
    """Whether the function's reserved concurrency is 0."""
    dead_letter: str | None = None
    told: Mapping[Condition, tuple[Notice, ...]] = field(default_factory=dict)
    """Which ends are sent where."""


def begin(event: QueuedEvent, rules: EventRules, now: Moment) -> QueuedEvent:
    """Return an event that is due as it is to be written now: running, ended, or due later."""
    if event.ending is not None:
        return event
    event = replace(
        event,
        age=event.age.to(now),
        lives_s=rules.maximum_event_age_s,
        dead_letter=rules.dead_letter,
    )
    if rules.throttled:
        return _ended(event, Condition.ZERO_RESERVED_CONCURRENCY, rules, now)
    if event.running:
        event = replace(event, running=False, interrupted=event.interrupted + 1)
        if event.interrupted > INTERRUPTIONS:
            return _failed(event, rules, now)
    if event.age.certain_s >= rules.maximum_event_age_s - RESOLUTION_S:
        return _ended(event, Condition.EVENT_AGE_EXCEEDED, rules, now)
    return replace(event, running=True, delivered=event.delivered + 1)


def judge(
    event: QueuedEvent, outcome: Outcome, rules: EventRules, *, now: Moment, chance: float
) -> QueuedEvent:
    """Return a running event as it is to be written after its invocation."""
    event = replace(event, running=False, age=event.age.to(now))
    match outcome:
        case Succeeded():
            answered = Response(
                status_code=200, executed_version=outcome.executed_version, payload=outcome.payload
            )
            return _ended(replace(event, response=answered), Condition.SUCCESS, rules, now)
        case FunctionError():
            answered = Response(
                status_code=200,
                executed_version=outcome.executed_version,
                function_error=outcome.function_error,
                payload=outcome.payload,
            )
            return _attempted(event, answered, rules, now)
        case TooLarge():
            return _attempted(event, Response(status_code=413), rules, now)
        case LostReply():
            # It may have run, so it counts.
            return _attempted(event, Response(status_code=500), rules, now)
        case Throttled():
            return _refused(event, 429, rules, now, chance, at_least_s=outcome.retry_after_s or 0.0)
        case Unreachable():
            return _refused(event, outcome.status_code or 500, rules, now, chance)


def delivered(event: QueuedEvent, notice: Notice) -> QueuedEvent:
    """Return an event whose notice has arrived, or was dropped."""
    assert event.ending is not None
    pending = tuple(each for each in event.ending.pending if each is not notice)
    return replace(event, ending=replace(event.ending, pending=pending, failures=0))


def undelivered(event: QueuedEvent, *, now: Moment, delay_s: float) -> QueuedEvent:
    """Return an event whose first notice could not be delivered: it is sent again after the others."""
    assert event.ending is not None
    first, *others = event.ending.pending
    failures = event.ending.failures + 1
    if failures <= len(others):
        delay_s = 0.0
    ending = replace(event.ending, pending=(*others, first), failures=failures)
    return replace(event, ending=ending, age=event.age.to(now), due_at=now.at + delay_s)


def crashed(event: QueuedEvent, now: Moment) -> QueuedEvent:
    """Return an event as an unforeseen error of ours leaves it: the stage it was in is repeated later.

    One that was running is left running: its next beginning counts an interruption, so this has a bound. One
    that cannot even be begun ends when it is too old; what cannot be sent is given up like a refused notice.
    """
    event = replace(event, age=event.age.to(now), due_at=now.at + CRASHED_AGAIN_S)
    if event.ending is not None:
        given_up = telling_s(event, now) >= REFUSED_S
        return replace(event, ending=replace(event.ending, pending=())) if given_up else event
    if not event.running and event.age.certain_s >= event.lives_s:
        told = (Notice(role=Role.DEAD_LETTER, arn=event.dead_letter),) if event.dead_letter else ()
        rules = EventRules(told={Condition.EVENT_AGE_EXCEEDED: told})
        return _ended(event, Condition.EVENT_AGE_EXCEEDED, rules, now)
    return event


def telling_s(event: QueuedEvent, now: Moment) -> float:
    """Return for how long an end has been waiting to be sent."""
    assert event.ending is not None
    return event.age.to(now).certain_s - event.ending.age_s


def _attempted(event: QueuedEvent, response: Response, rules: EventRules, now: Moment) -> QueuedEvent:
    """The function has had its attempt: what was doubted of the age counts."""
    event = replace(event, response=response, refused=0, age=event.age.confirmed())
    return _failed(event, rules, now)


def _failed(event: QueuedEvent, rules: EventRules, now: Moment) -> QueuedEvent:
    failed = event.failed + 1
    event = replace(event, failed=failed)
    if failed > rules.maximum_retry_attempts:
        return _ended(event, Condition.RETRIES_EXHAUSTED, rules, now)
    return _due(event, rules.retry_base_s * failed, rules, now)


def _refused(
    event: QueuedEvent,
    status: int,
    rules: EventRules,
    now: Moment,
    chance: float,
    *,
    at_least_s: float = 0.0,
) -> QueuedEvent:
    refused = event.refused + 1
    delay_s = max(spread(rules.refusal_backoff.delay(refused), chance), at_least_s)
    event = replace(
        event,
        refused=refused,
        # It did not reach the function.
        delivered=event.delivered - 1,
        response=event.response or Response(status_code=status),
    )
    return _due(event, delay_s, rules, now)


def _due(event: QueuedEvent, delay_s: float, rules: EventRules, now: Moment) -> QueuedEvent:
    """No wait is longer than the event may live."""
    left_s = max(rules.maximum_event_age_s - event.age.certain_s, 0.0)
    return replace(event, due_at=now.at + min(delay_s, left_s))


def _ended(event: QueuedEvent, condition: Condition, rules: EventRules, now: Moment) -> QueuedEvent:
    ending = Ending(
        condition=condition,
        at=now.wall,
        pending=rules.told.get(condition, ()),
        age_s=event.age.certain_s,
    )
    return replace(event, running=False, due_at=now.at, ending=ending)
