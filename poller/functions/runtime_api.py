"""The Lambda Runtime API as one process sees it: hands it one event at a time and takes its answer.

Each process has a server and a port of its own, which tells the callers apart. The conversation is
`next -> response | error -> next ...`, or `init/error` in place of the first `next`.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import orjson
from aiohttp import web

from poller.core.outcomes import FunctionError, Succeeded
from poller.core.traces import invocation_trace
from poller.functions import failures

NEXT = "/2018-06-01/runtime/invocation/next"
INIT_ERROR = "/2018-06-01/runtime/init/error"
INVOCATION = "/2018-06-01/runtime/invocation/"
# The runtime reports the cause of an error in a header of up to 1 MiB.
HEADER_LIMIT_BYTES = 2 * 1024 * 1024
JSON = "application/json"

Answer = Succeeded | FunctionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the runtime is handed."""

    payload: bytes
    request_id: str
    timeout_s: float
    function_arn: str
    """As whoever invokes the function calls it."""
    client_context: str = ""
    """JSON, ASCII alone; empty where there is none."""
    trace_id: str = ""
    """X-Ray's trace header; empty for a trace of its own."""


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """One event and, in time, its answer."""

    event: Event
    answer: Answer | None = None
    refused: bool = False
    """The answer was too large; the runtime may still report that as its own error."""
    over: anyio.Event = field(default_factory=anyio.Event)


class RuntimeApi:
    """Serves one process from its start to its end."""

    def __init__(self) -> None:
        self.init_error: FunctionError | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._runner: web.ServerRunner | None = None
        self._asked = anyio.Event()
        self._when_asked: Callable[[], None] | None = None
        self._connection: asyncio.BaseTransport | None = None
        """On which the process has asked last."""
        self._handed = anyio.Event()
        self._current: _Exchange | None = None
        self._ended = False

    @property
    def address(self) -> str:
        """The host:port of this process alone."""
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    async def serve(self) -> None:
        """Begin to answer; what came since the start of the process was kept by the kernel."""
        server = web.Server(
            self._respond, access_log=None, auto_decompress=False, max_field_size=HEADER_LIMIT_BYTES
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    @property
    def asks(self) -> bool:
        """Whether the process waits for an event now."""
        # A process that was killed is gone from the other end of its connection before its tree has ended.
        there = self._connection is not None and not self._connection.is_closing()
        return self._asked.is_set() and there and not self._ended and self.init_error is None

    async def asked(self) -> bool:
        """Wait until the process asks for an event; False once it never will."""
        await self._asked.wait()
        return not self._ended and self.init_error is None

    def when_asked(self, done: Callable[[], None]) -> None:
        """Have `done` called, once, as soon as the process asks for an event or never will."""
        if self._asked.is_set():
            done()
        else:
            self._when_asked = done

    async def exchange(self, event: Event) -> Answer | None:
        """Hand over an event to a process that asks; None where it ended without an answer."""
        current = self._current = _Exchange(event=event)
        self._asked = anyio.Event()
        self._handed.set()
        await current.over.wait()
        return current.answer

    def end(self) -> None:
        """The process is gone: nobody waits for it any longer."""
        self._ended = True
        self._set_asked()
        self._handed.set()
        if self._current is not None:
            self._current.over.set()

    def abandon(self) -> None:
        """Let go of the port before anything was served."""
        self._listener.close()

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._listener.close()

    # ----- what the process asks

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        # `raw_path` and not `path`: parsing a URL is a large part of the cost of a small request.
        path = request.raw_path
        if request.method == "GET":
            return await self._next(request) if path == NEXT else _refusal(404, "NotFound", "no such path")
        body = await _bounded_body(request)
        error_type = request.headers.get("Lambda-Runtime-Function-Error-Type")
        if path == INIT_ERROR:
            return self._init_failed(body or b"", error_type)
        request_id, _, verb = path.removeprefix(INVOCATION).partition("/")
        if request.method != "POST" or verb not in {"response", "error"}:
            return _refusal(404, "NotFound", "no such path")
        return self._answered(request_id, verb, body, error_type)

    async def _next(self, request: web.BaseRequest) -> web.Response:
        if self._asked.is_set() or self._running():
            return _refusal(403, "InvalidStateTransition", "an event is already asked for or being handled")
        self._connection = request.transport
        self._handed = anyio.Event()
        self._set_asked()
        await self._handed.wait()
        if self._ended or self._current is None:
            return _refusal(500, "ContainerError", "the host has closed")
        return self._event(self._current.event)

    def _set_asked(self) -> None:
        self._asked.set()
        done, self._when_asked = self._when_asked, None
        if done is not None:
            done()

    def _running(self) -> bool:
        return self._current is not None and self._current.answer is None

    def _event(self, event: Event) -> web.Response:
        headers = {
            # Without it the runtime hands bytes to the function.
            "Content-Type": JSON,
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + event.timeout_s) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": event.function_arn,
            "Lambda-Runtime-Trace-Id": event.trace_id or invocation_trace("", now=time.time()),
        }
        if event.client_context:
            headers["Lambda-Runtime-Client-Context"] = event.client_context
        return web.Response(body=event.payload, headers=headers)

    def _init_failed(self, body: bytes, error_type: str | None) -> web.Response:
        self.init_error = failures.posted(body, header_type=error_type)
        self._set_asked()
        return _accepted()

    def _answered(
        self, request_id: str, verb: str, body: bytes | None, error_type: str | None
    ) -> web.Response:
        current = self._current
        if current is None or current.event.request_id != request_id:
            return _refusal(400, "InvalidRequestID", "no such invocation")
        if current.answer is not None:
            return self._answered_again(current, verb)
        if body is None:
            current.refused = True
            current.answer = failures.response_too_large()
        elif verb == "response":
            current.answer = Succeeded(payload=body)
        else:
            current.answer = failures.posted(body, header_type=error_type)
        current.over.set()
        return _too_large() if current.refused else _accepted()

    def _answered_again(self, current: _Exchange, verb: str) -> web.Response:
        if current.refused and verb == "error":
            current.refused = False
            return _accepted()
        return _refusal(403, "InvalidStateTransition", "the invocation is already answered")


async def _bounded_body(request: web.BaseRequest) -> bytes | None:
    """The body, or None where it is larger than a response may be."""
    if (request.content_length or 0) > failures.RESPONSE_LIMIT_BYTES:
        return None
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > failures.RESPONSE_LIMIT_BYTES:
            return None
    return bytes(body)


def _accepted() -> web.Response:
    return web.Response(status=202, body=b'{"status":"OK"}', headers={"Content-Type": JSON})


def _too_large() -> web.Response:
    message = f"Exceeded maximum allowed payload size ({failures.RESPONSE_LIMIT_BYTES} bytes)."
    return _refusal(413, "RequestEntityTooLarge", message)


def _refusal(status: int, error_type: str, message: str) -> web.Response:
    body = orjson.dumps({"errorType": error_type, "errorMessage": message})
    return web.Response(status=status, body=body, headers={"Content-Type": JSON})
