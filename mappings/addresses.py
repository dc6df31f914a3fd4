"""Where the HTTP API listens, and whether it may listen there."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

from mappings.auth import Authenticator, Open

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]/@]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host and a port to listen on; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host:port` or `[IPv6]:port`; raise ValueError with what is expected."""
        found = _HOST_PORT.fullmatch(text)
        if found is None or int(found["port"]) > 65_535:
            raise ValueError("not host:port, such as 127.0.0.1:4577 or [::1]:4577")
        return cls(host=found["v6"] or found["host"], port=int(found["port"]))

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches `host`. A name other than `localhost` may be anyone's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def unsafe_bind(host: str, authenticator: Authenticator, *, insecure_no_auth: bool) -> str | None:
    """Return why the API must not listen on `host`, in one sentence, or None where it may."""
    if insecure_no_auth or is_loopback(host) or not isinstance(authenticator, Open):
        return None
    return (
        f"the API would listen on {host}, which other machines reach, without authentication: "
        "give --api-keys-file or --api-token-file, or accept that with --insecure-no-auth"
    )
