"""The HTTP server of the API: what a request must pass, in which order, before it reaches its handler."""

import asyncio
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Self

import anyio
import structlog
from aiohttp import hdrs, web

from mappings.addresses import Address, is_loopback
from mappings.admission import check_admission, known_hosts
from mappings.answers import Answer, all_headers, error_answer
from mappings.auth import Authenticator, Caller, Open, ReceivedRequest
from mappings.connection import Connection, Limits
from mappings.connections import Connections
from mappings.errors import (
    MalformedHttpRequestException,
    MappingError,
    RequestTimeoutException,
    RequestTooLargeException,
    ServiceException,
)
from mappings.rates import Rates
from mappings.telemetry import Log, log_crash

Handler = Callable[[ReceivedRequest, Caller], Awaitable[Answer]]
# The largest mapping, with filters and tags, is a tenth of this.
BODY_LIMIT_BYTES = 256 * 1024
WARN_EVERY_S = 60.0
# Whoever is refused has no name: all of them share one bucket, which keeps nobody else out.
_REFUSED = "refused"


def default_body_limit(method: str, target: str) -> int:  # noqa: ARG001 - the signature of every such limit
    """Allow the same to every request."""
    return BODY_LIMIT_BYTES


def always(method: str, target: str) -> bool:  # noqa: ARG001
    """Count every request."""
    return True


class ApiServer:
    """Serves the API on one address, as an async context manager or from `start` to `close`."""

    def __init__(
        self,
        handler: Handler,
        authenticator: Authenticator,
        address: Address,
        *,
        allowed_hosts: Iterable[str] = (),
        body_limit: Callable[[str, str], int] = default_body_limit,
        metered: Callable[[str, str], bool] = always,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nothing listens before `start`.

        Args:
            handler: Called with each request that passes. A MappingError that it raises is the answer.
            authenticator: Tells who sends a request.
            address: Where to listen.
            allowed_hosts: What a Host header may name beside loopback and `address`.
            body_limit: The bytes that the body of a request may have, by method and target.
            metered: Whether a request counts for its caller's rate, by method and target.
            limits: What one client may take of the server.
            clock: Epoch seconds, for the dates of signatures.
        """
        limits = limits or Limits()
        self._handler = handler
        self._authenticator = authenticator
        self._address = address
        self._hosts = known_hosts(address.host, allowed_hosts)
        self._body_limit = body_limit
        self._metered = metered
        self._limits = limits
        self._clock = clock
        self._rates = Rates(per_second=limits.requests_per_second, burst=limits.burst)
        self._connections: Connections | None = None
        self._server: asyncio.Server | None = None
        self._warning: asyncio.TimerHandle | None = None

    @property
    def address(self) -> Address:
        """Where it listens; once started, with the port that the system has chosen."""
        return self._address

    async def start(self) -> None:
        """Listen; raises OSError where the address cannot be had."""
        host = self._address.host
        listener = socket.create_server(
            (host, self._address.port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
        self._address = Address(host=host, port=listener.getsockname()[1])
        self._connections = Connections(self._serve, limits=self._limits, request_id=_request_id)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connections.make, sock=listener)
        if isinstance(self._authenticator, Open) and not is_loopback(self._address.host):
            self._warn()

    async def close(self, *, timeout_s: float = 5.0) -> None:
        """Stop listening; what is being answered has `timeout_s` to end."""
        if self._warning is not None:
            self._warning.cancel()
        if self._server is not None and self._connections is not None:
            self._server.close()
            await self._connections.close(timeout_s)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()

    # ----- one request

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        try:
            response = await self._response(request, connection)
            await self._send(response, request, connection)
        except ConnectionError:
            # The client has gone: aiohttp finds that nobody takes an answer, and ends the connection.
            return web.Response()
        connection.answered()
        return response

    async def _response(self, request: web.BaseRequest, connection: Connection) -> web.Response:
        try:
            received = await self._received(request, connection.head_received())
        except MappingError as error:
            response = _response(error_answer(error))
            response.force_close()  # the rest of the request may still be on its way
            return response
        connection.request_received()
        return _response(await self._answer(received))

    async def _send(self, response: web.Response, request: web.BaseRequest, connection: Connection) -> None:
        """Send an answer: aiohttp would wait for ever for a client that reads nothing."""
        with anyio.move_on_after(self._limits.write_s) as scope:
            await response.prepare(request)
            await response.write_eof()
        if scope.cancelled_caught:
            connection.abort()
        elif response.status == RequestTimeoutException.status:
            connection.force_close()  # it has had its time

    async def _answer(self, received: ReceivedRequest) -> Answer:
        try:
            return await self._handler(received, self._caller(received))
        except MappingError as error:
            return error_answer(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            log_crash(error)
            return error_answer(ServiceException("Internal failure"))

    async def _received(self, request: web.BaseRequest, deadline: float) -> ReceivedRequest:
        headers = tuple(
            (name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
            for name, value in request.raw_headers
        )
        head = ReceivedRequest(method=request.method, target=request.raw_path, headers=headers)
        check_admission(head, hosts=self._hosts, has_body=request.body_exists)
        limit = self._body_limit(request.method, request.raw_path)
        body = await _body(request, limit, deadline)
        return ReceivedRequest(method=head.method, target=head.target, headers=headers, body=body)

    def _caller(self, received: ReceivedRequest) -> Caller:
        now = asyncio.get_running_loop().time()
        try:
            caller = self._authenticator.authenticate(received, now=self._clock())
        except MappingError:
            self._rates.take(_REFUSED, now=now)
            raise
        if self._metered(received.method, received.target):
            self._rates.take(caller.id, now=now)
        return caller

    def _warn(self) -> None:
        structlog.get_logger().warning(Log.API_WITHOUT_AUTHENTICATION, address=str(self._address))
        self._warning = asyncio.get_running_loop().call_later(WARN_EVERY_S, self._warn)


async def _body(request: web.BaseRequest, limit: int, deadline: float) -> bytes:
    """Read the body, no further than it may go."""
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
    body = bytearray()
    try:
        with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise RequestTimeoutException("The request did not arrive in time.") from None
    except web.RequestPayloadError:
        raise MalformedHttpRequestException("The body of the request is not well-formed.") from None
    return bytes(body)


def _too_large(limit: int) -> RequestTooLargeException:
    return RequestTooLargeException(f"Request must be smaller than {limit} bytes")


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=all_headers(answer, _request_id()))


def _request_id() -> str:
    return str(uuid.uuid4())
