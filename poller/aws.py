"""One AWS session: its clients and calls, each for a service and region, and what their errors mean."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from poller.calls import Call, ClientCall, HotCall, time_of
from poller.errors import (
    IteratorExpired,
    PositionExpired,
    PositionUnknown,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceTooLarge,
    SourceUnavailable,
)
from poller.hot_path.exchange_errors import AnswerTooLarge
from poller.hot_path.route import HotPath, Route
from poller.keepalive import kept_alive_socket
from poller.settings import requests_ca_bundle
from poller.waiting import Turns

CONNECT_TIMEOUT_S = 5.0
# Pollers and lanes bound what is under way; the pool must never be what makes one wait for another.
MAX_CONNECTIONS = 1024
# Emulators use it to say that they have no accounts; it is never a real one.
NO_ACCOUNT = "000000000000"
_ACCOUNT = re.compile(r"[0-9]{12}")

_GONE = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "KmsAccessDenied",
    "KmsDisabled",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_THROTTLED = {
    "KMSThrottlingException",
    "KmsThrottled",
    "LimitExceededException",
    "OverLimit",
    "ProvisionedThroughputExceededException",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_BY_CODE: dict[str, type[SourceError]] = {
    **dict.fromkeys(_GONE, SourceGone),
    **dict.fromkeys(_DENIED, SourceDenied),
    **dict.fromkeys(_THROTTLED, SourceThrottled),
    "ExpiredIteratorException": IteratorExpired,
    "InvalidArgumentException": PositionUnknown,
    "TrimmedDataAccessException": PositionExpired,
}


class Aws:
    """The clients of one process. Use as an async context manager."""

    def __init__(self, *, hot_path: bool = True) -> None:
        """Make a session; without the hot path every call is aiobotocore's."""
        self._session = get_session()
        self._hot_path = (
            HotPath(
                self._session,
                connect_timeout_s=CONNECT_TIMEOUT_S,
                ca_bundle=requests_ca_bundle(),
            )
            if hot_path
            else None
        )
        self._clients: dict[tuple[str, str, float], Any] = {}
        self._making = anyio.Lock()
        self._turns = Turns()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        if self._hot_path is not None:
            self._hot_path.close()
        await self._open.aclose()

    @property
    def default_region(self) -> str | None:
        """What AWS's own chain says: AWS_DEFAULT_REGION, then the configuration file."""
        region = self._session.get_config_variable("region")
        return None if region is None else str(region)

    async def client(self, service: str, region: str, *, read_timeout_s: float = 10.0) -> Any:
        """The client of a service in a region; made once for each time limit.

        The SDK never retries: whether a call is repeated is decided where its meaning is known.
        """
        key = (service, region, read_timeout_s)
        async with self._making:
            if key not in self._clients:
                config = AioConfig(
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=read_timeout_s,
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    max_pool_connections=MAX_CONNECTIONS,
                    # aiobotocore passes over tcp_keepalive.
                    connector_args={"socket_factory": kept_alive_socket},
                )
                context = self._session.create_client(service, region_name=region, config=config)
                self._clients[key] = await self._open.enter_async_context(context)
            return self._clients[key]

    async def account(self, region: str) -> str | None:
        """The account of the credentials; None where nobody tells."""
        try:
            client = await self.client("sts", region)
            account = (await client.get_caller_identity()).get("Account")
        except (BotoCoreError, ClientError, aiohttp.ClientError, TimeoutError, OSError):
            return None
        return account if isinstance(account, str) and _ACCOUNT.fullmatch(account) else None

    async def serves(self, service: str, region: str) -> bool:
        """Whether AWS itself answers for a service, and no server that stands in for it."""
        client = await self.client(service, region)
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        return any(host.endswith(f".{suffix}") for suffix in self._suffixes())

    def _suffixes(self) -> Iterator[str]:
        """Of the names of AWS's hosts, in all partitions."""
        for partition in self._session.get_component("data_loader").load_data("partitions")["partitions"]:
            outputs = partition["outputs"]
            yield from (outputs["dnsSuffix"], outputs["dualStackDnsSuffix"])

    async def route(
        self, service: str, region: str, operation: str, example: Mapping[str, Any], *, read_timeout_s: float
    ) -> Route | None:
        """The hot path of an operation; None where it is off, or a proxy is in the way.

        Args:
            service: As aiobotocore calls it.
            region: Of the call.
            operation: As the service calls it.
            example: A request; where it goes must not depend on what others differ in.
            read_timeout_s: Time until an answer begins.
        """
        if self._hot_path is None:
            return None
        client = await self.client(service, region, read_timeout_s=read_timeout_s)
        return await self._hot_path.route(client, operation, example, wait_s=read_timeout_s)

    async def call(
        self,
        service: str,
        region: str,
        operation: str,
        example: Mapping[str, Any],
        *,
        read_timeout_s: float = 10.0,
    ) -> Call:
        """An operation on its hot path, or aiobotocore's; parameters are those of `route`."""
        route = await self.route(service, region, operation, example, read_timeout_s=read_timeout_s)
        if route is not None:
            return HotCall(route, self._turns)
        client = await self.client(service, region, read_timeout_s=read_timeout_s)
        return ClientCall(client, operation)


def error_code(error: ClientError) -> str:
    """The service's own word for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def server_time(answer: Mapping[str, Any]) -> float | None:
    """The service's clock when it gave an answer, epoch seconds; whole seconds, rounded down."""
    return time_of(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date"))


class source_errors:  # noqa: N801  # used as a function
    """Turn the SDK's errors, inside of it, into ours. Codes decide, never texts."""

    __slots__ = ("_source",)

    def __init__(self, source: str) -> None:
        """Make it; `source` names the queue or stream, for the message."""
        self._source = source

    def __enter__(self) -> None:
        """Nothing is to be done where nothing fails, which is nearly always."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if error is not None:
            meaning = source_error(error, self._source)
            if meaning is not None:
                raise meaning from error


def source_error(error: BaseException, source: str) -> SourceError | None:
    """What an error of the SDK's means; None for what is no error of a call."""
    match error:
        case ClientError():
            code = error_code(error)
            return _BY_CODE.get(code, SourceUnavailable)(f"{error.operation_name} on {source}: {code}")
        case NoCredentialsError() | PartialCredentialsError():
            return SourceDenied(f"{source}: no AWS credentials were found")
        case AnswerTooLarge():
            return SourceTooLarge(f"{source}: {error.kwargs['error']}")
        case HTTPClientError() if "error" in error.kwargs:
            return SourceUnavailable(f"{source}: {type(error).__name__}: {error.kwargs['error']}")
        case HTTPClientError() | BotoConnectionError() | BotoCoreError():
            return SourceUnavailable(f"{source}: {type(error).__name__}")
        case aiohttp.ClientError() | TimeoutError():
            return SourceUnavailable(f"{source}: {type(error).__name__}")
        case _:
            return None
