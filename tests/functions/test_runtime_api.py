"""The Runtime API as any runtime may use it, well or badly."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import anyio
import orjson
import pytest

from poller.core.outcomes import FunctionError, Succeeded
from poller.functions.failures import RESPONSE_LIMIT_BYTES
from poller.functions.runtime_api import Answer, Event, RuntimeApi
from tests.functions.hosting import ARN

EVENT = Event(payload=b'{"a": 1}', request_id="request-1", timeout_s=3, function_arn=ARN)


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A runtime that has been handed an event, and what its host makes of it."""

    api: RuntimeApi
    http: aiohttp.ClientSession
    answers: list[Answer | None]

    async def post(self, path: str, body: bytes = b"null", **headers: str) -> int:
        async with self.http.post(f"/2018-06-01/runtime/{path}", data=body, headers=headers) as reply:
            orjson.loads(await reply.read())
            return reply.status

    async def next_status(self) -> int:
        async with self.http.get("/2018-06-01/runtime/invocation/next") as reply:
            return reply.status


@pytest.fixture
async def api() -> AsyncIterator[RuntimeApi]:
    """The server of one process."""
    api = RuntimeApi()
    await api.serve()
    yield api
    api.end()
    await api.close()


@asynccontextmanager
async def running(api: RuntimeApi) -> AsyncIterator[Conversation]:
    """Hand an event to a runtime played by the test."""
    answers: list[Answer | None] = []

    async def exchange() -> None:
        assert await api.asked()
        answers.append(await api.exchange(EVENT))

    async with aiohttp.ClientSession(f"http://{api.address}") as http, anyio.create_task_group() as tasks:
        conversation = Conversation(api=api, http=http, answers=answers)
        tasks.start_soon(exchange)
        assert await conversation.next_status() == 200
        yield conversation
        api.end()


async def test_next_waits_for_an_event_and_carries_its_headers(api: RuntimeApi) -> None:
    """A runtime finds in the reply all that it tells the handler."""
    async with aiohttp.ClientSession(f"http://{api.address}") as http, anyio.create_task_group() as tasks:

        async def hand() -> None:
            assert await api.asked()
            await api.exchange(EVENT)

        tasks.start_soon(hand)
        async with http.get("/2018-06-01/runtime/invocation/next") as reply:
            assert await reply.read() == EVENT.payload
            assert reply.headers["Content-Type"] == "application/json"
            assert reply.headers["Lambda-Runtime-Aws-Request-Id"] == "request-1"
            assert reply.headers["Lambda-Runtime-Invoked-Function-Arn"] == ARN
            assert reply.headers["Lambda-Runtime-Trace-Id"].startswith("Root=1-")
            assert reply.headers["Lambda-Runtime-Deadline-Ms"].isdigit()
        api.end()


async def test_a_response_is_accepted_once(api: RuntimeApi) -> None:
    """The first answer counts; a second one is an invalid state."""
    async with running(api) as runtime:
        assert await runtime.post("invocation/request-1/response", b'"first"') == 202
        assert await runtime.post("invocation/request-1/response", b'"second"') == 403
        assert await runtime.post("invocation/request-1/error") == 403
    assert runtime.answers == [Succeeded(payload=b'"first"')]


async def test_an_error_is_accepted_with_its_type(api: RuntimeApi) -> None:
    """The header names the type; the body is passed on."""
    async with running(api) as runtime:
        headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.Custom"}
        assert await runtime.post("invocation/request-1/error", b"[1]", **headers) == 202
    assert runtime.answers == [FunctionError(error_type="Runtime.Custom", payload=b"[1]")]


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"errorType": 1}'])
async def test_an_error_without_a_type_is_unhandled(api: RuntimeApi, body: bytes) -> None:
    """A runtime may report what it likes."""
    async with running(api) as runtime:
        assert await runtime.post("invocation/request-1/error", body) == 202
    assert runtime.answers == [FunctionError(error_type="Unhandled", payload=body)]


async def test_an_unknown_request_id_is_a_bad_request(api: RuntimeApi) -> None:
    """An answer to another invocation changes nothing."""
    async with running(api) as runtime:
        assert await runtime.post("invocation/request-2/response") == 400
        assert await runtime.post("invocation/request-1/response") == 202
    assert runtime.answers == [Succeeded(payload=b"null")]


async def test_asking_before_answering_is_an_invalid_state(api: RuntimeApi) -> None:
    """A runtime has one event at a time."""
    async with running(api) as runtime:
        assert await runtime.next_status() == 403


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_response_over_the_quota_is_refused(api: RuntimeApi, *, chunked: bool) -> None:
    """413, whether or not its length was announced; the runtime may then report that as its error."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(7):
            yield b"x" * 1_000_000

    body = chunks() if chunked else io.BytesIO(b"x" * (RESPONSE_LIMIT_BYTES + 1))
    async with running(api) as runtime:
        path = "/2018-06-01/runtime/invocation/request-1/response"
        async with runtime.http.post(path, data=body) as reply:
            assert reply.status == 413
            assert b"Exceeded maximum allowed payload size (6291556 bytes)." in await reply.read()
        assert await runtime.post("invocation/request-1/error") == 202
        assert await runtime.post("invocation/request-1/error") == 403
    assert [getattr(answer, "error_type", None) for answer in runtime.answers] == [
        "Function.ResponseSizeTooLarge"
    ]


@pytest.mark.parametrize(
    "path", ["init/nothing", "invocation/request-1/else", "invocation/request-1", "restore"]
)
async def test_other_paths_are_not_found(api: RuntimeApi, path: str) -> None:
    """What this API does not serve is said to be missing."""
    async with running(api) as runtime:
        assert await runtime.post(path) == 404


async def test_an_end_answers_whoever_waits(api: RuntimeApi) -> None:
    """When the process is gone its invocation is over without an answer."""
    async with running(api) as runtime:
        api.end()
    assert runtime.answers == [None]
    assert not await api.asked()
