"""Where a function behind HTTP is: a URL that is sent as it is written, or a socket of this machine."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from poller.hot_path.opening import Endpoint, TcpEndpoint, UnixEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAddress:
    """What a URL says, taken apart and not changed."""

    place: str
    """Host and port, or the path of the socket; for messages."""
    secure: bool
    target: str
    """Of a request: path and query."""
    host_header: str
    host: str = ""
    port: int = 0
    socket: str | None = None

    @classmethod
    def of(cls, url: str, path: str | None) -> "HttpAddress":
        """Take a URL apart.

        Args:
            url: As `functions` gives it.
            path: What is asked for on a socket; None for `/`.
        """
        scheme, _, rest = url.partition("://")
        if scheme.lower() == "unix":
            return cls(place=rest, secure=False, target=path or "/", host_header="localhost", socket=rest)
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        asked = rest[len(parts.netloc) :]
        return cls(
            place=parts.netloc if parts.port else f"{parts.netloc}:{port}",
            secure=secure,
            target=asked if asked.startswith("/") else f"/{asked}",
            host_header=parts.netloc,
            host=parts.hostname or "",
            port=port,
        )

    def endpoint(self, tls: ssl.SSLContext | None) -> Endpoint:
        """Where connections go."""
        if self.socket is not None:
            return UnixEndpoint(self.socket)
        url = f"{'https' if self.secure else 'http'}://{self.host_header}"
        return TcpEndpoint(url, host=self.host, port=self.port, tls=tls)

    def head(self, method: str, path: str | None, headers: Iterable[tuple[str, str]]) -> bytes:
        """The head of a request; `path` in place of the URL's."""
        lines = [
            f"{method} {self.target if path is None else path} HTTP/1.1",
            f"Host: {self.host_header}",
            "User-Agent: esm-poller",
            "Accept: */*",
            "Accept-Encoding: identity",
            *[f"{name}: {value}" for name, value in headers],
            "\r\n",
        ]
        return "\r\n".join(lines).encode()
