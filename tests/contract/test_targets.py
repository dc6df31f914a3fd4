"""What every target makes of what a function does: plain HTTP and Lambda's Invoke API, over real HTTP."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio
import pytest
from aiohttp import web

from poller.aws import Aws
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.interfaces import Invocation, Target
from poller.targets.http import MAX_RESPONSE_BYTES, HttpTarget
from poller.targets.lambda_api import LambdaTarget
from poller.targets.memory import MemoryTarget

INVOCATION = Invocation(payload=b'{"Records":[{"body":"\\u00e9 \xc3\xa9"}]}', request_id="id-1", attempt=3)
TIMEOUT_S = 20.0  # an answer that comes must not be missed on a busy machine

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """A function behind HTTP, on loopback."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    """Run `answer` for every request."""
    server = Server()

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.title(): value for name, value in request.headers.items()}
        server.requests.append((request.path_qs, headers, await request.read()))
        return await answer(request)

    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


def answering(*, status: int = 200, body: bytes = b"null", headers: dict[str, str] | None = None) -> Answer:
    """Always the same answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def never(_: web.Request) -> web.StreamResponse:
    """No answer within any timeout of these tests."""
    await anyio.sleep(30)
    return web.Response()


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Half an answer, then the connection is gone."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"batchItem')
    assert request.transport is not None
    request.transport.abort()
    return response


async def known(timeout_s: float) -> float:
    """A function's timeout."""
    return timeout_s


async def invoke_http(answer: Answer, *, timeout_s: float = TIMEOUT_S) -> tuple[Outcome, Server]:
    async with serving(answer) as server:
        target = HttpTarget(url=f"{server.url}/events", timeout_s=timeout_s)
        outcome = await target.invoke(INVOCATION)
        await target.close()
    return outcome, server


async def invoke_lambda(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, *, hot_path: bool, timeout_s: float = TIMEOUT_S
) -> tuple[Outcome, Server]:
    async with serving(answer) as server:
        for name, value in {
            "AWS_ENDPOINT_URL_LAMBDA": server.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }.items():
            monkeypatch.setenv(name, value)
        async with Aws(hot_path=hot_path) as aws:
            target = LambdaTarget(
                aws, function="audit:live", region="eu-west-1", timeout_s=partial(known, timeout_s)
            )
            outcome = await target.invoke(INVOCATION)
    return outcome, server


# ----- HTTP


async def test_an_http_function_receives_the_event_and_its_context() -> None:
    """The body is the event to the byte; headers say what a runtime would."""
    outcome, server = await invoke_http(answering(body=b"{}"))

    ((path, headers, body),) = server.requests
    assert outcome == Succeeded(payload=b"{}")
    assert (path, body) == ("/events", INVOCATION.payload)
    assert headers["Content-Type"] == "application/json"
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
    assert headers["Esm-Attempt"] == "3"
    assert int(headers["Lambda-Runtime-Deadline-Ms"]) > 0


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_any_2xx_is_success(status: int) -> None:
    """The status says it, not the body."""
    outcome, _ = await invoke_http(answering(status=status, body=b""))

    assert outcome == Succeeded(payload=b"", status_code=status)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500, 502, 503])
