"""Signature Version 4: verified by signing what was received once more, with botocore, and comparing."""

import calendar
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import normalize_url_path

from mappings.access_keys import AccessKey, Role, read_access_keys
from mappings.auth import AUTHORIZATION, READING_METHODS, Caller, ReceivedRequest, caller_id
from mappings.errors import (
    AccessDeniedException,
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    TooManyRequestsException,
)
from mappings.replays import UsedSignatures
from mappings.secret_files import SecretFile

# AWS's own tolerance for clocks that differ.
WINDOW_S = 300
SERVICE = "lambda"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key_id>[!-+\--.0-~]{1,128})/(?P<day>[0-9]{8})"
    r"/(?P<region>[a-z0-9-]{1,64})/(?P<service>[a-z0-9-]{1,64})/aws4_request"
    r", *SignedHeaders=(?P<signed>[a-z0-9._;-]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_TARGET = re.compile(r"/[!-\"$-~]*")  # visible ASCII; a fragment would not be signed
_HEADER_VALUE = re.compile(r"[\t -~]*")  # other white space folds into the same signature
_BODY_HASH = "x-amz-content-sha256"
_WRONG = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)


class SigV4:
    """Lets in whoever signs with a key of a file, once for each request that changes something."""

    def __init__(self, path: Path) -> None:
        """Read the file; raise InvalidSecretFile where it cannot be used."""
        self._keys = SecretFile(path, read_access_keys)
        self._used = UsedSignatures()
        # An unknown key costs the same work as a known one, against a secret that nobody has.
        self._nobody = AccessKey(id="", secret=secrets.token_urlsafe(30), role=Role.READ_ONLY)

    def __repr__(self) -> str:
        """Show where the keys are, not what they are."""
        return f"SigV4({self._keys!r})"

    def authenticate(self, request: ReceivedRequest, *, now: float) -> Caller:
        """Return the caller.

        What is told before the signature is known to be right concerns the form of the request alone.
        """
        claim = _Claim.read(request)
        key = self._key(claim)
        _check_window(claim, now)
        if request.method not in READING_METHODS:
            _check_role(key)
            self._use(claim, _call(request), now)
        read_only = key.role is Role.READ_ONLY
        return Caller(id=caller_id(key.id, "key"), region=claim.region, read_only=read_only)

    def _key(self, claim: "_Claim") -> AccessKey:
        key = self._keys.current().by_id.get(claim.key_id, self._nobody)
        right = hmac.compare_digest(claim.signature_by(key.secret), claim.signature)
        if not right or key is self._nobody:
            raise InvalidSignatureException(_WRONG)
        return key

    def _use(self, claim: "_Claim", call: str, now: float) -> None:
        if not self._used.has_room(claim.signature, now=now):
            raise TooManyRequestsException("Rate exceeded", retry_after_s=WINDOW_S)
        if not self._used.use(claim.signature, call, now=now, until=claim.signed_at + WINDOW_S):
            raise InvalidSignatureException("This signature was used already: sign the request again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What a request says of its own signature, and what it signs."""

    key_id: str = field(repr=False)
    date: str
    region: str
    signature: str = field(repr=False)
    method: str
    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body_hash: str

    @classmethod
    def read(cls, request: ReceivedRequest) -> Self:
        """Read the claim; raise IncompleteSignatureException where something is not said or not signed."""
        said = _said(request)
        signed = said["signed"].split(";")
        _check_signed_names(request, signed)
        date = _only(request, "x-amz-date")
        if not _DATE.fullmatch(date) or date[:8] != said["day"] or said["service"] != SERVICE:
            raise IncompleteSignatureException(
                f"Credential should be scoped to the day of x-amz-date and to the service '{SERVICE}'."
            )
        _only(request, "host")
        _check_target(request)
        return cls(
            key_id=said["key_id"],
            date=date,
            region=said["region"],
            signature=said["signature"],
            method=request.method,
            url=f"http://host{request.target}",  # the host is signed as the header it came in
            headers=[(name, value) for name in signed for value in request.values(name)],
            body_hash=_body_hash(request),
        )

    @property
    def signed_at(self) -> float:
        return calendar.timegm(time.strptime(self.date, _DATE_FORMAT))

    def signature_by(self, secret: str) -> str:
        """Sign what was received, as the holder of `secret` would have."""
        signer = _Signer(Credentials(access_key="-", secret_key=secret), SERVICE, self.region)
        request = AWSRequest(method=self.method, url=self.url)
        for name, value in self.headers:
            request.headers[name] = value  # adds; does not replace
        request.context.update(timestamp=self.date, body_hash=self.body_hash)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        signature: str = signer.signature(text, request)
        return signature


class _Signer(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer over exactly the headers that the caller has signed."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.headers

    def payload(self, request: Any) -> Any:
        return request.context["body_hash"]


def _said(request: ReceivedRequest) -> Mapping[str, str]:
    given = request.values(AUTHORIZATION)
    if "x-amz-signature=" in request.query.lower():
        raise IncompleteSignatureException("Presigned requests are not accepted.")
    if not given:
        raise MissingAuthenticationTokenException("Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(given[0])
    if found is None or len(given) > 1:
        raise IncompleteSignatureException(
            "Authorization must be 'AWS4-HMAC-SHA256 Credential=.../aws4_request, SignedHeaders=..., "
            "Signature=...'."
        )
    return found.groupdict()


def _check_signed_names(request: ReceivedRequest, signed: Sequence[str]) -> None:
    if list(signed) != sorted(set(signed)):
        raise IncompleteSignatureException("SignedHeaders must be sorted, without repetition.")
    given = {name.lower() for name, _ in request.headers}
    required = {"host", "x-amz-date"} | {name for name in given if name.startswith("x-amz-")}
    if missing := required - set(signed):
        raise IncompleteSignatureException(f"These headers must be signed: {', '.join(sorted(missing))}.")
    for name in signed:
        values = request.values(name)
        if not values or not all(map(_HEADER_VALUE.fullmatch, values)):
            raise IncompleteSignatureException("A signed header is missing or not in ASCII.")


def _check_target(request: ReceivedRequest) -> None:
    """Refuse what has the signature of another target: botocore normalises before it signs."""
    plain = _TARGET.fullmatch(request.target) and request.path == normalize_url_path(request.path)
    if not plain or request.method != request.method.upper():
        raise IncompleteSignatureException("The method or the path is not in normal form.")


def _call(request: ReceivedRequest) -> str:
    """Return what SDKs number their calls and attempts with, or nothing."""
    calls = request.values("amz-sdk-invocation-id")
    return " ".join([*calls, *request.values("amz-sdk-request")]) if calls else ""


def _body_hash(request: ReceivedRequest) -> str:
    computed = hashlib.sha256(request.body).hexdigest()
    claimed = request.values(_BODY_HASH) or [computed]
    if not re.fullmatch(r"[0-9a-f]{64}", claimed[0]):
        raise IncompleteSignatureException("The payload must be signed.")
    if claimed != [computed]:
        raise InvalidSignatureException(_WRONG)
    return computed


def _only(request: ReceivedRequest, name: str) -> str:
    values = request.values(name)
    if len(values) != 1:
        raise IncompleteSignatureException(f"The header {name} must be given once.")
    return values[0]


def _check_window(claim: _Claim, now: float) -> None:
    try:
        late = now - claim.signed_at
    except ValueError:
        raise InvalidSignatureException(_WRONG) from None
    if late > WINDOW_S:
        edge = f"{_dated(now - WINDOW_S)} ({_dated(now)} - 5 min.)"
        raise InvalidSignatureException(f"Signature expired: {claim.date} is now earlier than {edge}")
    if late < -WINDOW_S:
        edge = f"{_dated(now + WINDOW_S)} ({_dated(now)} + 5 min.)"
        raise InvalidSignatureException(f"Signature not yet current: {claim.date} is still later than {edge}")


def _dated(now: float) -> str:
    return time.strftime(_DATE_FORMAT, time.gmtime(now))


def _check_role(key: AccessKey) -> None:
    if key.role is Role.READ_ONLY:
        raise AccessDeniedException("This access key may only read.")
