"""What holds for the asynchronous events of a function: from its settings, its file entry and the pace."""

from dataclasses import dataclass

from mappings.event_invoke import EventInvokeConfig
from mappings.functions import Function, LambdaFunction
from poller.core.async_events import DEFAULT_EVENT_AGE_S, DEFAULT_RETRY_ATTEMPTS, Condition, EventRules, Role
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
    """None where no file lists it any more."""
    version: str | None
    """None where its qualifier is no longer declared."""
    config: EventInvokeConfig | None

    def destination(self, role: Role) -> str | None:
        """The ARN to tell; None where there is none, or none any more."""
        match role:
            case Role.DEAD_LETTER:
                function = self.function
                return None if isinstance(function, LambdaFunction | None) else function.dead_letter
            case Role.ON_FAILURE:
                return None if self.config is None else self.config.on_failure
            case Role.ON_SUCCESS:
                return None if self.config is None else self.config.on_success

    def rules(self, tempo: Tempo) -> EventRules:
        """Derive the rules of the core."""
        config, function = self.config, self.function
        attempts = None if config is None else config.maximum_retry_attempts
        age = None if config is None else config.maximum_event_age_in_seconds
        failure = tuple(role for role in (Role.DEAD_LETTER, Role.ON_FAILURE) if self.destination(role))
        success = (Role.ON_SUCCESS,) if self.destination(Role.ON_SUCCESS) else ()
        return EventRules(
            maximum_retry_attempts=DEFAULT_RETRY_ATTEMPTS if attempts is None else attempts,
            maximum_event_age_s=DEFAULT_EVENT_AGE_S if age is None else float(age),
            retry_base_s=tempo.event_retry_base_s,
            refusal_backoff=tempo.event_refusal_backoff,
            throttled=not isinstance(function, LambdaFunction | None) and function.concurrency == 0,
            told={Condition.SUCCESS: success, **dict.fromkeys(_FAILURES, failure)},
        )
