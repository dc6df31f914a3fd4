"""Where a hot call goes and what it carries: learned from aiobotocore, then sent without it."""

import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio.to_thread
import botocore
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.parsers import create_parser
from botocore.utils import get_environ_proxies

from poller.hot_path.connection import Answer
from poller.hot_path.connections import Connections
from poller.hot_path.signature import Outline, Signer, digest_of

# The digest of an event of 6 MB takes five milliseconds, which a thread spends without keeping the loop.
# Below this it takes less than one.
DIGESTED_APART = 1024 * 1024
# Each request has its own, or none is needed: they are for the SDK's retries.
_OF_ONE_REQUEST = {
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "content-length",
    "x-amz-date",
    "x-amz-security-token",
    "x-amzn-trace-id",
}


class Credentials(Protocol):
    """Credentials of the chain, refreshed when they are due."""

    async def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


class _Captured(Exception):
    """Ends a call of aiobotocore's before it is sent."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.request = request


_capturing: ContextVar[bool] = ContextVar("capturing", default=False)


def _stop_before_sending(request: AWSPreparedRequest, **_: object) -> None:
    if _capturing.get():
        raise _Captured(request)


class Route:
    """One operation on one endpoint. Takes bodies; raises what the client would."""

    def __init__(
        self,
        client: Any,
        operation: str,
        outline: Outline,
        *,
        credentials: Credentials,
        connections: Connections,
        wait_s: float,
    ) -> None:
        self._client = client
        self._operation = operation
        self._signer = Signer(outline)
        self._credentials = credentials
        self._connections = connections
        self._wait_s = wait_s

    async def send(self, body: bytes, *, limit_bytes: int) -> Answer:
        """Send a request, once; an answer that is an error is raised as ClientError."""
        size = len(body)
        digest = digest_of(body) if size < DIGESTED_APART else await anyio.to_thread.run_sync(digest_of, body)
        credentials = await self._credentials.get_frozen_credentials()
        head = self._signer.head(digest, size, credentials, time.time())
        answer = await self._connections.exchange(head, body, wait_s=self._wait_s, limit_bytes=limit_bytes)
        if answer.status >= 300:  # never followed: a signature is for one host
            raise self._error(answer)
        return answer

    def _error(self, answer: Answer) -> ClientError:
        """Read by botocore's parser: which header or member holds the code is for each protocol to say."""
        model = self._client.meta.service_model
        try:
            found = create_parser(model.resolved_protocol).parse(
                {"status_code": max(answer.status, 301), "headers": answer.headers, "body": answer.body},
                model.operation_model(self._operation).output_shape,
            )
        except Exception as stumbled:  # noqa: BLE001  # what it stumbles over did not come from the service
            found = {"Error": {"Code": str(answer.status), "Message": type(stumbled).__name__}}
        error: ClientError = ClientError(found, self._operation)
        return error


class HotPath:
    """The routes of one process, and their connections."""

    def __init__(self, session: Any, *, connect_timeout_s: float, ca_bundle: str | None) -> None:
        """Make it.

        Args:
            session: aiobotocore's, with the credential chain.
            connect_timeout_s: For each connection.
            ca_bundle: Certificate authorities where AWS_CA_BUNDLE or the profile name none; None: the SDK's.
        """
        self._session = session
        self._connect_timeout_s = connect_timeout_s
        self._ca_bundle = ca_bundle
        self._pools: dict[str, Connections] = {}
        self._tls: ssl.SSLContext | None = None

    async def route(
        self, client: Any, operation: str, example: Mapping[str, Any], *, wait_s: float
    ) -> Route | None:
        """The route of an operation; None where a proxy is in the way, which is aiobotocore's work.

        Args:
            client: aiobotocore's client of the service.
            operation: As the service calls it.
            example: A request; where it goes must not depend on what others differ in.
            wait_s: Time until an answer begins.
        """
        endpoint = client.meta.endpoint_url
        if get_environ_proxies(endpoint).get(urlsplit(endpoint).scheme):
            return None
        request = await _capture(client, operation, example)
        # The client has found some, or could not have signed.
        credentials = await self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        return Route(
            client,
            operation,
            outline_of(request),
            credentials=credentials,
            connections=await self._pool(request.url),
            wait_s=wait_s,
        )

    def close(self) -> None:
        """Close what is idle."""
        for pool in self._pools.values():
            pool.close()

    async def _pool(self, url: str) -> Connections:
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        if base not in self._pools:
            tls = await self._tls_context() if parts.scheme == "https" else None
            self._pools[base] = Connections.to(base, tls=tls, connect_timeout_s=self._connect_timeout_s)
        return self._pools[base]

    async def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            named = self._session.get_config_variable("ca_bundle") or self._ca_bundle
            authorities = get_cert_path(named or True)
            self._tls = await anyio.to_thread.run_sync(_tls_context, authorities)
        return self._tls


def _tls_context(authorities: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _capture(client: Any, operation: str, example: Mapping[str, Any]) -> AWSPreparedRequest:
    """What the client would send: endpoint, headers and signature are resolved, and nothing is sent."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(
        f"before-send.{service}.{operation}",
        _stop_before_sending,
        unique_id=f"hot-path-{operation}",  # registered once
    )
    before = _capturing.set(True)
    try:
        await getattr(client, botocore.xform_name(operation))(**example)
    except _Captured as captured:
        return captured.request
    finally:
        _capturing.reset(before)
    raise AssertionError("nothing was signed")


def outline_of(request: AWSPreparedRequest) -> Outline:
    """Take apart what was signed."""
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    scope, signed_names, _ = headers["authorization"].split(", ")
    _, _, region, service, _ = scope.rpartition("=")[2].split("/")
    bare = AWSRequest(method=request.method, url=request.url)
    method, path, query, host, *_ = SigV4Auth(None, service, region).canonical_request(bare).split("\n")
    headers["host"] = host.removeprefix("host:")
    headers["accept-encoding"] = "identity"
    names = set(signed_names.rpartition("=")[2].split(";"))
    kept = {name: value for name, value in headers.items() if name not in _OF_ONE_REQUEST}
    return Outline(
        method=method,
        target="/" + request.url.partition("://")[2].partition("/")[2],
        path=path,
        query=query,
        signed={name: value for name, value in kept.items() if name in names},
        unsigned={name: value for name, value in kept.items() if name not in names},
        region=region,
        service=service,
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
