"""What becomes of an asynchronous event: run, tried again later, given up; and whom to tell in the end.

Rule: an event is written before each invocation and after it, so what is stored is never more than one
invocation behind. An invocation that was begun and whose end was not written was cut off with its poller: it
is no failure of the function and is repeated, but not for ever, because it may be what ends the poller.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from poller.core.backoff import Backoff, spread
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)

DEFAULT_RETRY_ATTEMPTS = 2
DEFAULT_EVENT_AGE_S = 6 * 3600.0
# So many invocations may be cut off before each further one counts as a failure.
INTERRUPTIONS = 3


class Condition(StrEnum):
    """Why an event is finished, in the words of an invocation record."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


class Role(StrEnum):
    """Who is told of the end."""

    DEAD_LETTER = "dead_letter"
    ON_FAILURE = "on_failure"
    ON_SUCCESS = "on_success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The last answer there was."""

    status_code: int
    executed_version: str | None = None
    """None where the function did not run."""
    function_error: str | None = None
    payload: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an event ended, and who has not been told yet."""

    condition: Condition
    at: float
    """Epoch seconds."""
    pending: tuple[Role, ...] = ()
    failures: int = 0
    """Deliveries that failed in a row."""


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
    """Epoch seconds."""
    due_at: float
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
        """What it waits for its turn with: events of one function to be run, or those to be told of."""
        return self.function if self.ending is None else f"{self.function} ended"


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
    told: Mapping[Condition, tuple[Role, ...]] = field(default_factory=dict)
    """Who is told of which end."""


def begin(event: QueuedEvent, rules: EventRules, now: float) -> QueuedEvent:
    """Return an event that is due as it is to be written now: running, ended, or due later."""
    if event.ending is not None:
        return event
    if rules.throttled:
        return _ended(event, Condition.ZERO_RESERVED_CONCURRENCY, rules, now)
    if event.running:
        event = replace(event, running=False, interrupted=event.interrupted + 1)
        if event.interrupted > INTERRUPTIONS:
            return _failed(event, rules, now)
    if now >= event.accepted_at + rules.maximum_event_age_s:
        return _ended(event, Condition.EVENT_AGE_EXCEEDED, rules, now)
    return replace(event, running=True, delivered=event.delivered + 1)


def judge(
    event: QueuedEvent, outcome: Outcome, rules: EventRules, *, now: float, chance: float
) -> QueuedEvent:
    """Return a running event as it is to be written after its invocation."""
    event = replace(event, running=False)
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
            return _failed(replace(event, response=answered, refused=0), rules, now)
        case TooLarge():
            return _failed(replace(event, response=Response(status_code=413), refused=0), rules, now)
        case LostReply():
            # It may have run, so it counts.
            return _failed(replace(event, response=Response(status_code=500), refused=0), rules, now)
        case Throttled():
            return _refused(event, 429, rules, now, chance, at_least_s=outcome.retry_after_s or 0.0)
        case Unreachable():
            return _refused(event, outcome.status_code or 500, rules, now, chance)


def delivered(event: QueuedEvent, role: Role) -> QueuedEvent:
    """Return an event whose end was told to `role`."""
    assert event.ending is not None
    pending = tuple(each for each in event.ending.pending if each is not role)
    return replace(event, ending=replace(event.ending, pending=pending, failures=0))


def undelivered(event: QueuedEvent, *, now: float, delay_s: float) -> QueuedEvent:
    """Return an event whose end could not be told: it is held, and tried again."""
    assert event.ending is not None
    ending = replace(event.ending, failures=event.ending.failures + 1)
    return replace(event, ending=ending, due_at=now + delay_s)


def _failed(event: QueuedEvent, rules: EventRules, now: float) -> QueuedEvent:
    failed = event.failed + 1
    event = replace(event, failed=failed)
    if failed > rules.maximum_retry_attempts:
        return _ended(event, Condition.RETRIES_EXHAUSTED, rules, now)
    return _due(event, now + rules.retry_base_s * failed, rules)


def _refused(
    event: QueuedEvent, status: int, rules: EventRules, now: float, chance: float, *, at_least_s: float = 0.0
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
    return _due(event, now + delay_s, rules)


def _due(event: QueuedEvent, due_at: float, rules: EventRules) -> QueuedEvent:
    """No wait is longer than the event may live."""
    return replace(event, due_at=min(due_at, event.accepted_at + rules.maximum_event_age_s))


def _ended(event: QueuedEvent, condition: Condition, rules: EventRules, now: float) -> QueuedEvent:
    ending = Ending(condition=condition, at=now, pending=rules.told.get(condition, ()))
    return replace(event, running=False, due_at=now, ending=ending)
