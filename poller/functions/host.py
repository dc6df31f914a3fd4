"""A function's processes: started on demand, up to its concurrency, and shared fairly among invocations."""

import asyncio
import math

import anyio
import structlog
from msgspec import structs

from poller.core.log_tail import LogTail
from poller.core.outcomes import FunctionError, Outcome, Succeeded, Throttled, TooLarge, Unreachable
from poller.errors import HandlerBroken, StartError
from poller.functions import failures
from poller.functions.asked import Asked
from poller.functions.definition import LATEST, FunctionDefinition
from poller.functions.idle import UNUSED_S, IdleProcesses
from poller.functions.process import RuntimeProcess
from poller.functions.slots import Line, Slots
from poller.functions.starts import FailedStarts, StartFailure, Starts
from poller.telemetry import Log

# 6 MiB: quota of a synchronous invocation's payload.
PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024

CLOSED = Unreachable(reason="the function host is closed")
ENDED_EARLY = Unreachable(reason="the process ended before it had the event")


class FunctionHost:
    """Runs one function. `start` and `close` may be called from different tasks."""

    def __init__(
        self,
        function: FunctionDefinition,
        *,
        concurrency: int = 1,
        reserved: bool = True,
        starts: Starts | None = None,
        unused_s: float = UNUSED_S,
    ) -> None:
        """Start nothing yet.

        Args:
            function: What is hosted.
            concurrency: How many of its invocations run at once.
            reserved: Whether somebody asked for that number.
            starts: Shared with other hosts, so that few processes start at once.
            unused_s: Seconds after which a process that waits for an event ends.
        """
        self.function = function
        self._reserved = reserved
        self._slots = Slots(concurrency)
        self._starts = starts or Starts()
        self._failed = FailedStarts()
        self._processes: list[RuntimeProcess] = []
        self._idle = IdleProcesses(unused_s=unused_s)
        self._first: asyncio.Task[RuntimeProcess | StartFailure] | None = None
        """The start of a process that no invocation has asked for."""
        self._begun = anyio.Event()
        """That start has its turn."""
        self._closing = anyio.Event()
        self._log = structlog.get_logger().bind(function=function.name)

    @property
    def open(self) -> bool:
        """Whether it takes invocations."""
        return not self._closing.is_set()

    async def start(self, *, patience_s: float = math.inf) -> None:
        """Start the first process, so that no invocation has to wait for it.

        Args:
            patience_s: How long it may take from its turn on; after that it goes on by itself.

        Raises:
            StartError: What the file says of the handler is wrong.
            HandlerBroken: Its module did not get to its end. The host is open: the next start may succeed.
        """
        self.function.check()
        if self._first is None:  # a start that somebody did not wait for goes on
            self._begun = anyio.Event()
            self._first = asyncio.create_task(self._begin(LATEST, begun=self._begun))
            self._first.add_done_callback(self._first_over)
        first = self._first
        await self._begun.wait()
        await asyncio.wait([first], timeout=None if math.isinf(patience_s) else patience_s)
        if (
            first.done()
            and not first.cancelled()
            and not isinstance(failure := first.result(), RuntimeProcess)
        ):
            raise self._start_error(failure(""))

    async def invoke(self, payload: bytes, *, request_id: str, function_arn: str | None = None) -> Outcome:
        """Run the function once, in the order of asking, however long that takes."""
        arn = function_arn or self.function.arn
        return await self.run(Asked(payload=payload, request_id=request_id, function_arn=arn))

    async def run(
        self, asked: Asked, *, line: Line = Line.DELIVERIES, patience_s: float = math.inf
    ) -> Outcome:
        """Run the function once; waits up to `patience_s` for its turn, and then does not run it.

        While a start that failed waits for its next try, callers get that failure and all others wait.
        """
        if len(asked.payload) > PAYLOAD_LIMIT_BYTES:
            return TooLarge(size=len(asked.payload))
        while self.open:
            failure = None if self._idle.has(asked.version) else self._failed.failure
            if failure is None:
                if not await self._slots.take(line, patience_s):
                    return Throttled(reserved=self._reserved)
                outcome = await self._run(asked, line)
                if outcome is not None:
                    return _of_version(outcome, asked.version)
            elif line is Line.CALLERS:
                return _at_once(failure, asked)
            else:
                await self._failed.changed()
        return CLOSED

    async def close(self) -> None:
        """Kill every process and see it gone; what runs is lost, what waits is refused. Twice is fine."""
        self._closing.set()
        self._failed.end()
        self._idle.close()
        if self._first is not None:
            self._first.cancel()
            await asyncio.wait([self._first])
        for process in self._processes:
            process.stop()
        for process in self._processes:
            await process.until_gone()

    # ----- with a slot

    async def _run(self, asked: Asked, line: Line) -> Outcome | None:
        """Run on a process that is there, or on another; None where none may be started now."""
        process: RuntimeProcess | None = None
        try:
            await self._idle.expected(asked.version)
            while self.open and (process := self._idle.take(asked.version)) is not None:
                outcome = await process.invoke(asked)
                if outcome is not None:
                    return outcome
            if not self.open:
                return CLOSED
            if self._failed.failure is not None:
                return None
            started = await self._started(asked)
            if not self.open:
                return CLOSED
            if not isinstance(started, RuntimeProcess):
                return started(asked.request_id)
            process = started
            return await process.invoke(asked) or ENDED_EARLY
        finally:
            self._give_back(process, line)

    def _give_back(self, process: RuntimeProcess | None, line: Line) -> None:
        """Free the slot once what ran in it runs no more."""
        if process is None:
            self._slots.free(line)
            return

        def free() -> None:
            if process.alive and self.open:
                self._idle.add(process)
            self._idle.forget(process)
            self._slots.release()

        self._slots.answered(line)
        self._idle.expect(process)
        process.when_free(free)

    # ----- starting

    async def _started(self, asked: Asked) -> RuntimeProcess | StartFailure:
        """The process that is being started anyway, or one that is started for this invocation."""
        if self._first is None or asked.version != LATEST:
            return await self._begin(asked.version, request_id=asked.request_id, tail=asked.tail)
        first, self._first = self._first, None
        try:
            await asyncio.wait([first])
        except BaseException:
            self._first = first
            if first.done():
                self._first_over(first)
            raise
        return _closed if first.cancelled() else first.result()

    def _first_over(self, first: asyncio.Task[RuntimeProcess | StartFailure]) -> None:
        """The first process is there, or not: keep it where no invocation waits for it."""
        if self._first is not first:
            return
        self._first = None
        if not first.cancelled() and isinstance(process := first.result(), RuntimeProcess):
            self._idle.add(process)

    async def _begin(
        self,
        version: str,
        *,
        request_id: str = "",
        tail: LogTail | None = None,
        begun: anyio.Event | None = None,
    ) -> RuntimeProcess | StartFailure:
        """Start a process in its turn, and wait until it asks for its first event."""
        begun_at = self._failed.begin()
        try:
            async with self._starts.turn():
                if begun is not None:
                    begun.set()
                if not self.open:
                    return _closed
                begun_at = self._failed.begin()
                process = self._launch(version)
                failure = await process.ready(request_id=request_id, tail=tail)
            if failure is None:
                self._failed.succeeded()
                return process
        except OSError as error:
            failure = _not_started(error)
        finally:
            self._failed.end()
            if begun is not None:
                begun.set()
        if self.open:
            self._say_failed(failure(""), delay_s=self._failed.failed(failure, begun_at=begun_at))
        return failure

    def _launch(self, version: str) -> RuntimeProcess:
        self._processes = [process for process in self._processes if not process.gone]
        process = RuntimeProcess(self.function, version=version)
        self._processes.append(process)
        return process

    def _say_failed(self, failure: FunctionError | Unreachable, *, delay_s: float) -> None:
        reason = failures.reason(failure)
        self._log.warning(Log.FUNCTION_START_FAILED, reason=reason, delay_s=delay_s)

    def _start_error(self, failure: FunctionError | Unreachable) -> StartError:
        sentence = (
            f"function {self.function.name!r}: handler {self.function.handler!r} cannot be started from "
            f"{str(self.function.root.resolve())!r}: {failures.reason(failure)}"
        )
        return StartError(sentence) if self.function.is_mistaken(failure) else HandlerBroken(sentence)


def _closed(request_id: str) -> Unreachable:  # noqa: ARG001 - the signature of every failure of a start
    return CLOSED


def _not_started(error: OSError) -> StartFailure:
    failure = Unreachable(reason=f"no process could be started: {error}")
    return lambda _: failure


def _at_once(failure: StartFailure, asked: Asked) -> Outcome:
    """Answer with how the last start failed, of which this invocation has seen nothing."""
    outcome = failure(asked.request_id)
    if asked.tail is not None:
        asked.tail.add(f"[ERROR] {failures.reason(outcome)}".encode())
    return outcome


def _of_version(outcome: Outcome, version: str) -> Outcome:
    if version != LATEST and isinstance(outcome, Succeeded | FunctionError):
        return structs.replace(outcome, executed_version=version)
    return outcome
