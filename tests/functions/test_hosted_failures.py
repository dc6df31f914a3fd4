"""How a hosted handler that fails looks to whoever invoked it."""

import orjson
import pytest

from poller.functions.failures import RESPONSE_LIMIT_BYTES
from tests.functions.hosting import REQUEST_ID, Start, failure, result

OBEY = """
    import os, signal, sys, time

    def handler(event, context):
        match event:
            case None: return os.getpid()
            case "raise": raise KeyError("missing")
            case "sleep": time.sleep(60)
            case "exit": os._exit(0)
            case "exit 3": sys.exit(3)
            case "kill": os.kill(os.getpid(), signal.SIGKILL)
            case "object": return object()
            case [size]: return "x" * (size - 2)
"""


async def test_an_exception_is_a_function_error_with_its_type_and_message(start: Start) -> None:
    """The body is what the runtime wrote, untouched."""
    error = await failure(await start(OBEY), "raise")
    body = orjson.loads(error.payload)
    assert error.error_type == body["errorType"] == "KeyError"
    assert body["errorMessage"] == "'missing'"
    assert body["requestId"] == REQUEST_ID
    assert "in handler" in body["stackTrace"][-1]


async def test_a_handler_that_raised_serves_on(start: Start) -> None:
    """An exception costs no process."""
    host = await start(OBEY)
    pid = await result(host)
    await failure(host, "raise")
    assert await result(host) == pid


@pytest.mark.parametrize("size", [10_000, 2_000_000])
async def test_an_exception_of_any_length_is_reported(start: Start, size: int) -> None:
    """The runtime puts the error into a header as well, far beyond usual header sizes."""
    host = await start("def handler(event, context): raise ValueError('x' * event)")
    error = await failure(host, size)
    assert error.error_type == "ValueError"
    assert len(orjson.loads(error.payload)["errorMessage"]) == size


async def test_a_value_that_is_no_json_is_a_marshal_error(start: Start) -> None:
    """A handler may return only what JSON can hold."""
    assert (await failure(await start(OBEY), "object")).error_type == "Runtime.MarshalError"


async def test_an_event_that_is_no_json_is_an_unmarshal_error(start: Start) -> None:
    """The runtime says so; the host looks into no event."""
    outcome = await (await start(OBEY)).invoke(b"{", request_id=REQUEST_ID)
    assert getattr(outcome, "error_type", None) == "Runtime.UnmarshalError"


async def test_the_largest_response_is_returned(start: Start) -> None:
    """Exactly the quota fits."""
    response = await result(await start(OBEY), [RESPONSE_LIMIT_BYTES])
    assert isinstance(response, str)
    assert len(response) == RESPONSE_LIMIT_BYTES - 2


@pytest.mark.parametrize("size", [RESPONSE_LIMIT_BYTES + 1, 40_000_000])
async def test_a_larger_response_is_a_function_error(start: Start, size: int) -> None:
    """AWS's type and text; the function works on afterwards."""
    host = await start(OBEY)
    error = await failure(host, [size])
    assert error.error_type == "Function.ResponseSizeTooLarge"
    assert orjson.loads(error.payload)["errorMessage"] == (
        "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    )
    assert isinstance(await result(host), int)


async def test_a_handler_over_its_deadline_times_out(start: Start) -> None:
    """AWS's type and text, with the request id and the timeout."""
    error = await failure(await start(OBEY, timeout_s=0.25), "sleep")
    assert error.error_type == "Sandbox.Timedout"
    assert orjson.loads(error.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {REQUEST_ID} Error: Task timed out after 0.25 seconds",
    }


@pytest.mark.parametrize(
    ("event", "how"),
    [
        ("exit", "without providing a reason"),
        ("exit 3", "with error: exit status 3"),
        ("kill", "with error: signal: killed"),
    ],
)
async def test_a_process_that_ends_in_mid_invocation_is_an_exit_error(
    start: Start, event: str, how: str
) -> None:
    """AWS's text says how it ended; the next invocation has a new process."""
    host = await start(OBEY)
    pid = await result(host)
    error = await failure(host, event)
    assert error.error_type == "Runtime.ExitError"
    assert orjson.loads(error.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {REQUEST_ID} Error: Runtime exited {how}",
    }
    assert await result(host) != pid
