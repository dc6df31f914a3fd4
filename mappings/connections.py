"""How many connections the HTTP API has, and what happens to one more."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from mappings.answers import closing_bytes, error_answer
from mappings.connection import LINGER_S, Connection, Limits
from mappings.errors import TooManyRequestsException


class Connections:
    """All connections of one server.

    At the limit, the connection that has been idle for longest makes room: pools of SDKs keep some that they
    may never use again. Where none is idle, the next one is told to come again.
    """

    def __init__(
        self,
        serve: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        limits: Limits,
        request_id: Callable[[], str],
    ) -> None:
        self._limits = limits
        self._request_id = request_id
        self._manager = web.Server(serve)
        self._open: set[Connection] = set()
        self._turned_away: set[TurnedAway] = set()

    def __len__(self) -> int:
        """Return how many are served."""
        return len(self._open)

    def make(self) -> asyncio.Protocol:
        """Return what handles one more connection."""
        if len(self._open) < self._limits.connections or self._make_room():
            connection = Connection(
                self._manager,
                limits=self._limits,
                request_id=self._request_id,
                lost=self._open.discard,
            )
            self._open.add(connection)
            return connection
        if len(self._turned_away) >= self._limits.connections:
            return Dropped()
        error = TooManyRequestsException("Too many connections", retry_after_s=1)
        answer = closing_bytes(error_answer(error), self._request_id())
        turned_away = TurnedAway(answer, lost=self._turned_away.discard)
        self._turned_away.add(turned_away)
        return turned_away

    async def close(self, timeout_s: float) -> None:
        """End the idle ones, let those that answer finish within the time, and cut the others."""
        for turned_away in list(self._turned_away):
            turned_away.close()
        self._manager.pre_shutdown()
        await self._manager.shutdown(timeout_s)

    def _make_room(self) -> bool:
        idle = [connection for connection in self._open if connection.is_idle]
        if not idle:
            return False
        oldest = min(idle, key=lambda connection: connection.idle_since)
        oldest.force_close()
        self._open.discard(oldest)
        return True


class TurnedAway(asyncio.Protocol):
    """A connection beyond the limit: answered before it asks, and closed when it has had time to ask."""

    def __init__(self, answer: bytes, *, lost: Callable[["TurnedAway"], None]) -> None:
        self._answer = answer
        self._lost = lost
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._answer)
        # A socket that is closed with unread data resets the connection, answer and all.
        transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Dropped(asyncio.Protocol):
    """A connection beyond even those that are turned away with an answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
