"""What the hot path takes from the SDK: endpoints, certificates, proxies, credentials and error codes."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.credentials import AioRefreshableCredentials
from aiohttp import web
from botocore.exceptions import ClientError, NoCredentialsError, SSLError

from poller.aws import Aws
from poller.hot_path.route import _tls_context
from tests.hot_path.authority import server_context

REQUEST = {"ShardIterator": "i", "Limit": 1}
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"


class Endpoint:
    """Answers every read with an empty page and keeps the requests."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[web.BaseRequest] = []
        self.answer: Any = {"Records": []}
        self.status = 200
        self.headers: dict[str, str] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        body = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        return web.Response(body=body, status=self.status, headers=self.headers)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    """An endpoint on loopback; a bare server, so that it also takes what is meant for a proxy."""
    endpoint = Endpoint()
    runner = web.ServerRunner(web.Server(endpoint.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    endpoint.port = runner.addresses[0][1]
    try:
        yield endpoint
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, and no proxy of the machine's."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


async def _read(aws: Aws, service: str = "kinesis") -> bytes:
    call = await aws.call(service, "eu-west-1", "GetRecords", REQUEST)
    return (await call(REQUEST)).body


@pytest.fixture(params=[True, False], ids=["hot path", "SDK"])
def hot_path(request: pytest.FixtureRequest) -> bool:
    """Both ways must do the same."""
    assert isinstance(request.param, bool)
    return request.param


# ----- endpoints


async def test_the_route_of_a_stream_is_the_sdks_with_its_account_in_it() -> None:
    """The endpoint depends on the ARN; aiobotocore resolves it."""
    async with Aws() as aws:
        request = {**REQUEST, "StreamARN": STREAM}
        await aws.call("kinesis", "eu-west-1", "GetRecords", request)
        assert aws._hot_path is not None

        assert list(aws._hot_path._pools) == ["https://123456789012.data-kinesis.eu-west-1.amazonaws.com"]


async def test_nothing_is_sent_to_learn_a_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request that goes out is the one that was asked for."""
    async with serving() as endpoint, Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", f"http://127.0.0.1:{endpoint.port}")
        call = await aws.call("dynamodbstreams", "eu-west-1", "GetRecords", REQUEST)
        before = len(endpoint.requests)
        await call(REQUEST)

    assert (before, len(endpoint.requests)) == (0, 1)


async def test_both_ways_ask_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Header by header, but for what the SDK counts its own tries with."""
    seen: list[dict[str, str]] = []
    for path in (True, False):
        async with serving() as endpoint, Aws(hot_path=path) as aws:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.port}")
            await _read(aws)
            (request,) = endpoint.requests
            seen.append({name.lower(): value for name, value in request.headers.items()})

    own = ("amz-sdk-invocation-id", "amz-sdk-request", "accept")
    dated = ("authorization", "x-amz-date", "host", "user-agent", "content-length")
    ours, theirs = ({name: text for name, text in sent.items() if name not in own} for sent in seen)
    assert set(ours) == set(theirs)
    assert [ours[name] for name in ours if name not in dated] == [
        theirs[name] for name in ours if name not in dated
    ]


# ----- TLS


async def test_a_certificate_is_verified_by_the_authorities_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """Those of AWS_CA_BUNDLE."""
    tls, authority = server_context(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    async with serving(tls) as endpoint, Aws(hot_path=hot_path) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{endpoint.port}")

        assert json.loads(await _read(aws))["Records"] == []


async def test_authorities_are_also_named_as_the_sdk_has_it_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """REQUESTS_CA_BUNDLE."""
    tls, authority = server_context(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    async with serving(tls) as endpoint, Aws(hot_path=hot_path) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{endpoint.port}")

        assert json.loads(await _read(aws))["Records"] == []


@pytest.mark.parametrize("case", ["unknown authority", "another host"])
async def test_a_certificate_that_proves_nothing_ends_the_call_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, *, hot_path: bool
) -> None:
    """From an authority nobody named, or for another host."""
    host = "localhost" if case == "unknown authority" else "elsewhere.example"
    tls, authority = server_context(tmp_path, host=host)
    if case == "another host":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    async with serving(tls) as endpoint, Aws(hot_path=hot_path) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{endpoint.port}")
        with pytest.raises(SSLError):
            await _read(aws)

    assert endpoint.requests == []


def test_tls_is_of_version_1_2_at_least(tmp_path: Path) -> None:
    """And verifies."""
    _, authority = server_context(tmp_path)

    context = _tls_context(str(authority))

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


# ----- proxies


@pytest.mark.parametrize("exempt", [False, True])
async def test_a_proxy_of_the_environment_is_gone_through(
    monkeypatch: pytest.MonkeyPatch, *, hot_path: bool, exempt: bool
) -> None:
    """Unless NO_PROXY exempts the endpoint."""
    async with serving() as proxy, serving() as endpoint, Aws(hot_path=hot_path) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.port}")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        if exempt:
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        await _read(aws)

    assert (len(proxy.requests), len(endpoint.requests)) == ((0, 1) if exempt else (1, 0))


# ----- credentials


async def test_credentials_are_refreshed_when_they_are_due(
    monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """And the next request is signed with the fresh ones, with their token."""
    made = 0

    async def refresh() -> dict[str, str]:
        nonlocal made
        made += 1
        # The first ones are due at once, the second ones are not.
        expires = datetime.now(UTC) + timedelta(seconds=1 if made == 1 else 3600)
        return {
            "access_key": f"AKID{made}",
            "secret_key": "secret",
            "token": f"token{made}",
            "expiry_time": expires.isoformat(),
        }

    async with serving() as endpoint, Aws(hot_path=hot_path) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.port}")
        aws._session._credentials = AioRefreshableCredentials.create_from_metadata(
            await refresh(), refresh_using=refresh, method="test"
        )
        for _ in range(3):
            await _read(aws)

    signed = [
        (r.headers["Authorization"].split("/")[0], r.headers["X-Amz-Security-Token"])
        for r in endpoint.requests
    ]
    assert signed == [("AWS4-HMAC-SHA256 Credential=AKID2", "token2")] * 3


async def test_no_credentials_are_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """Nothing is sent."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with serving() as endpoint, Aws(hot_path=hot_path) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.port}")
        with pytest.raises(NoCredentialsError):
            await _read(aws)

    assert endpoint.requests == []


# ----- errors


@pytest.mark.parametrize(
    ("status", "answer", "headers", "code"),
    [
        (400, {"__type": "com.amazonaws.sqs#QueueDoesNotExist"}, {}, "QueueDoesNotExist"),
        (
            400,
            {"__type": "com.amazonaws.sqs#QueueDoesNotExist"},
            {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (502, b"<html>bad gateway</html>", {}, "502"),
    ],
)
async def test_error_codes_are_found_where_the_sdk_finds_them(
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    answer: object,
    headers: dict[str, str],
    code: str,
    *,
    hot_path: bool,
) -> None:
    """In the body, in a header, or nowhere."""
    request = {"QueueUrl": "http://x/1/orders"}
    async with serving() as endpoint, Aws(hot_path=hot_path) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.port}")
        endpoint.status, endpoint.answer, endpoint.headers = status, answer, headers
        call = await aws.call("sqs", "eu-west-1", "ReceiveMessage", request)
        with pytest.raises(ClientError) as raised:
            await call(request)

    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


async def test_an_error_the_sdk_cannot_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stumbles over a body that is JSON and no object: the status is all there is."""
    async with serving() as endpoint, Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.port}")
        endpoint.status, endpoint.answer = 502, b'"bad gateway"'
        with pytest.raises(ClientError, match="502"):
            await _read(aws)


async def test_a_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature is for one host, and records are for nobody else (faults 72)."""
    async with serving() as elsewhere, serving() as endpoint, Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.port}")
        endpoint.status, endpoint.headers = 307, {"Location": f"http://127.0.0.1:{elsewhere.port}/"}
        with pytest.raises(ClientError):
            await _read(aws)

    assert (len(endpoint.requests), len(elsewhere.requests)) == (1, 0)
