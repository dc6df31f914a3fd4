"""AWS Lambda functions through the Invoke API; a function error is told from an invoke error."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import aiohttp
import orjson
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from msgspec import Struct

from mappings.arns import Arn, FunctionName
from mappings.functions import LambdaFunction, longest_run
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
from poller.hot_path.connection import Answer
from poller.hot_path.route import Route
from poller.interfaces import Invocation

# The function's own timeout ends first; the rest is for the network.
READ_TIMEOUT_MARGIN_S = 5.0
_TOO_LARGE = {"RequestTooLargeException", "SerializedRequestEntityTooLargeException"}
# 6 MB and 100 bytes is the most a function may answer.
MAX_ANSWER_BYTES = 6_291_556
_BEFORE_SENDING = (
    CredentialRetrievalError,
    EndpointConnectionError,
    ConnectTimeoutError,
    SSLError,
    NoCredentialsError,
    PartialCredentialsError,
)


def address_of(function: LambdaFunction, arn: str) -> tuple[str, str]:
    """What Lambda is to be asked for, and in which region.

    A bare name is looked up in the caller's account and the region of the event source.

    Args:
        function: As a mapping file names it.
        arn: What the mapping calls it.
    """
    asked = Arn.parse(arn)
    qualifier = function.function.qualifier or FunctionName.parse(arn).qualifier
    name = replace(function.function, qualifier=qualifier)
    region = name.region or asked.region
    whole = name.arn(region=region, account=asked.account, partition=asked.partition)
    return name.qualified_name if name.is_local else whole, region


class LambdaTarget:
    """One function, version or alias of AWS Lambda or of a server that speaks its Invoke API."""

    def __init__(
        self, aws: Aws, *, function: str, region: str, timeout_s: Callable[[], Awaitable[float | None]]
    ) -> None:
        """Make a target.

        Args:
            aws: Session.
            function: An ARN, a name or `name:qualifier`.
            region: Of the function.
            timeout_s: Tells the function's timeout, None while it is not known.
        """
        self._aws = aws
        self._function = function
        self._region = region
        self._timeout_s = timeout_s
        self._route: Route | None = None
        self._routed_for_s: float | None = None

    async def ready(self) -> bool:
        """Lambda is asked by invoking only: it would count and cost."""
        return True

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Invoke synchronously, without log tail or client context."""
        try:
            answer = await self._invoke(invocation.payload)
        except ClientError as error:
            return _refusal(error, len(invocation.payload))
        except _BEFORE_SENDING as error:
            return Unreachable(reason=type(error).__name__)
        except (HTTPClientError, BotoCoreError, aiohttp.ClientError, TimeoutError, OSError) as error:
            return LostReply(reason=type(error).__name__)
        return _outcome(answer)

    async def _invoke(self, payload: bytes) -> "_Answer":
        example = {"FunctionName": self._function, "InvocationType": "RequestResponse", "Payload": b"{}"}
        read_timeout_s = longest_run(await self._timeout_s()) + READ_TIMEOUT_MARGIN_S
        if self._routed_for_s != read_timeout_s:
            self._route = await self._aws.route(
                "lambda", self._region, "Invoke", example, read_timeout_s=read_timeout_s
            )
            self._routed_for_s = read_timeout_s
        if self._route is not None:
            return _hot_answer(await self._route.send(payload, limit_bytes=MAX_ANSWER_BYTES))
        client = await self._aws.client("lambda", self._region, read_timeout_s=read_timeout_s)
        answer = await client.invoke(**{**example, "Payload": payload})
        async with answer["Payload"] as body:  # a body that is not read to its end holds its connection
            return _Answer(
                status=answer["StatusCode"],
                function_error=answer.get("FunctionError"),
                version=answer.get("ExecutedVersion"),
                payload=await body.read(),
            )

    async def close(self) -> None:
        """The clients belong to the session."""


class _Answer(Struct, frozen=True, kw_only=True):
    """What the function's run is told by."""

    status: int
    function_error: str | None
    version: str | None
    payload: bytes


def _hot_answer(answer: Answer) -> _Answer:
    return _Answer(
        status=answer.status,
        function_error=answer.header(b"x-amz-function-error"),
        version=answer.header(b"x-amz-executed-version"),
        payload=answer.body,
    )


def _outcome(answer: _Answer) -> Outcome:
    version = answer.version or "$LATEST"
    if answer.function_error is None:
        return Succeeded(payload=answer.payload, status_code=answer.status, executed_version=version)
    return FunctionError(
        error_type=_error_type(answer.payload) or answer.function_error,
        payload=answer.payload,
        status_code=answer.status,
        executed_version=version,
        function_error=answer.function_error,
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
