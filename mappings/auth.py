"""Who sent a request: what is known of a request and its caller, and the seam that tells them apart."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

READING_METHODS = frozenset({"GET", "HEAD"})
AUTHORIZATION = "authorization"
_SCOPE_REGION = re.compile(r"Credential=[^/,\s]+/[0-9]{8}/(?P<region>[a-z0-9-]{1,64})/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request as it came over the wire. Its repr shows the method alone, because the rest holds secrets."""

    method: str
    target: str = field(repr=False)
    """Path and query, exactly as received: still encoded."""
    headers: Sequence[tuple[str, str]] = field(repr=False)
    """Names and values in the order received, repeated ones too."""
    body: bytes = field(repr=False, default=b"")

    def values(self, name: str) -> list[str]:
        """Return every value of a header, given its name in lower case."""
        return [value for given, value in self.headers if given.lower() == name]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a request is from."""

    id: str
    """For logs and limits; a short hash, never the key itself."""
    region: str | None
    """The region that the request was signed for."""
    read_only: bool


class Authenticator(Protocol):
    """Tells who a request is from."""

    def authenticate(self, request: ReceivedRequest, *, now: float) -> Caller:
        """Return the caller, or raise a MappingError in AWS's shape. `now` is in epoch seconds."""
        ...


class Open:
    """No authentication: whoever reaches the address may do everything."""

    def authenticate(self, request: ReceivedRequest, *, now: float) -> Caller:  # noqa: ARG002 - the seam's
        """Let anyone in; clients sign even so, and the region they name is taken at their word."""
        return Caller(id="anyone", region=_claimed_region(request), read_only=False)


def caller_id(secret: str, kind: str) -> str:
    """Return a name for logs from which the key or token cannot be found."""
    return f"{kind}-{hashlib.sha256(secret.encode()).hexdigest()[:12]}"


def _claimed_region(request: ReceivedRequest) -> str | None:
    for value in request.values(AUTHORIZATION):
        if found := _SCOPE_REGION.search(value):
            return found["region"]
    return None
