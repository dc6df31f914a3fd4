"""How a function that failed looks to whoever invoked it: AWS's error types and texts."""

import signal
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from msgspec import structs

from poller.core.outcomes import FunctionError, Unreachable

# 6 MiB and 100 bytes: quota of a synchronous response.
RESPONSE_LIMIT_BYTES = 6_291_556
RESPONSE_TOO_LARGE = (
    f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
)


def response_too_large() -> FunctionError:
    return _sandbox_error("Function.ResponseSizeTooLarge", RESPONSE_TOO_LARGE)


def timed_out(request_id: str, *, timeout_s: float) -> FunctionError:
    return _sandbox_error(
        "Sandbox.Timedout", f"{_about(request_id)}Task timed out after {timeout_s:.2f} seconds"
    )


def exited(request_id: str, *, returncode: int) -> FunctionError:
    """The process ended before it answered."""
    how = "without providing a reason" if returncode == 0 else f"with error: {exit_text(returncode)}"
    return _sandbox_error("Runtime.ExitError", f"{_about(request_id)}Runtime exited {how}")


def exit_text(returncode: int) -> str:
    """How a process ended, in the words of AWS's sandbox."""
    if returncode < 0:
        return f"signal: {(signal.strsignal(-returncode) or str(-returncode)).lower()}"
    return f"exit status {returncode}"


def posted(body: bytes, *, header_type: str | None) -> FunctionError:
    """What the runtime itself reported; its body is passed through untouched."""
    error_type = header_type or _member(body, "errorType") or "Unhandled"
    return FunctionError(error_type=error_type, payload=body)


def message(error: FunctionError) -> str:
    """What its body says."""
    return _member(error.payload, "errorMessage")


def describe(error: FunctionError) -> str:
    """Type and message on one line."""
    text = " ".join(message(error).split())
    return f"{error.error_type}: {text}" if text else error.error_type


def reason(failure: FunctionError | Unreachable) -> str:
    """Why a function did not run, on one line."""
    return failure.reason if isinstance(failure, Unreachable) else describe(failure)


def words(error: FunctionError, *, request_id: str, at: datetime) -> Sequence[str]:
    """Return what AWS's sandbox writes to the log of an invocation that it ended, or that its process did."""
    text = message(error)
    match error.error_type:
        case "Sandbox.Timedout":
            moment = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
            return (f"{moment} {request_id} {text.removeprefix(_about(request_id))}", "")
        case "Runtime.ExitError":
            return (text, error.error_type)
        case _:
            return ()


def _about(request_id: str) -> str:
    # Empty where a process failed before there was anything to invoke.
    return f"RequestId: {request_id} Error: " if request_id else ""


def _sandbox_error(error_type: str, text: str) -> FunctionError:
    payload = orjson.dumps({"errorType": error_type, "errorMessage": text})
    return FunctionError(error_type=error_type, payload=payload)


def _member(body: bytes, name: str) -> str:
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""


def explained(error: FunctionError, *, request_id: str, timeout_s: float) -> FunctionError:
    """Give an error of an HTTP function, which has no body, the one that Lambda would answer with."""
    if error.payload:
        return error
    match error.error_type:
        case "Sandbox.Timedout":
            return structs.replace(error, payload=timed_out(request_id, timeout_s=timeout_s).payload)
        case "Function.ResponseSizeTooLarge":
            return structs.replace(error, payload=response_too_large().payload)
        case _:
            text = f"The application answered with status {error.status_code}."
            return structs.replace(error, payload=_sandbox_error(error.error_type, text).payload)
