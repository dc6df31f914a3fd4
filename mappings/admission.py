"""Which requests are let in before anybody asks who sends them: no web page may drive the API.

A page reaches loopback through the browser of its visitor: under its own name (Origin, Sec-Fetch-Site), under
a name of its own that resolves to loopback (Host), or with a form (Content-Type).
"""

import ipaddress
import re
from collections.abc import Iterable

from mappings.auth import ReceivedRequest
from mappings.errors import (
    AccessDeniedException,
    MalformedHttpRequestException,
    UnsupportedMediaTypeException,
)

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# Without CONNECT and TRACE, which speak to proxies.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What SDKs send; botocore sends none at all for Lambda, Go's sends octets for Invoke.
MEDIA_TYPES = frozenset(
    {
        "application/json",
        "application/x-amz-json-1.0",
        "application/x-amz-json-1.1",
        "application/octet-stream",
        "binary/octet-stream",
    }
)
_TARGET = re.compile(r"/[!-\"$-~]*")  # visible ASCII without a fragment, which no client sends
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+))(?::[0-9]{1,5})?")
_OWN_SITES = frozenset({"none", "same-origin"})


def known_hosts(bound: str, more: Iterable[str]) -> frozenset[str]:
    """Return the hosts, without ports, that a request may name."""
    return LOOPBACK_HOSTS | {_plain(host) for host in (bound, *more)}


def check_admission(request: ReceivedRequest, *, hosts: frozenset[str], has_body: bool) -> None:
    """Raise a MappingError where the line and the headers of a request keep it out."""
    if request.method not in METHODS or not _TARGET.fullmatch(request.target):
        raise MalformedHttpRequestException("The method or the path of the request is not accepted.")
    named = [_host(value) for value in request.values("host")]
    if len(named) != 1 or named[0] not in hosts:
        raise AccessDeniedException("The Host of the request is not one of this API (see POLLER_API_HOSTS).")
    sites = set(request.values("sec-fetch-site"))
    if request.values("origin") or not sites <= _OWN_SITES:
        raise AccessDeniedException("Requests of web pages are not accepted.")
    if has_body and not {_media_type(value) for value in request.values("content-type")} <= MEDIA_TYPES:
        raise UnsupportedMediaTypeException("The Content-Type of the body must be application/json.")


def _host(value: str) -> str | None:
    found = _HOST.fullmatch(value.strip().lower())
    return _plain(found["v6"] or found["host"]) if found else None


def _plain(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()
