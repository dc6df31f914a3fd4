"""A function's processes: started on demand, up to its concurrency, and shared fairly among invocations."""

import math

import anyio
import structlog
from msgspec import structs

from poller.core.backoff import Backoff
from poller.core.outcomes import FunctionError, Outcome, Succeeded, Throttled, TooLarge, Unreachable
from poller.errors import StartError
from poller.functions import failures
from poller.functions.asked import Asked
from poller.functions.definition import LATEST, FunctionDefinition
from poller.functions.process import RuntimeProcess
from poller.functions.slots import Line, Slots
from poller.telemetry import Log

# 6 MiB: quota of a synchronous invocation's payload.
PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024
# A handler that cannot be imported is not tried again at once: each try costs an interpreter's start.
START_BACKOFF = Backoff(first_s=0.5, cap_s=30.0)

CLOSED = Unreachable(reason="the function host is closed")


class FunctionHost:
    """Runs one function. `start` and `close` may be called from different tasks."""

    def __init__(self, function: FunctionDefinition, *, concurrency: int = 1) -> None:
        self.function = function
        self._slots = Slots(concurrency)
        self._processes: list[RuntimeProcess] = []
        self._idle: list[RuntimeProcess] = []
        self._failed_starts = 0
        self._next_start_at = 0.0
        self._closing = anyio.Event()
        self._log = structlog.get_logger().bind(function=function.name)

    @property
    def open(self) -> bool:
        """Whether it takes invocations."""
        return not self._closing.is_set()

    async def start(self) -> None:
        """Start the first process. Raises StartError where the handler cannot be run."""
        self.function.check()
        try:
            process = self._launch()
        except OSError as error:
            raise StartError(
                f"function {self.function.name!r}: no process could be started: {error}"
            ) from error
        failure = await process.ready()
        if failure is not None:
            raise StartError(
                f"function {self.function.name!r}: handler {self.function.handler!r} cannot be started from "
                f"{str(self.function.root.resolve())!r}: {failures.describe(failure)}"
            )
        self._idle.append(process)

    async def invoke(self, payload: bytes, *, request_id: str, function_arn: str | None = None) -> Outcome:
        """Run the function once, in the order of asking, however long that takes."""
        arn = function_arn or self.function.arn
        return await self.run(Asked(payload=payload, request_id=request_id, function_arn=arn))

    async def run(
        self, asked: Asked, *, line: Line = Line.DELIVERIES, patience_s: float = math.inf
    ) -> Outcome:
        """Run the function once; waits up to `patience_s` for its turn, and then does not run it."""
        if len(asked.payload) > PAYLOAD_LIMIT_BYTES:
            return TooLarge(size=len(asked.payload))
        if not await self._slots.take(line, patience_s):
            return Throttled(reserved=True)
        try:
            outcome = await self._invoke_idle(asked)
            if outcome is None:
                outcome = await self._invoke_new(asked)
        finally:
            self._slots.free(line)
        if asked.version != LATEST and isinstance(outcome, Succeeded | FunctionError):
            return structs.replace(outcome, executed_version=asked.version)
        return outcome

    async def close(self) -> None:
        """Kill every process and see it gone; what runs is lost, what waits is refused. Twice is fine."""
        self._closing.set()
        for process in self._processes:
            process.stop()
        for process in self._processes:
            await process.until_gone()

    async def _invoke_idle(self, asked: Asked) -> Outcome | None:
        while self.open and (process := self._idle_process(asked.version)) is not None:
            outcome = await self._invoke_on(process, asked)
            if outcome is not None:
                return outcome
        return None

    def _idle_process(self, version: str) -> RuntimeProcess | None:
        """Take one that runs this version: the one used last, whose caches are warm."""
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].version == version:
                return self._idle.pop(index)
        return None

    async def _invoke_new(self, asked: Asked) -> Outcome:
        with anyio.move_on_after(self._next_start_at - anyio.current_time()):
            await self._closing.wait()
        if not self.open:
            return CLOSED
        try:
            process = self._launch(asked.version)
        except OSError as error:
            return self._start_failed(Unreachable(reason=f"no process could be started: {error}"))
        failure = await process.ready(request_id=asked.request_id, tail=asked.tail)
        if not self.open:
            return CLOSED
        if failure is not None:
            return self._start_failed(failure)
        self._failed_starts = 0
        outcome = await self._invoke_on(process, asked)
        return outcome or self._start_failed(Unreachable(reason="the process ended before it had the event"))

    async def _invoke_on(self, process: RuntimeProcess, asked: Asked) -> Outcome | None:
        try:
            return await process.invoke(asked)
        finally:
            if process.alive:
                self._idle.append(process)

    def _launch(self, version: str = LATEST) -> RuntimeProcess:
        self._processes = [process for process in self._processes if not process.gone]
        process = RuntimeProcess(self.function, version=version)
        self._processes.append(process)
        return process

    def _start_failed(self, failure: FunctionError | Unreachable) -> Outcome:
        self._failed_starts += 1
        delay_s = START_BACKOFF.delay(self._failed_starts)
        self._next_start_at = anyio.current_time() + delay_s
        reason = failure.reason if isinstance(failure, Unreachable) else failures.describe(failure)
        self._log.warning(Log.FUNCTION_START_FAILED, reason=reason, delay_s=delay_s)
        return failure
