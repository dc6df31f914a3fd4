"""A server that says to the byte what a test wants said, and remembers what it heard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from poller.hot_path.connection import Answer
from poller.hot_path.connections import Connections

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"

Speak = Callable[[asyncio.StreamWriter, int], Awaitable[None]]
"""Called for each request with its number; what it writes is the answer."""


@dataclass
class Talk:
    """What was heard, and by how many connections."""

    port: int = 0
    connections: int = 0
    ended: int = 0
    bodies: list[bytes] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def until_ended(self, count: int) -> None:
        """Wait until so many connections have ended."""
        await self._until(lambda: self.ended >= count)

    async def until_heard(self, count: int) -> None:
        """Wait until so many requests have come."""
        await self._until(lambda: len(self.bodies) >= count)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def talking(speak: Speak) -> AsyncIterator[Talk]:
    """Serve on loopback."""
    talk = Talk()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().rpartition(b"content-length: ")[2].split(b"\r")[0])
                talk.bodies.append(await reader.readexactly(length))
                talk.changed.set()
                await speak(writer, len(talk.bodies))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            talk.ended += 1
            talk.changed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    talk.port = server.sockets[0].getsockname()[1]
    try:
        yield talk
    finally:
        server.close()


def saying(*chunks: bytes, close: bool = False) -> Speak:
    """Always the same answer, in these pieces."""

    async def speak(writer: asyncio.StreamWriter, _: int) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.001)
        if close:
            writer.close()

    return speak


@asynccontextmanager
async def pool(talk: Talk) -> AsyncIterator[Connections]:
    """Connections to a server."""
    connections = Connections.to(talk.url, tls=None, connect_timeout_s=20.0)
    try:
        yield connections
    finally:
        connections.close()


async def ask(
    connections: Connections, body: bytes = b"{}", *, wait_s: float = 20.0, limit_bytes: int = 1_000_000
) -> Answer:
    """One exchange."""
    return await connections.exchange(HEAD % len(body), body, wait_s=wait_s, limit_bytes=limit_bytes)
