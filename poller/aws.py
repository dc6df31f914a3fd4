"""One AWS session: clients per service and region, and what their errors mean."""

from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, Self

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

from poller.errors import (
    IteratorExpired,
    PositionExpired,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceUnavailable,
)

CONNECT_TIMEOUT_S = 5.0
# Pollers and lanes bound what is under way; the pool must never be what makes one wait for another.
MAX_CONNECTIONS = 1024
# Emulators use it to say that they have no accounts; it is never a real one.
NO_ACCOUNT = "000000000000"

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
    "TrimmedDataAccessException": PositionExpired,
}


class Aws:
    """The clients of one process. Use as an async context manager."""

    def __init__(self) -> None:
        self._session = get_session()
        self._clients: dict[tuple[str, str, float], Any] = {}
        self._making = anyio.Lock()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
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
                    tcp_keepalive=True,
                )
                context = self._session.create_client(service, region_name=region, config=config)
                self._clients[key] = await self._open.enter_async_context(context)
            return self._clients[key]


def error_code(error: ClientError) -> str:
    """The service's own word for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def server_time(answer: Mapping[str, Any]) -> float | None:
    """The service's clock when it gave an answer, epoch seconds; whole seconds, rounded down."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


@contextmanager
def source_errors(source: str) -> Iterator[None]:
    """Turn the SDK's errors into ours. Codes decide, never texts.

    Args:
        source: Name of the queue or stream, for the message.
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        kind = _BY_CODE.get(code, SourceUnavailable)
        raise kind(f"{error.operation_name} on {source}: {code}") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise SourceDenied(f"{source}: no AWS credentials were found") from error
    except (HTTPClientError, BotoConnectionError, BotoCoreError, aiohttp.ClientError, TimeoutError) as error:
        raise SourceUnavailable(f"{source}: {type(error).__name__}") from error
