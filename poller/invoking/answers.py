"""How the outcome of an invocation is answered: status, headers and body, or AWS's error."""

import base64
import math

from mappings.answers import JSON, Answer
from mappings.errors import (
    MappingError,
    RequestTooLargeException,
    ServiceException,
    TooManyRequestsException,
)
from poller.core.log_tail import LogTail
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.invoking.request import SYNCHRONOUS_LIMIT_BYTES

REQUEST_ID = "x-amzn-RequestId"
RATE_EXCEEDED = "Rate Exceeded."


def answer_of(outcome: Outcome, *, request_id: str, tail: LogTail | None) -> Answer:
    """Answer a synchronous invocation. Raises a MappingError where the function did not run to its end."""
    match outcome:
        case Succeeded() | FunctionError():
            headers = {
                "Content-Type": JSON,
                "X-Amz-Executed-Version": outcome.executed_version,
                REQUEST_ID: request_id,
            }
            if isinstance(outcome, FunctionError):
                headers["X-Amz-Function-Error"] = outcome.function_error
            if tail is not None:
                headers["X-Amz-Log-Result"] = base64.b64encode(tail.read()).decode()
            return Answer(status=200, body=outcome.payload, headers=headers)
        case _:
            raise _refusal(outcome)


def accepted(status: int, request_id: str) -> Answer:
    """Answer an invocation of which nothing came back yet, or nothing will."""
    return Answer(status=status, headers={REQUEST_ID: request_id})


def queue_full() -> TooManyRequestsException:
    """Return the error for one event too many."""
    return TooManyRequestsException(
        RATE_EXCEEDED, retry_after_s=1, reason="FunctionInvocationRateLimitExceeded"
    )


def _refusal(outcome: Throttled | Unreachable | LostReply | TooLarge) -> MappingError:
    match outcome:
        case Throttled():
            return TooManyRequestsException(
                RATE_EXCEEDED,
                retry_after_s=max(math.ceil(outcome.retry_after_s or 0), 1),
                reason="ReservedFunctionConcurrentInvocationLimitExceeded"
                if outcome.reserved
                else "ConcurrentInvocationLimitExceeded",
            )
        case Unreachable():
            return ServiceException(f"The function could not be invoked: {outcome.reason}")
        case LostReply():
            return ServiceException(f"The function may have run, but gave no answer: {outcome.reason}")
        case TooLarge():
            return RequestTooLargeException(
                f"{outcome.size} byte payload is too large for the RequestResponse invocation type "
                f"(limit {SYNCHRONOUS_LIMIT_BYTES} bytes)"
            )