async def test_any_other_status_is_a_function_error(status: int) -> None:
    """A redirect too: it is never followed."""
    outcome, server = await invoke_http(answering(status=status, headers={"Location": "/elsewhere"}))

    assert outcome == FunctionError(error_type=f"Http.{status}", status_code=status)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {}, None),
        (429, {"Retry-After": "7"}, 7.0),
        (503, {"Retry-After": "2"}, 2.0),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ],
)
async def test_a_busy_application_throttles(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    """It did not run the batch, so it is no failure of it."""
    outcome, _ = await invoke_http(answering(status=status, headers=headers))

    assert outcome == Throttled(retry_after_s=seconds)


async def test_an_application_that_does_not_answer_times_out() -> None:
    """At the function's timeout, as a function does."""
    outcome, _ = await invoke_http(never, timeout_s=0.5)

    assert outcome == FunctionError(error_type="Sandbox.Timedout")


async def test_half_an_answer_is_a_lost_reply() -> None:
    """Whether the batch was handled is unknown."""
    outcome, _ = await invoke_http(cut_off)

    assert isinstance(outcome, LostReply)


async def test_an_answer_beyond_the_limit_is_a_function_error() -> None:
    """It is read no further than a function may answer."""
    outcome, _ = await invoke_http(answering(body=b"x" * (MAX_RESPONSE_BYTES + 1)))

    assert outcome == FunctionError(error_type="Function.ResponseSizeTooLarge")


async def test_a_compressed_answer_is_not_unpacked() -> None:
    """A small answer must not become a large one in memory."""
    import gzip

    packed = gzip.compress(b"0" * 1_000_000)

    outcome, _ = await invoke_http(answering(body=packed, headers={"Content-Encoding": "gzip"}))

    assert outcome == Succeeded(payload=packed)


async def test_an_application_that_is_not_there_is_unreachable_and_not_ready() -> None:
    """Nothing was sent, so nothing was handled."""
    async with serving(answering()) as server:
        port = server.port
    target = HttpTarget(url=f"http://127.0.0.1:{port}/events", timeout_s=TIMEOUT_S)

    assert isinstance(await target.invoke(INVOCATION), Unreachable)
    assert await target.ready() is False
    await target.close()


async def test_an_application_that_answers_anything_is_ready() -> None:
    """Only POST is part of the contract, so any status will do."""
    async with serving(answering(status=405)) as server:
        target = HttpTarget(url=server.url, timeout_s=TIMEOUT_S)

        assert await target.ready() is True
        await target.close()


# ----- Lambda


async def test_lambda_is_invoked_synchronously_with_the_exact_event(
    monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """RequestResponse, no log tail, no client context, the qualifier as given."""
    outcome, server = await invoke_lambda(
        answering(body=b'{"ok":1}', headers={"X-Amz-Executed-Version": "7"}), monkeypatch, hot_path=hot_path
    )

    ((path, headers, body),) = server.requests
    assert outcome == Succeeded(payload=b'{"ok":1}', executed_version="7")
    assert path.startswith("/2015-03-31/functions/audit")
    assert "live" in path
    assert headers["X-Amz-Invocation-Type"] == "RequestResponse"
    assert not {"X-Amz-Log-Type", "X-Amz-Client-Context"} & set(headers)
    assert body == INVOCATION.payload


async def test_the_header_makes_a_function_error(monkeypatch: pytest.MonkeyPatch, *, hot_path: bool) -> None:
    """Its type is the body's errorType."""
    body = json.dumps({"errorType": "ValueError", "errorMessage": "x"}).encode()

    outcome, _ = await invoke_lambda(
        answering(body=body, headers={"X-Amz-Function-Error": "Unhandled"}), monkeypatch, hot_path=hot_path
    )

    assert outcome == FunctionError(error_type="ValueError", payload=body)


async def test_a_body_that_looks_like_an_error_is_none(
    monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """On Lambda only the header decides (semantics 6.2.1)."""
    outcome, _ = await invoke_lambda(answering(body=b'{"errorMessage":"x"}'), monkeypatch, hot_path=hot_path)

    assert isinstance(outcome, Succeeded)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "TooManyRequestsException", Throttled(retry_after_s=4.0)),
        (413, "RequestTooLargeException", TooLarge(size=len(INVOCATION.payload))),
        (
            400,
            "InvalidRequestContentException",
            FunctionError(error_type="InvalidRequestContentException", status_code=400),
        ),
        (404, "ResourceNotFoundException", Unreachable(reason="ResourceNotFoundException", status_code=404)),
        (403, "AccessDeniedException", Unreachable(reason="AccessDeniedException", status_code=403)),
        (409, "ResourceConflictException", Unreachable(reason="ResourceConflictException", status_code=409)),
        (500, "ServiceException", Unreachable(reason="ServiceException", status_code=500)),
        (502, "EC2ThrottledException", Unreachable(reason="EC2ThrottledException", status_code=502)),
    ],
)
async def test_an_invoke_error_is_told_from_a_function_error_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, expected: Outcome, *, hot_path: bool
) -> None:
    """One request goes out, whatever the SDK would have done on its own."""
    outcome, server = await invoke_lambda(
        answering(
            status=status,
            body=json.dumps({"message": "no"}).encode(),
            headers={"X-Amzn-ErrorType": code, "Retry-After": "4"},
        ),
        monkeypatch,
        hot_path=hot_path,
    )

    assert outcome == expected
    assert len(server.requests) == 1


async def test_no_answer_from_lambda_is_a_lost_reply_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """The SDK waits for the function's timeout and a margin, and does not invoke again."""
    monkeypatch.setattr("poller.targets.lambda_api.READ_TIMEOUT_MARGIN_S", 0.0)

    outcome, server = await invoke_lambda(never, monkeypatch, timeout_s=0.5, hot_path=hot_path)

    assert isinstance(outcome, LostReply)
    assert len(server.requests) == 1


async def test_half_an_answer_from_lambda_is_a_lost_reply(
    monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """The function ran; what it answered is not known."""
    outcome, _ = await invoke_lambda(cut_off, monkeypatch, hot_path=hot_path)

    assert isinstance(outcome, LostReply)


async def test_lambda_that_cannot_be_connected_to_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """Nothing was sent."""
    async with serving(answering()) as server:
        port = server.port
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with Aws(hot_path=hot_path) as aws:
        target = LambdaTarget(aws, function="audit", region="eu-west-1", timeout_s=partial(known, 1.0))

        assert isinstance(await target.invoke(INVOCATION), Unreachable)


# ----- memory


async def test_a_memory_target_calls_its_function_and_keeps_what_was_asked() -> None:
    """Tests and embedders look at it afterwards."""

    async def function(invocation: Invocation) -> Outcome:
        return Succeeded(payload=base64.b64encode(invocation.payload))

    target: Target = MemoryTarget(function)

    assert await target.ready() is True
    assert await target.invoke(INVOCATION) == Succeeded(payload=base64.b64encode(INVOCATION.payload))
    assert isinstance(target, MemoryTarget)
    assert target.invocations == [INVOCATION]
