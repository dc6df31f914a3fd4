"""One runtime process: the invocations it runs, one at a time, and how each of them ends."""

import asyncio
from contextlib import ExitStack

import anyio
import structlog

from poller.core.log_tail import LogTail
from poller.core.outcomes import FunctionError, LostReply, Outcome
from poller.functions import failures
from poller.functions.asked import Asked
from poller.functions.child import Child
from poller.functions.definition import LATEST, FunctionDefinition
from poller.functions.output import Output
from poller.functions.runtime_api import Event, RuntimeApi
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

    async def ready(self, *, request_id: str = "", tail: LogTail | None = None) -> FunctionError | None:
        """Wait until it asks for its first event; where it never does, kill it and say why."""
        asked = False
        self._output.begin(request_id, tail)
        try:
            with anyio.move_on_after(self._function.start_timeout_s) as wait:
                asked = await self._api.asked()
        finally:
            self._output.end()
            if not asked:
                self._kill()
        if asked:
            return None
        await self._until(self._ended)
        if wait.cancelled_caught:
            return failures.timed_out(request_id, timeout_s=self._function.start_timeout_s)
        return self._api.init_error or self._exit_error(request_id)

    async def invoke(self, asked: Asked) -> Outcome | None:
        """Run one invocation; None where the process ended before it was given the event.

        Whatever ends the wait for the answer ends the process too: half-done work is never reused.
        """
        if not await self._asked():
            return None
        timeout_s = self._function.timeout_s
        event = Event(
            payload=asked.payload,
            request_id=asked.request_id,
            timeout_s=timeout_s,
            function_arn=asked.function_arn,
            client_context=asked.client_context,
        )
        answer = None
        self._output.begin(asked.request_id, asked.tail)
        try:
            with anyio.move_on_after(timeout_s):
                answer = await self._api.exchange(event)
            return answer or await self._unanswered(asked.request_id)
        finally:
            if answer is None:
                self._kill()
            self._output.end()

    def stop(self) -> None:
        """Kill it; what it was running is lost."""
        self._closing = True
        self._kill()

    async def until_gone(self) -> None:
        """Wait until nothing of it is left."""
        await self._until(self._released)

    async def _asked(self) -> bool:
        asked = False
        with anyio.move_on_after(ASK_LIMIT_S):
            asked = await self._api.asked()
        if not asked:
            self._kill()
        return asked

    async def _unanswered(self, request_id: str) -> Outcome:
        if not self._ended.is_set():
            self._kill()
            await self._until(self._ended)
            return failures.timed_out(request_id, timeout_s=self._function.timeout_s)
        if self._closing:
            return LostReply(reason="the function host was closed during the invocation")
        return self._exit_error(request_id)

    def _exit_error(self, request_id: str) -> FunctionError:
        return failures.exited(request_id, returncode=self._returncode)

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
