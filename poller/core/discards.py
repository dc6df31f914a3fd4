"""What is given up, and why: the description of records that leave a stream without success."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.core.records import Record
from poller.core.timewindow import TimeWindow


class Condition(StrEnum):
    """AWS's words for why a batch was discarded (semantics 3.9.4)."""

    RETRY_ATTEMPTS_EXHAUSTED = "RetryAttemptsExhausted"
    RECORD_AGE_EXCEEDED = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseContext:
    """The last answer of the function, as the failure document shows it."""

    status_code: int
    executed_version: str
    function_error: str | None
    """None for a valid or invalid response without function error: the key is present, null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Records that are given up together."""

    records: Sequence[Record]
    condition: Condition
    invoke_count: int
    request_id: str
    response: ResponseContext | None
    """None where the function did not answer: the document then has no responseContext at all."""
    window: TimeWindow | None = None
    """The tumbling window of the records; without records it is the window's final invocation that failed."""
    members: bytes = field(default=b"", repr=False)
    """What the event held beside its records, encoded."""


def response_context(outcome: Outcome) -> ResponseContext | None:
    """What of an outcome a failure document shows."""
    match outcome:
        case Succeeded():
            return ResponseContext(
                status_code=outcome.status_code,
                executed_version=outcome.executed_version,
                function_error=None,
            )
        case FunctionError():
            return ResponseContext(
                status_code=outcome.status_code,
                executed_version=outcome.executed_version,
                function_error=outcome.function_error,
            )
        case _:
            return None
