"""One connection of the HTTP API: how long a request may take to arrive, and how large its head may be.

aiohttp limits neither the time nor the sum of the headers, so this stands between the socket and its parser.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from mappings.answers import all_headers, closing_bytes, error_answer
from mappings.errors import (
    MalformedHttpRequestException,
    MappingError,
    RequestEntityTooLargeException,
    RequestTimeoutException,
    ServiceException,
)
from mappings.telemetry import log_crash

_HEAD_END = b"\r\n\r\n"
# How long a client that was turned away may go on sending before it finds the answer.
LINGER_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take of the server."""

    connections: int = 64
    head_bytes: int = 16 * 1024
    """Request line and headers together."""
    read_s: float = 10.0
    """For a whole request to arrive, from its first byte, or from the connection if that says nothing."""
    idle_s: float = 65.0
    """Between requests; longer than the pools of most SDKs keep a connection that they may use again."""
    write_s: float = 30.0
    """For a client to take its answer."""
    requests_per_second: float = 100.0
    burst: int = 200


class Phase(Enum):
    """Where a connection is in a request."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    """The head is here; the body is on its way, or what is left of it is read and dropped."""
    ANSWERING = auto()


class Connection(web.RequestHandler):
    """One client. It reads one request at a time: what is sent before the answer ends the connection."""

    __slots__ = (
        "_deadline",
        "_head_bytes",
        "_head_tail",
        "_limits",
        "_lost",
        "_phase",
        "_request_id",
        "_timer",
        "idle_since",
    )

    def __init__(
        self,
        manager: web.Server,
        *,
        limits: Limits,
        request_id: Callable[[], str],
        lost: Callable[["Connection"], None],
    ) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.idle_s,
            # The sum is limited here; its parts need no limits of their own.
            max_line_size=limits.head_bytes,
            max_field_size=limits.head_bytes,
            lingering_time=LINGER_S,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # None turns it off
        )
        self._limits = limits
        self._request_id = request_id
        self._lost = lost
        self._timer: asyncio.TimerHandle | None = None
        self._expect_request()

    # ----- what the server tells of a request

    def head_received(self) -> float:
        """Return the loop's time until which the rest of the request must have arrived."""
        if self._timer is None:
            self._start_timer()
        self._stop_timer()
        self._phase = Phase.BODY
        return self._deadline

    def request_received(self) -> None:
        """The request is here whole; there is no limit to the time of its answer."""
        self._phase = Phase.ANSWERING

    def answered(self) -> None:
        """The next request may come, where the last one was read to its end."""
        if self._phase is Phase.ANSWERING:
            self._expect_request()

    def abort(self) -> None:
        """Drop the connection and what was not sent yet."""
        if self.transport is not None:
            self.transport.abort()

    @property
    def is_idle(self) -> bool:
        return self._phase is Phase.IDLE and self.connected

    # ----- what the socket tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        self._lost(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if data and self._phase is Phase.ANSWERING:
            self.close()
            return
        if data and self._phase is Phase.IDLE:
            self._phase = Phase.HEAD
            if self._timer is None:
                self._start_timer()
        if self._phase is Phase.HEAD and not self._fits(data):
            self._refuse(RequestEntityTooLargeException("The headers of the request are too large."))
            return
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer what cannot be parsed, and a bug of ours. aiohttp's own texts quote the request."""
        error: MappingError
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log_crash(exc)
            error = ServiceException("Internal failure")
        elif isinstance(exc, LineTooLong):
            error = RequestEntityTooLargeException("The headers of the request are too large.")
        else:
            error = MalformedHttpRequestException("The request is not well-formed HTTP.")
        answer = error_answer(error)
        headers = all_headers(answer, self._request_id())
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        response.force_close()
        return response

    def log_exception(self, *_: object, **kw: object) -> None:
        exc = kw.get("exc_info")
        log_crash(exc if isinstance(exc, BaseException) else None)

    # ----- inside

    def _expect_request(self) -> None:
        self._phase = Phase.IDLE
        self._head_bytes = 0
        self._head_tail = b""
        self.idle_since = asyncio.get_running_loop().time()

    def _fits(self, data: bytes) -> bool:
        """Count what belongs to the head; blank lines before it do not."""
        text = self._head_tail + (data if self._head_bytes else data.lstrip(b"\r\n"))
        end = text.find(_HEAD_END)
        head = text if end < 0 else text[: end + len(_HEAD_END)]
        self._head_bytes += len(head) - len(self._head_tail)
        self._head_tail = text[1 - len(_HEAD_END) :]
        if end >= 0:
            self._phase = Phase.BODY
        return self._head_bytes <= self._limits.head_bytes

    def _start_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self._limits.read_s
        self._timer = loop.call_at(self._deadline, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._refuse(RequestTimeoutException("The request did not arrive in time."))

    def _refuse(self, error: MappingError) -> None:
        """Answer a request that never reaches the parser."""
        if self.transport is not None:
            self.transport.write(closing_bytes(error_answer(error), self._request_id()))
        self.force_close()
