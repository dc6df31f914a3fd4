"""The stub as a process: HTTP on loopback, as bare as it can be, so that it is never the limit."""

import asyncio
import re
import sys
import time
from typing import cast

import orjson
import uvloop

from tests.bench.stub import Stub
from tests.bench.workloads import FUNCTION_PATH, Workload

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *\w+\.(\w+)", re.IGNORECASE)
_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"x-amzn-RequestId: 3b1e6a7c-94f9-5c6e-9d2b-0a5f3c1e7d42\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\n"
    b"Connection: keep-alive\r\n"
    b"Content-Length: %d\r\n\r\n"
)
_INVOKE = b"POST " + FUNCTION_PATH.encode()


# Who wakes a sleeping process pays for it. The floor keeps the stub busy and never would; a candidate that is
# slower would pay with each request, and not for anything of its own.
_AWAKE_S = 0.005


class Server:
    """Its state: the run it serves."""

    def __init__(self) -> None:
        self.stub: Stub | None = None
        self._asked_at = 0.0
        self._awake = False

    def stay_awake(self) -> None:
        """Look for more requests without sleeping, for a while."""
        self._asked_at = time.monotonic()
        if not self._awake:
            self._awake = True
            self._look_again()

    def _look_again(self) -> None:
        self._awake = time.monotonic() - self._asked_at < _AWAKE_S
        if self._awake:
            asyncio.get_running_loop().call_soon(self._look_again)

    def control(self, path: bytes, body: bytes) -> bytes:
        """What the bench asks: begin a run, end the supply, or only look."""
        if path == b"/bench/start":
            self.stub = Stub(Workload(**orjson.loads(body)))
        elif path == b"/bench/stop" and self.stub is not None:
            self.stub.flowing = False
        return b"{}" if self.stub is None else orjson.dumps(self.stub.account.as_dict())


class Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = b""
        self._parts: list[bytes] = []
        self._missing = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._missing > len(data):  # the middle of a large body
            self._parts.append(data)
            self._missing -= len(data)
            return
        if self._parts:
            data = b"".join((*self._parts, data))
            self._parts.clear()
        self._missing = 0
        data = self._buffer + data if self._buffer else data
        self._buffer = b""
        end = data.find(b"\r\n\r\n") + 4
        if end == 3:
            self._buffer = data
            return
        length = _LENGTH.search(data, 0, end)
        size = end + (int(length[1]) if length else 0)
        if len(data) < size:
            self._parts.append(data)
            self._missing = size - len(data)
            return
        self._serve(data[: end - 2], data[end:size])

    def _serve(self, head: bytes, body: bytes) -> None:
        self._server.stay_awake()
        target = _TARGET.search(head)
        if target is None and not head.startswith(_INVOKE):
            self._reply(self._server.control(head.split(b" ", 2)[1], body))
            return
        stub = self._server.stub
        assert stub is not None
        answer, delay_s = stub.answer(b"" if target is None else target[1], body)
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._reply, answer)
        else:
            self._reply(answer)

    def _reply(self, answer: bytes) -> None:
        if self._transport is None:
            return
        head = _HEAD % len(answer)
        if len(answer) < 65_536:
            self._transport.write(head + answer)
        else:
            self._transport.writelines((head, answer))


async def main() -> None:
    """Serve until stdin is closed; say the port first."""
    state = Server()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(main())
