"""AWS Signature Version 4 of requests that differ in nothing but their time and body.

Everything else is put together once: the canonical head, the request head, the signing key. The signature is
botocore's to the byte (a property test compares them).
"""

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from botocore.credentials import ReadOnlyCredentials

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What all requests of one kind have in common."""

    method: str
    target: str
    """Path and query as they are sent."""
    path: str
    """The path in canonical form."""
    query: str
    """The query in canonical form."""
    signed: Mapping[str, str]
    """Headers that are signed, by their lower-case names; without date and token."""
    unsigned: Mapping[str, str]
    """Headers that are sent and not signed."""
    region: str
    service: str


def digest_of(body: bytes) -> str:
    """What a signature knows of a body."""
    return sha256(body).hexdigest()


class Signer:
    """Makes the heads of requests of one outline."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._signed_at = -1
        self._credentials: ReadOnlyCredentials | None = None
        # What stays the same is digested once; each request goes on from a copy.
        self._canonical = sha256()
        self._mac = hmac.new(b"", digestmod=sha256)
        self._to_sign = self._opening = b""

    def head(self, digest: str, size: int, credentials: ReadOnlyCredentials, now: float) -> bytes:
        """The whole head of a request, up to the empty line.

        Args:
            digest: SHA-256 of the body, hexadecimal.
            size: Bytes of the body.
            credentials: Whose signature.
            now: Epoch seconds.
        """
        second = int(now)
        if second != self._signed_at or credentials != self._credentials:
            self._prepare(second, credentials)
        canonical = self._canonical.copy()
        canonical.update(digest.encode())
        signature = self._mac.copy()
        signature.update(self._to_sign + canonical.hexdigest().encode())
        return b"%b%b\r\nContent-Length: %d\r\n\r\n" % (
            self._opening,
            signature.hexdigest().encode(),
            size,
        )

    def _prepare(self, second: int, credentials: ReadOnlyCredentials) -> None:
        """Everything that stays the same for a second."""
        outline = self._outline
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        scope = f"{date[:8]}/{outline.region}/{outline.service}/aws4_request"
        signed = {**outline.signed, "x-amz-date": date}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in sorted(signed))
        request = f"{outline.method}\n{outline.path}\n{outline.query}\n{lines}\n{names}\n"
        sent = "".join(f"{name}: {value}\r\n" for name, value in {**signed, **outline.unsigned}.items())
        self._canonical = sha256(request.encode())
        self._to_sign = f"{_ALGORITHM}\n{date}\n{scope}\n".encode()
        self._opening = (
            f"{outline.method} {outline.target} HTTP/1.1\r\n{sent}"
            f"authorization: {_ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature="
        ).encode()
        key = _signing_key(credentials.secret_key, date[:8], outline.region, outline.service)
        self._mac = hmac.new(key, digestmod=sha256)
        self._signed_at, self._credentials = second, credentials


@lru_cache(maxsize=64)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
