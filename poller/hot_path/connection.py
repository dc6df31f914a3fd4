"""One HTTP/1.1 connection, which carries one exchange at a time, and the guards of what counts as an answer.

An answer is what comes after its request was written, on a connection that was silent until then, and is told whole.
Whatever else comes closes the connection (RFC 9112 9.2).
"""

import asyncio
import re
import select
from collections.abc import Mapping
from typing import cast

import httptools
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from msgspec import Struct

from poller.hot_path.exchange_errors import AnswerTooLarge, BrokenAnswer, CutOff

# An answer that has begun must end: one that only drips would hold its lane for ever (faults 67).
BODY_TIMEOUT_S = 30.0
MAX_HEAD_BYTES = 64 * 1024
# Smaller bodies are copied behind their head, which is cheaper than a second buffer to the kernel.
_COPIED_BYTES = 16 * 1024
_LENGTHS = frozenset((b"content-length", b"transfer-encoding"))
_KEEP_ALIVE_TIMEOUT = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,6})", re.IGNORECASE)


class Answer(Struct, frozen=True):
    """A whole answer."""

    status: int
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str | None:
        """One header, by its lower-case name."""
        return header_of(self.raw_headers, name)

    @property
    def headers(self) -> Mapping[str, str]:
        """By their lower-case names."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.raw_headers}


def header_of(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    """One header, by its lower-case name."""
    for given, value in headers:
        if given.lower() == name:
            return value.decode("latin-1")
    return None


class Connection(asyncio.Protocol):
    """One connection, which carries one exchange at a time."""

    def __init__(self, url: str) -> None:
        self.idle_since = 0.0
        self.idle_s = float("inf")
        """How long it may be idle by what the server said."""
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reusable = True
        self._heard = False
        self._ends_whole = False
        self._begin()

    def _begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._head_size = 0
        self._status = 0
        self._dripping = False

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow."""
        return self._reusable and not self._transport.is_closing()

    @property
    def silent(self) -> bool:
        """Whether nothing has come that was not read: neither bytes nor an end."""
        looked = select.poll()
        looked.register(self._fd, select.POLLIN)
        return not looked.poll(0)

    async def exchange(
        self, head: bytes, body: bytes, *, wait_s: float, limit_bytes: int, total: bool = False
    ) -> Answer:
        """Send a request and wait for its answer. Only one that came whole leaves the connection reusable.

        Args:
            head: Of the request, with the empty line.
            body: Of the request.
            wait_s: Time until the answer begins.
            limit_bytes: The largest body of an answer.
            total: Whether the answer must also have ended by then.
        """
        if not self.reusable:
            raise EndpointConnectionError(endpoint_url=self._url, error=ConnectionResetError())
        self._reusable = False
        self._heard = False
        self._limit_bytes = limit_bytes
        self._total = total
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
        self._fd = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Some of an answer; anything else ends the connection."""
        if self._answer is None:
            self._give_up("bytes that nobody asked for")
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._give_up(str(error) or "an upgrade that nobody asked for")
        if self._status and not self._dripping and not self._total and self._timer is not None:
            self._dripping = True
            self._timer.cancel()
            self._timer = self._loop.call_later(BODY_TIMEOUT_S, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed by whomever: an answer that says nothing of its length is whole at an end, any other is not."""
        if exc is None and self._ends_whole and _LENGTHS.isdisjoint(name.lower() for name, _ in self._headers):
            self._complete()
        self._break(exc)
        self._reusable = False

    # ----- httptools

    def on_message_begin(self) -> None:
        """An answer that nobody asked for is given to nobody, and nothing is believed that follows it."""
        if self._answer is None or self._answer.done():
            self._give_up("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._status = self._parser.get_status_code()
        self._headers.append((name, value))
        self._head_size += len(name) + len(value) + 4
        if self._head_size > MAX_HEAD_BYTES:
            self._give_up(f"a head of more than {MAX_HEAD_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """The answer has begun."""
        self._status = self._parser.get_status_code()
        self._ends_whole = True

    def on_body(self, chunk: bytes) -> None:
        """Some of the body."""
        self._body.append(chunk)
        self._size += len(chunk)
        if self._size > self._limit_bytes:
            self._fail(AnswerTooLarge(error=f"the answer has more than {self._limit_bytes} bytes"))
            self._end()

    def on_message_complete(self) -> None:
        """The end of the answer."""
        self._ends_whole = False
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
            self._heed_keep_alive()
            whole = body[0] if len(body) == 1 else b"".join(body)
            answer.set_result(Answer(self._status, self._headers, whole))
        self._begin()

    def _heed_keep_alive(self) -> None:
        for name, value in self._headers:
            if name.lower() == b"keep-alive" and (found := _KEEP_ALIVE_TIMEOUT.search(value)):
                self.idle_s = int(found[1]) / 2

    def _expire(self) -> None:
        self._fail(ReadTimeoutError(endpoint_url=self._url))
        self._end()

    def _give_up(self, why: str) -> None:
        self._break(why)
        self._end()

    def _break(self, why: object) -> None:
        """Tell who waits that no whole answer will come, and how much of one has."""
        if not self._heard:
            self._fail(CutOff(endpoint_url=self._url, error=why))
        else:
            # An interim answer does not say what comes of the request.
            status = self._status if self._status >= 200 else None
            self._fail(BrokenAnswer(endpoint_url=self._url, error=why, status=status))

    def _end(self) -> None:
        self._reusable = False
        self._transport.abort()

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
