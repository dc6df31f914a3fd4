"""What holds for the asynchronous events of a function: from its settings, its file entry and the pace."""

from dataclasses import dataclass

from mappings.event_invoke import EventInvokeConfig
from mappings.functions import Function, LambdaFunction
from poller.core.async_events import (
    DEFAULT_EVENT_AGE_S,
    DEFAULT_RETRY_ATTEMPTS,
    Condition,
    EventRules,
    Notice,
    Role,
)
from poller.rules import Tempo

_FAILURES = (
    Condition.RETRIES_EXHAUSTED,
    Condition.EVENT_AGE_EXCEEDED,
    Condition.ZERO_RESERVED_CONCURRENCY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """What is known of one event's function."""

    function: Function | None
    """None where no file here lists it."""
    version: str | None
    """None where its qualifier is not declared."""
    config: EventInvokeConfig | None
    last_dead_letter: str | None = None
    """As it was when the function was last listed here, or where the event was accepted."""

    @property
    def runnable(self) -> bool:
        """Whether this worker can run the function, at the version that is asked for."""
        return self.function is not None and self.version is not None

    def destination(self, role: Role) -> str | None:
        """The ARN for a role; None where there is none."""
        match role:
            case Role.DEAD_LETTER:
                return self.last_dead_letter if self.function is None else dead_letter_of(self.function)
            case Role.ON_FAILURE:
                return None if self.config is None else self.config.on_failure
            case Role.ON_SUCCESS:
                return None if self.config is None else self.config.on_success

    def rules(self, tempo: Tempo) -> EventRules:
        """Derive the rules of the core."""
        config, function = self.config, self.function
        attempts = None if config is None else config.maximum_retry_attempts
        age = None if config is None else config.maximum_event_age_in_seconds
        failure = self._notices(Role.DEAD_LETTER, Role.ON_FAILURE)
        return EventRules(
            maximum_retry_attempts=DEFAULT_RETRY_ATTEMPTS if attempts is None else attempts,
            maximum_event_age_s=DEFAULT_EVENT_AGE_S if age is None else float(age),
            retry_base_s=tempo.event_retry_base_s,
            refusal_backoff=tempo.event_refusal_backoff,
            throttled=not isinstance(function, LambdaFunction | None) and function.concurrency == 0,
            dead_letter=self.destination(Role.DEAD_LETTER),
            told={Condition.SUCCESS: self._notices(Role.ON_SUCCESS), **dict.fromkeys(_FAILURES, failure)},
        )

    def _notices(self, *roles: Role) -> tuple[Notice, ...]:
        arns = ((role, self.destination(role)) for role in roles)
        return tuple(Notice(role=role, arn=arn) for role, arn in arns if arn)


def dead_letter_of(function: Function) -> str | None:
    """Return the ARN of a function's dead-letter queue or topic; functions of AWS Lambda have none here."""
    return None if isinstance(function, LambdaFunction) else function.dead_letter
