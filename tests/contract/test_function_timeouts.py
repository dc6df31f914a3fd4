"""How long functions of AWS Lambda may run of which no file says it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import pytest
from aiohttp import web

from mappings.arns import FunctionName
from mappings.functions import HandlerFunction, LambdaFunction, longest_run, planned_timeout
from poller.aws import Aws
from poller.targets.timeouts import ASK_AGAIN_S, FunctionTimeouts
from tests.contract.stubbing import answering

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:billing:live"
BILLING = LambdaFunction(name=ARN, function=FunctionName.parse(ARN))


@dataclass
class Time:
    """A clock that a test moves."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


@dataclass
class Lambda:
    """Answers GetFunctionConfiguration, and keeps who asked."""

    status: int = 200
    body: dict[str, object] = field(default_factory=lambda: {"Timeout": 1800})
    asked: list[str] = field(default_factory=list)
    clock: Time = field(default_factory=Time)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        await anyio.sleep(0.05)  # long enough for a second question to meet it
        headers = {"x-amzn-ErrorType": "AccessDeniedException"} if self.status != 200 else {}
        return web.Response(status=self.status, text=json.dumps(self.body), headers=headers)


@asynccontextmanager
async def timeouts(server: Lambda, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FunctionTimeouts]:
    async with answering(server.answer, monkeypatch), Aws() as aws:
        yield FunctionTimeouts(aws, server.clock)


async def test_lambda_is_asked_once_for_the_timeout_of_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where two ask at a time; before that, nothing is known."""
    server = Lambda()
    async with timeouts(server, monkeypatch) as found:
        before = found.known(BILLING, ARN)
        async with anyio.create_task_group() as group:
            group.start_soon(found.ask, BILLING, ARN)
            group.start_soon(found.ask, BILLING, ARN)
        after = await found.ask(BILLING, ARN)

        assert (before, after, found.known(BILLING, ARN)) == (None, 1800.0, 1800.0)
    assert len(server.asked) == 1
    assert server.asked[0].endswith("/configuration")


async def test_who_may_not_ask_asks_again_after_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then the timeout is unknown."""
    server = Lambda(status=403, body={"message": "no"})
    async with timeouts(server, monkeypatch) as found:
        assert await found.ask(BILLING, ARN) is None
        server.clock.now += ASK_AGAIN_S - 1
        assert await found.ask(BILLING, ARN) is None
        assert len(server.asked) == 1

        server.status, server.body = 200, {"Timeout": 60}
        server.clock.now += 1
        assert await found.ask(BILLING, ARN) == 60.0


async def test_an_answer_without_a_timeout_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a server that stands in for Lambda, and knows no such thing."""
    async with timeouts(Lambda(body={}), monkeypatch) as found:
        assert await found.ask(BILLING, ARN) is None


async def test_a_timeout_that_a_file_lists_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor that of a function that is no function of AWS Lambda."""
    server = Lambda()
    async with timeouts(server, monkeypatch) as found:
        assert await found.ask(replace(BILLING, timeout=7.0), ARN) == 7.0
        assert await found.ask(HandlerFunction(name="f", handler="a:b", timeout=9.0), ARN) == 9.0
    assert server.asked == []


async def test_a_bare_name_is_asked_for_in_the_region_of_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the account of who asks."""
    server = Lambda()
    bare = LambdaFunction(name="billing", function=FunctionName.parse("billing"))
    async with timeouts(server, monkeypatch) as found:
        await found.ask(bare, "arn:aws:lambda:eu-west-1:123456789012:function:billing")
    assert server.asked == ["/2015-03-31/functions/billing/configuration"]


def test_of_an_unknown_timeout_the_answer_is_waited_for_longest() -> None:
    """Faults 57: 5,400 s, so that no batch runs twice; a drain waits 900 s."""
    assert longest_run(None) == 5400.0
    assert planned_timeout(None) == 900.0
    assert longest_run(60.0) == planned_timeout(60.0) == 60.0
