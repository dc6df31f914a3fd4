"""AWS Lambda functions through the Invoke API; a function error is told from an invoke error."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from poller.aws import Aws, error_code
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.interfaces import Invocation

# The function's own timeout ends first; the rest is for the network.
READ_TIMEOUT_MARGIN_S = 5.0
_TOO_LARGE = {"RequestTooLargeException", "SerializedRequestEntityTooLargeException"}
_BEFORE_SENDING = (
    EndpointConnectionError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
)


class LambdaTarget:
    """One function, version or alias of AWS Lambda or of a server that speaks its Invoke API."""

    def __init__(self, aws: Aws, *, function: str, region: str, timeout_s: float) -> None:
        """Make a target; `function` is an ARN, a name or `name:qualifier`."""
        self._aws = aws
        self._function = function
        self._region = region
        self._timeout_s = timeout_s

    async def ready(self) -> bool:
        """Lambda is asked by invoking only: it would count and cost."""
        return True

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Invoke synchronously, without log tail or client context."""
        client = await self._aws.client(
            "lambda", self._region, read_timeout_s=self._timeout_s + READ_TIMEOUT_MARGIN_S
        )
        try:
            answer = await client.invoke(
                FunctionName=self._function,
                InvocationType="RequestResponse",
                Payload=invocation.payload,
            )
            async with answer["Payload"] as body:  # a body that is not read to its end holds its connection
                payload = await body.read()
        except ClientError as error:
            return _refusal(error, len(invocation.payload))
        except _BEFORE_SENDING as error:
            return Unreachable(reason=type(error).__name__)
        except (HTTPClientError, BotoCoreError, aiohttp.ClientError, TimeoutError, OSError) as error:
            return LostReply(reason=type(error).__name__)
        return _outcome(answer, payload)

    async def close(self) -> None:
        """The clients belong to the session."""


def _outcome(answer: Mapping[str, Any], payload: bytes) -> Outcome:
    version = answer.get("ExecutedVersion") or "$LATEST"
    function_error = answer.get("FunctionError")
    if function_error is None:
        return Succeeded(payload=payload, status_code=answer["StatusCode"], executed_version=version)
    return FunctionError(
        error_type=_error_type(payload) or function_error,
        payload=payload,
        status_code=answer["StatusCode"],
        executed_version=version,
        function_error=function_error,
    )


def _error_type(payload: bytes) -> str | None:
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    error_type = body.get("errorType") if isinstance(body, dict) else None
    return error_type if isinstance(error_type, str) else None


def _refusal(error: ClientError, size: int) -> Outcome:
    """The request failed before the function ran (semantics 6.3)."""
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in _TOO_LARGE or status == 413:
        return TooLarge(size=size)
    if code == "InvalidRequestContentException":
        return FunctionError(error_type=code, status_code=400)
    if status == 429:
        return Throttled(retry_after_s=_retry_after(error))
    return Unreachable(reason=code or f"status {status}", status_code=status)


def _retry_after(error: ClientError) -> float | None:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
