"""HTTP/1.1 exchanges over pooled connections: each request is sent once, whatever becomes of it.

What went wrong is told as `exchange_errors` says.
"""

import asyncio
import ssl
from collections import deque
from urllib.parse import urlsplit

from poller.hot_path.connection import Answer, Connection
from poller.hot_path.exchange_errors import CutOff
from poller.hot_path.opening import Endpoint, TcpEndpoint, open_connection

# Shorter than AWS's endpoints keep an idle connection, which is 20 s and more.
IDLE_S = 12.0


class Connections:
    """The connections to one endpoint: as many as are in use, and those that were of late."""

    def __init__(self, endpoint: Endpoint, *, connect_timeout_s: float, idle_s: float | None = None) -> None:
        """Make a pool.

        Args:
            endpoint: Where they go.
            connect_timeout_s: For name resolution, connecting and the TLS handshake together.
            idle_s: How long one may be idle and still be used again; None: as long as AWS's endpoints keep it.
        """
        self._endpoint = endpoint
        self._connect_timeout_s = connect_timeout_s
        self._idle_s = IDLE_S if idle_s is None else idle_s
        self._idle: deque[Connection] = deque()
        self._loop = asyncio.get_running_loop()

    @classmethod
    def to(cls, url: str, *, tls: ssl.SSLContext | None, connect_timeout_s: float) -> "Connections":
        """Make a pool of connections to the host and port of a URL."""
        parts = urlsplit(url)
        port = parts.port or (443 if tls else 80)
        endpoint = TcpEndpoint(url, host=parts.hostname or "", port=port, tls=tls)
        return cls(endpoint, connect_timeout_s=connect_timeout_s)

    async def exchange(
        self, head: bytes, body: bytes, *, wait_s: float, limit_bytes: int, total: bool = False
    ) -> Answer:
        """Send one request, once; arguments are those of `Connection.exchange`."""
        return await self.exchange_on(
            await self.take(), head, body, wait_s=wait_s, limit_bytes=limit_bytes, total=total
        )

    async def exchange_on(
        self,
        connection: Connection,
        head: bytes,
        body: bytes,
        *,
        wait_s: float,
        limit_bytes: int,
        total: bool = False,
    ) -> Answer:
        """Send one request, once, over a connection that was taken, which ends here."""
        try:
            return await connection.exchange(
                head, body, wait_s=wait_s, limit_bytes=limit_bytes, total=total
            )
        except CutOff:
            # Whatever ended this one ends the others, too: what comes next has a fresh one.
            self.close()
            raise
        finally:
            self._put_back(connection)

    async def reach(self) -> None:
        """Open a connection, to see that one is accepted, and close it."""
        connection = await open_connection(self._endpoint, timeout_s=self._connect_timeout_s)
        connection.abort()

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().abort()

    async def take(self) -> Connection:
        """The connection used last, so that those beyond the need grow old and are closed; or a fresh one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and self._is_young(connection) and connection.silent:
                return connection
            connection.abort()
        return await open_connection(self._endpoint, timeout_s=self._connect_timeout_s)

    def _is_young(self, connection: Connection) -> bool:
        return self._loop.time() - connection.idle_since < min(self._idle_s, connection.idle_s)

    def _put_back(self, connection: Connection) -> None:
        if not connection.reusable:
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        while connection.idle_since - self._idle[0].idle_since > self._idle_s:
            self._idle.popleft().abort()
