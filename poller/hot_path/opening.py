"""Opening a connection: name, TCP and TLS, or a socket of this machine."""

import asyncio
import socket
import ssl
from typing import Protocol

import aiohappyeyeballs
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, SSLError

from poller.hot_path.connection import Connection
from poller.keepalive import keep_alive

_EYEBALLS_DELAY_S = 0.25


class Endpoint(Protocol):
    """Where connections go."""

    @property
    def url(self) -> str:
        """For messages."""
        ...

    async def dial(self) -> Connection:
        """Connect; raises OSError and its kind."""
        ...


class TcpEndpoint:
    """A host and a port, with TLS or without."""

    def __init__(self, url: str, *, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.url = url
        self._host = host
        self._port = port
        self._tls = tls

    async def dial(self) -> Connection:
        """Connect to the address that answers first."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        opened = await aiohappyeyeballs.start_connection(
            found, happy_eyeballs_delay=_EYEBALLS_DELAY_S, interleave=1
        )
        try:
            keep_alive(opened)
            _, connection = await loop.create_connection(
                lambda: Connection(self.url),
                sock=opened,
                ssl=self._tls,
                server_hostname=self._host if self._tls else None,
            )
        except BaseException:
            opened.close()
            raise
        return connection


class UnixEndpoint:
    """A socket in the file system."""

    def __init__(self, path: str) -> None:
        self.url = f"unix://{path}"
        self._path = path

    async def dial(self) -> Connection:
        """Connect."""
        _, connection = await asyncio.get_running_loop().create_unix_connection(
            lambda: Connection(self.url), self._path
        )
        return connection


async def open_connection(endpoint: Endpoint, *, timeout_s: float) -> Connection:
    """Open a connection; what fails here was never sent."""
    try:
        async with asyncio.timeout(timeout_s):
            return await endpoint.dial()
    except TimeoutError as error:
        raise ConnectTimeoutError(endpoint_url=endpoint.url, error=error) from error
    except ssl.SSLError as error:
        raise SSLError(endpoint_url=endpoint.url, error=error) from error
    except (OSError, UnicodeError) as error:  # a name that no host can have is the latter
        raise EndpointConnectionError(endpoint_url=endpoint.url, error=error) from error
