"""One runtime process: the invocations it runs, one at a time, and how each of them ends."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

import anyio
import structlog

from poller.core.log_tail import LogTail, Usage
from poller.core.outcomes import FunctionError, LostReply, Outcome
from poller.functions import failures
from poller.functions.asked import Asked
from poller.functions.child import Child
from poller.functions.definition import LATEST, FunctionDefinition
from poller.functions.output import Output
from poller.functions.runtime_api import Event, RuntimeApi
from poller.functions.starts import StartFailure
from poller.telemetry import Log

# Between its answer and its next question a runtime runs nothing of the function's own.
ASK_LIMIT_S = 10.0
# Only a process stuck in the kernel outlives SIGKILL for longer; nobody should wait for that.
REAP_LIMIT_S = 5.0


class RuntimeProcess:
    """A process that serves one function until it exits or is killed; then it is of no use any more."""

    def __init__(self, function: FunctionDefinition, *, version: str = LATEST) -> None:
        """Start a process; raises OSError where the system refuses."""
        self.version = version
        self._function = function
        self._killed = False
        self._closing = False
        self._returncode = 0
        self._init_s: float | None = None
        """What the start took, until the invocation that it was made for is over."""
        self._ended = anyio.Event()
        self._released = anyio.Event()
        with ExitStack() as on_failure:
            self._api = RuntimeApi()
            on_failure.callback(self._api.abandon)
            self._output = Output(function=function.name)
            on_failure.callback(self._output.close)
            with self._output.writer() as output_fd:
                self._child = Child.spawn(
                    function, version=version, runtime_api=self._api.address, output_fd=output_fd
                )
            on_failure.pop_all()
        self._log = structlog.get_logger().bind(function=function.name, pid=self._child.pid)
        # A task of its own, because it lives as long as the process and not as long as whoever started it.
        self._attendant = asyncio.create_task(self._attend())

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left, neither process nor port."""
        return self._released.is_set()

    @property
    def alive(self) -> bool:
        """Whether it can be given another invocation."""
        return not self._killed and not self._ended.is_set()

    async def ready(self, *, request_id: str = "", tail: LogTail | None = None) -> StartFailure | None:
        """Wait until it asks for its first event; where it never does, kill it and return why."""
        asked = False
        limit_s = self._function.start_timeout_s
        begun = time.monotonic()
        self._output.begin(request_id, tail)
        try:
            with anyio.move_on_after(limit_s) as wait:
                asked = await self._api.asked()
            self._init_s = time.monotonic() - begun if request_id else None
            if asked:
                return None
            self._kill()
            await self._until(self._ended)
            failure = self._start_failure(timed_out=wait.cancelled_caught)
            self._say(failure(request_id), request_id)
            return failure
        finally:
            if not asked:
                self._kill()
            self._output.end()

    def _start_failure(self, *, timed_out: bool) -> StartFailure:
        if timed_out:
            return partial(failures.timed_out, timeout_s=self._function.start_timeout_s)
        error = self._api.init_error
        if error is None:
            return partial(failures.exited, returncode=self._returncode)
        return lambda _: error

    async def invoke(self, asked: Asked) -> Outcome | None:
        """Run one invocation; None where the process ended before it was given the event.

        Whatever ends the wait for the answer ends the process too: half-done work is never reused.

        Raises:
            NotStarted: `asked.start` did; the process waits on.
        """
        if not self._api.asks:
            self._kill()
            return None
        if asked.start is not None:
            asked.start()
        timeout_s = self._function.timeout_s
        event = Event(
            payload=asked.payload,
            request_id=asked.request_id,
            timeout_s=timeout_s,
            function_arn=asked.function_arn,
            client_context=asked.client_context,
            trace_id=asked.trace_id,
        )
        answer = None
        begun = time.monotonic()
        self._output.begin(asked.request_id, asked.tail)
        try:
            with anyio.move_on_after(timeout_s):
                answer = await self._api.exchange(event)
            duration_s = time.monotonic() - begun
            outcome: Outcome = answer or await self._unanswered(asked.request_id)
            if answer is None:
                self._say(outcome, asked.request_id)
            if asked.tail is not None:
                asked.tail.usage = self._usage(duration_s)
            return outcome
        finally:
            if answer is None:
                self._kill()
            self._output.end()
            self._init_s = None

    def when_free(self, done: Callable[[], None]) -> None:
        """Have `done` called, once, when nothing of the last invocation runs any more.

        That is when the process asks for its next event, or has ended with all that it started.
        """
        if self._ended.is_set():
            done()
            return
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def overdue() -> None:
            nonlocal timer
            if self._killed:
                self._log.error(Log.FUNCTION_PROCESS_STUCK)
                free()
                return
            self._kill()
            timer = loop.call_later(REAP_LIMIT_S, overdue)

        def free() -> None:
            nonlocal timer
            if timer is not None:
                timer.cancel()
                timer = None
                done()

        timer = loop.call_later(REAP_LIMIT_S if self._killed else ASK_LIMIT_S, overdue)
        self._api.when_asked(free)

    def stop(self) -> None:
        """Kill it; what it was running is lost."""
        self._closing = True
        self._kill()

    async def until_gone(self) -> None:
        """Wait until nothing of it is left."""
        await self._until(self._released)

    async def _unanswered(self, request_id: str) -> Outcome:
        if not self._ended.is_set():
            self._kill()
            await self._until(self._ended)
            return failures.timed_out(request_id, timeout_s=self._function.timeout_s)
        if self._closing:
            return LostReply(reason="the function host was closed during the invocation")
        return failures.exited(request_id, returncode=self._returncode)

    def _say(self, outcome: Outcome, request_id: str) -> None:
        """Add to its log how the invocation, or the start for it, was ended."""
        if isinstance(outcome, FunctionError):
            for line in failures.words(outcome, request_id=request_id, at=datetime.now(UTC)):
                self._output.say(line)

    def _usage(self, duration_s: float) -> Usage:
        return Usage(
            duration_s=duration_s,
            init_s=self._init_s,
            memory_mb=self._function.memory_mb,
            peak_memory_mb=self._child.peak_memory_mb,
        )

    def _kill(self) -> None:
        self._killed = True
        if not self._ended.is_set():
            self._child.kill()

    async def _until(self, end: anyio.Event) -> None:
        with anyio.move_on_after(REAP_LIMIT_S) as wait:
            await end.wait()
        if wait.cancelled_caught:
            self._log.error(Log.FUNCTION_PROCESS_STUCK)

    async def _attend(self) -> None:
        """Read what the process prints and see to its end."""
        try:
            await self._api.serve()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._output.pump)
                await self._child.exited()
                tasks.cancel_scope.cancel()
        finally:
            self._bury()
            with anyio.CancelScope(shield=True):
                await self._api.close()
            self._released.set()

    def _bury(self) -> None:
        self._returncode = self._child.reap()
        self._output.close()
        self._ended.set()
        self._api.end()
        if not self._killed:
            self._log.warning(Log.FUNCTION_PROCESS_EXITED, reason=failures.exit_text(self._returncode))
