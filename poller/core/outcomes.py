"""What can come of an invocation. A function that failed is data here, never an exception."""

from msgspec import Struct


class Succeeded(Struct, frozen=True, kw_only=True):
    """The function ran and returned `payload`."""

    payload: bytes
    status_code: int = 200
    executed_version: str = "$LATEST"
    broken: str = ""
    """What is wrong with the answer, whose payload is not known then; its status is."""


class FunctionError(Struct, frozen=True, kw_only=True):
    """The function ran and failed: it raised, timed out, exited, or answered more than fits."""

    error_type: str
    """`Sandbox.Timedout`, `Runtime.ExitError`, the exception's name ... as AWS spells it."""
    payload: bytes = b""
    status_code: int = 200
    executed_version: str = "$LATEST"
    function_error: str = "Unhandled"
    """Value of X-Amz-Function-Error."""


class Throttled(Struct, frozen=True, kw_only=True):
    """Refused for load: the function did not run."""

    retry_after_s: float | None = None
    reserved: bool = False
    """Whether it was the function's own reserved concurrency that was used up."""


class Unreachable(Struct, frozen=True, kw_only=True):
    """The request failed before the function could run: refused, denied, not found, 5xx."""

    reason: str
    status_code: int | None = None


class LostReply(Struct, frozen=True, kw_only=True):
    """The request was sent and no whole answer came back: whether the function ran is unknown."""

    reason: str


class CutOff(Struct, frozen=True, kw_only=True):
    """The connection ended before any byte of an answer: most likely the function never had the event."""

    reason: str


class TooLarge(Struct, frozen=True, kw_only=True):
    """The event exceeds the payload quota, or what the function takes; it can never be invoked as it is."""

    size: int


Outcome = Succeeded | FunctionError | Throttled | Unreachable | LostReply | CutOff | TooLarge


def outcome_name(outcome: Outcome) -> str:
    """What came of an invocation, in a word."""
    match outcome:
        case Succeeded():
            return "ok"
        case FunctionError(error_type="Sandbox.Timedout"):
            return "timeout"
        case FunctionError():
            return "function_error"
        case Throttled():
            return "throttled"
        case Unreachable():
            return "unreachable"
        case LostReply():
            return "lost_reply"
        case CutOff():
            return "cut_off"
        case TooLarge():
            return "too_large"
