"""One HTTP server on loopback: AWS's endpoint, and the functions that `url:` and `handler:` targets reach.

It lives as long as its world, across all lives of the poller. Who asks is told by the access key of a
request, and by the path of an invocation: each life has its own.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import orjson
from aiohttp import web

from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.errors import (
    IteratorExpired,
    PositionExpired,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceUnavailable,
)
from poller.interfaces import Invocation
from tests.kill.faces import Operation

Invoke = Callable[[str, str, Invocation], Awaitable[Outcome]]
"""Runs a function: its place, the process that asks, the invocation."""

_CREDENTIAL = re.compile(r"Credential=([^/]+)/")
_CODES: Mapping[type[SourceError], tuple[int, str]] = {
    SourceUnavailable: (500, "InternalFailure"),
    SourceThrottled: (400, "ProvisionedThroughputExceededException"),
    SourceGone: (400, "ResourceNotFoundException"),
    SourceDenied: (400, "AccessDeniedException"),
    IteratorExpired: (400, "ExpiredIteratorException"),
    PositionExpired: (400, "TrimmedDataAccessException"),
}


class Server:
    """Use as an async context manager; `port` is known inside."""

    def __init__(self, operations: Mapping[str, Operation], invoke: Invoke) -> None:
        self.port = 0
        self.running = 0
        """Requests that are being served, of dead pollers too."""
        self.brief: Counter[str] = Counter()
        """Those of each process that are served at once: neither long polls nor functions."""
        self.broken: Exception | None = None
        """What went wrong in here: a fault of the harness, never of the poller."""
        self._operations = operations
        self._invoke = invoke
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/", self._aws)
        app.router.add_post("/function/{process}/{place}", self._function)
        # A poller asks with HEAD whether anything listens there.
        app.router.add_head("/function/{process}/{place}", self._ready)
        # What a request began goes on when its sender dies (aiohttp's default): so it is at AWS.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _aws(self, request: web.Request) -> web.Response:
        operation = self._operations[request.headers["X-Amz-Target"]]
        credential = _CREDENTIAL.search(request.headers["Authorization"])
        assert credential is not None
        body = orjson.loads(await request.read())
        brief = not request.headers["X-Amz-Target"].endswith(".ReceiveMessage")
        try:
            with self._counted(credential[1], brief=brief):
                answer = await operation(body, credential[1])
        except SourceError as error:
            return _refusal(error)
        return web.Response(body=orjson.dumps(answer), content_type="application/x-amz-json-1.1")

    async def _function(self, request: web.Request) -> web.Response:
        invocation = Invocation(
            payload=await request.read(), request_id=request.headers["Lambda-Runtime-Aws-Request-Id"]
        )
        place, process = request.match_info["place"], request.match_info["process"]
        with self._counted(process, brief=False):
            outcome = await self._invoke(place, process, invocation)
        return _response(outcome, request)

    @contextmanager
    def _counted(self, process: str, *, brief: bool) -> Iterator[None]:
        self.running += 1
        self.brief[process] += brief
        try:
            yield
        except SourceError:
            raise
        except Exception as error:
            self.broken = self.broken or error
            raise
        finally:
            self.running -= 1
            self.brief[process] -= brief

    async def _ready(self, request: web.Request) -> web.Response:
        return web.Response()


def _refusal(error: SourceError) -> web.Response:
    status, code = _CODES[type(error)]
    body = orjson.dumps({"__type": code, "message": str(error)})
    return web.Response(status=status, body=body, content_type="application/x-amz-json-1.1")


def _response(outcome: Outcome, request: web.Request) -> web.Response:
    match outcome:
        case Succeeded():
            return web.Response(body=outcome.payload, content_type="application/json")
        case FunctionError():
            return web.Response(status=500)
        case Throttled():
            return web.Response(status=429)
        case LostReply() | Unreachable() | TooLarge():
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
