"""Functions behind plain HTTP: the body of the POST is the Lambda event, the answer is its response."""

import time

import aiohttp
from msgspec import structs

from mappings.function_options import LATEST
from poller.core.outcomes import FunctionError, LostReply, Outcome, Succeeded, Throttled, Unreachable
from poller.functions.slots import Line, Slots
from poller.interfaces import Invocation
from poller.keepalive import kept_alive_socket

CONNECT_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 0.5
MAX_RESPONSE_BYTES = 6_291_556  # Lambda's own limit for a synchronous response
_THROTTLED = {429, 503}


class HttpTarget:
    """An application that listens for events, such as the one beside a sidecar."""

    def __init__(
        self,
        *,
        url: str,
        timeout_s: float,
        function_arn: str = "",
        version: str = LATEST,
        slots: Slots | None = None,
    ) -> None:
        """Make a target.

        Args:
            url: Where events are posted to.
            timeout_s: How long an answer may take.
            function_arn: What its invocations call the function.
            version: Which version of it they mean.
            slots: Its reserved concurrency, shared by all who invoke it.
        """
        self._url = url
        self._timeout_s = timeout_s
        self._function_arn = function_arn
        self._version = version
        self._slots = slots
        self._session: aiohttp.ClientSession | None = None

    async def ready(self) -> bool:
        """Whether something answers there; any status will do, since only `POST` is part of the contract."""
        try:
            async with self._client().head(
                self._url, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
            ):
                return True
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Post the event once."""
        if self._slots is None:
            outcome = await self._post(invocation)
        else:
            line = Line.of(invocation)
            if not await self._slots.take(line, line.patience_s):
                return Throttled(reserved=True)
            try:
                outcome = await self._post(invocation)
            finally:
                self._slots.free(line)
        version = invocation.version or self._version
        if version != LATEST and isinstance(outcome, Succeeded | FunctionError):
            return structs.replace(outcome, executed_version=version)
        return outcome

    async def _post(self, invocation: Invocation) -> Outcome:
        if invocation.start is not None:
            invocation.start()
        try:
            async with self._client().post(
                self._url,
                data=invocation.payload,
                headers=self._headers(invocation),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=CONNECT_TIMEOUT_S),
            ) as response:
                return await _outcome(response)
        except aiohttp.ClientConnectorError as error:
            return Unreachable(reason=type(error).__name__)
        except aiohttp.ConnectionTimeoutError:
            return Unreachable(reason="connection timed out")
        except TimeoutError:
            return FunctionError(error_type="Sandbox.Timedout")
        except (aiohttp.ClientError, OSError) as error:
            return LostReply(reason=type(error).__name__)

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Lanes bound what is under way; cookies and compressed answers have no place here.
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30, socket_factory=kept_alive_socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity", "User-Agent": "esm-poller"},
            )
        return self._session

    def _headers(self, invocation: Invocation) -> dict[str, str]:
        deadline_ms = int((time.time() + self._timeout_s) * 1000)
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Idempotency-Key": invocation.request_id,
            "Esm-Mapping": invocation.mapping.encode("ascii", "replace").decode(),
            "Esm-Attempt": str(invocation.attempt),
        }
        more = {
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn or self._function_arn,
            "Lambda-Runtime-Client-Context": invocation.client_context,
        }
        return headers | {name: value for name, value in more.items() if value}


async def _outcome(response: aiohttp.ClientResponse) -> Outcome:
    if response.status in _THROTTLED and (response.status == 429 or "Retry-After" in response.headers):
        return Throttled(retry_after_s=_seconds(response.headers.get("Retry-After")))
    if not 200 <= response.status < 300:
        return FunctionError(error_type=f"Http.{response.status}", status_code=response.status)
    body = await _read(response)
    if body is None:
        return FunctionError(error_type="Function.ResponseSizeTooLarge")
    return Succeeded(payload=body, status_code=response.status)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The whole body, or None where it is larger than a function may answer."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; its date form is left to our own back-off."""
    try:
        return float(retry_after) if retry_after is not None else None
    except ValueError:
        return None
