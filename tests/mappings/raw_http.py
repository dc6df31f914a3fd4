"""An HTTP client that sends exactly the bytes it is given, and a server whose handler notes what it gets."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc

from mappings.addresses import Address
from mappings.answers import Answer
from mappings.auth import Authenticator, Caller, Open, ReceivedRequest
from mappings.connection import Limits
from mappings.server import ApiServer

LOOPBACK = Address(host="127.0.0.1", port=0)


@dataclass(kw_only=True)
class Echo:
    """A handler that keeps what it was called with and answers the same to everything."""

    answer: Answer = field(default_factory=lambda: Answer(status=200, body=b"{}"))
    seen: list[ReceivedRequest] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    running: int = 0
    gate: anyio.Event | None = None
    error: BaseException | None = None

    async def __call__(self, request: ReceivedRequest, caller: Caller) -> Answer:
        self.seen.append(request)
        self.callers.append(caller)
        self.running += 1
        if self.gate is not None:
            await self.gate.wait()
        self.running -= 1
        if self.error is not None:
            raise self.error
        return self.answer


@asynccontextmanager
async def serving(
    echo: Echo, authenticator: Authenticator | None = None, address: Address = LOOPBACK, **options: Any
) -> AsyncIterator[ApiServer]:
    async with ApiServer(echo, authenticator or Open(), address, **options) as server:
        yield server


def limits(**values: Any) -> Limits:
    return Limits(**values)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        return self.headers.get("x-amzn-errortype")


class Wire:
    """One connection."""

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self.stream = stream
        self._unread = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send(data)

    async def reply(self) -> Reply | None:
        """Read one response; None where the connection ends without one."""
        while b"\r\n\r\n" not in self._unread:
            if not await self._more():
                return None
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._unread) < length:
            assert await self._more()
        body, self._unread = self._unread[:length], self._unread[length:]
        return Reply(status=int(first.split()[1]), headers=headers, body=body)

    async def ended(self) -> bool:
        """Wait until the server ends the connection; False where it sends something first."""
        return not await self._more()

    async def _more(self) -> bool:
        try:
            self._unread += await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return False
        return True


@asynccontextmanager
async def connected(server: ApiServer) -> AsyncIterator[Wire]:
    async with await anyio.connect_tcp(server.address.host, server.address.port) as stream:
        yield Wire(stream)


async def exchange(server: ApiServer, data: bytes) -> Reply:
    """Send bytes over a connection of their own and return what comes back."""
    async with connected(server) as wire:
        await wire.send(data)
        with anyio.fail_after(10):
            reply = await wire.reply()
    assert reply is not None, "the connection ended without an answer"
    return reply


def request(
    method: str = "GET",
    target: str = "/x",
    body: bytes | None = None,
    headers: Sequence[tuple[str, str]] = (),
    *,
    host: str | None = "localhost",
) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"Host: {host}"] if host is not None else []
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def of(received: ReceivedRequest) -> bytes:
    """Return the bytes of a request that was signed elsewhere."""
    length = [("Content-Length", str(len(received.body)))] if received.body else []
    return request(received.method, received.target, None, [*received.headers, *length], host=None) + (
        received.body
    )


async def until(condition: Callable[[], bool]) -> None:
    """Let the server run until something is so."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - the server tells nobody
            await anyio.sleep(0.001)
