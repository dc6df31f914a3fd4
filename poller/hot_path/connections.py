"""HTTP/1.1 exchanges over pooled connections: each request is sent once, whatever becomes of it.

What went wrong is told in botocore's exceptions: before the first byte was written nothing can have happened
(EndpointConnectionError, ConnectTimeoutError, SSLError), afterwards anything can (ReadTimeoutError,
ConnectionClosedError, HTTPClientError).
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import aiohappyeyeballs
import httptools
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from msgspec import Struct

from poller.keepalive import keep_alive

# An answer that has begun must end: one that only drips would hold its lane for ever (faults 67).
BODY_TIMEOUT_S = 30.0
# Shorter than any server keeps an idle connection: AWS's are closed after 20 s and more.
IDLE_S = 12.0
# Smaller bodies are copied behind their head, which is cheaper than a second buffer to the kernel.
_COPIED_BYTES = 16 * 1024
_EYEBALLS_DELAY_S = 0.25
_LENGTHS = frozenset((b"content-length", b"transfer-encoding"))


class AnswerTooLarge(HTTPClientError):  # type: ignore[misc]  # botocore has no types
    """An answer has more bytes than whoever asked takes in; the rest of it is not read."""


class Answer(Struct, frozen=True):
    """A whole answer."""

    status: int
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str | None:
        """One header, by its lower-case name."""
        for given, value in self.raw_headers:
            if given.lower() == name:
                return value.decode("latin-1")
        return None

    @property
    def headers(self) -> Mapping[str, str]:
        """By their lower-case names."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.raw_headers}


class Connection(asyncio.Protocol):
    """One connection, which carries one exchange at a time."""

    def __init__(self, url: str) -> None:
        self.idle_since = 0.0
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reusable = True
        self._begin()

    def _begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._status = 0
        self._dripping = False

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow."""
        return self._reusable and not self._transport.is_closing()

    async def exchange(self, head: bytes, body: bytes, *, wait_s: float, limit_bytes: int) -> Answer:
        """Send a request and wait for its answer. Only one that came whole leaves the connection reusable."""
        self._reusable = False
        self._limit_bytes = limit_bytes
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._timer = self._loop.call_later(wait_s, self._expire)
        if len(body) <= _COPIED_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        try:
            return await answer
        finally:
            self._timer.cancel()
            self._answer = None

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # ----- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        """Some of an answer; anything else ends the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._give_up(HTTPClientError(error=error))
        if self._status and not self._dripping and self._timer is not None:
            self._dripping = True
            self._timer.cancel()
            self._timer = self._loop.call_later(BODY_TIMEOUT_S, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed by whomever: an answer that says nothing of its length is whole now, any other is not."""
        if exc is None and self._status and _LENGTHS.isdisjoint(name.lower() for name, _ in self._headers):
            self._complete()
        self._fail(ConnectionClosedError(endpoint_url=self._url, error=exc))
        self._reusable = False

    # ----- httptools

    def on_message_begin(self) -> None:
        """An answer that nobody asked for is given to nobody, and nothing is believed that follows it."""
        if self._answer is None or self._answer.done():
            self._give_up(HTTPClientError(error="an answer that nobody asked for"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The answer has begun."""
        self._status = self._parser.get_status_code()

    def on_body(self, chunk: bytes) -> None:
        """Some of the body."""
        self._body.append(chunk)
        self._size += len(chunk)
        if self._size > self._limit_bytes:
            self._give_up(AnswerTooLarge(error=f"the answer has more than {self._limit_bytes} bytes"))

    def on_message_complete(self) -> None:
        """The end of the answer."""
        if self._status < 200:  # interim answers are followed by the one that counts
            self._begin()
        else:
            self._complete()

    # ----- ending an exchange

    def _complete(self) -> None:
        answer, body = self._answer, self._body
        if answer is not None and not answer.done():
            unsent = self._transport.get_write_buffer_size() > 0  # answered before it was sent
            self._reusable = self._parser.should_keep_alive() and not unsent
            whole = body[0] if len(body) == 1 else b"".join(body)
            answer.set_result(Answer(self._status, self._headers, whole))
        self._begin()

    def _expire(self) -> None:
        self._give_up(ReadTimeoutError(endpoint_url=self._url))

    def _give_up(self, error: Exception) -> None:
        self._reusable = False
        self._fail(error)
        self._transport.abort()

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class Connections:
    """The connections to one endpoint: as many as are in use, and those that were of late."""

    def __init__(self, url: str, *, tls: ssl.SSLContext | None, connect_timeout_s: float) -> None:
        """Make a pool.

        Args:
            url: Scheme, host and port.
            tls: For https.
            connect_timeout_s: For name resolution, connecting and the TLS handshake together.
        """
        parts = urlsplit(url)
        self._url = url
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if tls else 80)
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._idle: deque[Connection] = deque()
        self._loop = asyncio.get_running_loop()

    async def exchange(self, head: bytes, body: bytes, *, wait_s: float, limit_bytes: int) -> Answer:
        """Send one request, once.

        Args:
            head: Of the request, with the empty line.
            body: Of the request.
            wait_s: Time until the answer begins.
            limit_bytes: The largest body of an answer.
        """
        connection = self._take() or await self._connect()
        try:
            return await connection.exchange(head, body, wait_s=wait_s, limit_bytes=limit_bytes)
        finally:
            self._put_back(connection)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().abort()

    def _take(self) -> Connection | None:
        """The connection used last, so that those beyond the need grow old and are closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and self._loop.time() - connection.idle_since < IDLE_S:
                return connection
            connection.abort()
        return None

    def _put_back(self, connection: Connection) -> None:
        if not connection.reusable:
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        while connection.idle_since - self._idle[0].idle_since > IDLE_S:
            self._idle.popleft().abort()

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                return await self._open()
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self._url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self._url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self._url, error=error) from error

    async def _open(self) -> Connection:
        found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        opened = await aiohappyeyeballs.start_connection(
            found, happy_eyeballs_delay=_EYEBALLS_DELAY_S, interleave=1
        )
        try:
            keep_alive(opened)
            _, connection = await self._loop.create_connection(
                lambda: Connection(self._url),
                sock=opened,
                ssl=self._tls,
                server_hostname=self._host if self._tls else None,
            )
        except BaseException:
            opened.close()
            raise
        return connection
